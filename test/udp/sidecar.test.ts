import { createServer, type Server } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { UnreachableError } from '../../src/client/problems.ts';
import {
  readFault,
  readProgress,
  readRedirect,
  readReport,
  readStatus,
  readWelcome,
} from '../../src/udp/answers.ts';
import { Acquaintance, Exchange } from '../../src/udp/exchange.ts';
import { deriveKeys, isMadeBy, type RequestFrame, readRequest } from '../../src/udp/packets.ts';
import { writeQuery, writeStart } from '../../src/udp/requests.ts';
import {
  ELSEWHERE,
  HEARTBEAT,
  NO_DIGEST_TEXT,
  partsOf,
  problem,
  rowsOf,
  SECRETS,
  Speaker,
  START,
  started,
  World,
} from './world.ts';

const AWAY = new UnreachableError('updateInstance', 'r', [], false);

/** What an exchange is made of. */
function exchangeOf(world: World): ConstructorParameters<typeof Exchange>[0] {
  const datagram = new Speaker(world).make('heartbeat', HEARTBEAT);
  return {
    frame: readRequest(datagram) as RequestFrame,
    octets: datagram.length,
    sender: ELSEWHERE,
    keys: deriveKeys(SECRETS['app-a']!, 'app-a'),
    acquaintance: new Acquaintance(),
    proof: null,
    reply: (answer) => world.sent.push({ datagram: answer, to: ELSEWHERE }),
  };
}

describe('start', () => {
  test('a CHALLENGE first, then a WELCOME with incarnation, limit and interval', async () => {
    const world = new World();
    const speaker = new Speaker(world);
    const challenge = await speaker.send('start', START);
    expect(challenge?.type).toBe('challenge');
    expect(world.lictor.calls).toEqual(['instance app-a']);
    speaker.proof = challenge!.body;
    const welcome = await speaker.send('start', START);
    expect(welcome).toMatchObject({ type: 'welcome', incarnation: 1 });
    expect(readWelcome(welcome!.body)).toMatchObject({
      limit: 10,
      connectionsPerUnitMax: 25,
      nextUpdateAfterSeconds: 15,
      enforcement: 'local',
      key: '1-aaaaaaaa',
    });
  });

  test('a WELCOME that was lost comes again, for the same life', async () => {
    const world = new World();
    const speaker = await started(world);
    expect(await speaker.send('start', START)).toMatchObject({ type: 'welcome', incarnation: 1 });
  });

  test('a START may name the LicenseID of a key that is served (notes 3.4)', async () => {
    const world = new World();
    const byId = writeStart({
      key: { by: 'license-id', value: 'Klinik Süd' },
      product: '',
      version: '',
      licenseServers: [],
    });
    const none = await new Speaker(world).say('start', byId);
    expect(none?.type).toBe('invalid');
    expect(readFault(none!.body)).toMatchObject({ code: 'key-not-found' });
    expect(readFault(none!.body)?.reason).toContain('Klinik Süd');
    world.lictor.served.set('Klinik Süd', '7-bbbbbbbb');
    const welcome = await new Speaker(world, 'app-a', Buffer.alloc(8, 2)).say('start', byId);
    expect(readWelcome(welcome!.body)).toMatchObject({ key: '7-bbbbbbbb', enforcement: 'local' });
    expect(world.lictor.calls.filter((call) => call.startsWith('key '))).toEqual([]);
  });

  test('INVALID tells that there is no such key, and that a key is not enforced locally', async () => {
    const world = new World();
    const speaker = new Speaker(world);
    const missing = writeStart({
      key: { by: 'id', value: '2' },
      product: '',
      version: '',
      licenseServers: [],
    });
    const answer = await speaker.say('start', missing);
    expect(answer?.type).toBe('invalid');
    expect(readFault(answer!.body)!.code).toBe('key-not-found');
    world.lictor.enforcement = 'central';
    const central = await speaker.say('start', START);
    expect(readFault(central!.body)).toMatchObject({ code: 'key-unusable' });
    expect(world.lictor.instances.size).toBe(0);
  });

  test('a START of an earlier life that is sent again does not end the present one, also after a restart', async () => {
    const world = new World();
    const first = new Speaker(world, 'app-a', Buffer.alloc(8, 1));
    const challenge = await first.send('start', START);
    first.proof = challenge!.body;
    const recorded = first.make('start', START);
    await world.deliver(recorded);
    const second = await started(world, 'app-a', Buffer.alloc(8, 2));
    expect(second.incarnation).toBe(2);
    const before = world.lictor.state;
    expect(await world.deliver(recorded)).toEqual([]);
    world.restart();
    // Nothing remembers its number now; the proof names the incarnation before the first life.
    const [answer] = await world.deliver(recorded);
    expect(answer!.datagram[3]).toBe(0x81);
    expect(world.lictor.state).toBe(before);
    expect((await second.send('heartbeat', HEARTBEAT))?.type).toBe('ack');
  });

  test('a START that was held back for long needs a new proof', async () => {
    const world = new World();
    const speaker = new Speaker(world);
    speaker.proof = (await speaker.send('start', START))!.body;
    world.nowMs += 31_000;
    expect((await speaker.send('start', START))?.type).toBe('challenge');
    expect(world.lictor.instances.size).toBe(0);
  });
});

