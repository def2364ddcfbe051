/** `lictor doctor` on deployments that something is really wrong with, and on one that is in order. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { processWorld } from '../../src/cli/process.ts';
import { runCli as runHere } from '../../src/cli/run.ts';
import type { Sink } from '../../src/cli/world.ts';
import type { Finding } from '../../src/domain/findings/findings.ts';
import { runCli } from '../support/cliprocess.ts';
import { CLUSTER_TOKEN, leads, type Replica, startReplica } from '../support/cluster.ts';
import {
  createTestDatabase,
  type OwnPostgres,
  startOwnPostgres,
  type TestDatabase,
} from '../support/database.ts';
import { must } from '../support/load.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/wait.ts';

const PATIENCE_MS = 20_000;

let directory: string;
let tokenFile: string;
let database: TestDatabase;
let good: Replica;
let unsafe: OwnPostgres;
let redis: TestRedis;
let bad: Replica;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'lictor-doctor-'));
  tokenFile = path.join(directory, 'token');
  await writeFile(tokenFile, CLUSTER_TOKEN, { mode: 0o600 });
  [database, unsafe, redis] = await Promise.all([
    createTestDatabase(),
    startOwnPostgres({ fsync: 'off', synchronous_commit: 'off', shared_buffers: '32MB' }),
    startRedis({ args: ['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'] }),
  ]);
  [good, bad] = await Promise.all([
    startReplica({ databaseUrl: database.url }),
    startReplica({
      databaseUrl: unsafe.url,
      redisUrl: redis.url,
      env: { LICTOR_ALLOW_UNSAFE_DURABILITY: 'true' },
    }),
  ]);
  await until(async () => (await leads(good)) && (await leads(bad)), PATIENCE_MS, 'both lead');
}, 180_000);

afterAll(async () => {
  await Promise.all([good?.stop(), bad?.stop()]);
  await Promise.all([database?.drop(), unsafe?.dispose(), redis?.stop()]);
  await rm(directory, { recursive: true, force: true });
}, 120_000);

const doctor = (url: string, ...options: string[]) =>
  runCli(['doctor', '--url', url, '--token-file', tokenFile, ...options]);

interface Told {
  readonly level: string;
  readonly findings: readonly Finding[];
}

function levelsOf({ stdout }: { stdout: string }): Record<string, string> {
  const { findings } = JSON.parse(stdout) as Told;
  return Object.fromEntries(findings.map(({ check, level }) => [check, level]));
}

describe('a deployment that is in order', () => {
  test('has no fault: exit status 0, what is worth knowing, and how many checks are as they should be', async () => {
    const { code, stdout, stderr } = await doctor(good.url);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^warning {2}keys\.installed\n {9}No key is installed/m);
    expect(stdout).toMatch(/^ {9}Mend: Install one/m);
    expect(stdout).not.toMatch(/^(fault|ok)/m);
    expect(stdout).toMatch(/\n\n1 warning, \d notes; \d\d checks are as they should be\.\n$/);
    expect((await doctor(good.url, '--all')).stdout).toMatch(/^ok {7}database\.durability\n/m);
  });

  test('as JSON, with a stricter exit status', async () => {
    const told = await doctor(good.url, '--json', '--fail-on', 'warning');
    expect(told.code).toBe(1);
    expect(levelsOf(told)).toMatchObject({
      'here.reachable': 'ok',
      'here.encryption': 'ok',
      'here.version': 'ok',
      'here.clock': 'ok',
      'database.durability': 'ok',
      'keys.installed': 'warning',
      'replicas.leader': 'ok',
    });
  });
});

describe('a deployment that something is wrong with', () => {
  test('fsync and synchronous_commit off, and a Redis that forgets: faults, and how to mend them', async () => {
    const { code, stdout } = await doctor(bad.url);
    expect(code).toBe(1);
    const words = stdout.replaceAll(/\s+/g, ' ');
    expect(words).toMatch(
      /^fault database\.durability This database is not durable: fsync is off.*Mend: Switch fsync/,
    );
    expect(words).toMatch(
      /warning redis\.eviction maxmemory-policy is allkeys-lru.*Mend: Set maxmemory-policy to noeviction/,
    );
  });

  test('what was mended is found no more', async () => {
    const store = new Redis(redis.url);
    await store.config('SET', 'maxmemory-policy', 'noeviction');
    store.disconnect();
    expect(levelsOf(await doctor(bad.url, '--json'))['redis.eviction']).toBe('ok');
  });

  test('one address that answers and one that does not', async () => {
    const told = await doctor(`http://127.0.0.1:1,${good.url}`, '--json');
    expect(told.code).toBe(1);
    const { findings } = JSON.parse(told.stdout) as Told;
    const reachable = findings.filter(({ check }) => check === 'here.reachable');
    expect(reachable.map(({ level }) => level)).toEqual(['fault', 'ok']);
    expect(findings.some(({ check }) => check === 'database.durability')).toBe(true);
  });

  test('69 when no address answers, 77 when the token may not know', async () => {
    const away = await doctor('http://127.0.0.1:1', '--timeout', '2');
    expect([away.code, away.stdout]).toEqual([69, expect.stringMatching(/^fault {4}here\.reachable/)]);
    const viewer = await must(good.url, 'POST', '/v1/tokens', { name: 'eyes', role: 'viewer' });
    const file = path.join(directory, 'viewer');
    await writeFile(file, viewer.token, { mode: 0o600 });
    const refused = await runCli(['doctor', '--url', good.url, '--token-file', file]);
    expect(refused.code).toBe(77);
    expect(refused.stdout).toMatch(/^warning {2}here\.permission/m);
  });

  test('a certificate that ends in five days', async () => {
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(directory, name)) as [string, string];
    await promisify(execFile)('openssl', [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '5',
      ],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
    ]);
    const front = createServer(
      { key: await readFile(key), cert: await readFile(cert) },
      (request, response) => {
        void fetch(good.url + request.url, {
          headers: { authorization: request.headers.authorization ?? '' },
        }).then(async (answer) => {
          response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
          response.end(await answer.text());
        });
      },
    );
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    const url = `https://127.0.0.1:${(front.address() as AddressInfo).port}`;
    try {
      const told = await doctor(url, '--ca', cert, '--json');
      expect(levelsOf(told)).toMatchObject({ 'here.reachable': 'ok', 'here.encryption': 'warning' });
      // Without the certificate nobody is trusted, and that is told with the address.
      const strange = await doctor(url, '--timeout', '2');
      expect([strange.code, strange.stdout]).toEqual([69, expect.stringContaining('is not trusted')]);
    } finally {
      front.closeAllConnections();
      front.close();
    }
  });

  test('a clock of this host that is wrong', async () => {
    const looked = async (aheadMs: number) => {
      let stdout = '';
      const sink: Sink = {
        isTerminal: false,
        columns: 80,
        rows: 24,
        write: async (text) => {
          stdout += text;
        },
        onResize: () => () => {},
      };
      const parts = {
        ...processWorld(),
        env: { LICTOR_URL: good.url, LICTOR_TOKEN: CLUSTER_TOKEN },
        home: directory,
        stdout: sink,
        stderr: sink,
        nowMs: () => Date.now() + aheadMs,
      };
      const code = await runHere(['doctor', '--json'], parts);
      return { code, level: levelsOf({ stdout })['here.clock'] };
    };
    expect(await looked(0)).toEqual({ code: 0, level: 'ok' });
    expect(await looked(-10_000)).toEqual({ code: 0, level: 'warning' });
    expect(await looked(3_600_000)).toEqual({ code: 1, level: 'fault' });
  });
});
