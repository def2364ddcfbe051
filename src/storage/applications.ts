/**
 * Application licences in Postgres: the sections are facts and are written by the append of their row; who holds
 * units of them is written by the fold, and read back at a start.
 */

import type { Sql, TransactionSql } from 'postgres';
import type { Request } from '../domain/applications/applicationrequests.ts';
import type { Application } from '../domain/applications/applications.ts';
import { copyValue, eachCopyRow, Texts } from './copy.ts';
import { partsOf } from './parts.ts';
import { inTransaction } from './transactions.ts';

/** What names a feature, and where it is counted. */
interface Counted {
  /** The key across which it is counted; empty when it is counted on the instance alone. */
  readonly key: string;
  readonly application: string;
  readonly feature: string;
}

/** What names a holding. */
export interface HoldingName extends Counted {
  readonly instance: string;
  readonly userId: string;
  /** Empty when it is held for the user himself. */
  readonly login: string;
}

/** A holding as of the fold. */
export interface HoldingRecord extends HoldingName {
  readonly takes: number;
}

/** What names a counter. */
export interface CounterName extends Counted {
  /** Empty when it is counted across a key. */
  readonly instance: string;
}

/** The users of a feature as of the fold. */
export interface CounterRecord extends CounterName {
  readonly used: number;
  readonly peak: number;
  readonly orphaned: boolean;
}

/** What names a request that is remembered. */
export interface RequestName {
  readonly instance: string;
  readonly id: string;
}

/** What changed of the holdings between two versions, as absolute values of the later one (R-9). */
export interface ApplicationChanges {
  readonly holdings: readonly HoldingRecord[];
  readonly holdingsGone: readonly HoldingName[];
  readonly counters: readonly CounterRecord[];
  readonly countersGone: readonly CounterName[];
  readonly requests: readonly Request[];
  readonly requestsGone: readonly RequestName[];
}

/** Writes the changes of a fold, within its transaction. */
export async function writeApplications(
  tx: TransactionSql,
  shard: number,
  changes: ApplicationChanges,
): Promise<void> {
  for (const gone of partsOf(changes.holdingsGone)) await deleteHoldings(tx, shard, gone);
  for (const rows of partsOf(changes.holdings)) await writeHoldings(tx, shard, rows);
  for (const gone of partsOf(changes.countersGone)) await deleteCounters(tx, shard, gone);
  for (const rows of partsOf(changes.counters)) await writeCounters(tx, shard, rows);
  for (const gone of partsOf(changes.requestsGone)) await deleteRequests(tx, shard, gone);
  for (const rows of partsOf(changes.requests)) await writeRequests(tx, shard, rows);
}

async function writeHoldings(
  tx: TransactionSql,
  shard: number,
  rows: readonly HoldingRecord[],
): Promise<void> {
  await tx`
    insert into application_holdings (shard, instance, user_id, login, key_id, application, feature, takes)
    select ${shard}, instance, "userId", login, key, application, feature, takes
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as each (instance text, "userId" text,
      login text, key text, application text, feature text, takes bigint)
    on conflict (shard, instance, user_id, login, key_id, application, feature) do update
    set takes = excluded.takes`;
}

async function deleteHoldings(
  tx: TransactionSql,
  shard: number,
  gone: readonly HoldingName[],
): Promise<void> {
  await tx`
    delete from application_holdings as held
    using jsonb_to_recordset(${JSON.stringify(gone)}::text::jsonb) as each (instance text, "userId" text,
      login text, key text, application text, feature text)
    where held.shard = ${shard} and held.instance = each.instance and held.user_id = each."userId"
      and held.login = each.login and held.key_id = each.key and held.application = each.application
      and held.feature = each.feature`;
}

async function writeCounters(
  tx: TransactionSql,
  shard: number,
  rows: readonly CounterRecord[],
): Promise<void> {
  await tx`
    insert into application_marks (shard, key_id, instance, application, feature, used, peak, orphaned)
    select ${shard}, key, instance, application, feature, used, peak, orphaned
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as each (key text, instance text,
      application text, feature text, used integer, peak integer, orphaned boolean)
    on conflict (shard, key_id, instance, application, feature) do update
    set used = excluded.used, peak = excluded.peak, orphaned = excluded.orphaned`;
}

async function deleteCounters(
  tx: TransactionSql,
  shard: number,
  gone: readonly CounterName[],
): Promise<void> {
  await tx`
    delete from application_marks as marks
    using jsonb_to_recordset(${JSON.stringify(gone)}::text::jsonb) as each (key text, instance text,
      application text, feature text)
    where marks.shard = ${shard} and marks.key_id = each.key and marks.instance = each.instance
      and marks.application = each.application and marks.feature = each.feature`;
}

