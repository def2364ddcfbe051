// The same application without Fastify: the middleware is one for Express, and all it needs is node:http.

import { createServer } from 'node:http';
import { LicenseInstance, licenseMiddleware } from 'lictor/client';

const instance = await LicenseInstance.open({
  client: {
    url: process.env.LICTOR_URL ?? 'http://127.0.0.1:8080',
    tokenFile: process.env.LICTOR_TOKEN_FILE ?? 'data/admin-token',
  },
  name: 'example-express',
  key: process.env.LICTOR_KEY,
});

const license = licenseMiddleware({
  instance,
  idleSeconds: 300,
  // This example speaks plain HTTP; over HTTPS leave it out.
  cookie: { secure: false },
  licensing: ({ url }) => (url === '/' || url?.startsWith('/log') ? 'session' : 'none'),
});

/** With Express: `app.use(license)`, and then whatever the application does. */
async function handle(request, response) {
  const session = request.license;
  const [, page, user] = request.url.split('/');
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  if (session === undefined) return answer(404, { error: 'not found' });
  if (page === 'login') {
    const verdict = await session.login(decodeURIComponent(user ?? ''));
    if (verdict.is !== 'granted') return answer(503, { user: session.userId, why: verdict.detail });
  }
  if (page === 'logout') session.logout();
  answer(200, { user: session.hasEnded ? null : session.userId, pages: session.pages });
}

const server = createServer((request, response) => {
  license(request, response, (error) => {
    if (error) response.writeHead(500).end(String(error));
    else handle(request, response).catch((failure) => response.destroy(failure));
  });
});
server.listen(Number(process.env.PORT ?? 3001), '127.0.0.1', () => {
  const { address, port } = server.address();
  console.log(`http://${address}:${port}`);
});

async function end() {
  license.sessions.close();
  server.close();
  server.closeAllConnections();
  await instance.close();
}
process.once('SIGINT', end);
process.once('SIGTERM', end);