describe('who is answered', () => {
  test('nobody without the secret: unknown names, forged and foreign codes are met with silence', async () => {
    const world = new World();
    const speaker = await started(world);
    const forged = speaker.make('heartbeat', HEARTBEAT);
    forged[forged.length - 1]! ^= 1;
    expect(await world.deliver(forged)).toEqual([]);
    // Its own answer, sent back to it.
    expect(await world.deliver(world.sent.at(-1)!.datagram)).toEqual([]);
  });

  test('an address that is not proven gets a CHALLENGE that is no longer than what it sent', async () => {
    const world = new World();
    const speaker = await started(world);
    speaker.from = ELSEWHERE;
    for (const [type, body] of [
      ['heartbeat', HEARTBEAT],
      ['shutdown', Buffer.alloc(0)],
      ['query', writeQuery({ what: 'key', port: 0, report: 0, part: 0 })],
      ['full', partsOf(rowsOf(20), 20, 1)[0]!],
    ] as const) {
      const datagram = speaker.make(type, body);
      const [answer, ...more] = await world.deliver(datagram, ELSEWHERE);
      expect(more).toEqual([]);
      expect(answer!.datagram[3]).toBe(0x81);
      expect(answer!.datagram.length).toBeLessThanOrEqual(datagram.length);
    }
    expect(world.lictor.updates).toEqual([]);
  });

  test('proofs outlive the sidecar, and expire after an hour', async () => {
    const world = new World();
    const speaker = await started(world);
    world.restart();
    expect((await speaker.send('heartbeat', HEARTBEAT))?.type).toBe('ack');
    world.nowMs += 3_601_000;
    expect((await speaker.send('heartbeat', HEARTBEAT))?.type).toBe('challenge');
  });

  test('a datagram that comes twice is taken once, and the numbers may overtake each other', async () => {
    const world = new World();
    const speaker = await started(world);
    const one = speaker.make('heartbeat', HEARTBEAT);
    const two = speaker.make('heartbeat', HEARTBEAT);
    expect(await world.deliver(two)).toHaveLength(1);
    expect(await world.deliver(one)).toHaveLength(1);
    expect(await world.deliver(one)).toEqual([]);
    expect(await world.deliver(two)).toEqual([]);
  });

  test('an address that is not proven is told nothing of what goes wrong either', async () => {
    const world = new World();
    world.lictor.failure = problem('malformed-request', { detail: 'a long explanation '.repeat(20) });
    expect(await new Speaker(world).send('start', START)).toBeNull();
    const exchange = new Exchange(exchangeOf(world));
    expect(() => exchange.answer('refused', Buffer.alloc(400))).toThrow('too long for an unproven address');
    expect(world.sent).toEqual([]);
  });

  test('rates of an instance and of an address are bounded, and others are not held up', async () => {
    const world = new World({ perInstance: { perSecond: 1, burst: 2 } });
    const speaker = await started(world);
    expect(await speaker.send('heartbeat', HEARTBEAT)).not.toBeNull();
    expect(await speaker.send('heartbeat', HEARTBEAT)).toBeNull();
    await started(world, 'app-b', Buffer.alloc(8, 9));
    world.nowMs += 1_000;
    expect(await speaker.send('heartbeat', HEARTBEAT)).not.toBeNull();
    const strict = new World({ perAddress: { perSecond: 1, burst: 2 } });
    await started(strict);
    expect(await new Speaker(strict, 'app-b').send('start', START)).toBeNull();
    expect(
      await new Speaker(strict, 'app-b', Buffer.alloc(8, 9), ELSEWHERE).send('start', START),
    ).not.toBeNull();
  });
});

