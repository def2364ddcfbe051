/**
 * Forced releases: an administrator or operator ends logins that are not his, and says why.
 */

import { endedLogins } from '../domain/apply.ts';
import { LicenseError } from '../domain/errors.ts';
import type { Login } from '../domain/holdings/login.ts';
import { keyNotFound } from '../domain/keys/keyring.ts';
import { instanceNotFound } from '../domain/logins.ts';
import type { Answer } from '../domain/operations.ts';
import type { Table } from '../domain/table.ts';
import type { Heartbeats, LeasedLogin } from './heartbeats.ts';
import type { Lane } from './lane.ts';

/** What is to be released: one login, everything of an instance, or everything of a user under a key. */
export type ReleaseTarget =
  | { readonly instance: string; readonly login: string }
  | { readonly instance: string }
  | { readonly key: string; readonly user: string };

/** Connections that instances let in by themselves, as they reported last. Nobody but they can end these. */
export interface HeldByInstances {
  readonly connections: number;
  /** Their names, in order. */
  readonly instances: readonly string[];
}

/** What came of a release. */
export interface Released {
  /** How many logins ended. */
  readonly released: number;
  /** Null when there was nothing to end. */
  readonly decision: string | null;
  readonly held: HeldByInstances;
}

/** What the releases need. */
export interface ReleasesOptions {
  readonly lane: Pick<Lane, 'submit' | 'read'>;
  readonly heartbeats: Pick<Heartbeats, 'forgetLogins'>;
}

/** Ends others' logins. */
export class Releases {
  readonly #options: ReleasesOptions;

  constructor(options: ReleasesOptions) {
    this.#options = options;
  }

  /** The key that an instance is registered with; undefined when there is no such instance. */
  keyOf(name: string): Promise<string | null | undefined> {
    return this.#options.lane.read((table) => table.instances.get(name)?.key);
  }

  /**
   * Releases what is named, at once: no unit lingers.
   *
   * @param target - what to release.
   * @param note - why, for the journal.
   * @param actor - who does it.
   * @returns how many logins ended, the decision, and what of it only instances can end.
   * @throws LicenseError `key-not-found`, `instance-not-found` or `login-not-found`.
   */
  async release(target: ReleaseTarget, note: string, actor: string): Promise<Released | Answer> {
    const { lane, heartbeats } = this.#options;
    const found = await lane.read((table) => ({
      ...lookFor(table, target),
      held: reportedOf(table, target),
    }));
    const { isHeld, leased, held } = found;
    if (!isHeld) return { released: 0, decision: null, held };
    const answer = await this.#submit(target, note, actor);
    if (answer.is !== 'released' && answer.is !== 'ended') return answer;
    // So that no replica renews by the coordination store what the journal has ended.
    await heartbeats.forgetLogins(leased);
    const released = answer.is === 'ended' ? answer.logins : Number(answer.login !== null);
    return { released, decision: released === 0 ? null : answer.decision, held };
  }

  #submit(target: ReleaseTarget, note: string, actor: string): Promise<Answer> {
    const { lane } = this.#options;
    if ('key' in target) {
      return lane.submit({ op: 'release-user', pool: target.key, user: target.user, note, actor });
    }
    const { instance } = target;
    if (!('login' in target)) return lane.submit({ op: 'release-instance', instance, note, actor });
    return lane.submit({ op: 'logout', instance, id: target.login, reason: 'forced', note, actor });
  }
}

/**
 * The leased ones among logins.
 *
 * @param logins - of a table, while it is read.
 */
export function leasedOf(logins: Iterable<Login>): LeasedLogin[] {
  const leased: LeasedLogin[] = [];
  for (const { id, place, leaseSeconds } of logins) {
    if (leaseSeconds > 0) leased.push({ instance: place.instance, id });
  }
  return leased;
}

/** What instances have reported of a target: their users stay, whatever is released at the server. */
function reportedOf(table: Table, target: ReleaseTarget): HeldByInstances {
  const instances: string[] = [];
  let connections = 0;
  const add = (instance: string, count: number) => {
    if (count > 0) instances.push(instance);
    connections += count;
  };
  if ('key' in target) {
    for (const { instance, report, reported } of table.places.values())
      if (report?.pool === target.key) add(instance, reported.get(target.user)?.connections ?? 0);
  } else if (!('login' in target)) {
    add(target.instance, table.places.get(target.instance)?.report?.connections ?? 0);
  }
  return { connections, instances: instances.sort() };
}

/** A login that is not in must not be released: that would only remember its ID as one never to be granted. */
function lookFor(table: Table, target: ReleaseTarget): { isHeld: boolean; leased: LeasedLogin[] } {
  if ('key' in target) {
    if (!table.keys.has(target.key) && !table.pools.has(target.key)) {
      throw new LicenseError('key-not-found', keyNotFound(target.key).detail);
    }
    const logins = endedLogins(table, { pool: target.key, user: target.user });
    return { isHeld: logins.length > 0, leased: leasedOf(logins) };
  }
  const place = table.places.get(target.instance);
  if (!table.instances.has(target.instance) && !place) {
    throw new LicenseError('instance-not-found', instanceNotFound(target.instance).detail);
  }
  if (!('login' in target)) {
    const { size = 0 } = place?.logins ?? {};
    return { isHeld: size > 0, leased: leasedOf(place?.logins.open() ?? []) };
  }
  const login = place?.logins.get(target.login);
  if (login) return { isHeld: true, leased: leasedOf([login]) };
  if (place?.released.has(target.login)) return { isHeld: false, leased: [] };
  throw new LicenseError(
    'login-not-found',
    `The instance "${target.instance}" has no login ${target.login}, and nothing is remembered of one.`,
  );
}
