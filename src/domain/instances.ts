/**
 * Instances: what is known of one, its settings, and what a registration means.
 */

import type { ActivationProfile } from './keys/activation.ts';
import type { IdentityForm, IdentitySettings, ThrottleProfile } from './users.ts';

/** What an administrator sets for an instance (notes 2.1, 2.2). */
export interface InstanceSettings extends IdentitySettings {
  readonly identityForm: IdentityForm;
  /** `UserNameLicensing()`: the user name is the licence user ID (F-45). */
  readonly usernameLicensing: boolean;
  /** `DeferUserIdentification(1)`: nobody is identified until he logs in explicitly (F-43). */
  readonly deferredIdentification: boolean;
  /** How processes that have not identified themselves are slowed down (F-44). */
  readonly throttleProfile: ThrottleProfile;
  readonly throttlePauseSeconds: number;
  /** `SetUserLimit()`: the units this instance may consume of its key; 0 is no limit. */
  readonly unitLimit: number;
  /** `SetConnectionLimit()`: the connections of one user on this instance; 0 is no limit. */
  readonly connectionLimit: number;
  /** Addresses (CIDR) whose `X-Forwarded-For` is believed when a client's address is looked for. */
  readonly trustedProxies: readonly string[];
  /** How long the instance may be silent before it is reaped, in seconds; 0 never reaps it. */
  readonly graceSeconds: number;
  /** What a new key can give the running instance, and what only a restart can (F-22). */
  readonly activationProfile: ActivationProfile;
}

/** The settings of an instance whose registration states none. */
export const DEFAULT_SETTINGS: InstanceSettings = {
  identityForm: 'name',
  usernameLicensing: false,
  deferredIdentification: false,
  throttleProfile: 'caché',
  throttlePauseSeconds: 5,
  unitLimit: 0,
  connectionLimit: 0,
  trustedProxies: [],
  graceSeconds: 60,
  activationProfile: 'unlimited',
};

/** The whole record of an instance, as events and the database carry it. */
export interface Instance {
  readonly name: string;
  /** The key it works under; null when it has none. */
  readonly key: string | null;
  /** What its registrations name, where that is not the key: another was activated over it, or this one waits. */
  readonly statedKey?: string | null;
  /** The key that its next start brings (F-22). */
  readonly pendingKey?: string;
  /** The key that it worked under before, to go back to. */
  readonly previousKey?: string;
  /** The units that it can use of its key until its next start; left out when all (F-22). */
  readonly usableUnits?: number;
  /** The units that its table has held since its start, where its key has fewer now: so many it can take again. */
  readonly tableUnits?: number;
  /** One life of the instance, issued by the server, counted from 1. */
  readonly incarnation: number;
  /** A client-made ID of the registration that began this incarnation, by which a retry is told. */
  readonly registrationId: string | null;
  readonly product: string | null;
  readonly version: string | null;
  /** `silent` once it was reaped: everything bound to it was released and it must register again. */
  readonly state: 'active' | 'silent';
  readonly settings: InstanceSettings;
  /** It is silent because it was closed in good order: only a registration brings it back. */
  readonly closed?: true;
  /** The address or host name where it runs, as it stated it, for the reports (`ServerIP`). */
  readonly address?: string;
  /** The licence servers it is configured with, as `address:port`, in order of text; left out when it states none (F-4). */
  readonly licenseServers?: readonly string[];
  /** The LicenseID by which it asks for the key that is served under it; left out when it names its key itself. */
  readonly licenseId?: string;
  /** When the key was served that it has followed last, ms since 1970: only a later one is newer. */
  readonly servedAtMs?: number;
  /** The instant until which it counts as alive by the journal alone, ms since 1970; 0 when it is not watched. */
  readonly deadlineMs: number;
  readonly registeredAtMs: number;
  /** Changes with every change of the record; the entity tag of its settings. */
  readonly revision: string;
}

/** The rest of an instance's state is what its logins hold; the pool of one without a usable key is its own. */
export function defaultPoolOf(instance: string): string {
  return `default:${instance}`;
}

/** Whether a pool is that of an instance without a usable key. No key's ID has a colon. */
export function isDefaultPool(pool: string): boolean {
  return pool.startsWith('default:');
}

/**
 * What a registration is, seen from the record it meets.
 *
 * - `new`: the name is not registered.
 * - `retry`: the same registration again, or the incarnation that holds; nothing changes.
 * - `restart`: a new life of the instance; what was bound to the old one is released.
 * - `old`: an incarnation that a newer one has replaced.
 */
export type RegistrationKind = 'new' | 'retry' | 'restart' | 'old';

/**
 * @param current - the record it meets, if any.
 * @param incarnation - the incarnation the client holds; null after a restart.
 * @param registrationId - the client-made ID of this start, if it sent one.
 */
export function classifyRegistration(
  current: Instance | undefined,
  incarnation: number | null,
  registrationId: string | null,
): RegistrationKind {
  if (current === undefined) return 'new';
  if (current.state === 'active') {
    if (registrationId !== null && registrationId === current.registrationId) return 'retry';
    if (incarnation === current.incarnation) return 'retry';
  }
  if (incarnation !== null && incarnation < current.incarnation) return 'old';
  return 'restart';
}

/**
 * How many units an instance may use of its key: by its settings, or by what its table holds until it is started
 * again, whichever is less.
 * @returns 0 for no limit of its own.
 */
export function unitLimitOf({
  settings: { unitLimit },
  usableUnits,
}: Pick<Instance, 'settings' | 'usableUnits'>): number {
  if (usableUnits === undefined) return unitLimit;
  return unitLimit > 0 ? Math.min(unitLimit, usableUnits) : usableUnits;
}

/** Whether it is its table that limits how many units an instance may use of its key, and no setting. */
export function isPartlyActive(instance: Pick<Instance, 'settings' | 'usableUnits'>): boolean {
  return instance.usableUnits !== undefined && unitLimitOf(instance) !== instance.settings.unitLimit;
}
