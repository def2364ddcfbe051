/**
 * What an instance tells of itself, and how.
 */

import { EventEmitter } from 'node:events';
import type { LocalRefusal } from '../domain/local/localdecisions.ts';
import type { InstanceLoginRequest } from './instance-logins.ts';
import type { InstanceTerms } from './instance-terms.ts';

/** Combined use is or was over the limit, as the server said (F-52…F-54). */
export interface OverLimit {
  readonly limit: number;
  /** The units in use on all instances together. */
  readonly inUse: number;
}

/** An episode over the limit, as the server's ledger has it. */
export interface Episode extends OverLimit {
  /** RFC 3339. */
  readonly since: string;
  /** Units over the limit now, and at most. */
  readonly units: number;
  readonly unitsMax: number;
}

/**
 * Why logins are held no longer.
 *
 * - `replaced`: a newer incarnation has taken the instance's place; this one lets nobody in any more.
 * - `term-ended`: the term of what was leased ended before the server answered.
 * - `silent`: the server did not hear of the instance for longer than its grace.
 * - `enforcement-changed`: the key is enforced otherwise now, and nothing covers them.
 */
export type LossReason = 'replaced' | 'term-ended' | 'silent' | 'enforcement-changed';

/** The events of an instance, with what their listeners are given. */
export interface InstanceEvents {
  /** A login or an identification was refused. */
  refused: [refusal: LocalRefusal, request: InstanceLoginRequest];
  /** Combined use is over the limit: new users are refused from now on (F-52). */
  nak: [over: OverLimit];
  /** New users are let in again (F-54). */
  ack: [];
  /** What the ledger says of an episode, when it begins and whenever it changes. */
  'over-limit': [episode: Episode];
  /** The server cannot be reached, or does not take the reports. */
  offline: [error: Error];
  /** It can be again. @param silentMs - for how long it was not heard. */
  online: [silentMs: number];
  /** Logins are held no longer. @param connections - how many. */
  lost: [reason: LossReason, connections: number];
  /** The terms are other than before: how the key is enforced, its units, the settings. */
  terms: [terms: InstanceTerms, before: InstanceTerms];
  /** Something that whoever runs the instance should know, in words. */
  notice: [notice: string];
}

/** Emits the events of an instance. */
export class InstanceEmitter extends EventEmitter<InstanceEvents> {
  /** What happened before anybody could listen. */
  #early: (() => void)[] | null = [];

  /** Tells what happened while the instance was opened, as soon as whoever opened it has listened. */
  protected tellEarly(): void {
    const early = this.#early ?? [];
    setImmediate(() => {
      this.#early = null;
      for (const tell of early) tell();
    });
  }

  /**
   * Tells listeners of something that happened. What a listener throws is no matter of the monitor, nor of whoever
   * logs somebody in: it becomes an uncaught exception, as it would in any timer.
   */
  protected tell<Name extends keyof InstanceEvents>(name: Name, ...told: InstanceEvents[Name]): void {
    if (this.#early !== null) {
      this.#early.push(() => this.tell(name, ...told));
      return;
    }
    try {
      (this as EventEmitter).emit(name, ...told);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }
}
