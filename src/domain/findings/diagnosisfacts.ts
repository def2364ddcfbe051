/**
 * The facts that a diagnosis is made of, as they were read of the database, of the store of heartbeats and of the
 * disk. Whoever reads them judges nothing; the judgement is in `databasefindings.ts` and its neighbours.
 */

import type { Role } from '../access.ts';

/** What the database server is and how it is set. */
export interface DatabaseFacts {
  readonly version: string;
  /** `server_version_num`: 180004 is 18.4. */
  readonly versionNumber: number;
  readonly durability: { readonly safe: boolean; readonly words: string };
  readonly synchronousCommit: string;
  /** `synchronous_standby_names`; empty when commits wait for nobody. */
  readonly standbyNames: string;
  readonly autovacuum: boolean;
  readonly connections: number;
  /** How many there may be of ordinary roles. */
  readonly connectionsMax: number;
  readonly bytes: number;
  /** Transactions since the oldest row that was not frozen. */
  readonly transactionAge: number;
  readonly isSuperuser: boolean;
  readonly isEncrypted: boolean;
  /** Whether it is reached over a network. */
  readonly isRemote: boolean;
  /** How far its clock is ahead of the replica's, in milliseconds, to within half the round trip. */
  readonly aheadMs: number;
  readonly roundTripMs: number;
  /** Its clock, ms since 1970. */
  readonly nowMs: number;
}

/** Who receives the database's changes. */
export interface StandbyFacts {
  readonly name: string;
  /** `streaming`, `catchup` …; null where it may not be seen. */
  readonly state: string | null;
  /** `sync`, `quorum`, `potential`, `async`; null where it may not be seen. */
  readonly syncState: string | null;
  readonly replayLagMs: number | null;
}

/** What keeps old rows alive. */
export interface HoldingFacts {
  readonly transactions: readonly {
    readonly pid: number;
    readonly name: string;
    readonly state: string;
    readonly ageMs: number;
  }[];
  readonly prepared: readonly { readonly gid: string; readonly ageMs: number }[];
  readonly slots: readonly {
    readonly name: string;
    readonly active: boolean;
    readonly retainedBytes: number | null;
  }[];
  /** Sessions on this database of which nothing may be seen. */
  readonly hiddenSessions: number;
}

/** How the schema and this version stand to each other. */
export interface SchemaFacts {
  readonly knownVersion: number;
  readonly pending: readonly string[];
  readonly newer: readonly string[];
  /** The format of the journal; null when there is none. */
  readonly format: number | null;
  readonly knownFormat: number;
}

/** The journal and its fold. Instants are ms since 1970 by the database's clock. */
export interface JournalFacts {
  readonly version: number;
  readonly atMs: number;
  readonly foldVersion: number;
  readonly foldAtMs: number;
  readonly bytes: number;
  readonly partitions: number;
  /** The number of the highest partition; null when there is none. */
  readonly highest: number | null;
  readonly oldest: { readonly version: number; readonly atMs: number } | null;
}

/** Who leads, and who serves. */
export interface LeaderFacts {
  readonly leader: {
    readonly holder: string;
    /** How long its time has been over; negative while it leads. */
    readonly overdueMs: number;
    readonly electedAtMs: number;
  } | null;
  /** How many replicas serve the database. */
  readonly replicas: number;
}

/** A token that is not revoked. */
export interface TokenFacts {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly keys: readonly string[] | null;
  readonly instance: string | null;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  readonly lastUsedAtMs: number | null;
}

/** What the store of heartbeats says of itself; members are null where it does not say. */
export interface StoreFacts {
  readonly version: string | null;
  /** `standalone`, `sentinel` or `cluster`. */
  readonly mode: string | null;
  /** `master` or `slave`. */
  readonly role: string | null;
  readonly uptimeSeconds: number | null;
  readonly runId: string | null;
  /** How many bytes it may use; 0 is no limit. */
  readonly memoryMaxBytes: number | null;
  readonly memoryUsedBytes: number | null;
  /** What it removes when it is full: `noeviction`, `allkeys-lru` … */
  readonly evictionPolicy: string | null;
  /** Keys that were removed because it was full, since its start. */
  readonly evictedKeys: number | null;
  /** Whether its last writing to disk failed, after which it may refuse every write. */
  readonly isDiskFailing: boolean;
  readonly replicas: number | null;
  /** `min-replicas-to-write`; null where settings may not be read. */
  readonly replicasToWriteMin: number | null;
  /** How far its clock is ahead of the asking replica's, in milliseconds, to within half the round trip. */
  readonly aheadMs: number;
  readonly roundTripMs: number;
}

/** The disk of the embedded database. */
export interface DiskFacts {
  readonly directory: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
}
