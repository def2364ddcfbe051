/**
 * Building a replica's copy of the table from a snapshot of the fold.
 */

import { randomInt } from 'node:crypto';
import type { ReleaseReason } from '../domain/events.ts';
import { Lease } from '../domain/holdings/holdings.ts';
import { Login, type Moment, type Phase, totalsOf } from '../domain/holdings/login.ts';
import { packAll } from '../domain/holdings/packing.ts';
import { User } from '../domain/holdings/user.ts';
import { addLease, setAllowance, setLease } from '../domain/leases/leasetable.ts';
import type { ReportedUser } from '../domain/local/reports.ts';
import { DivergenceError, ORDINARY, Table } from '../domain/table.ts';
import type { LoginKind } from '../domain/users.ts';
import type { LoginRecord, PoolRecord, UserRecord } from '../storage/folds.ts';
import type { AllowanceRecord, LeaseRecord } from '../storage/leases.ts';
import type { MarksRecord } from '../storage/marks.ts';
import type { ReportRecord } from '../storage/reports.ts';
import type { SnapshotReader } from '../storage/snapshots.ts';
import { ApplicationsBuilder } from './applicationfold.ts';
import { restoreMarks } from './marksfold.ts';

/** Seeds of hashes are numbers below this. */
const HASH_SEEDS = 2 ** 31;
/** After so many rows more, at least, what has come is packed. */
const PACKED_EVERY = 20_000;

/** Collects a snapshot; `table` is whole once the snapshot has been read. */
export class TableBuilder implements SnapshotReader {
  readonly table: Table;
  readonly applications: ApplicationsBuilder;
  readonly #leases = new Map<string, Lease>();
  #moment: Moment = { version: 0, atMs: 0 };
  #rowsToPacking = PACKED_EVERY;

  constructor(shard: number) {
    this.table = new Table(shard, randomInt(HASH_SEEDS));
    this.applications = new ApplicationsBuilder(this.table);
  }

  /** A table of very many logins never has all of them as objects, unless they have to be; then it is seldom tried. */
  #packSome(): void {
    this.#rowsToPacking -= 1;
    if (this.#rowsToPacking > 0) return;
    packAll(this.table);
    let open = 0;
    for (const { logins } of this.table.places.values()) open += logins.openSize;
    for (const { users } of this.table.pools.values()) open += users.openSize;
    this.#rowsToPacking = Math.max(PACKED_EVERY, open);
  }

  head(fold: { version: number; batch: string; atMs: number }): void {
    this.table.version = fold.version;
    this.table.batch = fold.batch;
    this.table.atMs = fold.atMs;
  }

  facts(...[keys, instances, excesses]: Parameters<SnapshotReader['facts']>): void {
    for (const key of keys) this.table.setKey(key.id, key);
    for (const instance of instances) this.table.setInstance(instance.name, instance);
    for (const excess of excesses) this.table.setExcess(this.table.pool(excess.pool), excess);
  }

  login(record: LoginRecord): void {
    const { table } = this;
    const place = table.place(record.instance);
    const login = new Login(record.id, place, table.pool(record.pool));
    login.kind = record.kind as LoginKind;
    login.phase = record.phase as Phase;
    login.processId = record.processId;
    login.leaseSeconds = record.leaseSeconds;
    login.endsAtMs = record.endsAtMs;
    login.moment = this.#momentOf(record);
    const expiresAtMs = record.grantedAtMs + record.leaseSeconds * 1000;
    if (record.leaseSeconds > 0 && record.expiresAtMs !== expiresAtMs) login.expiresAtMs = record.expiresAtMs;
    login.index = record.index;
    login.totals = totalsOf(record.connections, record.units, record.unitsAdded, record.transitioned);
    login.print = record.print;
    if (record.releasedAtMs === 0) {
      table.addLogin(login, record.userId, ORDINARY);
      this.#packSome();
    } else {
      if (record.userId !== null) login.user = new User(record.userId, login.pool);
      table.remember(login, record.releasedAtMs, record.reason as ReleaseReason);
    }
  }

  report({ instance, ...report }: ReportRecord): void {
    this.table.setReport(this.table.place(instance), report);
  }

  /** A reported row weighs as much as logins do, where it counts. */
  reported(instance: string, userId: string, row: ReportedUser): void {
    const { table } = this;
    const place = table.place(instance);
    if (place.report?.counted)
      table.shift(table.pool(place.report.pool), userId, place, row.connections, ORDINARY);
    table.setReported(place, userId, row);
  }

  lease({ id, pool, instance, incarnation, ...state }: LeaseRecord): void {
    const { table } = this;
    const lease = new Lease(id, table.pool(pool), table.place(instance), incarnation);
    addLease(table, lease);
    setLease(table, lease, state);
    this.#leases.set(id, lease);
  }

  /** The connections that an instance may hold weigh as much as logins do. */
  allowance({ lease: id, userId, ...entry }: AllowanceRecord): void {
    const { table } = this;
    const lease = this.#leases.get(id);
    if (!lease) throw new DivergenceError(`an allowance of user ${userId} is of no lease (${id})`);
    if (entry.allowance > 0) table.shift(lease.pool, userId, lease.place, entry.allowance, ORDINARY);
    setAllowance(table, lease, userId, entry);
  }

  user(record: UserRecord): void {
    this.table.restoreUser(record);
    this.#packSome();
  }

  /** Logins of one batch mostly come together, so that they can share it again. */
  #momentOf({ version, grantedAtMs }: LoginRecord): Moment {
    if (this.#moment.version !== version) this.#moment = { version, atMs: grantedAtMs };
    return this.#moment;
  }

  /** @throws DivergenceError when the logins do not come to what the pool holds. */
  pool(record: PoolRecord): void {
    const pool = this.table.pool(record.pool);
    if (pool.units !== record.units || pool.connections !== record.connections) {
      throw new DivergenceError(
        `pool ${record.pool} holds ${record.units} units and ${record.connections} connections, ` +
          `its logins come to ${pool.units} and ${pool.connections}`,
      );
    }
    pool.unitsPeak = record.unitsPeak;
    pool.usersPeak = record.usersPeak;
    pool.connectionsPeak = record.connectionsPeak;
    pool.unitsMax = record.unitsMax;
    pool.availableMin = record.availableMin;
    pool.marksSinceMs = record.marksSinceMs;
  }

  marks(record: MarksRecord): void {
    restoreMarks(this.table, record);
  }
}
