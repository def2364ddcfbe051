/**
 * Replicas without their HTTP: several lanes of one process on a database of their own, that share a store of
 * coordination or do without, each with the work of a leader at hand, one step at a time.
 */
import { randomUUID } from 'node:crypto';
import type { Sql } from 'postgres';
import type { Coordinator } from '../../src/coordination/coordinator.ts';
import { createMemoryCoordinator, MemoryStore } from '../../src/coordination/memory.ts';
import type { Login } from '../../src/domain/holdings/login.ts';
import type { LicenseKey } from '../../src/domain/keys/keys.ts';
import type { Answer, LoginView, Operation } from '../../src/domain/operations.ts';
import type { Table } from '../../src/domain/table.ts';
import { DatabaseClock } from '../../src/service/clock.ts';
import { Fold } from '../../src/service/fold.ts';
import { Heartbeats } from '../../src/service/heartbeats.ts';
import { Lane, type LaneOptions } from '../../src/service/lane.ts';
import { LaneStorage, type LaneStorageOptions } from '../../src/service/lanestorage.ts';
import { Leadership } from '../../src/service/leadership.ts';
import { Partitions } from '../../src/service/partitions.ts';
import { Reaping } from '../../src/service/reaping.ts';
import { checkDurability, connectDatabase, connectLaneDatabase } from '../../src/storage/database.ts';
import { createTestDatabase } from './database.ts';
import { createRecordingLogger, type RecordingLogger } from './http.ts';
import { DEFAULT_POLICY, granted, makeKey, makeLogin, makeRegister } from './make.ts';
import { readFoldedTable, readJournal } from './replay.ts';
import { replay } from './snapshot.ts';
import { until } from './wait.ts';

export const SHARD = 0;
/** How long anything in these tests is waited for. */
export const PATIENCE_MS = 15_000;
/** A period that no test outlives: what should come once a step is asked for, not by itself. */
export const NEVER_MS = 3_600_000;

/** How long an operation may wait in a lane, by its clock. */
const QUEUE_WAIT_MS = 5_000;

/** Everything that a row of the journal, or its fold, is written into. */
const TABLES = [
  'shards',
  'journal',
  'folds',
  'key_pools',
  'license_users',
  'logins',
  'instance_marks',
  'license_keys',
  'instances',
] as const;

/** The database's clock as a replica sees it, and a way to be wrong about it. */
export class ShiftedClock extends DatabaseClock {
  /** How far this clock runs ahead of the estimate, in milliseconds. */
  aheadMs = 0;

  /** How far its monotonic marks run ahead, in milliseconds: as after a pause of the process. */
  pausedMs = 0;

  #stoodAtMs: number | null = null;

  /** Stands still from now on, but for what a test adds, so that no slow machine lets anything fall due. */
  stand(): void {
    this.#stoodAtMs = super.nowMs();
  }

  override nowMs(): number {
    return (this.#stoodAtMs ?? super.nowMs()) + this.aheadMs;
  }

  override mark(): number {
    return super.mark() + this.pausedMs;
  }

  override sample(databaseNowMs: number, sentAt: number): void {
    super.sample(databaseNowMs, sentAt - this.pausedMs);
  }
}

/** Work that is repeated in a replica, of which a test wants one run. */
interface Work {
  start(): void;
  close(): Promise<void>;
}

/** Lets the work of a leader run once, from its beginning to its end. */
export async function runOnce(work: Work): Promise<void> {
  work.start();
  await work.close();
}

export interface ReplicaFields {
  /** False gives it a store of its own, so that it hears nothing of the others and they nothing of it. */
  readonly coordinated?: boolean;
  /** Changes its coordinator, to intercept what goes to the store. */
  readonly intercept?: (coordinator: Coordinator) => Coordinator;
  readonly lane?: Partial<Omit<LaneOptions, 'storage' | 'coordinator' | 'clock' | 'logger' | 'shard'>>;
  readonly storage?: Partial<LaneStorageOptions>;
  /** How long its leadership lasts without renewal, in milliseconds. */
  readonly leaseMs?: number;
  /** How often it renews or claims it, in milliseconds; `NEVER_MS` lets it ask once. */
  readonly renewMs?: number;
  readonly keepDays?: number;
  /** False starts it without waiting until it serves. */
  readonly waits?: boolean;
  /** Whether its clock stands as soon as it serves, but for what a test adds. */
  readonly stands?: boolean;
}

export class TestReplica {
  /** How its lane's connection is called in `pg_stat_activity`. */
  readonly name: string;
  readonly log: RecordingLogger = createRecordingLogger();
  readonly clock = new ShiftedClock();
  readonly coordinator: Coordinator;
  readonly storage: LaneStorage;
  readonly lane: Lane;
  readonly heartbeats: Heartbeats;
  readonly leadership: Leadership;
  readonly fold: Fold;
  readonly reaping: Reaping;
  readonly partitions: Partitions;
  readonly #sql: Sql;

