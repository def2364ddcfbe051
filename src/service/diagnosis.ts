/**
 * Looking at a whole deployment: what the database, the store of heartbeats, the disk and the table say, judged
 * by the domain. Each area is looked at by itself and within a time, so that what is away is told as a fault and
 * keeps nothing else from being told.
 */

import { statfs } from 'node:fs/promises';
import type { Sql } from 'postgres';
import type { Coordinator } from '../coordination/coordinator.ts';
import type { Principal } from '../domain/access.ts';
import {
  judgeDatabase,
  judgeDisk,
  judgeHoldings,
  judgeJournal,
  judgeLeadership,
  judgeReplication,
  judgeSchema,
  LONG_TRANSACTION_MS,
} from '../domain/findings/databasefindings.ts';
import type { DatabaseFacts } from '../domain/findings/diagnosisfacts.ts';
import {
  judgeInstances,
  judgeKeys,
  judgeRoster,
  judgeTokens,
  type KeyFacts,
} from '../domain/findings/estatefindings.ts';
import { type Finding, type FindingLevel, found, worstLevel } from '../domain/findings/findings.ts';
import { judgeClocks, judgeStore, type StoreState } from '../domain/findings/storefindings.ts';
import type { Instance } from '../domain/instances.ts';
import { keyStatus } from '../domain/keys/keys.ts';
import type { Table } from '../domain/table.ts';
import { isConnectionError } from '../storage/database.ts';
import {
  readDatabaseFacts,
  readHoldings,
  readJournalFacts,
  readLeaderFacts,
  readSchemaFacts,
  readStandbys,
  readTokenFacts,
} from '../storage/diagnosis.ts';
import type { DatabaseClock } from './clock.ts';
import type { Health } from './health.ts';
import type { Lane } from './lane.ts';
import type { LicenseServers } from './licenseservers.ts';

/** How long one area may take, in milliseconds. */
const AREA_TIMEOUT_MS = 5_000;

/** What the diagnosis needs. */
export interface DiagnosisOptions {
  readonly shard: number;
  /** Of this Lictor. */
  readonly version: string;
  readonly sql: Sql;
  readonly lane: Pick<Lane, 'table' | 'status'>;
  readonly coordinator: Pick<Coordinator, 'kind' | 'describe'>;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
  readonly licenseServers: Pick<LicenseServers, 'list'>;
  readonly health: Health;
  /** IDs of signing keys and of single keys that are no longer trusted. */
  readonly revoked: ReadonlySet<string>;
  /** Whether an instance that names no key runs on the built-in evaluation key. */
  readonly evaluation: boolean;
  /** The administrator's token that the configuration states, or null. */
  readonly adminToken: string | null;
  /** How long the journal is kept, in days; 0 is for ever. */
  readonly journalKeepDays: number;
  /** Null when the database is the embedded one. */
  readonly databaseUrl: string | null;
  /** Where the embedded one lies. */
  readonly dataDirectory: string;
}

/** A deployment, looked at. */
export interface Diagnosis {
  /** When, by the database's clock as far as it is known, ms since 1970. */
  readonly atMs: number;
  readonly replica: string;
  /** Of the Lictor that looked. */
  readonly version: string;
  /** The worst level of the findings. */
  readonly level: FindingLevel;
  /** Everything that was looked at, area by area. */
  readonly findings: readonly Finding[];
}

/** Looks at a deployment. */
export class Diagnoses {
  readonly #options: DiagnosisOptions;
  #running: Promise<Diagnosis> | null = null;

  constructor(options: DiagnosisOptions) {
    this.#options = options;
  }

