/**
 * What each login that an instance let in itself has taken of applications. The server knows these logins by their
 * users only, so that the instance has to know which of a user's units go when one of his logins does.
 */

import type { LocalLogin } from '../domain/local/localtable.ts';
import type { FeatureNamed } from './application-verdicts.ts';

/** What one login has taken, in the name of its user. */
interface Taken {
  readonly userId: string;
  /** By application and feature; how often. */
  readonly features: Map<string, { readonly name: FeatureNamed; takes: number }>;
}

/** The takes of logins; one that is forgotten takes them along. */
export class LocalTakes {
  readonly #byLogin = new WeakMap<LocalLogin, Taken>();
  /** Whether any login ever took something, so that who takes nothing pays for nothing. */
  #isUsed = false;

  /** Notes a take of each feature; one that is named twice was taken twice. */
  add(login: LocalLogin, userId: string, features: readonly FeatureNamed[]): void {
    this.#isUsed = true;
    const known = this.#byLogin.get(login);
    const taken = known?.userId === userId ? known : { userId, features: new Map() };
    this.#byLogin.set(login, taken);
    for (const name of features) {
      const one = taken.features.get(keyOf(name));
      if (one === undefined) taken.features.set(keyOf(name), { name, takes: 1 });
      else one.takes += 1;
    }
  }

  /** How often a login has a feature. */
  count(login: LocalLogin, name: FeatureNamed): number {
    return this.#byLogin.get(login)?.features.get(keyOf(name))?.takes ?? 0;
  }

  /**
   * Takes back what a login has of some features, or everything.
   * @returns each take by itself; features that it does not have are not among them.
   */
  remove(login: LocalLogin, features: readonly FeatureNamed[]): FeatureNamed[] {
    const taken = this.#byLogin.get(login)?.features;
    return features.filter((name) => {
      const one = taken?.get(keyOf(name));
      if (one === undefined) return false;
      one.takes -= 1;
      if (one.takes === 0) taken?.delete(keyOf(name));
      return true;
    });
  }

  /**
   * Takes back everything that a login has.
   * @returns each take by itself, and whose they were.
   */
  clear(login: LocalLogin): { readonly userId: string; readonly features: FeatureNamed[] } {
    const taken = this.#isUsed ? this.#byLogin.get(login) : undefined;
    if (taken === undefined) return { userId: '', features: [] };
    this.#byLogin.delete(login);
    const features = [...taken.features.values()].flatMap(({ name, takes }) =>
      Array.from({ length: takes }, () => name),
    );
    return { userId: taken.userId, features };
  }
}

function keyOf({ application, feature }: FeatureNamed): string {
  return `${application}\n${feature}`;
}
