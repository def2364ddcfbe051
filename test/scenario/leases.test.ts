/**
 * Instances under a leased key as processes of their own, behind connections that are severed: they, the replicas
 * and Redis are killed and stopped, and at no time do the logins that anybody holds valid cost more than the key
 * has.
 */
import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createClient } from '../../src/client/index.ts';
import { CLUSTER_TOKEN, type Replica, startReplica } from '../support/cluster.ts';
import { createTestDatabase } from '../support/database.ts';
import type { Answered } from '../support/instance-process.ts';
import { InstanceProcess } from '../support/instance-processes.ts';
import { signedKeyFile } from '../support/keyfiles.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { Relay } from '../support/relay.ts';
import { readJournal } from '../support/replay.ts';
import { until } from '../support/wait.ts';

const UNITS = 50;
const INSTANCES = 5;
const TERM_SECONDS = 10;
const STEPS = 110;
const SEED = Number(process.env.LICTOR_TEST_SEED ?? 20_300_103);
/** Users who are on several instances; together they stay within what one unit serves. */
const SHARED_USERS = 3;
const SHARED_CONNECTIONS_MAX = 4;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}, 120_000);

/** An instance and its way to the replicas. */
interface Site {
  readonly name: string;
  readonly relays: readonly Relay[];
  process: InstanceProcess;
  isStopped: boolean;
  /** Users of its own so far. */
  made: number;
}

class World {
  readonly key: string;
  readonly replicas: Replica[];
  readonly redis: TestRedis;
  readonly options: Parameters<typeof startReplica>[0];
  readonly sites: Site[] = [];
  granted = 0;

  constructor(
    key: string,
    replicas: Replica[],
    redis: TestRedis,
    options: Parameters<typeof startReplica>[0],
  ) {
    this.key = key;
    this.replicas = replicas;
    this.redis = redis;
    this.options = options;
  }

  open({ name, relays }: Pick<Site, 'name' | 'relays'>): Promise<InstanceProcess> {
    const client = { url: relays.map(({ url }) => url), token: CLUSTER_TOKEN };
    return InstanceProcess.open({ name, key: this.key, client, settings: { graceSeconds: 0 } });
  }

  async add(index: number): Promise<void> {
    const name = `leased-${index}`;
    const relays = await Promise.all(this.replicas.map(({ url }) => Relay.open(url)));
    const process = await this.open({ name, relays });
    const site: Site = { name, relays, process, isStopped: false, made: 0 };
    this.sites.push(site);
    cleanups.push(async () => {
      await site.process.kill9();
      await Promise.all(relays.map((relay) => relay.close()));
    });
  }

  /** What every instance holds, while none is asked for anything else; the second look is after its timers. */
  async look(): Promise<Answered[]> {
    const running = this.sites.filter(({ isStopped }) => !isStopped);
    for (const { process } of running) await process.ask({ do: 'state' });
    return Promise.all(running.map(({ process }) => process.ask({ do: 'state' })));
  }

  /** No more is held than the key has, by the facts alone (F-31). */
  async verify(): Promise<void> {
    const connections = new Map<string, number>();
    for (const { users } of await this.look()) {
      for (const [user, count] of Object.entries(users))
        connections.set(user, (connections.get(user) ?? 0) + count);
    }
    let cost = 0;
    for (const count of connections.values()) cost += count > 25 ? count : Math.min(1, count);
    if (cost > UNITS) throw new Error(`over-grant: ${cost} of ${UNITS} units`);
  }
}

async function openWorld(): Promise<World> {
  const database = await createTestDatabase();
  cleanups.push(() => database.drop());
  const redis = await startRedis();
  cleanups.push(() => redis.stop());
  const env = { LICTOR_LEASE_TERM_SECONDS: String(TERM_SECONDS) };
  const options = { databaseUrl: database.url, redisUrl: redis.url, env };
  const replicas = [await startReplica(options), await startReplica(options)];
  cleanups.push(() => Promise.all(replicas.map((replica) => replica.kill9())));
  const client = createClient({ url: replicas[0]!.url, token: CLUSTER_TOKEN });
  const { text } = signedKeyFile({ AuthorizedUnits: UNITS, OrderNumber: 9_001 });
  const { id } = await client.keys.install({ file: text });
  await client.keys.change(id, { enforcement: 'leased' }, '*');
  client.close();
  const world = new World(id, replicas, redis, options);
  for (let index = 0; index < INSTANCES; index += 1) await world.add(index);
  return world;
}

/** What can happen, and how often beside the rest. */
const EVENTS = {
  arrive: 9,
  share: 4,
  leave: 3,
  cut: 2,
  mend: 3,
  stop: 1,
  goOn: 2,
  kill: 1,
  replica: 1,
  redis: 1,
} as const;
type Event = keyof typeof EVENTS;

