# Lictor in a container. It needs a Postgres (DATABASE_URL); the embedded one is for machines with nothing else,
# and its binaries are left out of the image. Nothing is written to the file system, which may be read-only.

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# No install script is needed: the embedded Postgres alone would have one, and its binaries, optional
# dependencies of their package, are not installed.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
  && npm cache clean --force

FROM node:24-slim
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=8080
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY migrations ./migrations
COPY src ./src
# A number, so that Kubernetes can check that it is not root.
USER 10001:10001
EXPOSE 8080 4001/udp
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/livez`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Logins live long; room for the young spares the collector from carrying them about.
ENTRYPOINT ["node", "--max-semi-space-size=32", "src/cli.ts"]
CMD ["serve"]
