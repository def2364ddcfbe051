/**
 * What can be asked of the lane, and what it answers. Operations arrive validated; `decide` alone says what
 * becomes of them.
 */

import type {
  ApplicationAnswer,
  ApplicationOperation,
  Exhausted,
} from './applications/applicationoperations.ts';
import type { ProblemCode, ProblemExtras } from './errors.ts';
import type { ReleaseReason, Rule } from './events.ts';
import type { Phase } from './holdings/login.ts';
import type { Instance, InstanceSettings } from './instances.ts';
import type { Activation, ActivationCause, ActivationVerdict } from './keys/activation.ts';
import type { InstalledKey } from './keys/keyring.ts';
import type { LicenseKey } from './keys/keys.ts';
import type { LeaseAnswer, LeaseStatement } from './leases/leasestatements.ts';
import type { Digest, DigestedRow } from './local/digest.ts';
import type { Counter, MarkValues } from './marks/marks.ts';
import type { Terms } from './terms.ts';
import type { Claims, LoginKind, Throttle } from './users.ts';

/** A login, and everything that shapes its answer. */
export interface LogIn {
  readonly op: 'login';
  readonly instance: string;
  /** The client's ID of the login, or one the server made when it sent none. */
  readonly id: string;
  readonly claims: Claims;
  readonly parent?: string | undefined;
  /** Length of its lease in seconds; undefined lives as long as its instance. */
  readonly leaseSeconds?: number | undefined;
  /** A hash of the request's body. */
  readonly print: number;
  readonly actor: string;
}

export interface LogOut {
  readonly op: 'logout';
  readonly instance: string;
  readonly id: string;
  /** Of a web session: it visited one page only, so that its unit lingers in grace (trap 8). */
  readonly onePage?: boolean;
  readonly reason: Extract<ReleaseReason, 'logout' | 'forced' | 'unanswered'>;
  readonly note?: string | undefined;
  readonly actor: string;
}

/** Explicit `Login(user)` of a process or session that is in (F-43, F-46). */
export interface Identify {
  readonly op: 'identify';
  readonly instance: string;
  readonly id: string;
  readonly user: string;
  readonly clientAddress?: string | undefined;
  readonly actor: string;
}

/** A heartbeat that has to be settled by the journal. */
export interface Renew {
  readonly op: 'renew';
  readonly instance: string;
  readonly id: string;
  readonly actor: string;
}

/** Takes back a leased login whose deadline was seen to have passed. */
export interface Reap {
  readonly op: 'reap';
  readonly instance: string;
  readonly id: string;
  /** The deadline that was observed when it was marked, ms since 1970. */
  readonly observedMs: number;
  readonly actor: string;
}

export interface ReleaseUser {
  readonly op: 'release-user';
  readonly pool: string;
  readonly user: string;
  readonly note: string;
  readonly actor: string;
}

/** Releases everything an instance holds, which stays registered. */
export interface ReleaseInstance {
  readonly op: 'release-instance';
  readonly instance: string;
  readonly note: string;
  readonly actor: string;
}

export interface Register {
  readonly op: 'register';
  readonly name: string;
  /** The key's ID; null for none, or on an evaluation installation for the built-in one (F-2). */
  readonly key: string | null;
  /** Where no key is named: the LicenseID under which one is served, now or later (notes 3.4). */
  readonly licenseId?: string | undefined;
  /** The incarnation the client holds; null after a restart. */
  readonly incarnation: number | null;
  readonly registrationId: string | null;
  readonly product: string | null;
  readonly version: string | null;
  /** Where it runs, for the reports; left out when it does not say. */
  readonly address?: string | undefined;
  /** The licence servers it is configured with, as `address:port`; null when it states none (F-4). */
  readonly licenseServers: readonly string[] | null;
  /** Settings that the registration states; the others keep their values. */
  readonly settings: Partial<InstanceSettings>;
  readonly actor: string;
}

export interface Configure {
  readonly op: 'configure';
  readonly name: string;
  readonly settings: Partial<InstanceSettings>;
  /** The revision the change is made on; null changes whatever stands. */
  readonly ifRevision: string | null;
  readonly actor: string;
}