const steps = fc.tuple(
  fc.constantFrom(
    ...Object.entries(EVENTS).flatMap(([what, times]) => Array<Event>(times).fill(what as Event)),
  ),
  fc.nat(INSTANCES - 1),
  fc.nat(1_000),
);

/** Users come to an instance, all at once. */
async function arrive(world: World, site: Site, count: number): Promise<void> {
  const from = site.made;
  site.made += count;
  const users = Array.from({ length: count }, (_, index) => `${site.name}-${from + index}`);
  // Whoever must ask does not wait for long: many ways are severed.
  const answers = await Promise.all(users.map((user) => site.process.ask({ do: 'login', user, wait: true })));
  world.granted += answers.filter(({ outcome }) => outcome === 'granted').length;
}

async function share(world: World, site: Site, user: string): Promise<void> {
  const { users } = await site.process.ask({ do: 'state' });
  if ((users[user] ?? 0) >= SHARED_CONNECTIONS_MAX) return;
  const { outcome } = await site.process.ask({ do: 'login', user, wait: true });
  if (outcome === 'granted') world.granted += 1;
}

async function leave(site: Site, much: number): Promise<void> {
  const { users } = await site.process.ask({ do: 'state' });
  const held = Object.entries(users).filter(([, count]) => count > 0);
  for (const [user] of held.slice(0, 1 + (much % 6))) await site.process.ask({ do: 'logout', user });
}

async function take(world: World, [what, which, much]: readonly [Event, number, number]): Promise<void> {
  const site = world.sites[which]!;
  const relay = site.relays[much % site.relays.length]!;
  if (what === 'goOn' || what === 'kill') {
    if (site.isStopped) site.process.signal('SIGCONT');
    site.isStopped = false;
  }
  if (site.isStopped) return;
  switch (what) {
    case 'arrive':
      return arrive(world, site, 1 + (much % 20));
    case 'share':
      return share(world, site, `shared-${much % SHARED_USERS}`);
    case 'leave':
      return leave(site, much);
    case 'cut':
      return relay.cut();
    case 'mend':
      for (const each of site.relays) each.mend();
      return;
    case 'stop':
      site.process.signal('SIGSTOP');
      site.isStopped = true;
      return;
    case 'kill':
      await site.process.kill9();
      for (const each of site.relays) each.mend();
      site.process = await world.open(site);
      return;
    case 'replica':
      return restartReplica(world, much % world.replicas.length);
    case 'redis':
      await world.redis.kill9();
      return world.redis.restart();
    default:
  }
}

/** A replica is killed, and another one serves at its address. */
async function restartReplica(world: World, index: number): Promise<void> {
  const former = world.replicas[index]!;
  const { port } = new URL(former.url);
  await former.kill9();
  world.replicas[index] = await startReplica({ ...world.options, env: { ...world.options.env, PORT: port } });
  cleanups.push(() => world.replicas[index]!.kill9());
}

test('S-3, S-6: severed, stopped and killed, nobody is granted a unit twice, and all units come back', async () => {
  const world = await openWorld();
  for (const step of fc.sample(steps, { seed: SEED, numRuns: STEPS })) {
    await take(world, step);
    await world.verify();
  }
  expect(world.granted).toBeGreaterThan(UNITS);
  // Whole again: everybody goes, and whoever was killed is forgotten within a term.
  for (const site of world.sites) {
    for (const relay of site.relays) relay.mend();
    if (site.isStopped) site.process.signal('SIGCONT');
    site.isStopped = false;
  }
  const healedAt = performance.now();
  for (const { process } of world.sites) {
    const { users } = await process.ask({ do: 'state' });
    for (const [user, count] of Object.entries(users)) {
      for (let out = 0; out < count; out += 1) await process.ask({ do: 'logout', user });
    }
  }
  const [first] = world.sites;
  let held = 0;
  await until(
    async () => {
      const user = `last-${held}`;
      const { outcome } = await first!.process.ask({ do: 'login', user, wait: true });
      if (outcome === 'granted') held += 1;
      return held === UNITS;
    },
    (TERM_SECONDS + 15) * 1000 - (performance.now() - healedAt),
    'one instance has every unit',
  );
  await world.verify();
  for (const row of await readJournal(world.options.databaseUrl!)) {
    for (const event of row.events) {
      if ('used' in event && typeof event.used === 'number' && 'pool' in event && event.pool === world.key)
        expect(event.used).toBeLessThanOrEqual(UNITS);
    }
  }
}, 300_000);
