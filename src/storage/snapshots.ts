/**
 * Reading the whole table at a start: one short repeatable-read snapshot of the fold, the facts and the head
 * . Rows of the journal after the fold are read afterwards, as always.
 */

import type { PendingQuery, Row, Sql, TransactionSql } from 'postgres';
import type { Excess } from '../domain/excesses.ts';
import type { Instance } from '../domain/instances.ts';
import type { InstalledKey } from '../domain/keys/keyring.ts';
import { type ApplicationReader, readApplications } from './applications.ts';
import { copyValue, eachCopyRow, Texts } from './copy.ts';
import type { FoldHead, LoginRecord, PoolRecord, UserRecord } from './folds.ts';
import { type LeaseReader, readLeases } from './leases.ts';
import { type MarksReader, readMarks } from './marks.ts';
import { type ReportReader, readReports } from './reports.ts';
import { inTransaction } from './transactions.ts';

/** Whoever builds a table from a snapshot; called in this order. */
export interface SnapshotReader extends ReportReader, LeaseReader, MarksReader {
  /** Called when the logins and reports have been read. */
  readonly applications: ApplicationReader;
  head(fold: FoldHead & { readonly atMs: number }): void;
  /** @param excesses - the episodes of the over-limit ledger that have not ended. */
  facts(keys: readonly InstalledKey[], instances: readonly Instance[], excesses: readonly Excess[]): void;
  /** Alive logins first, then the remembered ones from the oldest release to the newest. */
  login(login: LoginRecord): void;
  /** Only users whose state does not follow from their logins alone. */
  user(user: UserRecord): void;
  pool(pool: PoolRecord): void;
}

/** Reads a snapshot, row by row, in bounded memory. */
export async function readSnapshot(sql: Sql, shard: number, reader: SnapshotReader): Promise<void> {
  await inTransaction(sql, 'isolation level repeatable read read only', async (tx) => {
    const [fold] = await tx<(FoldHead & { atMs: number })[]>`
      select version, batch, (extract(epoch from folded_at) * 1000)::float8 as "atMs"
      from folds where shard = ${shard}`;
    if (!fold) throw new Error(`shard ${shard} has no fold in the database`);
    reader.head(fold);
    const keys = await tx<{ record: InstalledKey }[]>`select record from license_keys where shard = ${shard}`;
    const instances = await tx<{ record: Instance }[]>`select record from instances where shard = ${shard}`;
    const excesses = await tx<{ record: Excess }[]>`
      select record from excesses where shard = ${shard} and ended_at is null`;
    reader.facts(
      keys.map((row) => row.record),
      instances.map((row) => row.record),
      excesses.map((row) => row.record),
    );
    await readLogins(tx, tx`released_at is null`, shard, reader);
    await readLogins(
      tx,
      tx`released_at is not null order by released_at, decision_version, decision_index`,
      shard,
      reader,
    );
    await readReports(tx, shard, reader);
    await readLeases(tx, shard, reader);
    await readApplications(tx, shard, reader.applications);
    await readUsers(tx, shard, reader);
    const pools = await tx<PoolRecord[]>`
      select pool, units, users, connections, units_peak as "unitsPeak", users_peak as "usersPeak",
        connections_peak as "connectionsPeak", units_max as "unitsMax", available_min as "availableMin",
        coalesce((extract(epoch from marks_since) * 1000)::bigint, 0) as "marksSinceMs"
      from key_pools where shard = ${shard}`;
    for (const pool of pools) reader.pool(pool);
    await readMarks(tx, shard, reader);
  });
}

async function readUsers(tx: TransactionSql, shard: number, reader: SnapshotReader): Promise<void> {
  const stream = await tx`
    copy (select pool, user_id, connections, units, transitioned, connections_peak, apart from license_users
      where shard = ${tx.unsafe(String(shard))} and (transitioned or apart or connections_peak <> connections))
    to stdout`.readable();
  await eachCopyRow(stream, (columns) => {
    reader.user({
      pool: copyValue(columns[0]!)!,
      userId: copyValue(columns[1]!)!,
      connections: Number(columns[2]),
      units: Number(columns[3]),
      transitioned: columns[4] === 't',
      connectionsPeak: Number(columns[5]),
      apart: columns[6] === 't',
    });
  });
}

async function readLogins(
  tx: TransactionSql,
  which: PendingQuery<Row[]>,
  shard: number,
  reader: SnapshotReader,
): Promise<void> {
  const stream = await tx`
    copy (select instance, id, pool, user_id, kind, phase, coalesce(process_id, 0), coalesce(lease_seconds, 0),
        coalesce((extract(epoch from expires_at) * 1000)::bigint, 0),
        coalesce((extract(epoch from ends_at) * 1000)::bigint, 0),
        (extract(epoch from granted_at) * 1000)::bigint, decision_version, decision_index, connections, units,
        units_added, transitioned, fingerprint,
        coalesce((extract(epoch from released_at) * 1000)::bigint, 0), release_reason
      from logins where shard = ${tx.unsafe(String(shard))} and ${which})
    to stdout`.readable();
  const texts = new Texts();
  await eachCopyRow(stream, (columns) => reader.login(loginOf(columns, texts)));
}

function loginOf(columns: string[], texts: Texts): LoginRecord {
  const userId = copyValue(columns[3]!);
  const reason = copyValue(columns[19]!);
  return {
    instance: texts.shared(copyValue(columns[0]!)!),
    id: texts.whole(columns[1]!),
    pool: texts.shared(copyValue(columns[2]!)!),
    userId: userId === null ? null : texts.whole(userId),
    kind: texts.shared(columns[4]!),
    phase: texts.shared(columns[5]!),
    processId: Number(columns[6]),
    leaseSeconds: Number(columns[7]),
    expiresAtMs: Number(columns[8]),
    endsAtMs: Number(columns[9]),
    grantedAtMs: Number(columns[10]),
    version: Number(columns[11]),
    index: Number(columns[12]),
    connections: Number(columns[13]),
    units: Number(columns[14]),
    unitsAdded: Number(columns[15]),
    transitioned: columns[16] === 't',
    print: Number(columns[17]),
    releasedAtMs: Number(columns[18]),
    reason: reason === null ? null : texts.shared(reason),
  };
}
