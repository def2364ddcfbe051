/**
 * The journal's language. An event is an outcome, never a request: applying one decides nothing, so that a
 * fold is the same under every version of the rules. Events that change what a pool holds carry the
 * totals that result, and a replica whose own arithmetic disagrees stops.
 *
 * Within one format this file only ever gains optional members; anything else raises `JOURNAL_FORMAT`.
 */

import type { Instance } from './instances.ts';
import type { InstalledKey } from './keyring.ts';
import type { LoginKind } from './users.ts';

/** The format of the rows that this version writes, and the newest that it understands. */
export const JOURNAL_FORMAT = 1;

/** Why a login ended. */
export type ReleaseReason =
  | 'logout'
  | 'expired'
  | 'due'
  | 'forced'
  | 'unanswered'
  | 'restarted'
  | 'deregistered'
  | 'silent';

/** The rule that refused a login; a closed set, also used as a label of metrics. */
export type Rule =
  | 'enforced-units'
  | 'transition'
  | 'unit-limit'
  | 'connection-limit'
  | 'default-licence'
  | 'key-expiry'
  | 'key-start'
  | 'key-trust'
  | 'emergency'
  | 'instance-alive'
  | 'parent';

/** A login came in. */
export interface Granted {
  readonly type: 'granted';
  readonly instance: string;
  readonly login: string;
  readonly pool: string;
  /** The licence user ID; left out for logins that are nobody (system, server, emergency, pending). */
  readonly user?: string;
  readonly kind: LoginKind;
  readonly pending?: true;
  readonly processId?: number;
  readonly parent?: string;
  readonly leaseSeconds?: number;
  /** When a login with a fixed end is over, in milliseconds since 1970. */
  readonly ends?: number;
  /** Of the user ID after this login: connections and the units they cost. */
  readonly connections: number;
  readonly units: number;
  /** The units that this login took from the pool. */
  readonly added: number;
  readonly transitioned?: true;
  /** The units of the pool in use after this login. */
  readonly used: number;
  /** A hash of the request's body, by which another body under the same ID is told apart. */
  readonly print: number;
  /** Index of the actor in the row's `actors`. */
  readonly by: number;
}

/** One login went out. */
export interface Released {
  readonly type: 'released';
  readonly instance: string;
  readonly login: string;
  readonly reason: ReleaseReason;
  /** What the person who forced it gave as reason. */
  readonly note?: string;
  /** Of the user ID afterwards. */
  readonly connections: number;
  readonly units: number;
  readonly freed: number;
  readonly used: number;
  readonly by: number;
}

/** A login was released before it was seen; it will not be granted. */
export interface Forestalled {
  readonly type: 'forestalled';
  readonly instance: string;
  readonly login: string;
  readonly by: number;
}

/** Many logins went out in one step: an instance's, or a user's. */
export interface Ended {
  readonly type: 'ended';
  /** The instance that ended them, or the user of a pool. */
  readonly instance?: string;
  /** With an instance: only the logins that live as long as it does, not the leased ones. */
  readonly boundOnly?: true;
  readonly pool?: string;
  readonly user?: string;
  readonly reason: ReleaseReason;
  readonly note?: string;
  readonly logins: number;
  /** The pools that gave back units, each with the units in use afterwards. */
  readonly used: readonly (readonly [pool: string, units: number])[];
  readonly by: number;
}

/** A login changed its user ID, or got its first one (F-43, F-46). */
export interface Identified {
  readonly type: 'identified';
  readonly instance: string;
  readonly login: string;
  readonly pool: string;
  readonly user: string;
  readonly connections: number;
  readonly units: number;
  /** Units taken from the pool on balance; negative when the trade gave some back. */
  readonly added: number;
  readonly transitioned?: true;
  readonly used: number;
  readonly by: number;
}

/** A lease was renewed through the lane, with its new deadline in milliseconds since 1970. */
export interface Renewed {
  readonly type: 'renewed';
  readonly instance: string;
  readonly login: string;
  readonly expires: number;
  readonly by: number;
}

/** A login went out but its unit is held a while longer: web grace, or the ten seconds of a request. */
export interface Lingered {
  readonly type: 'lingered';
  readonly instance: string;
  readonly login: string;
  readonly ends: number;
  readonly by: number;
}

/** Logins were refused: one event per pool and rule in a batch, so that a storm stays small. */
export interface Refused {
  readonly type: 'refused';
  readonly pool: string;
  readonly rule: Rule;
  readonly code: string;
  readonly limit: number;
  readonly inUse: number;
  readonly requested: number;
  readonly count: number;
  readonly samples: readonly RefusalSample[];
}

export interface RefusalSample {
  readonly instance: string;
  readonly login: string;
  readonly user?: string;
  readonly by: number;
}

/** An instance came, came back, changed its settings, or was found silent: its whole record. */
export interface InstanceChanged {
  readonly type: 'registered' | 'configured' | 'silenced' | 'revived';
  readonly instance: Instance;
  readonly by: number;
}

export interface Deregistered {
  readonly type: 'deregistered';
  readonly instance: string;
  readonly by: number;
}

/** A key was installed or changed: its whole record. */
export interface KeyChanged {
  readonly type: 'key-installed' | 'key-changed';
  readonly key: InstalledKey;
  readonly by: number;
}

export interface KeyRemoved {
  readonly type: 'key-removed';
  readonly key: string;
  readonly by: number;
}

export type JournalEvent =
  | Granted
  | Released
  | Forestalled
  | Ended
  | Identified
  | Renewed
  | Lingered
  | Refused
  | InstanceChanged
  | Deregistered
  | KeyChanged
  | KeyRemoved;

/** One row of the journal. */
export interface JournalRow {
  readonly shard: number;
  readonly version: number;
  /** The random ID of the batch. */
  readonly batch: string;
  /** The row's instant in milliseconds since 1970, by the database's clock; never before its predecessor's. */
  readonly at: number;
  readonly actors: readonly string[];
  readonly events: readonly JournalEvent[];
}

/** The public form of a decision's ID: shard, version and the event's index in its row. */
export function decisionId(shard: number, version: number, index: number): string {
  return `${shard}:${version}:${index}`;
}
