/**
 * The fold: the leader writes what changed since the fold's version into the distributed table in Postgres,
 * as absolute values of the version it moves to. An append never waits for it.
 */

import type { Sql } from 'postgres';
import { applyRow } from '../domain/apply.ts';
import { unitsOf } from '../domain/counting.ts';
import { Touched } from '../domain/holdings/holdings.ts';
import type { Login } from '../domain/holdings/login.ts';
import type { Busy } from '../domain/holdings/packing.ts';
import type { ReportedUser } from '../domain/local/reports.ts';
import type { Table } from '../domain/table.ts';
import type { Logger } from '../storage/database.ts';
import { type FoldChanges, type FoldHead, type LoginRecord, readFold, writeFold } from '../storage/folds.ts';
import { readRowsAfter } from '../storage/journal.ts';
import type { ReportChanges, ReportedChanges, ReportRecord } from '../storage/reports.ts';
import { readSnapshot } from '../storage/snapshots.ts';
import { metrics } from '../telemetry/metrics.ts';
import { applicationChangesOf } from './applicationfold.ts';
import type { Lane } from './lane.ts';
import type { Leadership } from './leadership.ts';
import { leaseChangesOf } from './leasefold.ts';
import { TableBuilder } from './loading.ts';
import { marksChangesOf } from './marksfold.ts';
import { every, type Repeating } from './repeating.ts';
import { TouchLog } from './touches.ts';

export interface FoldOptions {
  readonly shard: number;
  readonly sql: Sql;
  readonly lane: Lane;
  readonly leadership: Leadership;
  readonly logger: Logger;
  readonly intervalMs: number;
}

/** What a fold writes, and the head that it is as of. */
interface Captured {
  readonly to: FoldHead & { readonly atMs: number };
  readonly changes: FoldChanges;
}

/** Rows of the journal read in one go. */
const ROWS_PER_READ = 500;
/** A fold that takes longer, in milliseconds, is followed by the next without a pause. */
const LONG_FOLD_MS = 500;
/** How often a replica that does not lead looks at what the leader has folded, in milliseconds. */
const FOLLOW_INTERVAL_MS = 1_000;

export class Fold {
  readonly #options: FoldOptions;
  readonly #log = new TouchLog();
  #repeating: Repeating | null = null;
  #lastLookMs = 0;
  #isClosing = false;

  constructor(options: FoldOptions) {
    this.#options = options;
    options.lane.onRow((row, table) => {
      if (row === null) table.touched = this.#log.reset(table.version);
    });
  }

  /** What is still to be folded. */
  get busy(): Busy {
    return this.#log;
  }

  start(): void {
    const { intervalMs, logger } = this.#options;
    this.#isClosing = false;
    this.#repeating = every(
      intervalMs,
      () => this.#tick(),
      (error) => logger.warn({ err: error }, 'The fold could not be written and is tried again.'),
    );
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#repeating?.close();
  }

  async #tick(): Promise<void> {
    const { leadership, lane } = this.#options;
    let tookMs: number;
    do {
      if (lane.status.state !== 'serving') return;
      if (!leadership.leads) return this.#follow();
      const startedAt = performance.now();
      await this.#fold();
      tookMs = performance.now() - startedAt;
      // While one took this long, more has come than a pause would gather.
    } while (tookMs > LONG_FOLD_MS && !this.#isClosing);
  }

  /** Forgets what another replica has folded. */
  async #follow(): Promise<void> {
    const now = Date.now();
    if (now - this.#lastLookMs < FOLLOW_INTERVAL_MS) return;
    this.#lastLookMs = now;
    const { sql, shard, lane } = this.#options;
    const fold = await readFold(sql, shard);
    await lane.read((table) => {
      table.touched = this.#log.close(table.version);
    }, false);
    this.#log.dropThrough(fold.version);
  }

  /** Moves the fold up to the table as it is now. */
  async #fold(): Promise<void> {
    const { sql, shard, lane, leadership } = this.#options;
    const from = await readFold(sql, shard);
    let captured = await lane.read((table) => this.#capture(table, from), false);
    if (captured === 'incomplete') captured = await this.#readAnew(from);
    if (captured === null) return;
    const { to, changes } = captured;
    const done = await writeFold(sql, shard, leadership.token, from, to, changes);
    if (!done) return;
    this.#log.dropThrough(to.version);
  }

  #capture(table: Table, from: FoldHead & { readonly atMs: number }): Captured | 'incomplete' | null {
    const rows = table.version - from.version;
    metrics.foldLag(Math.max(0, rows), rows > 0 ? Math.max(0, table.atMs - from.atMs) : 0);
    table.touched = this.#log.close(table.version);
    this.#log.dropThrough(from.version);
    if (rows <= 0) return null;
    if (!this.#log.reachesBackTo(from.version)) return 'incomplete';
    return capturedOf(table, this.#log.collect(), from);
  }

  /**
   * A crash of the database can take the last folds with it, after what they wrote has been dropped here. Then
   * the fold goes on from the database alone: from the table as it stands there, and the journal after it.
   */
  async #readAnew(from: FoldHead): Promise<Captured> {
    const { sql, shard, logger } = this.#options;
    const builder = new TableBuilder(shard);
    await readSnapshot(sql, shard, builder);
    const { table } = builder;
    logger.warn({ version: table.version }, 'Folds were lost in a crash; their journal is folded again.');
    const touched = new Touched();
    table.touched = touched;
    for (;;) {
      const rows = await readRowsAfter(sql, shard, table, ROWS_PER_READ);
      if (rows === null) throw new Error('the fold in the database does not meet its journal');
      for (const row of rows) applyRow(table, row);
      if (rows.length < ROWS_PER_READ) return capturedOf(table, touched, from);
    }
  }
}