  constructor(shard: TestShard, name: string, fields: ReplicaFields) {
    this.name = name;
    const { url, store } = shard;
    const { log: logger, clock } = this;
    const own = createMemoryCoordinator({
      now: Date.now,
      ...(fields.coordinated === false ? {} : { store }),
    });
    this.coordinator = fields.intercept?.(own) ?? own;
    const { coordinator } = this;
    this.storage = new LaneStorage({
      connect: (listeners) => connectLaneDatabase({ url, logger, applicationName: name, ...listeners }),
      checkDurability,
      allowUnsafeDurability: false,
      appendTimeoutMs: 5_000,
      ...fields.storage,
    });
    this.lane = new Lane({
      shard: SHARD,
      storage: this.storage,
      coordinator,
      clock,
      policy: DEFAULT_POLICY,
      logger,
      batchOperationsMax: 512,
      batchBytesMax: 1_048_576,
      queueLengthMax: 5_000,
      queueWaitMs: QUEUE_WAIT_MS,
      headPollMs: 25,
      ...fields.lane,
    });
    const { lane } = this;
    this.#sql = connectDatabase({ url, logger, applicationName: `${name} work`, connectionsMax: 2 });
    const sql = this.#sql;
    this.heartbeats = new Heartbeats({ lane, coordinator, clock });
    const leaseMs = fields.leaseMs ?? 60_000;
    const mayLead = () => lane.status.state === 'serving';
    this.leadership = new Leadership({
      shard: SHARD,
      sql,
      holder: name,
      leaseMs,
      renewMs: fields.renewMs ?? 20,
      mayLead,
      logger,
    });
    const work = { shard: SHARD, sql, lane, leadership: this.leadership, logger, clock, coordinator };
    this.fold = new Fold({ ...work, intervalMs: NEVER_MS });
    this.reaping = new Reaping({ ...work, intervalMs: NEVER_MS, marginMs: 0 });
    this.partitions = new Partitions({ ...work, keepDays: fields.keepDays ?? 0 });
  }

  ask(operation: Operation): Promise<Answer> {
    return this.lane.submit(operation);
  }

  /** Logs somebody in under an ID of his own, and expects that he is let in. */
  async login(user: string, fields: Parameters<typeof makeLogin>[0] = {}): Promise<LoginView> {
    return granted(await this.ask(makeLogin({ id: randomUUID(), claims: { user }, ...fields })));
  }

  logout({ instance, id }: Pick<LoginView, 'instance' | 'id'>): Promise<Answer> {
    return this.ask({ op: 'logout', instance, id, reason: 'logout', actor: 'tester' });
  }

  /** Lets everybody who waits in its lane now have waited longer than he may, however fast the machine is. */
  outwait(): void {
    this.clock.pausedMs += QUEUE_WAIT_MS + 1;
  }

  /** Waits until this replica leads. */
  async lead(): Promise<void> {
    this.leadership.start();
    await until(() => this.leadership.leads, PATIENCE_MS, `${this.name} leads`);
  }

  async serves(): Promise<void> {
    await until(() => this.lane.status.state === 'serving', PATIENCE_MS, `${this.name} serves`);
  }

  /** The login of an ID, as far as this replica knows. */
  held(id: string, instance = 'a'): Login | undefined {
    return this.lane.table.places.get(instance)?.logins.get(id);
  }

  /** How often it has logged a message. */
  timesLogged(message: string): number {
    return this.log.lines.filter((line) => line.message === message).length;
  }

  async close(): Promise<void> {
    await this.reaping.close();
    await this.fold.close();
    await this.partitions.close();
    await this.leadership.close();
    await this.lane.close();
    await this.storage.close();
    await this.coordinator.close();
    await this.#sql.end({ timeout: 1 });
  }
}

/** One shard on a database of its own, and its replicas. */
export class TestShard {
  readonly url: string;
  /** A handle of the test's own. */
  readonly sql: Sql;
  readonly store = new MemoryStore();
  readonly #drop: () => Promise<void>;
  readonly #replicas: TestReplica[] = [];
  /** What still holds the head, should a test fail before it lets go. */
  readonly #holders = new Set<() => Promise<void>>();

  constructor(url: string, drop: () => Promise<void>) {
    this.url = url;
    this.#drop = drop;
    this.sql = this.connect('test');
  }

  /** One more handle, with one connection. */
  connect(applicationName: string): Sql {
    return connectDatabase({
      url: this.url,
      logger: createRecordingLogger(),
      applicationName,
      connectionsMax: 1,
    });
  }

  /** Opens a replica, and waits until it serves. */
  async open(fields: ReplicaFields = {}): Promise<TestReplica> {
    const replica = new TestReplica(this, `replica ${this.#replicas.length + 1}`, fields);
    this.#replicas.push(replica);
    replica.lane.start();
    if (fields.waits !== false) await replica.serves();
    if (fields.stands === true) replica.clock.stand();
    return replica;
  }

