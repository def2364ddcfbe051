/**
 * What the sidecar says when Lictor says no. Whether Lictor is away, must not serve, or does not know the
 * sidecar's token: the instance hears nothing then, and goes on alone (F-13).
 */

import { ApiError, type ProblemCode } from '../client/problems.ts';
import { datagrams } from '../telemetry/datagrams.ts';
import { writeFault } from './answers.ts';
import type { Exchange } from './exchange.ts';

/** Where faults are told; a pino logger fits. */
export interface FaultLogger {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The life of the instance is over for Lictor: it must register anew. */
const STALE: ReadonlySet<ProblemCode> = new Set(['instance-not-found', 'incarnation-old', 'instance-silent']);
/** The key is not good for the instance (`Invalid Key`). */
const INVALID: ReadonlySet<ProblemCode> = new Set([
  'key-not-found',
  'key-generation-mismatch',
  'key-not-shareable',
  'key-unusable',
  'key-missing',
  'key-expired',
  'key-untrusted',
  'key-not-yet-valid',
]);
/** Refusals that are the operator's to mend: the token of the sidecar. */
const OPERATORS: ReadonlySet<number> = new Set([401, 403]);
const COMPLAINT_INTERVAL_MS = 60_000;

/** Answers an exchange that failed, or is silent and says so in the log, at most once a minute for each reason. */
export class Faults {
  readonly #logger: FaultLogger;
  readonly #now: () => number;
  readonly #complainedMs = new Map<string, number>();

  /**
   * @param logger - see there.
   * @param now - a clock that does not go back, in milliseconds.
   */
  constructor(logger: FaultLogger, now: () => number) {
    this.#logger = logger;
    this.#now = now;
  }

  /** Answers as the error says, where it is for the instance to know. */
  tell(exchange: Exchange, error: unknown): void {
    if (error instanceof TypeError || error instanceof RangeError) {
      this.bug(error);
      return;
    }
    if (!(error instanceof ApiError)) {
      this.#complain('unreachable', error, 'Lictor cannot be reached; instances go on alone.');
      datagrams.dropped('lictor-away');
      return;
    }
    const { code, message, status, problem } = error;
    if (exchange.proof === null) {
      // An address that has proven nothing yet is told nothing but how to prove itself.
      this.#complain(code, error, 'Lictor refuses what the sidecar asks; instances go on alone.');
      datagrams.dropped('lictor-away');
    } else if (STALE.has(code)) {
      const incarnation = typeof problem.incarnation === 'number' ? problem.incarnation : 0;
      exchange.answer('stale', writeFault({ code, reason: message }), incarnation);
    } else if (INVALID.has(code)) {
      exchange.answer('invalid', writeFault({ code, reason: message }));
    } else if (OPERATORS.has(status)) {
      this.#complain(
        code,
        error,
        "Lictor does not let the sidecar in: mend its token, which needs an operator's role.",
      );
      datagrams.dropped('lictor-away');
    } else if (status >= 400 && status < 500 && status !== 429) {
      exchange.answer('refused', writeFault({ code, reason: message }));
    } else {
      this.#complain(code, error, 'Lictor must not serve now; instances go on alone.');
      datagrams.dropped('lictor-away');
    }
  }

  /** Logs a fault of the sidecar itself, which must not end it. */
  bug(error: unknown): void {
    datagrams.dropped('failed');
    this.#complain('bug', error, 'A datagram could not be handled.');
  }

  #complain(reason: string, error: unknown, message: string): void {
    const nowMs = this.#now();
    const last = this.#complainedMs.get(reason);
    if (last !== undefined && nowMs - last < COMPLAINT_INTERVAL_MS) return;
    this.#complainedMs.set(reason, nowMs);
    this.#logger.error({ err: error }, message);
  }
}
