import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type DigestedRow, TableDigest } from '../../src/domain/local/digest.ts';
import { DATAGRAM_OCTETS_MAX } from '../../src/udp/packets.ts';
import { writeHeartbeat, writeQuery, writeStart, writeUpdate } from '../../src/udp/requests.ts';
import { ELSEWHERE, HOME, Speaker, World } from './world.ts';

const DATAGRAMS = 100_000;
const SEED = 20_261_122;
const ROWS: readonly DigestedRow[] = [{ id: 'alice', connections: 1, webSessions: 0, transitioned: false }];

/** Numbers that are the same in every run. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 13), 0x297a_2d39);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

/** An instance with a table, and every kind of datagram that it has sent so far. */
async function livedWorld() {
  const world = new World();
  const speaker = new Speaker(world);
  const digest = new TableDigest();
  for (const row of ROWS) digest.add(row);
  const recorded: Buffer[] = [];
  const start = writeStart({
    key: { by: 'order-number', value: '1' },
    product: 'test',
    version: '',
    licenseServers: [],
  });
  const update = { parts: 1, part: 0, digest, rows: ROWS };
  const say = async (...[type, body]: Parameters<Speaker['make']>) => {
    const datagram = speaker.make(type, body);
    recorded.push(datagram);
    return speaker.hear(await world.deliver(datagram));
  };
  speaker.proof = (await say('start', start))!.body;
  speaker.incarnation = (await say('start', start))!.incarnation;
  await say('full', writeUpdate({ sequence: 1, since: 0, ...update }));
  await say('change', writeUpdate({ sequence: 2, since: 1, ...update }));
  await say('heartbeat', writeHeartbeat({ sequence: 2, digest }));
  await say('query', writeQuery({ what: 'key', port: 0, report: 0, part: 0 }));
  await say('full', writeUpdate({ sequence: 3, since: 0, ...update, parts: 2 }));
  return { world, speaker, recorded };
}

describe('whatever the network brings', () => {
  test(`${DATAGRAMS} datagrams that no instance made change nothing, crash nothing and are not answered`, async () => {
    const { world, speaker, recorded } = await livedWorld();
    const before = world.lictor.state;
    const calls = world.lictor.calls.length;
    const staged = world.sidecar.stagedOctets;
    const random = randomOf(SEED);
    const below = (bound: number) => Math.floor(random() * bound);
    const octets = (length: number) => Buffer.from(Array.from({ length }, () => below(256)));
    const any = (): Buffer => Buffer.from(recorded[below(recorded.length)]!);
    const noise = octets(4_096);
    const some = (length: number): Buffer => {
      const from = below(noise.length - length);
      return Buffer.from(noise.subarray(from, from + length));
    };
    const kinds: readonly (() => Buffer)[] = [
      () => some(below(DATAGRAM_OCTETS_MAX)),
      () => any().subarray(0, -1 - below(60)),
      () => {
        const turned = any();
        turned[below(turned.length)]! ^= 1 << below(8);
        return turned;
      },
      () => Buffer.concat([any(), some(1 + below(1_500))]),
      // A right head, a body of noise, and a code that was guessed.
      () => Buffer.concat([any().subarray(0, 42), some(below(600)), some(32)]),
      // Made with the other instance's secret.
      () => {
        const other = new Speaker(world, 'app-b', Buffer.from(speaker.life));
        Object.assign(other, { proof: speaker.proof, incarnation: 1, number: below(50) });
        const datagram = other.make('shutdown', Buffer.alloc(0));
        datagram.write('a', 41, 1, 'latin1');
        return datagram;
      },
      // Recorded and sent again, from here and from elsewhere.
      any,
    ];
    for (let count = 0; count < DATAGRAMS; count += 1) {
      const kind = kinds[count % kinds.length]!;
      const from = random() < 0.5 ? HOME : ELSEWHERE;
      world.sidecar.receive(kind(), from, (datagram) => world.sent.push({ datagram, to: from }));
    }
    const sentBefore = recorded.length;
    expect(world.sent).toHaveLength(sentBefore);
    expect(world.lictor.calls).toHaveLength(calls);
    expect(world.lictor.state).toBe(before);
    expect(world.sidecar.stagedOctets).toBe(staged);
    expect(world.sidecar.isIdle).toBe(true);
    // And the instance goes on as if nothing had been.
    const part = { sequence: 3, since: 0, parts: 2, digest: new TableDigest(), rows: ROWS };
    expect((await speaker.send('full', writeUpdate({ ...part, part: 0 })))?.type).toBe('progress');
  });

  test('what is recorded and sent again after a restart of the sidecar changes nothing either', async () => {
    const { world, recorded } = await livedWorld();
    const before = world.lictor.state;
    const random = randomOf(SEED);
    for (let restart = 0; restart < 50; restart += 1) {
      world.restart();
      for (let count = 0; count < 10; count += 1) {
        const datagram = recorded[Math.floor(random() * recorded.length)]!;
        const from = random() < 0.5 ? HOME : ELSEWHERE;
        for (const answer of await world.deliver(datagram, from)) {
          if (from === ELSEWHERE) expect(answer.datagram.length).toBeLessThanOrEqual(datagram.length);
        }
      }
    }
    expect(world.lictor.state).toBe(before);
  });

  test('bodies of any octets, from an instance gone mad, crash nothing', async () => {
    const { world, speaker } = await livedWorld();
    const type = fc.constantFrom('start', 'change', 'full', 'heartbeat', 'shutdown', 'query');
    const body = fc.uint8Array({ maxLength: 400 });
    const before = world.lictor.state;
    await fc.assert(
      fc.asyncProperty(type, body, async (kind, octets) => {
        // That one is what it should be, and ends the life.
        fc.pre(kind !== 'shutdown' || octets.length > 0);
        const sent = await world.deliver(speaker.make(kind, Buffer.from(octets)));
        for (const { datagram } of sent) expect(datagram.length).toBeLessThanOrEqual(DATAGRAM_OCTETS_MAX);
      }),
      { numRuns: 300, seed: SEED, examples: [['change', new Uint8Array(0)]] },
    );
    expect(world.lictor.state).toBe(before);
  });
});
