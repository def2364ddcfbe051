/**
 * What has changed in a replica's copy and is not folded yet. Every replica keeps it, so that whichever leads
 * next can go on folding at once; what the leader has folded meanwhile is dropped. Until then it has to stay the
 * object that it is, and is not packed.
 */

import { Touched } from '../domain/holdings/holdings.ts';
import type { Login } from '../domain/holdings/login.ts';
import type { Busy } from '../domain/holdings/packing.ts';
import type { User } from '../domain/holdings/user.ts';

/** Changes up to a version. */
interface Segment {
  readonly throughVersion: number;
  readonly touched: Touched;
}

export class TouchLog implements Busy {
  #segments: Segment[] = [];
  #current = new Touched();
  /** Every change after this version is noted here; those up to it need not be. */
  #since = Number.POSITIVE_INFINITY;

  /** Where the table notes its changes now. */
  get current(): Touched {
    return this.#current;
  }

  /**
   * Begins anew, with a table that was loaded.
   * @param version - of the fold that it was loaded from.
   */
  reset(version: number): Touched {
    this.#segments = [];
    this.#since = version;
    this.#current = new Touched();
    return this.#current;
  }

  /**
   * Closes the current segment.
   * @param version - the table's; everything noted so far belongs to it or to versions before.
   * @returns where the table notes its changes from now on.
   */
  close(version: number): Touched {
    if (!this.#current.isEmpty) {
      this.#segments.push({ throughVersion: version, touched: this.#current });
      this.#current = new Touched();
    }
    return this.#current;
  }

  /** Drops what is folded. */
  dropThrough(version: number): void {
    this.#segments = this.#segments.filter(({ throughVersion }) => {
      if (throughVersion > version) return true;
      this.#since = Math.max(this.#since, throughVersion);
      return false;
    });
  }

  /**
   * Whether everything that changed after a version is noted. It is not when a fold was lost after its changes
   * had been dropped: folds are not waited for on disk.
   */
  reachesBackTo(version: number): boolean {
    return version >= this.#since;
  }

  /** Whether a change of a login is noted. */
  hasLogin(login: Login): boolean {
    return this.#current.logins.has(login) || this.#segments.some(({ touched }) => touched.logins.has(login));
  }

  /** Whether a change of a user is noted. */
  hasUser(user: User): boolean {
    return this.#current.users.has(user) || this.#segments.some(({ touched }) => touched.users.has(user));
  }

  /** Everything that is noted in closed segments, each thing once. */
  collect(): Touched {
    if (this.#segments.length === 1) return this.#segments[0]!.touched;
    const all = new Touched();
    for (const { touched } of this.#segments) all.add(touched);
    return all;
  }
}
