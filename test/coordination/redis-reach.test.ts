/** How the coordinator reaches its Redis: over TLS, and through Sentinel. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createConnection } from '../../src/coordination/redis-connection.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/wait.ts';
import {
  connectAdmin,
  describeRedis,
  HEAL_TIMEOUT_MS,
  makeOpener,
  SKIPPED,
  untilHealthy,
} from './redis-world.ts';

const T0 = 1_764_000_000_000;

describeRedis(`${SKIPPED}the redis coordinator over TLS`, () => {
  const open = makeOpener();
  let directory: string;
  let server: TestRedis;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'lictor-tls-'));
    const [key, cert] = [path.join(directory, 'key.pem'), path.join(directory, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '1'];
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    execFileSync('openssl', [...request, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const noClientCertificates = ['--tls-ca-cert-file', cert, '--tls-auth-clients', 'no'];
    server = await startRedis({
      tls: { cert, key },
      args: [...noClientCertificates, '--requirepass', 'secret'],
    });
  });
  afterAll(async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });
  const urlWith = (password: string): string => `rediss://:${password}@127.0.0.1:${server.port}`;

  test('serves with the right authority and password', async () => {
    const ca = await readFile(path.join(directory, 'cert.pem'), 'utf8');
    const coordinator = await open({ url: urlWith('secret') }, { tls: { ca } });
    expect(coordinator.healthy()).toBe(true);
    expect(await coordinator.countRate('a', 60)).toBe(1);
  });

  test('stays away from a server whose certificate nobody vouches for', async () => {
    const coordinator = await open({ url: urlWith('secret') });
    expect(coordinator.healthy()).toBe(false);
  });

  test('a handshake that is given up and fails tells of two errors, and neither ends the process', async () => {
    let errorsMost = 0;
    const giveUp = async (): Promise<boolean> => {
      const connection = createConnection({ url: urlWith('secret') }, undefined, 'lictor-test', 1000);
      connection.on('error', () => {});
      connection.connect().catch(() => {});
      await new Promise(setImmediate);
      const { stream } = connection;
      // Counted as they are told: one who listened would keep them from doing harm.
      let errors = 0;
      const emit = stream.emit.bind(stream) as (...told: unknown[]) => boolean;
      const counting = (...told: unknown[]): boolean => {
        if (told[0] === 'error') errors += 1;
        errorsMost = Math.max(errorsMost, errors);
        return emit(...told);
      };
      Object.assign(stream, { emit: counting });
      if (stream.connecting) await new Promise((resolve) => stream.once('connect', resolve));
      connection.disconnect();
      return errorsMost > 1;
    };
    await until(giveUp, HEAL_TIMEOUT_MS, 'a socket has told of two errors');
  });

  test('starts without Redis when the password is wrong', async () => {
    const ca = await readFile(path.join(directory, 'cert.pem'), 'utf8');
    const coordinator = await open({ url: urlWith('wrong') }, { tls: { ca } });
    expect(coordinator.healthy()).toBe(false);
    expect(await coordinator.takeTurn(0, 1000)).toBeNull();
  });
});

describeRedis(`${SKIPPED}the redis coordinator through Sentinel`, () => {
  const open = makeOpener();

  test('follows a failover to the new master, which is another store to the leader (R-12)', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'lictor-sentinel-'));
    const master = await startRedis();
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
    const sentinelConfig = path.join(directory, 'sentinel.conf');
    await writeFile(
      sentinelConfig,
      [
        `sentinel monitor lictor 127.0.0.1 ${master.port} 1`,
        'sentinel down-after-milliseconds lictor 500',
        'sentinel failover-timeout lictor 5000',
      ].join('\n'),
    );
    const sentinel = await startRedis({ sentinelConfig });
    const asSentinel = connectAdmin(sentinel.url);
    try {
      const coordinator = await open({
        sentinels: [{ host: sentinel.host, port: sentinel.port }],
        name: 'lictor',
      });
      expect(coordinator.healthy()).toBe(true);
      const before = await coordinator.writeEpoch('e1');
      const hasReplica = async (): Promise<boolean> => {
        const replicas = (await asSentinel.call('SENTINEL', 'REPLICAS', 'lictor')) as unknown[];
        return String(replicas).includes('master-link-status,ok');
      };
      await until(hasReplica, 20_000, 'the Sentinel knows the replica');

      await master.kill9();
      await untilHealthy(coordinator, false);
      await until(() => coordinator.healthy(), 30_000, 'the new master serves');
      const after = await coordinator.readEpoch();
      expect(after).toEqual({ epoch: 'e1', runId: expect.not.stringMatching(before!.runId) });
      expect(await coordinator.mark(['a'], T0, { epoch: 'e1', runId: before!.runId })).toBe('epoch-changed');
      await coordinator.close();
    } finally {
      asSentinel.disconnect();
      for (const server of [sentinel, replica, master]) await server.stop();
      await rm(directory, { recursive: true, force: true });
    }
  }, 60_000);
});