export interface Deregister {
  readonly op: 'deregister';
  readonly name: string;
  readonly actor: string;
}

/** An instance's heartbeat that has to be settled by the journal. */
export interface RenewInstance {
  readonly op: 'renew-instance';
  readonly name: string;
  readonly incarnation: number;
  readonly actor: string;
}

export interface ReapInstance {
  readonly op: 'reap-instance';
  readonly name: string;
  readonly incarnation: number;
  readonly observedMs: number;
  readonly actor: string;
}

/** An instance that decides for itself reports changes of its table, or a part of the whole (F-51). */
export interface Report {
  readonly op: 'report';
  readonly name: string;
  readonly incarnation: number;
  readonly sequence: number;
  /** The last update whose answer the instance holds; equal to `sequence` when nothing changed since. */
  readonly since: number;
  /** Of a full report: the sequence at which it began; null for a report of changes. */
  readonly fullFrom: number | null;
  /** Of a full report: further parts follow. */
  readonly more: boolean;
  /** Each user ID once; without connections he is gone there. */
  readonly rows: readonly DigestedRow[];
  /** Of the instance's whole table after this; null while further parts follow. */
  readonly digest: Digest | null;
  readonly actor: string;
}

/** An instance ends in good order: what it holds is given back. */
export interface CloseInstance {
  readonly op: 'close-instance';
  readonly name: string;
  readonly incarnation: number;
  readonly actor: string;
}

/** An instance under a leased key states its rights. */
export interface StateLease {
  readonly op: 'lease';
  readonly name: string;
  readonly incarnation: number;
  readonly statement: LeaseStatement;
  readonly actor: string;
}

export interface InstallKey {
  readonly op: 'install-key';
  readonly key: LicenseKey;
  /** The file as it came, kept with the fact; null for the built-in key. */
  readonly file: Uint8Array | null;
  readonly actor: string;
}

export interface ChangeKey {
  readonly op: 'change-key';
  readonly id: string;
  readonly changes: Partial<Pick<LicenseKey, 'connectionsPerUnitMax' | 'enforcement'>>;
  readonly ifRevision: string | null;
  readonly actor: string;
}

export interface RemoveKey {
  readonly op: 'remove-key';
  readonly id: string;
  readonly actor: string;
}

/** Serves an installed key by its LicenseID, in place of the one that was served before (notes 3.4). */
export interface ServeKey {
  readonly op: 'serve-key';
  readonly key: string;
  /** The LicenseID under which it is expected to be served. */
  readonly licenseId: string;
  readonly actor: string;
}

/** Gives an instance the key that is served under its LicenseID, if that is a newer one (notes 2.5, `CheckNewKey`). */
export interface CheckKey {
  readonly op: 'check-key';
  readonly name: string;
  readonly actor: string;
}

/** Has an instance work under another key, at once or after its next start (F-20…F-22). */
export interface ActivateKey {
  readonly op: 'activate-key';
  readonly instance: string;
  /** The key's ID; of no meaning when it goes back to the previous one. */
  readonly key: string;
  readonly cause: Extract<ActivationCause, 'activated' | 'rolled-back'>;
  /** The token of the inspection that is to be applied, or of a rollback the revision of the instance; null takes whatever stands. */
  readonly inspected: string | null;
  readonly actor: string;
}

/** Sets marks of an instance or of a key back to what stands; one of both is null. */
export interface ResetMarks {
  readonly op: 'reset-marks';
  readonly instance: string | null;
  readonly key: string | null;
  /** Each once. */
  readonly counters: readonly Counter[];
  readonly actor: string;
}

/** Begins the histogram of how long the logins of an instance lasted anew. */
export interface ClearDurations {
  readonly op: 'clear-durations';
  readonly instance: string;
  readonly actor: string;
}

export type Operation =
  | LogIn
  | LogOut
  | Identify
  | Renew
  | Reap
  | ReleaseUser
  | ReleaseInstance
  | Register
  | Configure
  | Deregister
  | RenewInstance
  | ReapInstance
  | Report
  | CloseInstance
  | StateLease
  | InstallKey
  | ChangeKey
  | RemoveKey
  | ServeKey
  | CheckKey
  | ActivateKey
  | ResetMarks
  | ClearDurations
  | ApplicationOperation;

