/** What somebody could do who has recorded datagrams, or has the secret of one instance, or a slow network. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createClient } from '../../src/client/client.ts';
import { readFault, readProgress } from '../../src/udp/answers.ts';
import { Reports } from '../../src/udp/reports.ts';
import { writeQuery, writeUpdate } from '../../src/udp/requests.ts';
import { Beats } from '../../src/udp/roster.ts';
import { startSidecar } from '../../src/udp/running.ts';
import { until } from '../support/wait.ts';
import { ELSEWHERE, HEARTBEAT, NO_DIGEST, partsOf, rowsOf, Speaker, START, started, World } from './world.ts';

const NOTHING = Buffer.alloc(0);

describe('what was recorded and is sent again', () => {
  test('does not use up the rate of the instance', async () => {
    const world = new World({ perInstance: { perSecond: 1, burst: 4 } });
    const speaker = await started(world);
    const recorded = speaker.make('heartbeat', HEARTBEAT);
    await world.deliver(recorded);
    world.nowMs += 1_000;
    for (let count = 0; count < 20; count += 1) await world.deliver(recorded, ELSEWHERE);
    expect((await speaker.send('heartbeat', HEARTBEAT))?.type).toBe('ack');
  });

  test('from elsewhere, and new to a sidecar that was started again, does not either', async () => {
    const world = new World({ perInstance: { perSecond: 1, burst: 4 } });
    const speaker = await started(world);
    const recorded = Array.from({ length: 20 }, () => speaker.make('heartbeat', HEARTBEAT));
    world.restart();
    for (const datagram of recorded) await world.deliver(datagram, ELSEWHERE);
    expect((await speaker.send('heartbeat', HEARTBEAT))?.type).toBe('ack');
  });

  test('of many former lives, does not make the sidecar forget what the present one sent', async () => {
    const world = new World();
    const former: Buffer[] = [];
    for (let life = 1; life <= 6; life += 1) {
      const speaker = await started(world, 'app-a', Buffer.alloc(8, life));
      former.push(speaker.make('heartbeat', HEARTBEAT));
    }
    const speaker = await started(world, 'app-a', Buffer.alloc(8, 9));
    const recorded = speaker.make('heartbeat', HEARTBEAT);
    await world.deliver(recorded);
    for (const datagram of former) await world.deliver(datagram);
    expect(await world.deliver(recorded)).toEqual([]);
  });

  test('a START of a former life does not take the place of an update that waits', async () => {
    const world = new World();
    const old = new Speaker(world, 'app-a', Buffer.alloc(8, 1));
    const recorded = old.make('start', START);
    const speaker = await started(world, 'app-a', Buffer.alloc(8, 2));
    let release = () => {};
    world.lictor.held = new Promise((resolve) => {
      release = resolve;
    });
    world.drop(speaker.make('heartbeat', HEARTBEAT));
    world.drop(speaker.make('full', partsOf(rowsOf(3), 10, 2)[0]!));
    world.drop(recorded);
    release();
    await until(() => world.sidecar.isIdle, 20_000, 'everything is done');
    expect(world.lictor.updates.map(({ sequence }) => sequence)).toEqual([1, 2]);
  });

  test('a START of a life that was shut down begins nothing, also after a restart', async () => {
    const world = new World();
    const speaker = await started(world);
    const recorded = Array.from({ length: 2 }, () => speaker.make('start', START));
    expect((await speaker.send('shutdown', NOTHING))?.type).toBe('goodbye');
    const before = world.lictor.state;
    expect(await world.deliver(recorded[0]!)).toEqual([]);
    world.restart();
    const answer = speaker.hear(await world.deliver(recorded[1]!));
    expect(readFault(answer!.body)!.code).toBe('instance-silent');
    expect(world.lictor.state).toBe(before);
  });

  test('a part of an update of a former life does not displace what is staged', async () => {
    const world = new World();
    const old = await started(world, 'app-a', Buffer.alloc(8, 1));
    const late = old.make('full', partsOf(rowsOf(40), 20, 7)[0]!);
    const speaker = await started(world, 'app-a', Buffer.alloc(8, 2));
    world.restart();
    const parts = partsOf(rowsOf(40), 20, 1);
    expect((await speaker.send('full', parts[0]!))?.type).toBe('progress');
    await world.deliver(late);
    expect((await speaker.send('full', parts[1]!))?.type).toBe('ack');
  });
});

describe('what the network does while Lictor is slow', () => {
  test('a late update does not take the place of a newer one that waits', async () => {
    const world = new World();
    const speaker = await started(world);
    let release = () => {};
    world.lictor.held = new Promise((resolve) => {
      release = resolve;
    });
    const [first, second, third] = [1, 2, 3].map((sequence) =>
      speaker.make('full', partsOf(rowsOf(sequence), 10, sequence)[0]!),
    );
    for (const datagram of [first!, third!, second!]) world.drop(datagram);
    release();
    await until(() => world.sidecar.isIdle, 20_000, 'everything is done');
    expect(world.lictor.updates.map(({ sequence }) => sequence)).toEqual([1, 3]);
  });

  test('an update in parts that another took the place of is not taken for answered', async () => {
    const world = new World();
    const speaker = await started(world);
    let release = () => {};
    world.lictor.held = new Promise((resolve) => {
      release = resolve;
    });
    world.drop(speaker.make('heartbeat', HEARTBEAT));
    const parts = partsOf(rowsOf(40), 20, 1);
    for (const part of parts) world.drop(speaker.make('full', part));
    world.drop(speaker.make('heartbeat', HEARTBEAT));
    release();
    await until(() => world.sidecar.isIdle, 20_000, 'everything is done');
    const answer = await speaker.send('full', parts[1]!);
    expect(readProgress(answer!.body)!.received).toEqual(Buffer.from([0b0100_0000]));
    expect((await speaker.send('full', parts[0]!))?.type).toBe('ack');
  });
});

describe('an instance gone mad', () => {
  test('has Lictor asked no more often than its rate, and others are not held up', async () => {
    const world = new World({ perInstanceCalls: { perSecond: 1, burst: 5 } });
    const speaker = await started(world);
    for (let count = 0; count < 50; count += 1) await speaker.send('heartbeat', HEARTBEAT);
    expect(world.lictor.calls.filter((call) => call.startsWith('update'))).toHaveLength(4);
    await started(world, 'app-b', Buffer.alloc(8, 9));
  });

  test('that fills the memory for parts keeps no other from reporting', async () => {
    const world = new World({ stagedOctetsMax: 60_000 });
    const speaker = await started(world);
    for (const part of partsOf(rowsOf(2_000), 20, 1).slice(0, 60)) await speaker.send('full', part);
    expect(world.sidecar.stagedOctets).toBeGreaterThan(50_000);
    const other = await started(world, 'app-b', Buffer.alloc(8, 9));
    const parts = partsOf(rowsOf(100), 20, 1);
    for (const part of parts.slice(1)) expect((await other.send('full', part))?.type).toBe('progress');
    expect(world.sidecar.stagedOctets).toBeLessThanOrEqual(60_000);
    expect((await other.send('full', parts[0]!))?.type).toBe('ack');
  });

  test('cannot number an update beyond what an answer can tell', async () => {
    const world = new World();
    const speaker = await started(world);
    const update = { since: 0, parts: 2, part: 0, digest: NO_DIGEST, rows: rowsOf(1) };
    expect(await speaker.send('full', writeUpdate({ sequence: 0xffff_ffff, ...update }))).toBeNull();
    expect((await speaker.send('full', writeUpdate({ sequence: 0xffff_fffe, ...update })))?.type).toBe(
      'progress',
    );
  });

  test('a source port that nobody can be answered at is met with silence', async () => {
    const world = new World();
    expect(await world.deliver(new Speaker(world).make('start', START), { ...ELSEWHERE, port: 0 })).toEqual(
      [],
    );
    expect(world.lictor.calls).toEqual([]);
  });
});

describe('what changes at Lictor', () => {
  test('a key that is switched from local is not good any more, until it is switched back', async () => {
    const world = new World();
    const speaker = await started(world);
    world.lictor.enforcement = 'central';
    const parts = partsOf(rowsOf(40), 20, 1);
    await speaker.send('full', parts[0]!);
    const answer = await speaker.send('full', parts[1]!);
    expect(answer?.type).toBe('invalid');
    expect(readFault(answer!.body)!.code).toBe('key-unusable');
    expect((await speaker.send('heartbeat', HEARTBEAT))?.type).toBe('invalid');
    world.lictor.enforcement = 'local';
    expect((await speaker.send('heartbeat', HEARTBEAT))?.type).toBe('ack');
  });

  test('an instance that was removed and registers again may have the incarnation of one that was shut down', async () => {
    const world = new World();
    const old = await started(world);
    expect((await old.send('shutdown', NOTHING))?.type).toBe('goodbye');
    world.lictor.instances.clear();
    const speaker = await started(world, 'app-a', Buffer.alloc(8, 2));
    expect(speaker.incarnation).toBe(old.incarnation);
    expect((await speaker.send('heartbeat', HEARTBEAT))?.type).toBe('ack');
  });
});

describe('memory', () => {
  test('of reports whose parts nobody asked for is given back', async () => {
    const world = new World();
    const speaker = await started(world);
    world.report = 'x'.repeat(50_000);
    await speaker.send('query', writeQuery({ what: 'key', port: 0, report: 0, part: 0 }));
    expect(world.querying.keptOctets).toBe(50_000);
    world.nowMs += 61_000;
    world.sidecar.sweep();
    expect(world.querying.keptOctets).toBe(0);
  });

  test('a report that is too long is cut while it is made, and says so', async () => {
    let pages = 0;
    const user = 'a-long-user-id-'.repeat(8);
    const client = {
      instances: { read: async () => ({ key: 'k' }) },
      usage: {
        counts: async () => ({ items: [] }),
        instances: async () => ({ items: [] }),
        users: async () => {
          pages += 1;
          if (pages > 1_000) throw new Error('It goes on asking.');
          const place = { instance: 'app-a', connections: 1, units: 1, shared: false };
          const item = { userId: user, key: 'k', instances: [place], transitioned: false };
          return { items: new Array(500).fill(item), nextCursor: 'more' };
        },
      },
    };
    const report = await new Reports(client as never, {} as never, 'key').make('key', 'app-a');
    expect(report.length).toBeLessThanOrEqual(16 * 1_048_576);
    expect(report.toString('utf8').endsWith('\n# cut: the report is too long\n')).toBe(true);
  });
});

describe('the process', () => {
  test('does not start under a token file that is empty: anybody could make its proofs', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'lictor-token-'));
    const [tokenFile, secretsFile] = [path.join(folder, 'token'), path.join(folder, 'secrets')];
    try {
      await writeFile(tokenFile, '\n');
      await writeFile(secretsFile, '', { mode: 0o600 });
      const logger = { info: () => {}, warn: () => {}, error: () => {} };
      await expect(
        startSidecar({
          urls: ['http://127.0.0.1:9'],
          token: null,
          tokenFile,
          secretsFile,
          hosts: ['127.0.0.1'],
          ports: [0],
          server: null,
          reports: 'key',
          addressRateMax: 1,
          instanceRateMax: 1,
          stagedBytesMax: 1_048_576,
          flightsMax: 1,
          holder: 'h',
          logger,
        }),
      ).rejects.toThrow('holds no access token');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('a sign of life that fails again and again is told once', async () => {
    const told: string[] = [];
    let beats = 0;
    const client = createClient({
      url: 'http://127.0.0.1:9',
      token: 't',
      fetch: async (url) => {
        if (String(url).endsWith('/beat')) beats += 1;
        throw Object.assign(new Error('no'), { code: 'ECONNREFUSED' });
      },
    });
    const logger = { info: () => {}, warn: (_fields: object, message: string) => told.push(message) };
    const roster = new Beats({ client, name: 'FIRST', holder: 'h', logger });
    roster.start();
    await until(() => beats >= 3, 20_000, 'it has tried three times');
    expect(roster.role()).toEqual({ is: 'unknown' });
    await roster.close();
    expect(told).toHaveLength(1);
    client.close();
  }, 40_000);
});