describe('updates', () => {
  test('ACK and NAK tell what Lictor says (F-52, F-54)', async () => {
    const world = new World();
    const speaker = await started(world);
    const [full] = partsOf(rowsOf(3), 10, 1);
    const ack = await speaker.send('full', full!);
    expect(ack?.type).toBe('ack');
    expect(readStatus(ack!.body)).toMatchObject({ sequence: 1, acknowledged: true, inUse: 3, limit: 10 });
    expect(world.lictor.updates).toEqual([
      {
        name: 'app-a',
        incarnation: 1,
        sequence: 1,
        since: 0,
        fullFrom: 1,
        users: rowsOf(3),
        digest: NO_DIGEST_TEXT,
      },
    ]);
    world.lictor.answer = {
      acknowledged: false,
      reason: 'over-limit',
      overLimit: { unitsMax: 6 },
      inUse: 16,
    };
    const nak = await speaker.send('change', partsOf(rowsOf(1), 10, 2, 1)[0]!);
    expect(nak?.type).toBe('nak');
    expect(readStatus(nak!.body)).toMatchObject({ reason: 'over-limit', overLimitUnits: 6, inUse: 16 });
    world.lictor.answer = { resend: 'full' };
    expect((await speaker.send('heartbeat', HEARTBEAT))?.type).toBe('resend');
  });

  test('a full report in parts is whole in whatever order they come, and Lictor hears of it once', async () => {
    const world = new World();
    const speaker = await started(world);
    const parts = partsOf(rowsOf(100), 20, 1);
    expect(parts).toHaveLength(5);
    for (const part of [3, 0, 3, 4, 1]) {
      const answer = await speaker.send('full', parts[part]!);
      expect(answer?.type).toBe('progress');
    }
    expect(world.lictor.updates).toEqual([]);
    const last = await speaker.send('full', parts[2]!);
    expect(last?.type).toBe('ack');
    expect(world.lictor.updates).toHaveLength(1);
    expect(world.lictor.updates[0]).toMatchObject({ sequence: 5, fullFrom: 5, users: rowsOf(100) });
    // Its answer was lost: any part brings it again, and nothing has to be sent anew.
    expect((await speaker.send('full', parts[2]!))?.type).toBe('ack');
    expect(world.lictor.updates).toHaveLength(1);
    expect(world.sidecar.stagedOctets).toBe(0);
  });

  test('a sidecar that was started again says that it has no part', async () => {
    const world = new World();
    const speaker = await started(world);
    const parts = partsOf(rowsOf(60), 20, 1);
    await speaker.send('full', parts[0]!);
    await speaker.send('full', parts[1]!);
    world.restart();
    const answer = await speaker.send('full', parts[2]!);
    expect(readProgress(answer!.body)!.received).toEqual(Buffer.from([0b0010_0000]));
  });

  test('a report of 10,000 users goes on as requests that Lictor can take', async () => {
    const world = new World();
    const speaker = await started(world);
    const rows = rowsOf(10_000, 'a-user-with-a-longer-name');
    const parts = partsOf(rows, 20, 1);
    for (const part of parts) await speaker.send('full', part);
    const { updates } = world.lictor;
    expect(updates.length).toBeGreaterThan(2);
    expect(updates.flatMap(({ users }) => users)).toEqual(rows);
    expect(updates.every(({ users }) => users.length <= 5_000)).toBe(true);
    expect(new Set(updates.map(({ fullFrom }) => fullFrom))).toEqual(new Set([updates[0]!.sequence]));
    expect(updates.map(({ more }) => more ?? false)).toEqual([...updates.slice(1).map(() => true), false]);
    expect(updates.slice(1).map(({ since }) => since)).toEqual(
      updates.slice(0, -1).map(({ sequence }) => sequence),
    );
    expect(updates.at(-1)!.sequence).toBe(parts.length);
  });

  test('memory of parts that are to come is bounded, and given back in time', async () => {
    const world = new World({ stagedOctetsMax: 20_000 });
    const speaker = await started(world);
    const parts = partsOf(rowsOf(2_000), 20, 1);
    for (const part of parts.slice(0, 50)) await speaker.send('full', part);
    expect(world.sidecar.stagedOctets).toBeLessThanOrEqual(20_000);
    expect(await speaker.send('full', parts[60]!)).toBeNull();
    world.nowMs += 61_000;
    world.sidecar.sweep();
    expect(world.sidecar.stagedOctets).toBe(0);
  });

  test('a part that was overtaken by a newer update does not displace it', async () => {
    const world = new World();
    const speaker = await started(world);
    const old = partsOf(rowsOf(40), 20, 1);
    const fresh = partsOf(rowsOf(40), 20, 3);
    await speaker.send('full', old[0]!);
    await speaker.send('full', fresh[0]!);
    expect(await speaker.send('full', old[1]!)).toBeNull();
    expect((await speaker.send('full', fresh[1]!))?.type).toBe('ack');
    expect(world.lictor.updates.map(({ sequence }) => sequence)).toEqual([4]);
  });

  test('users who transitioned elsewhere are told in turns when they do not fit (F-32)', async () => {
    const world = new World();
    const speaker = await started(world);
    const transitioned = rowsOf(250, 'somebody-who-transitioned').map(({ id }) => id);
    world.lictor.answer = { transitioned };
    const told = new Set<string>();
    for (let turn = 0; turn < 10; turn += 1) {
      const answer = await speaker.send('heartbeat', HEARTBEAT);
      expect(answer!.octets).toBeLessThanOrEqual(1_200);
      for (const user of readStatus(answer!.body)!.transitioned) told.add(user);
    }
    expect(told).toEqual(new Set(transitioned));
  });

  test('what Lictor can never take is REFUSED with the reason', async () => {
    const world = new World();
    const speaker = await started(world);
    world.lictor.failure = problem('malformed-request');
    const answer = await speaker.send('heartbeat', HEARTBEAT);
    expect(answer?.type).toBe('refused');
    expect(readFault(answer!.body)!.code).toBe('malformed-request');
  });
});

