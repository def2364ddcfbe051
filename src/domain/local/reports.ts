/**
 * What instances that decide for themselves report of their tables (F-50…F-54): the rows, and how far the
 * reports have come.
 */

import type { ReleaseReason } from '../events.ts';
import type { Digest } from './digest.ts';

/** The most rows of one update, or of one part of a full report. */
export const ROWS_PER_UPDATE_MAX = 5_000;
/** The longest user ID in a report, in characters: derived ones may be longer than those that people choose. */
export const REPORTED_ID_LENGTH_MAX = 128;
/** The most users that an instance may report; as many others may still stand while a full report replaces them. */
export const USERS_REPORTED_MAX = 1_000_000;
/**
 * The most connections under one key. More than that is a mistake of whoever reports it, and would fit into no
 * column of the table in Postgres.
 */
export const CONNECTIONS_COUNTED_MAX = 2_000_000_000;

/** Why the rows of an instance that goes on were given up. */
export type LostReason = Extract<ReleaseReason, 'silent' | 'moved'>;

/** One user ID of an instance's table, as the instance reported it. */
export interface ReportedUser {
  readonly connections: number;
  readonly webSessions: number;
  /** Whether he has transitioned as the instance sees it. */
  readonly transitioned: boolean;
  /** The number of the update that stated it last. */
  readonly sequence: number;
}

/** How far the reports of an instance have come. */
export interface ReportState extends Digest {
  readonly incarnation: number;
  readonly pool: string;
  /** Whether the rows count in the pool: under a local key they do, under a leased one the lease counts. */
  readonly counted: boolean;
  /** The number of the last update that was accepted. */
  readonly sequence: number;
  /** The number at which a full report that is not complete began; 0 when there is none. */
  readonly fullFrom: number;
  /**
   * Why its rows were given up within this incarnation, which needs a full report to bring them back; it stays
   * until that is complete. Null while the rows stand.
   */
  readonly lost: LostReason | null;
  readonly atMs: number;
}
