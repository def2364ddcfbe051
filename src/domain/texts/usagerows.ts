/**
 * What the reports of use are made of: counts with their marks, the histogram of durations, and the rows of a
 * dump. The server makes them of its table, and an instance that decides for itself of its own.
 */

import type { Phase } from '../holdings/login.ts';
import type { LoginKind } from '../users.ts';

/** A count with its high-water mark. */
export interface Level {
  readonly now: number;
  readonly peak: number;
  /** Since when the mark is kept: the start of the instance, or when it was reset last; ms since 1970. */
  readonly sinceMs: number;
}

/** A count of what is left, with its low-water mark; neither is ever below 0. */
export interface Low {
  readonly now: number;
  readonly minimum: number;
  /** Since when the mark is kept, ms since 1970. */
  readonly sinceMs: number;
}

/** What an instance uses and has used, as it sees it: a user who is also elsewhere counts here too (`ShowCounts`). */
export interface InstanceCounts {
  readonly instance: string;
  /** The key that it is registered with; null without one. */
  readonly key: string | null;
  /**
   * Who counted: the server, which decides its logins; the instance, which has reported to it; or the instance
   * itself, which is asked.
   */
  readonly source: 'server' | 'reported' | 'instance';
  /** Of an instance that reports: when it last reported changes, ms since 1970; null otherwise. */
  readonly reportedAtMs: number | null;
  readonly unitsAuthorised: number;
  readonly unitsEnforced: number;
  /** The units that it may use by itself, if it were alone: the key's, or its own limit where that is less. */
  readonly unitsMax: number;
  /** What of these it does not use (`LUAvailable`, `LUMinAvailable`). Others may use it (F-3). */
  readonly unitsAvailable: Low;
  /** Units as the instance sees them, those leased to it included (`LUConsumed`, `LUMaxConsumed`). */
  readonly units: Level;
  /** Distinct users, not units (trap 13). */
  readonly users: Level;
  readonly connections: Level;
  /** Users who have a web session, also one in grace (`CSPUsers`). */
  readonly webUsers: Level;
  /** Sessions and requests that went out and whose unit is held a while longer (`CSPGrace`). */
  readonly webGrace: Level;
  /** Logins and connections that are processes: neither web sessions nor sessionless requests (`ProcConsumed`). */
  readonly processes: Level;
  /** What is left of the processes that the key permits; null unless its type limits them (Real Time). */
  readonly processesAvailable: Low | null;
  /** When its present life began, ms since 1970. */
  readonly startedAtMs: number;
  /** As of when, ms since 1970. */
  readonly atMs: number;
}

/** How long logins lasted: how many ended within each bound, and beyond the last. Not cumulative. */
export interface DurationCounts {
  /** Upper bounds in seconds, each included (`ReadDurationValues`). */
  readonly boundsSeconds: readonly number[];
  /** One more than there are bounds (`ReadDurationCounts`). */
  readonly counts: readonly number[];
  readonly sinceMs: number;
  readonly atMs: number;
}

/** What a row of the users' reports is (notes 2.6). `Grace`: all its sessions have gone out. */
export type UserType = 'User' | 'CSP' | 'Mixed' | 'Grace';

/** A slot of an instance that is in use (`all.dmp`, `inuse.dmp`, `UserList`), by user ID. */
export interface UserRow {
  readonly userId: string;
  readonly type: UserType;
  readonly connections: number;
  /** His most connections at one time since he last had none, over all instances of the key (trap 12). */
  readonly connectionsPeak: number;
  readonly webSessions: number;
  /** What he costs as this instance sees it (`LicenseCount`). */
  readonly units: number;
  /** Since when he is in, ms since 1970; null where an instance reported him, which does not say. */
  readonly sinceMs: number | null;
  /** Until when his unit is held if all that he has were closed now, ms since 1970; 0 is no longer. */
  readonly graceUntilMs: number;
}

/** A login of an instance (`piduse.dmp`, `ProcessList`), by process ID and then by ID. */
export interface ProcessRow {
  readonly login: string;
  /** 0 where it stated none. */
  readonly processId: number;
  readonly kind: LoginKind;
  readonly phase: Phase;
  /** Null for who is nobody, or has not identified himself. */
  readonly userId: string | null;
  /** Of its user on this instance; 0 for nobody. */
  readonly connections: number;
  readonly connectionsPeak: number;
  readonly webSessions: number;
  readonly units: number;
  readonly sinceMs: number;
  /** When it ends by itself, ms since 1970; 0 when it does not. */
  readonly endsAtMs: number;
}

/** A user of a key on one instance (`ConnectionList`, `dumpkey.txt`), by user ID and then by instance. */
export interface KeyUserRow {
  /** The key, or the default licence of an instance. */
  readonly pool: string;
  readonly userId: string;
  readonly instance: string;
  readonly connections: number;
  /** The units that this row accounts for; all rows of a user come to what he costs. */
  readonly units: number;
  /** Whether his unit stands on another row (`shr`). */
  readonly isShared: boolean;
  /** Whether another row has the same unit, wherever it stands. */
  readonly isElsewhere: boolean;
}
