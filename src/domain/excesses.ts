/**
 * The over-limit ledger: from when to when the combined use of a key was over its limit, by how much, who came
 * in meanwhile, and how it ended (F-50, F-52…F-54).
 */

/** How combined use came over the limit. */
export type ExcessCause =
  /** Instances let users in before they heard of each other (F-50). */
  | 'reported'
  /** An instance that had been given up for silent came back with its users. */
  | 'returned';

/** A user who came in while combined use was over the limit, or whose coming brought it over. */
export interface ExcessUser {
  readonly user: string;
  readonly instance: string;
}

/** One episode: its whole record as of an instant. */
export interface Excess {
  /** The ID of the decision that began it. */
  readonly id: string;
  readonly pool: string;
  /** The units that were enforced. */
  readonly limit: number;
  readonly cause: ExcessCause;
  readonly fromMs: number;
  /** The instant that this record is of, ms since 1970. */
  readonly atMs: number;
  /** When combined use was below the limit again; null while it is not (F-54). */
  readonly toMs: number | null;
  /** Units over the limit at `atMs`; 0 while use is exactly the limit. */
  readonly units: number;
  readonly unitsMax: number;
  /** Units over the limit times milliseconds, from `fromMs` to `atMs`. */
  readonly unitMs: number;
  /** The first of those who came in, at most `EXCESS_USERS_MAX`. */
  readonly users: readonly ExcessUser[];
  readonly usersCount: number;
  /** The instances that they came in on, or that came back. */
  readonly instances: readonly string[];
  /** What brought use below the limit; null while nothing has. */
  readonly endedBy: ExcessEnd | null;
}

/** What brought use below the limit. */
export type ExcessEnd = 'logouts' | 'silence' | 'restart' | 'removal' | 'limit';

/** How many users an episode names; the others are counted. */
export const EXCESS_USERS_MAX = 100;