describe('when Lictor is away (F-13)', () => {
  test.each([
    ['cannot be reached', AWAY],
    ['must not serve', problem('not-ready')],
    ['does not know the token', problem('token-invalid')],
    ['has too much to do', problem('rate-limited')],
  ])('the sidecar is silent when it %s, and answers when it is back', async (_what, failure) => {
    const world = new World();
    const speaker = await started(world);
    world.lictor.failure = failure;
    expect(await speaker.send('heartbeat', HEARTBEAT)).toBeNull();
    const parts = partsOf(rowsOf(40), 20, 1);
    await speaker.send('full', parts[0]!);
    expect(await speaker.send('full', parts[1]!)).toBeNull();
    expect(await new Speaker(world, 'app-b').send('start', START)).toBeNull();
    world.lictor.failure = null;
    await speaker.send('full', parts[0]!);
    expect((await speaker.send('full', parts[1]!))?.type).toBe('ack');
  });
});

describe('the end of a life', () => {
  test('SHUTDOWN is answered with GOODBYE, and what comes late is not taken any more', async () => {
    const world = new World();
    const speaker = await started(world);
    const late = speaker.make('change', partsOf(rowsOf(1), 10, 1)[0]!);
    expect((await speaker.send('shutdown', Buffer.alloc(0)))?.type).toBe('goodbye');
    expect(world.lictor.calls.at(-1)).toBe('close app-a 1');
    expect(await world.deliver(late)).toEqual([]);
    expect(world.lictor.updates).toEqual([]);
  });

  test('STALE tells a life that a newer one replaced, without asking Lictor', async () => {
    const world = new World();
    const old = await started(world);
    await started(world, 'app-a', Buffer.alloc(8, 2));
    const calls = world.lictor.calls.length;
    const answer = await old.send('heartbeat', HEARTBEAT);
    expect(answer).toMatchObject({ type: 'stale', incarnation: 2 });
    expect(readFault(answer!.body)!.code).toBe('incarnation-old');
    expect(world.lictor.calls).toHaveLength(calls);
    world.restart();
    expect(await old.send('heartbeat', HEARTBEAT)).toMatchObject({ type: 'stale', incarnation: 2 });
  });

  test('STALE tells an instance that is not registered', async () => {
    const world = new World();
    const speaker = await started(world);
    world.lictor.instances.clear();
    expect((await speaker.send('heartbeat', HEARTBEAT))?.type).toBe('stale');
  });
});

