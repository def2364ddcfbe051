/**
 * High- and low-water marks of instances in Postgres: written by the fold, and read back at a start.
 */

import type { TransactionSql } from 'postgres';
import { partsOf } from './parts.ts';

/** The marks of an instance as of the fold. Instants are milliseconds since 1970. */
export interface MarksRecord {
  readonly instance: string;
  readonly incarnation: number;
  readonly startedAtMs: number;
  /** Where its logins count. */
  readonly pool: string;
  /** The units that it may use there; 0 when nothing limits it. */
  readonly unitLimit: number;
  readonly unitsPeak: number;
  readonly usersPeak: number;
  readonly connectionsPeak: number;
  readonly webUsersPeak: number;
  readonly processesPeak: number;
  readonly webGracePeak: number;
  readonly availableMin: number;
  /** Since when they are kept: users, connections, web users, processes, web grace. */
  readonly sinceMs: readonly [number, number, number, number, number];
  readonly durations: readonly number[];
  readonly durationsSinceMs: number;
}

/** What changed of the marks between two versions, as absolute values of the later one. */
export interface MarksChanges {
  readonly marks: readonly MarksRecord[];
  /** Instances that are not registered any more. */
  readonly marksGone: readonly string[];
}

/** Writes the changes of a fold, within its transaction. */
export async function writeMarks(tx: TransactionSql, shard: number, changes: MarksChanges): Promise<void> {
  for (const marks of partsOf(changes.marks)) await upsert(tx, shard, marks);
  for (const gone of partsOf(changes.marksGone)) {
    await tx`
      delete from instance_marks where shard = ${shard} and instance = any (${gone as string[]}::text[])`;
  }
}

async function upsert(tx: TransactionSql, shard: number, marks: readonly MarksRecord[]): Promise<void> {
  const records = marks.map(({ startedAtMs, sinceMs, durationsSinceMs, ...record }) => ({
    ...record,
    startedAt: instantOf(startedAtMs),
    since: sinceMs.map(instantOf),
    durationsSince: instantOf(durationsSinceMs),
  }));
  await tx`
    insert into instance_marks (shard, instance, incarnation, started_at, pool, unit_limit, units_peak, users_peak,
      connections_peak, web_users_peak, processes_peak, web_grace_peak, available_min, since, durations,
      durations_since)
    select ${shard}, instance, incarnation, "startedAt", pool, "unitLimit", "unitsPeak", "usersPeak",
      "connectionsPeak", "webUsersPeak", "processesPeak", "webGracePeak", "availableMin", since, durations,
      "durationsSince"
    from jsonb_to_recordset(${JSON.stringify(records)}::text::jsonb) as each (instance text, incarnation integer,
      "startedAt" timestamptz, pool text, "unitLimit" integer, "unitsPeak" integer, "usersPeak" integer,
      "connectionsPeak" integer, "webUsersPeak" integer, "processesPeak" integer, "webGracePeak" integer,
      "availableMin" integer, since timestamptz[], durations bigint[], "durationsSince" timestamptz)
    on conflict (shard, instance) do update
    set incarnation = excluded.incarnation, started_at = excluded.started_at, pool = excluded.pool,
      unit_limit = excluded.unit_limit, units_peak = excluded.units_peak, users_peak = excluded.users_peak,
      connections_peak = excluded.connections_peak, web_users_peak = excluded.web_users_peak,
      processes_peak = excluded.processes_peak, web_grace_peak = excluded.web_grace_peak,
      available_min = excluded.available_min, since = excluded.since, durations = excluded.durations,
      durations_since = excluded.durations_since`;
}

/** Whoever builds a table from marks. */
export interface MarksReader {
  /** Called when everything that is counted has been read. */
  marks(record: MarksRecord): void;
}

/** Reads the marks of all instances. */
export async function readMarks(tx: TransactionSql, shard: number, reader: MarksReader): Promise<void> {
  const records = await tx<MarksRecord[]>`
    select instance, incarnation, (extract(epoch from started_at) * 1000)::bigint as "startedAtMs", pool,
      unit_limit as "unitLimit", units_peak as "unitsPeak", users_peak as "usersPeak",
      connections_peak as "connectionsPeak", web_users_peak as "webUsersPeak",
      processes_peak as "processesPeak", web_grace_peak as "webGracePeak", available_min as "availableMin",
      array(select (extract(epoch from each) * 1000)::bigint
        from unnest(since) with ordinality as instants (each, number) order by number) as "sinceMs",
      durations, (extract(epoch from durations_since) * 1000)::bigint as "durationsSinceMs"
    from instance_marks where shard = ${shard}`;
  for (const record of records) reader.marks({ ...record });
}

function instantOf(ms: number): string {
  return new Date(ms).toISOString();
}
