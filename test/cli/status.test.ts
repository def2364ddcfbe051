import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { runIn } from './world.ts';

type Status = 'ready' | 'degraded' | 'not-ready';

/** Runs `lictor status` against a server that says of itself that it is so. */
async function statusOf(status: Status, ...args: string[]) {
  const check = (words: string) => ({ status, words });
  const readiness = {
    status,
    checks: { database: check('connected'), coordination: check('heartbeats'), lane: check('decides') },
    durability: 'survives a crash',
    leader: true,
    replica: 'replica-1',
  };
  const roster = {
    items: [{ name: 'ALPHA' }],
    active: { name: 'ALPHA', since: '2027-01-10T12:00:00.000Z' },
    conflicts: [],
    notices: [],
  };
  const server = createServer(({ url }, response) => {
    const isReadiness = url === '/readyz';
    const code = isReadiness && status === 'not-ready' ? 503 : 200;
    response.writeHead(code, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isReadiness ? readiness : roster));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await runIn(['status', ...args], { env: { LICTOR_URL: `http://127.0.0.1:${port}` } });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('lictor status', () => {
  test('what is well and what is not, in words', async () => {
    const { exit, stdout } = await statusOf('ready');
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^State: +ready$/m);
    expect(stdout).toMatch(/^Replica: +replica-1, the leader$/m);
    expect(stdout).toMatch(/^Database: +ready: connected$/m);
    expect(stdout).toMatch(/^Licence server: +ALPHA is active, since 2027/m);
  });

  test('0 when it serves with less than all, 69 when it does not serve', async () => {
    expect((await statusOf('degraded')).exit).toBe(0);
    expect(await statusOf('not-ready')).toMatchObject({
      exit: 69,
      stdout: expect.stringContaining('not-ready'),
    });
  });

  test('for programs', async () => {
    const { stdout } = await statusOf('ready', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      status: 'ready',
      checks: { lane: { words: 'decides' } },
      activeLicenseServer: { name: 'ALPHA' },
    });
  });
});
