// A small web application on Fastify, licensed: each visitor takes a unit, and trades it for his own when he logs in.

import fastify from 'fastify';
import { LicenseInstance } from 'lictor/client';
import { licenseSessions } from 'lictor/client/fastify';

const instance = await LicenseInstance.open({
  client: {
    url: process.env.LICTOR_URL ?? 'http://127.0.0.1:8080',
    tokenFile: process.env.LICTOR_TOKEN_FILE ?? 'data/admin-token',
  },
  name: 'example-fastify',
  key: process.env.LICTOR_KEY,
});

const app = fastify();
await app.register(licenseSessions, {
  instance,
  idleSeconds: 300,
  // This example speaks plain HTTP; over HTTPS leave it out.
  cookie: { secure: false },
  // A probe takes no unit.
  licensing: ({ url }) => (url === '/health' ? 'none' : 'session'),
});

app.get('/health', async () => ({ status: 'well' }));
app.get('/', async ({ license }) => ({ user: license?.userId, pages: license?.pages }));
app.get<{ Params: { user: string } }>('/login/:user', async ({ license, params }, reply) => {
  // Here the password would be looked at. Whether it is right and whether a unit is free are two matters.
  const verdict = await license!.login(params.user);
  if (verdict.is === 'granted') return { user: verdict.userId, connections: verdict.connections };
  return reply.code(503).send({ user: license!.userId, why: 'detail' in verdict ? verdict.detail : '' });
});
app.get('/logout', async ({ license }) => {
  license?.logout();
  return { user: null };
});
app.addHook('onClose', async () => {
  await instance.close();
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close());
console.log(await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) }));