  /** Opens a replica on a shard that has a key, and instances that share it. */
  async openWithKey(
    key: Partial<LicenseKey> & { units?: number } = {},
    fields: ReplicaFields = {},
    instances: readonly string[] = ['a', 'b'],
  ): Promise<TestReplica> {
    const replica = await this.open(fields);
    await replica.ask({ op: 'install-key', key: makeKey(key), file: null, actor: 'tester' });
    for (const name of instances) await replica.ask(makeRegister({ name, key: makeKey(key).id }));
    return replica;
  }

  /** The whole journal. */
  journal() {
    return readJournal(this.url);
  }

  /** The table that the journal comes to, from nothing. */
  async replayed(): Promise<Table> {
    return replay(await this.journal());
  }

  /** The table that a replica would start from, once the fold stands at the head. */
  folded(): Promise<Table> {
    return readFoldedTable(this.url);
  }

  /** Where the head stands in Postgres. */
  async head(): Promise<{ version: number; batch: string }> {
    const [head] = await this.sql<{ version: number; batch: string }[]>`
      select version, batch from shards where id = ${SHARD}`;
    return { ...head! };
  }

  async foldVersion(): Promise<number> {
    const [fold] = await this.sql<{ version: number }[]>`
      select version from folds where shard = ${SHARD}`;
    return fold!.version;
  }

  /** Locks the head, so that every append waits until it is released. */
  async holdHead(): Promise<{ release(): Promise<void> }> {
    const sql = this.connect('holder');
    let letGo = () => {};
    const gone = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let done: Promise<unknown> = Promise.resolve();
    await new Promise<void>((resolve, reject) => {
      done = sql.begin(async (tx) => {
        await tx`select from shards where id = ${SHARD} for update`;
        resolve();
        await gone;
      });
      done.catch(reject);
    });
    const release = async () => {
      this.#holders.delete(release);
      letGo();
      await done;
      await sql.end({ timeout: 1 });
    };
    this.#holders.add(release);
    return { release };
  }

  /** Waits until a replica's append waits for a lock. @returns the process that serves its connection. */
  async blocked(replica: TestReplica): Promise<number> {
    return until(
      async () => {
        const [waiting] = await this.sql<{ pid: number }[]>`
          select pid from pg_stat_activity
          where application_name = ${replica.name} and wait_event_type = 'Lock'
            and datname = current_database() order by backend_start desc`;
        return waiting?.pid;
      },
      PATIENCE_MS,
      `an append of ${replica.name} waits for a lock`,
    );
  }

  /** Cuts the connection of a replica's lane. */
  async cut(replica: TestReplica): Promise<void> {
    await this.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = ${replica.name} and datname = current_database()`;
  }

  /**
   * Keeps what the database holds now.
   * @param tables - which of it.
   * @returns what sets the database back to it, as a restore of a backup would.
   */
  async keep(tables: readonly string[] = TABLES): Promise<() => Promise<void>> {
    const schema = `kept_${randomUUID().replaceAll('-', '')}`;
    const { sql } = this;
    await sql`create schema ${sql(schema)}`;
    for (const table of tables) {
      await sql`create table ${sql(schema)}.${sql(table)} as table ${sql(table)}`;
    }
    return async () => {
      await sql.begin(async (tx) => {
        for (const table of tables) {
          await tx`delete from ${tx(table)}`;
          await tx`insert into ${tx(table)} table ${tx(schema)}.${tx(table)}`;
        }
      });
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#holders].map((release) => release()));
    await Promise.all(this.#replicas.map((replica) => replica.close()));
    await this.sql.end({ timeout: 1 });
    await this.#drop();
  }
}

const opened: TestShard[] = [];

/** Makes a shard on a database of its own; `closeShards` closes it. */
export async function openShard(): Promise<TestShard> {
  const database = await createTestDatabase();
  const shard = new TestShard(database.url, () => database.drop());
  opened.push(shard);
  return shard;
}

/** Closes every shard of a test file, after each test. */
export async function closeShards(): Promise<void> {
  await Promise.all(opened.splice(0).map((shard) => shard.close()));
}

type Overrides = {
  readonly [Name in keyof Coordinator]?: (
    original: Coordinator[Name],
    ...given: Coordinator[Name] extends (...given: infer Given) => unknown ? Given : never
  ) => unknown;
};

/** Puts something between a replica and the store of coordination. */
export function intercepted(coordinator: Coordinator, overrides: Overrides): Coordinator {
  return new Proxy(coordinator, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const original = value.bind(target);
      const override = overrides[name as keyof Coordinator] as
        | ((original: unknown, ...given: unknown[]) => unknown)
        | undefined;
      return override ? (...given: unknown[]) => override(original, ...given) : original;
    },
  });
}

/** A store of coordination that is away: nothing is known, and nobody is told. */
export function away(coordinator: Coordinator): Coordinator {
  const nothing = async () => null;
  return intercepted(coordinator, {
    healthy: () => false,
    takeTurn: nothing,
    beat: nothing,
    watch: nothing,
    forget: nothing,
    readDeadlines: nothing,
    mark: nothing,
    readEpoch: nothing,
    writeEpoch: nothing,
    countRate: nothing,
    publishHead: () => {},
    announceContention: () => {},
  });
}
