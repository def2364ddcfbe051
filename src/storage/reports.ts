/**
 * What instances reported of their tables, in Postgres: written by the fold, and read back at a start.
 */

import type { TransactionSql } from 'postgres';
import type { ReportedUser, ReportState } from '../domain/local/reports.ts';
import { copyInto, copyText, copyValue, eachCopyRow, Texts } from './copy.ts';
import { numbered, partsOf, ROWS_PER_STATEMENT } from './parts.ts';

/** How far the reports of an instance have come, as of the fold. */
export interface ReportRecord extends ReportState {
  readonly instance: string;
}

/** Rows of one instance that changed. */
export interface ReportedChanges {
  readonly instance: string;
  /** The user IDs that it has; the row of each stands at the same index. */
  readonly users: readonly string[];
  readonly rows: readonly ReportedUser[];
  /** The user IDs that it has not any more. */
  readonly gone: readonly string[];
}

/** What changed of the reports between two versions, as absolute values of the later one. */
export interface ReportChanges {
  readonly reports: readonly ReportRecord[];
  /** Instances that have no report any more. */
  readonly reportsGone: readonly string[];
  readonly reported: readonly ReportedChanges[];
}

/** Writes the changes of a fold, within its transaction. */
export async function writeReports(tx: TransactionSql, shard: number, changes: ReportChanges): Promise<void> {
  for (const reports of partsOf(changes.reports)) await writeStates(tx, shard, reports);
  for (const gone of partsOf(changes.reportsGone)) {
    await tx`
      delete from instance_reports where shard = ${shard} and instance = any (${gone as string[]}::text[])`;
  }
  for (const [part, lines] of numbered(linesOf(shard, changes.reported)))
    await writeRows(tx, shard, lines, part);
  for (const gone of partsOf(goneOf(changes.reported))) await deleteRows(tx, shard, gone);
}

async function writeStates(
  tx: TransactionSql,
  shard: number,
  reports: readonly ReportRecord[],
): Promise<void> {
  await tx`
    insert into instance_reports (shard, instance, pool, counted, incarnation, sequence, full_from, users,
      connections, checksum, lost, reported_at)
    select ${shard}, instance, pool, counted, incarnation, sequence, "fullFrom", rows, connections, checksum,
      lost, to_timestamp("atMs" / 1000)
    from jsonb_to_recordset(${JSON.stringify(reports)}::text::jsonb) as each (instance text, pool text,
      counted boolean, incarnation integer, sequence bigint, "fullFrom" bigint, rows integer,
      connections bigint, checksum bigint, lost text, "atMs" float8)
    on conflict (shard, instance) do update
    set pool = excluded.pool, counted = excluded.counted, incarnation = excluded.incarnation,
      sequence = excluded.sequence, full_from = excluded.full_from, users = excluded.users,
      connections = excluded.connections, checksum = excluded.checksum, lost = excluded.lost,
      reported_at = excluded.reported_at`;
}

/** The rows as lines of COPY, made only when they are sent: there may be many. */
function* linesOf(shard: number, reported: readonly ReportedChanges[]): Generator<readonly string[]> {
  let lines: string[] = [];
  for (const { instance, users, rows } of reported) {
    const start = `${shard}\t${copyText(instance)}\t`;
    for (let index = 0; index < users.length; index += 1) {
      const { connections, webSessions, transitioned, sequence } = rows[index]!;
      lines.push(
        `${start}${copyText(users[index]!)}\t${connections}\t${webSessions}\t${transitioned ? 't' : 'f'}\t${sequence}\n`,
      );
      if (lines.length < ROWS_PER_STATEMENT) continue;
      yield lines;
      lines = [];
    }
  }
  if (lines.length > 0) yield lines;
}

async function writeRows(
  tx: TransactionSql,
  shard: number,
  lines: readonly string[],
  part: number,
): Promise<void> {
  if (part > 0) await tx`delete from fold_instance_users`;
  else
    await tx`create temp table if not exists fold_instance_users (like instance_users) on commit delete rows`;
  const merge = tx`
    merge into instance_users using fold_instance_users as each
    on instance_users.shard = ${shard} and instance_users.instance = each.instance
      and instance_users.user_id = each.user_id
    when matched then update
    set connections = each.connections, web_sessions = each.web_sessions, transitioned = each.transitioned,
      sequence = each.sequence
    when not matched then
    insert (shard, instance, user_id, connections, web_sessions, transitioned, sequence)
    values (each.shard, each.instance, each.user_id, each.connections, each.web_sessions, each.transitioned,
      each.sequence)`;
  await copyInto(tx, tx`copy fold_instance_users from stdin`, lines, merge);
}

function goneOf(reported: readonly ReportedChanges[]): (readonly [instance: string, user: string])[] {
  return reported.flatMap(({ instance, gone }) => gone.map((user) => [instance, user] as const));
}

async function deleteRows(
  tx: TransactionSql,
  shard: number,
  gone: readonly (readonly [instance: string, user: string])[],
): Promise<void> {
  await tx`
    delete from instance_users
    using unnest(${gone.map(([instance]) => instance)}::text[], ${gone.map(([, user]) => user)}::text[])
      as gone (instance, user_id)
    where instance_users.shard = ${shard} and instance_users.instance = gone.instance
      and instance_users.user_id = gone.user_id`;
}

/** Whoever builds a table from what was reported; all reports come before the first row. */
export interface ReportReader {
  report(report: ReportRecord): void;
  reported(instance: string, userId: string, row: ReportedUser): void;
}

/** Reads everything that was reported, row by row. */
export async function readReports(tx: TransactionSql, shard: number, reader: ReportReader): Promise<void> {
  const reports = await tx<ReportRecord[]>`
    select instance, pool, counted, incarnation, sequence, full_from as "fullFrom", users as rows, connections,
      checksum, lost, (extract(epoch from reported_at) * 1000)::float8 as "atMs"
    from instance_reports where shard = ${shard}`;
  for (const report of reports) reader.report({ ...report });
  const stream = await tx`
    copy (select instance, user_id, connections, web_sessions, transitioned, sequence from instance_users
      where shard = ${tx.unsafe(String(shard))})
    to stdout`.readable();
  const texts = new Texts();
  await eachCopyRow(stream, (columns) => {
    const [instance, userId, connections, webSessions, transitioned, sequence] = columns;
    reader.reported(texts.shared(copyValue(instance!)!), texts.whole(copyValue(userId!)!), {
      connections: Number(connections),
      webSessions: Number(webSessions),
      transitioned: transitioned === 't',
      sequence: Number(sequence),
    });
  });
}