/** A login as its answer tells it. */
export interface LoginView {
  readonly id: string;
  readonly instance: string;
  /** The pool it counts in: a key's ID, or the instance's own default licence. */
  readonly pool: string;
  readonly userId: string | null;
  readonly kind: LoginKind;
  readonly phase: Phase;
  readonly processId: number;
  readonly connections: number;
  readonly units: number;
  readonly unitsAdded: number;
  readonly transitioned: boolean;
  readonly decision: string;
  readonly atMs: number;
  readonly leaseSeconds: number;
  readonly expiresAtMs: number;
  readonly endsAtMs: number;
  /** How a pending login is slowed down until it identifies itself (F-44). */
  readonly throttle: Throttle | null;
}

/** Why a login was refused: enough to explain it without looking anywhere else. */
export interface Refusal {
  readonly is: 'refused';
  readonly code: ProblemCode;
  readonly rule: Rule;
  readonly detail: string;
  readonly decision: string;
  readonly pool: string;
  readonly limit: number;
  readonly inUse: number;
  readonly requested: number;
  readonly retryAfterSeconds: number;
  /** What of an application is exhausted, and who holds it. */
  readonly exhausted?: Exhausted;
}

/** Something other than a licence rule stands against the operation; nothing was journalled for it. */
export interface Problem {
  readonly is: 'problem';
  readonly code: ProblemCode;
  readonly detail: string;
  readonly extras?: ProblemExtras;
}

/** What an instance is told in answer to an update, as the table stands after it (F-52…F-54). */
export interface UpdateView {
  /** Whether new users may come in: false while combined use is over the limit, or the key cannot be used. */
  readonly acknowledged: boolean;
  /** Why they may not. */
  readonly reason: ProblemCode | null;
  /** The last update of the incarnation that the server holds. */
  readonly sequence: number;
  /** The server's rows are not the instance's: it should send a full report. */
  readonly resend: boolean;
  readonly terms: Terms;
  /** Units in use of the key, over all instances. */
  readonly inUse: number;
  readonly atMs: number;
  /** Users of this instance who have transitioned over all instances, and not as it sees them itself. */
  readonly transitioned: readonly string[];
  readonly overLimit: { readonly sinceMs: number; readonly units: number; readonly unitsMax: number } | null;
  readonly instance: Instance;
}

export type Answer =
  | ApplicationAnswer
  | { readonly is: 'granted'; readonly login: LoginView; readonly repeated: boolean }
  | Refusal
  | Problem
  | { readonly is: 'released'; readonly login: LoginView | null; readonly decision: string | null }
  | { readonly is: 'renewed'; readonly expiresAtMs: number; readonly leaseSeconds: number }
  | { readonly is: 'alive'; readonly deadlineMs: number; readonly graceSeconds: number }
  | { readonly is: 'ended'; readonly logins: number; readonly decision: string | null }
  | {
      readonly is: 'instance';
      readonly instance: Instance;
      readonly outcome: 'new' | 'retry' | 'restart' | 'changed';
    }
  | {
      readonly is: 'activation';
      readonly instance: Instance;
      readonly verdict: ActivationVerdict;
      /** What was journalled of it; null when nothing changed. */
      readonly activation: Activation | null;
    }
  | { readonly is: 'updated'; readonly update: UpdateView }
  | {
      readonly is: 'marks';
      readonly before: MarkValues;
      readonly decision: string;
      readonly atMs: number;
    }
  | {
      readonly is: 'durations';
      readonly counts: readonly number[];
      readonly sinceMs: number;
      readonly decision: string;
      readonly atMs: number;
    }
  | { readonly is: 'leased'; readonly lease: LeaseAnswer }
  | {
      readonly is: 'key-checked';
      readonly instance: Instance;
      /** The key that is served under its LicenseID; null when there is none. */
      readonly served: InstalledKey | null;
      /** What came of it; null when it was not a newer one. */
      readonly activated: Extract<Answer, { readonly is: 'activation' }> | null;
    }
  | { readonly is: 'key'; readonly key: InstalledKey; readonly outcome: 'installed' | 'present' | 'changed' }
  | { readonly is: 'done' };
