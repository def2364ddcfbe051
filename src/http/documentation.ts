/**
 * The description of the API: OpenAPI 3.1 out of the routes' schemas, and the pages that show it. The pages
 * are served from the package itself, so that they work without the internet.
 */

import helmet from '@fastify/helmet';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';

/** Where the description is shown. */
export const DOCS_PATH = '/docs';

/** The groups of the description, in the order they are shown. */
export const TAGS = [
  { name: 'logins', description: 'Log in and out, renew, identify, explain.' },
  { name: 'instances', description: 'Installations that share keys: registration, settings, signs of life.' },
  { name: 'keys', description: 'Licence keys: inspect, install, change, remove.' },
  { name: 'applications', description: 'Application licences: load, take, give back, count.' },
  { name: 'usage', description: 'Who uses what.' },
  { name: 'journal', description: 'Every decision and change, in order.' },
  { name: 'servers', description: 'Licence servers and who is active; replicas and who leads.' },
  { name: 'tokens', description: 'Access tokens.' },
  { name: 'operations', description: 'Probes, metrics and the catalogue of problems.' },
] as const;

const DESCRIPTION = `Lictor grants, counts and takes back licence units. An acknowledged unit is never granted twice
and never lost, and every refusal says which rule made it.

Whatever is not a success is a problem body (RFC 9457, \`application/problem+json\`) with a stable \`code\`. Lists page by an
opaque cursor. Instants are RFC 3339 in UTC. Unknown fields are errors.`;

/**
 * Collects the description of all routes that are registered after this, and shows it.
 *
 * @param app - the application.
 * @param options.version - the version told in the description.
 * @param options.shown - whether the pages are served at `/docs`.
 */
export function documentApi(app: FastifyInstance, options: { version: string; shown: boolean }): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Lictor', version: options.version, description: DESCRIPTION },
      servers: [{ url: '/' }],
      tags: [...TAGS],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'An access token, `lictor_<id>_<secret>`.',
          },
        },
      },
      security: [{ bearer: [] }],
    },
    refResolver: {
      buildLocalReference: (schema, _base, _fragment, index) => String(schema.$id ?? `Shape${index}`),
    },
    transform: ({ schema, url, route }) => ({ schema: describeAccess(schema, route.config?.access), url }),
  });
  if (!options.shown) return;
  // Whoever opens the address in a browser is shown what there is.
  app.get('/', { config: { access: 'public' }, schema: { hide: true } }, (_request, reply) => {
    reply.redirect(DOCS_PATH);
  });
  app.register((scope, _options, done) => {
    securePages(scope);
    scope.register(swaggerUi, {
      routePrefix: DOCS_PATH,
      uiConfig: { docExpansion: 'list', deepLinking: true },
    });
    done();
  });
}

/** Says in each operation what a token must permit, and that public ones need none. */
function describeAccess<S extends object | undefined>(schema: S, access: string | undefined): S {
  if (schema === undefined || access === undefined) return schema;
  if (access === 'public') return { ...schema, security: [] };
  const { description } = schema as { description?: string };
  const words = `Requires a token that permits \`${access}\`.`;
  return { ...schema, description: description === undefined ? words : `${description}\n\n${words}` };
}

/**
 * Sets the security headers of pages for browsers, in a scope of its own.
 *
 * @param scope - the scope in which the pages are registered.
 */
function securePages(scope: FastifyInstance): void {
  scope.register(helmet, {
    // The pages must work over plain HTTP on a private network too; TLS, and with it HSTS, is the ingress's.
    strictTransportSecurity: false,
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        styleSrc: ["'self'", "'unsafe-inline'"],
        frameAncestors: ["'none'"],
        upgradeInsecureRequests: null,
      },
    },
  });
}