async function writeRequests(tx: TransactionSql, shard: number, requests: readonly Request[]): Promise<void> {
  const rows = requests.map((record) => ({ instance: record.holdings.instance, record }));
  await tx`
    insert into application_requests (shard, instance, id, version, index, record)
    select ${shard}, instance, (record ->> 'id')::uuid, (record ->> 'version')::bigint,
      (record ->> 'index')::integer, record
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as each (instance text, record jsonb)
    on conflict (shard, instance, id) do update
    set version = excluded.version, index = excluded.index, record = excluded.record`;
}

async function deleteRequests(
  tx: TransactionSql,
  shard: number,
  gone: readonly RequestName[],
): Promise<void> {
  await tx`
    delete from application_requests as requests
    using jsonb_to_recordset(${JSON.stringify(gone)}::text::jsonb) as each (instance text, id uuid)
    where requests.shard = ${shard} and requests.instance = each.instance and requests.id = each.id`;
}

/** Whoever builds a table from what is held; called in this order. */
export interface ApplicationReader {
  application(application: Application): void;
  counter(counter: CounterRecord): void;
  holding(holding: HoldingRecord): void;
  /** From the oldest to the newest. */
  request(request: Request): void;
  /** Everything has been read. */
  end(): void;
}

/** Reads all sections and everything that is held, row by row. The logins and reports must have been read. */
export async function readApplications(
  tx: TransactionSql,
  shard: number,
  reader: ApplicationReader,
): Promise<void> {
  const sections = await tx<{ record: Application }[]>`
    select record from applications where shard = ${shard} order by instance, name`;
  for (const { record } of sections) reader.application(record);
  const counters = await tx<CounterRecord[]>`
    select key_id as key, instance, application, feature, used, peak, orphaned
    from application_marks where shard = ${shard}`;
  for (const counter of counters) reader.counter({ ...counter });
  const stream = await tx`
    copy (select instance, user_id, login, key_id, application, feature, takes
      from application_holdings where shard = ${tx.unsafe(String(shard))})
    to stdout`.readable();
  const texts = new Texts();
  await eachCopyRow(stream, (columns) => {
    const [instance, userId, login, key, application, feature, takes] = columns.map((one) => copyValue(one)!);
    reader.holding({
      instance: texts.shared(instance!),
      userId: texts.whole(userId!),
      login: texts.whole(login!),
      key: texts.shared(key!),
      application: texts.shared(application!),
      feature: texts.shared(feature!),
      takes: Number(takes),
    });
  });
  const requests = await tx<{ record: Request }[]>`
    select record from application_requests where shard = ${shard} order by version, index`;
  for (const { record } of requests) reader.request(record);
  reader.end();
}

/** Which holders a page is to show; null for all. */
export interface HolderFilter {
  /** The key across which the section is counted; empty when it is counted on the instance alone. */
  readonly key: string;
  readonly instance: string | null;
  readonly application: string;
  readonly feature: string | null;
  readonly userId: string | null;
  readonly login: string | null;
}

/** Where a page goes on. */
export type HolderPosition = Pick<HoldingName, 'feature' | 'userId' | 'instance' | 'login'>;

/** A page of holders, and the fold that it is of. */
export interface HolderPage {
  readonly holders: HoldingRecord[];
  readonly asOfMs: number;
  readonly version: number;
}

/**
 * Lists who holds units of an application, by feature, user, instance and login.
 * @param after - the last one of the page before; null begins with the first.
 */
export async function listHolders(
  sql: Sql,
  shard: number,
  filter: HolderFilter,
  after: HolderPosition | null,
  limit: number,
): Promise<HolderPage> {
  const { key, instance, application, feature, userId, login } = filter;
  return inTransaction(sql, 'isolation level repeatable read read only', async (tx) => {
    const [fold] = await tx<{ version: number; asOfMs: number }[]>`
      select version, (extract(epoch from folded_at) * 1000)::float8 as "asOfMs" from folds
      where shard = ${shard}`;
    const rows = await tx<HoldingRecord[]>`
      select instance, user_id as "userId", login, key_id as key, application, feature, takes
      from application_holdings
      where shard = ${shard} and key_id = ${key} and application = ${application}
        ${instance === null ? tx`` : tx`and instance = ${instance}`}
        ${feature === null ? tx`` : tx`and feature = ${feature}`}
        ${userId === null ? tx`` : tx`and user_id = ${userId}`}
        ${login === null ? tx`` : tx`and login = ${login}`}
        ${
          after === null
            ? tx``
            : tx`and (feature, user_id, instance, login)
              > (${after.feature}, ${after.userId}, ${after.instance}, ${after.login})`
        }
      order by feature, user_id, instance, login
      limit ${limit}`;
    return { ...fold!, holders: rows.map((row) => ({ ...row })) };
  });
}