  /**
   * Looks at everything now. Whoever asks while that is under way gets the same answer.
   * @param principal - who asks; its token reaches everything.
   */
  look(principal: Principal): Promise<Diagnosis> {
    this.#running ??= this.#look(principal).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #look(principal: Principal): Promise<Diagnosis> {
    const { coordinator, clock, health, version } = this.#options;
    const store: StoreState =
      coordinator.kind === 'memory'
        ? { kind: 'memory' }
        : { kind: 'redis', facts: await coordinator.describe() };
    // The database first, since its clock is the one that everything else is judged by.
    let database: DatabaseFacts | null = null;
    const first = await this.#area('database.reachable', async () => {
      database = await readDatabaseFacts(this.#options.sql);
      return [...judgeDatabase(database), ...judgeClocks(database, store)];
    });
    const facts = database as DatabaseFacts | null;
    const nowMs = facts?.nowMs ?? clock.nowMs();
    const findings = [
      this.#judgeReplica(),
      ...first,
      ...(facts === null ? [] : (await this.#lookAtDatabase(facts)).flat()),
      ...judgeStore(store),
      ...(await this.#lookAtEstate(principal, nowMs, facts !== null)),
    ];
    const { replica } = health();
    return { atMs: nowMs, replica, version, level: worstLevel(findings), findings };
  }

  /** What this replica says of itself, as `/readyz` does. */
  #judgeReplica(): Finding {
    const { status, checks } = this.#options.health();
    const amiss = Object.values(checks).filter((check) => check.status !== 'ready');
    if (amiss.length === 0) return { check: 'replica.ready', level: 'ok', says: 'This replica serves.' };
    const words = amiss.map((check) => check.words).join(' ');
    return found(
      'replica.ready',
      status === 'not-ready' ? 'fault' : 'warning',
      words,
      'docs/operations.md says what each of these means, and what to do.',
    );
  }

  #lookAtDatabase(facts: DatabaseFacts): Promise<Finding[][]> {
    const { sql, shard, coordinator, journalKeepDays, databaseUrl, dataDirectory } = this.#options;
    return Promise.all([
      this.#area('database.replication', async () => judgeReplication(facts, await readStandbys(sql))),
      this.#area('database.long-transactions', async () =>
        judgeHoldings(await readHoldings(sql, LONG_TRANSACTION_MS)),
      ),
      this.#area('database.disk', async () => {
        if (databaseUrl !== null) return [];
        const { bavail, blocks, bsize } = await statfs(dataDirectory);
        const disk = { directory: dataDirectory, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
        return [judgeDisk(disk)];
      }),
      this.#area('schema.migrations', async () => judgeSchema(await readSchemaFacts(sql, shard))),
      this.#area('journal.size', async () =>
        judgeJournal(await readJournalFacts(sql, shard), facts.nowMs, journalKeepDays),
      ),
      this.#area('replicas.leader', async () =>
        judgeLeadership(await readLeaderFacts(sql, shard), coordinator.kind === 'memory'),
      ),
    ]);
  }

  async #lookAtEstate(principal: Principal, nowMs: number, hasDatabase: boolean): Promise<Finding[]> {
    const { lane, revoked, evaluation, licenseServers, sql, databaseUrl, adminToken } = this.#options;
    // The embedded database has an administrator's token in a file beside it.
    const isAdminConfigured = adminToken !== null || databaseUrl === null;
    const isServing = lane.status.state === 'serving';
    const { table } = lane;
    const findings: Finding[] = [];
    if (isServing) {
      findings.push(...judgeKeys(keyFacts(table, nowMs, revoked), nowMs));
      const instances = [...table.instances.values()];
      const usable = (instance: Instance) => hasUsableKey(table, instance, { nowMs, revoked, evaluation });
      findings.push(...judgeInstances(instances, usable));
    }
    if (!hasDatabase) return findings;
    if (isServing) {
      findings.push(
        ...(await this.#area('license-servers.active', async () =>
          judgeRoster(await licenseServers.list(principal)),
        )),
      );
    }
    findings.push(
      ...(await this.#area('tokens.valid', async () =>
        judgeTokens(await readTokenFacts(sql), {
          hasKey: isServing ? (id) => table.keys.has(id) : null,
          hasInstance: isServing ? (name) => table.instances.has(name) : null,
          isAdminConfigured,
          nowMs,
        }),
      )),
    );
    return findings;
  }

  /** Looks at one area; what cannot be looked at is a finding itself. */
  async #area(check: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Finding[]>((resolve) => {
      timer = setTimeout(() => {
        const says = `This could not be looked at within ${AREA_TIMEOUT_MS / 1_000} s: the database does not answer in time.`;
        resolve([found(check, 'fault', says, 'Look at what the database is busy with (pg_stat_activity).')]);
      }, AREA_TIMEOUT_MS);
    });
    const looked = look().catch((error: Error) => {
      const says = isConnectionError(error)
        ? `The database cannot be reached (${error.message}).`
        : `This could not be looked at: ${error.message}.`;
      return [
        found(check, 'fault', says, 'Bring Postgres back, or mend DATABASE_URL and the rights of its role.'),
      ];
    });
    try {
      return await Promise.race([looked, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function keyFacts(table: Table, nowMs: number, revoked: ReadonlySet<string>): KeyFacts[] {
  const users = new Map<string, number>();
  for (const { key, state } of table.instances.values()) {
    if (key !== null && state === 'active') users.set(key, (users.get(key) ?? 0) + 1);
  }
  return [...table.keys.values()].map((key) => {
    const pool = table.pools.get(key.id);
    return {
      id: key.id,
      status: keyStatus(key, nowMs, revoked),
      validThroughMs: key.validThroughMs,
      trust: key.trust,
      instances: users.get(key.id) ?? 0,
      unitsUsed: pool?.units ?? 0,
      unitsEnforced: key.unitsEnforced,
      isOver: pool !== undefined && table.over.has(pool),
    };
  });
}

function hasUsableKey(
  table: Table,
  instance: Instance,
  policy: { nowMs: number; revoked: ReadonlySet<string>; evaluation: boolean },
): boolean {
  if (instance.key === null) return policy.evaluation;
  const key = table.keys.get(instance.key);
  return key !== undefined && keyStatus(key, policy.nowMs, policy.revoked).status !== 'invalid';
}
