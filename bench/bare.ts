/**
 * The limit: a Fastify process with the body and answer schemas of `POST /v1/logins` and nothing behind them.
 * Every ratio is to what this does at the same number of clients in the same round.
 */

import Fastify from 'fastify';
import { LoginBody, LoginShape } from '../src/http/login-shapes.ts';

const ANSWER = {
  id: '01234567-89ab-4cde-8f01-23456789abcd',
  instance: 'hot',
  key: '0123456789abcdef0123456789abcdef',
  userId: 'u000000',
  kind: 'user',
  phase: 'active',
  connections: 1,
  units: 1,
  unitsAdded: 1,
  transitioned: false,
  decision: '0:123456:31',
  at: '2026-01-01T00:00:00.000Z',
};

const app = Fastify({ logger: false });
app.post('/v1/logins', { schema: { body: LoginBody, response: { 201: LoginShape } } }, (_request, reply) => {
  reply.code(201).send(ANSWER);
});
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${JSON.stringify({ msg: 'The bare route listens.', url })}\n`);
process.once('SIGTERM', () => void app.close());