describe('several licence servers (F-12)', () => {
  const second = { name: 'SECOND', address: '192.0.2.7', port: 4001 };

  test('a standby names the active one and touches nothing', async () => {
    const world = new World();
    world.role = { is: 'standby', active: second };
    const answer = await new Speaker(world).say('start', START);
    expect(answer?.type).toBe('redirect');
    expect(readRedirect(answer!.body)).toEqual(second);
    expect(world.lictor.calls).toEqual([]);
  });

  test('one that knows of no active server is silent', async () => {
    const world = new World();
    world.role = { is: 'unknown' };
    expect(await new Speaker(world).send('start', START)).toBeNull();
  });
});

describe('queries', () => {
  const ask = (fields: Partial<Parameters<typeof writeQuery>[0]> = {}) =>
    writeQuery({ what: 'key', port: 0, report: 0, part: 0, ...fields });

  test('a small answer comes in one datagram, a large one in parts that are asked for', async () => {
    const world = new World();
    const speaker = await started(world);
    world.report = 'one line\n';
    const small = readReport((await speaker.send('query', ask()))!.body)!;
    expect(small).toMatchObject({ part: 0, parts: 1, octets: Buffer.from('one line\n') });
    world.report = rowsOf(500)
      .map(({ id }) => `${id}\t1\n`)
      .join('');
    const first = readReport((await speaker.send('query', ask()))!.body)!;
    expect(first.parts).toBeGreaterThan(3);
    const text: Buffer[] = [first.octets];
    world.report = 'something else by now';
    for (let part = 1; part < first.parts; part += 1) {
      const answer = await speaker.send('query', ask({ report: first.report, part }));
      text.push(readReport(answer!.body)!.octets);
    }
    expect(Buffer.concat(text).toString().trimEnd().split('\n')).toHaveLength(500);
    // Another instance cannot read it by its number.
    const other = await started(world, 'app-b', Buffer.alloc(8, 9));
    const stolen = readReport((await other.send('query', ask({ report: first.report, part: 1 })))!.body)!;
    expect(stolen.octets.toString()).toBe('something else by now');
  });

  test('what instances may not ask for is REFUSED', async () => {
    const world = new World();
    const speaker = await started(world);
    const answer = await speaker.send('query', ask({ what: 'keys' }));
    expect(readFault(answer!.body)!.code).toBe('forbidden');
  });

  test('over TCP it goes to the port that the asker opened, whole and with a code', async () => {
    const world = new World();
    const speaker = await started(world);
    world.report = rowsOf(500)
      .map(({ id }) => `${id}\t1\n`)
      .join('');
    const { server, received, port } = await listen();
    try {
      expect(await speaker.send('query', ask({ port }))).toBeNull();
      const stream = await received;
      const keys = deriveKeys(SECRETS['app-a']!, 'app-a');
      expect(isMadeBy(stream, keys.server)).toBe(true);
      expect(stream.subarray(0, 4).toString('hex')).toBe('4c695201');
      expect(stream.readUInt32BE(17)).toBe(500);
    } finally {
      server.close();
    }
    // With nobody there, the first part comes by datagram.
    const answer = await speaker.send('query', ask({ port }));
    expect(readReport(answer!.body)).toMatchObject({ part: 0 });
  });
});

async function listen(): Promise<{ server: Server; received: Promise<Buffer>; port: number }> {
  const server = createServer();
  const received = new Promise<Buffer>((resolve) => {
    server.once('connection', (socket) => {
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.once('end', () => resolve(Buffer.concat(chunks)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, received, port: (server.address() as { port: number }).port };
}