function capturedOf(table: Table, touched: Touched, from: FoldHead): Captured {
  const { version, batch, atMs } = table;
  return { to: { version, batch, atMs }, changes: changesOf(table, touched, from.version) };
}

/**
 * Reads the absolute values of everything that was touched, as the table is.
 * @param foldVersion - what was granted after it cannot be in the database yet, unless its ID was used before.
 */
export function changesOf(table: Table, touched: Touched, foldVersion: number): FoldChanges {
  const changes = {
    pools: [] as FoldChanges['pools'][number][],
    poolsGone: [] as string[],
    users: [] as FoldChanges['users'][number][],
    usersGone: [] as FoldChanges['usersGone'][number][],
    loginsAdded: [] as LoginRecord[],
    loginsChanged: [] as LoginRecord[],
    loginsGone: [] as FoldChanges['loginsGone'][number][],
  };
  for (const { id } of touched.pools) {
    const pool = table.pools.get(id);
    if (!pool) changes.poolsGone.push(id);
    else {
      const { units, connections, unitsPeak, usersPeak, connectionsPeak } = pool;
      const { unitsMax, availableMin, marksSinceMs } = pool;
      changes.pools.push({
        pool: id,
        units,
        users: pool.users.size,
        connections,
        unitsPeak,
        usersPeak,
        connectionsPeak,
        unitsMax,
        availableMin,
        marksSinceMs,
      });
    }
  }
  for (const touchedUser of touched.users) {
    const pool = touchedUser.pool.id;
    const user = table.pools.get(pool)?.users.get(touchedUser.id);
    if (!user) changes.usersGone.push({ pool, userId: touchedUser.id });
    // A user who went and came back is two objects; the present one is among the touched as well.
    else if (user === touchedUser) {
      const { connections, transitioned, apart, connectionsPeak } = user;
      changes.users.push({
        pool,
        userId: user.id,
        connections,
        units: unitsOf(user),
        transitioned,
        apart,
        connectionsPeak,
      });
    }
  }
  const reports = reportChangesOf(table, touched);
  const present: Login[] = [];
  const reused = new Set<Login>();
  for (const login of touched.logins) {
    const place = table.places.get(login.place.instance);
    const now = place?.logins.get(login.id) ?? place?.released.get(login.id);
    if (now === login) present.push(login);
    else if (now) reused.add(now);
    else changes.loginsGone.push({ instance: login.place.instance, id: login.id });
  }
  for (const login of present) {
    const isNew = login.moment.version > foldVersion && !reused.has(login);
    (isNew ? changes.loginsAdded : changes.loginsChanged).push(recordOf(login));
  }
  const applications = applicationChangesOf(table, touched);
  const leases = leaseChangesOf(table, touched);
  return { ...changes, ...reports, ...leases, ...marksChangesOf(table, touched), applications };
}

function recordOf(login: Login): LoginRecord {
  return {
    instance: login.place.instance,
    id: login.id,
    pool: login.pool.id,
    userId: login.user?.id ?? null,
    kind: login.kind,
    phase: login.phase,
    processId: login.processId,
    leaseSeconds: login.leaseSeconds,
    expiresAtMs: login.expiresAtMs,
    endsAtMs: login.endsAtMs,
    grantedAtMs: login.moment.atMs,
    version: login.moment.version,
    index: login.index,
    ...login.totals,
    print: login.print,
    releasedAtMs: login.releasedAtMs,
    reason: login.reason,
  };
}

/** Rows are never changed in place, so that they can be written after the table has gone on. */
function reportChangesOf(table: Table, touched: Touched): ReportChanges {
  const reports: ReportRecord[] = [];
  const reportsGone: string[] = [];
  // An instance that went and came back has two places.
  for (const instance of new Set([...touched.reports].map((place) => place.instance))) {
    const report = table.places.get(instance)?.report;
    if (report) reports.push({ instance, ...report });
    else reportsGone.push(instance);
  }
  const reported: ReportedChanges[] = [];
  for (const [instance, ids] of reportedByName(touched)) {
    const place = table.places.get(instance);
    const users: string[] = [];
    const rows: ReportedUser[] = [];
    const gone: string[] = [];
    for (const id of ids) {
      const row = place?.reported.get(id);
      if (!row) gone.push(id);
      else {
        users.push(id);
        rows.push(row);
      }
    }
    reported.push({ instance, users, rows, gone });
  }
  return { reports, reportsGone, reported };
}

function reportedByName(touched: Touched): Map<string, Set<string>> {
  const byName = new Map<string, Set<string>>();
  for (const [{ instance }, ids] of touched.reported) {
    const known = byName.get(instance);
    byName.set(instance, known ? new Set([...known, ...ids]) : ids);
  }
  return byName;
}
