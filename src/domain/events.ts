/**
 * The journal's language. An event is an outcome, never a request: applying one decides nothing, so that a
 * fold is the same under every version of the rules. Events that change what a pool holds carry the
 * totals that result, and a replica whose own arithmetic disagrees stops.
 *
 * Within one format this file only ever gains optional members; anything else raises `JOURNAL_FORMAT`.
 */

import type { ApplicationEvent } from './applications/applicationevents.ts';
import type { Excess } from './excesses.ts';
import type { Instance } from './instances.ts';
import type { Activation } from './keys/activation.ts';
import type { InstalledKey } from './keys/keyring.ts';
import type { Counter, MarkValues } from './marks/marks.ts';
import type { LoginKind } from './users.ts';

/** The format of the rows that this version writes, and the newest that it understands. */
export const JOURNAL_FORMAT = 3;

/** Why a login ended. */
export type ReleaseReason =
  | 'logout'
  | 'expired'
  | 'due'
  | 'forced'
  | 'unanswered'
  | 'restarted'
  | 'deregistered'
  | 'silent'
  | 'closed'
  | 'moved';

/** The rule that refused a login; a closed set, also used as a label of metrics. */
export type Rule =
  | 'enforced-units'
  | 'transition'
  | 'unit-limit'
  | 'partial-activation'
  | 'connection-limit'
  | 'default-licence'
  | 'key-expiry'
  | 'key-start'
  | 'key-trust'
  | 'emergency'
  | 'instance-alive'
  | 'parent'
  | 'application-units'
  | 'over-limit'
  | 'offline';

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
  /** The user's connections are counted apart, a unit each, until every lease has an entry for him. */
  readonly apart?: true;
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
  readonly apart?: true;
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
  /** What of an application could not be taken (F-70). */
  readonly application?: string;
  readonly feature?: string;
  readonly count: number;
  readonly samples: readonly RefusalSample[];
}

export interface RefusalSample {
  readonly instance: string;
  /** Left out where units of an application were asked for by a user himself. */
  readonly login?: string;
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

/** Flags of a user in a row of an event: what he is afterwards. */
export const FLAGS = {
  /** Has transitioned as the instance that reports him sees it. */
  transitionedHere: 1,
  /** Has transitioned over all instances of the pool. */
  transitioned: 2,
  /** Is counted apart. */
  apart: 4,
  /** Of an allowance: the instance needs more connections than it may have. */
  short: 8,
  /** Of an allowance: the instance was asked to hold the user, and keeps no more than it has. */
  exact: 16,
} as const;

/** A user ID as an instance reported it; without connections it is gone there. */
export type ReportedRow = readonly [user: string, connections: number, webSessions: number, flags: number];

/** An instance reported changes of its table, or a part of the whole (F-51). */
export interface Reported {
  readonly type: 'reported';
  readonly instance: string;
  readonly pool: string;
  readonly incarnation: number;
  readonly sequence: number;
  /** The rows count in the pool, as under a local key. */
  readonly counted?: true;
  /** Of a full report: the sequence at which it began. */
  readonly fullFrom?: number;
  /** Of a full report: further parts follow. */
  readonly more?: true;
  readonly rows: readonly ReportedRow[];
  /** At the end of a full report: how many users it did not name any more, who are gone. */
  readonly dropped?: number;
  /** Users whom the instance did not have before. */
  readonly came: number;
  /** The digest of all rows afterwards, `rows.connections.checksum`. */
  readonly digest: string;
  readonly used: number;
  readonly by: number;
}

/** Everything that an instance had reported counts no longer. */
export interface Unreported {
  readonly type: 'unreported';
  readonly instance: string;
  readonly reason: ReleaseReason;
  /** What its users hold of applications stays until a full report has said who is there. */
  readonly holdingsStay?: true;
  readonly rows: number;
  /** The pool that they counted in, with the units in use afterwards. */
  readonly pool: string;
  readonly used: number;
  readonly by: number;
}

/** Combined use came over the limit, went on there, or fell below it: the episode's whole record (F-52…F-54). */
export interface ExcessChanged {
  readonly type: 'excess';
  readonly excess: Excess;
}

/** An allowance of a lease, and what its user is afterwards. */
export type AllowanceRow = readonly [user: string, allowance: number, flags: number];

/** Units were leased to an instance, or taken back by its own statement. */
export interface Leased {
  readonly type: 'leased';
  readonly lease: string;
  readonly instance: string;
  readonly incarnation: number;
  readonly pool: string;
  /** The instance's statement that this answers. */
  readonly sequence: number;
  /** The units of the block afterwards. */
  readonly units: number;
  /** Until when the instance may believe in it, in milliseconds since 1970. */
  readonly ends: number;
  /** Entries that were made or changed. */
  readonly allowances?: readonly AllowanceRow[];
  /** Entries that were dropped, with the connections that they allowed. */
  readonly dropped?: readonly string[];
  readonly used: number;
  readonly by: number;
}

/** A lease ended, and with it its block and its allowances. */
export interface LeaseEnded {
  readonly type: 'lease-ended';
  readonly lease: string;
  readonly instance: string;
  readonly reason: ReleaseReason;
  readonly pool: string;
  readonly used: number;
  readonly by: number;
}

/** Every lease has an entry for these users now: their connections are counted together. */
export interface Joined {
  readonly type: 'joined';
  readonly pool: string;
  /** The users, with what they are afterwards. */
  readonly users: readonly (readonly [user: string, flags: number])[];
  readonly used: number;
}

/** Which key an instance works under, or will after its next start, was decided: the whole record (F-20…F-22). */
export interface Activated {
  readonly type: 'activated';
  readonly activation: Activation;
  readonly by: number;
}

/** The logins of an instance went over to the pool of the key that it works under now; nobody lost anything. */
export interface Moved {
  readonly type: 'moved';
  readonly instance: string;
  readonly from: string;
  readonly to: string;
  readonly logins: number;
  /** Those of their users who are transitioned or counted apart there, with what they are afterwards. */
  readonly users: readonly (readonly [user: string, flags: number])[];
  /** Both pools, with the units in use afterwards. */
  readonly used: readonly (readonly [pool: string, units: number])[];
  readonly by: number;
}

/** Marks of an instance or of a pool were reset to what stood then. */
export interface MarksReset {
  readonly type: 'marks-reset';
  readonly instance?: string;
  readonly pool?: string;
  readonly counters: readonly Counter[];
  /** What they were. */
  readonly before: MarkValues;
  readonly by: number;
}

/** The histogram of how long the logins of an instance lasted began anew. */
export interface DurationsCleared {
  readonly type: 'durations-cleared';
  readonly instance: string;
  /** What it was. */
  readonly counts: readonly number[];
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
  | KeyRemoved
  | Reported
  | Unreported
  | ExcessChanged
  | Leased
  | LeaseEnded
  | Joined
  | Activated
  | Moved
  | MarksReset
  | DurationsCleared
  | ApplicationEvent;

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
