/**
 * Whether a lane serves, and the words for it.
 */

import { LicenseError } from '../domain/errors.ts';
import { DivergenceError } from '../domain/table.ts';
import { UnknownFormatError } from '../storage/journal.ts';

/** `loading` until the table is there; `waiting` for the database; `stopped` after a divergence or close. */
export type LaneState = 'loading' | 'serving' | 'waiting' | 'stopped';

export class LaneStatus {
  #state: LaneState = 'loading';
  #reason = 'The table is being loaded.';
  /** Set once the replica shuts down: what waits is answered, nothing new is taken. */
  closing = false;
  #nowServing: () => void = () => {};
  /** Settles when the lane serves for the first time. */
  readonly firstServing = new Promise<void>((resolve) => {
    this.#nowServing = resolve;
  });

  get state(): LaneState {
    return this.#state;
  }

  /** A sentence on the state, for people. */
  get reason(): string {
    return this.#reason;
  }

  get takesMore(): boolean {
    return !this.closing && this.#state !== 'stopped';
  }

  say(state: LaneState, reason: string): void {
    this.#state = state;
    this.#reason = reason;
    if (state === 'serving') this.#nowServing();
  }

  /** What whoever cannot be served now is told. */
  refusal(): LicenseError {
    if (this.closing) {
      const detail = 'This replica is shutting down. Try again; another one will answer.';
      return new LicenseError('shutting-down', detail, { retryAfterSeconds: 1 });
    }
    if (this.#state === 'loading' || this.#state === 'stopped') {
      return new LicenseError('not-ready', this.#reason, { retryAfterSeconds: 1 });
    }
    const reason = this.#state === 'serving' ? 'The database did not answer in time.' : this.#reason;
    const detail = `${reason} Nothing was changed. Try again shortly.`;
    return new LicenseError('storage-unavailable', detail, { retryAfterSeconds: 2 });
  }
}

/** Whether a lane that met an error must stop, since going on could only grant what is not there. */
export function mustStop(error: unknown): error is Error {
  return error instanceof DivergenceError || error instanceof UnknownFormatError;
}

/** Why a lane stopped, in a sentence. */
export function stopReason(error: Error | null): string {
  if (error === null) return 'The replica is closing.';
  if (error instanceof UnknownFormatError) return error.message;
  return `The table and the journal disagree: ${error.message}.`;
}

/** What the caller of an append is told that could not be settled in time. */
export function outcomeUnknown(): LicenseError {
  return new LicenseError(
    'outcome-unknown',
    'The database was lost while this was being written, and whether it was is not known yet. Send it again with the same ID: the answer will be the same.',
    { retryAfterSeconds: 2 },
  );
}
