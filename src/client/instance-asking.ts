/**
 * Asking the server for what is leased to the instance does not cover: one login waits for the next statement and
 * its answer, together with all the others that wait.
 */

import {
  type Ground,
  partialGround,
  unitLimitGround,
  unitsGround,
  unleasedGround,
} from '../domain/grounds.ts';
import type { LeaseRights } from '../domain/leases/leaserights.ts';
import type { RefusedUser } from '../domain/leases/leasestatements.ts';
import type { AskServer, LocalAnswer, LocalRefusal } from '../domain/local/localdecisions.ts';
import type { LocalTable } from '../domain/local/localtable.ts';
import type { Problem } from '../domain/operations.ts';
import type { Clock } from './instance-clock.ts';

/** What asking needs of the instance. */
export interface Asking {
  readonly table: LocalTable;
  readonly clock: Clock;
  /** Decides once more, and lets in when it is covered. */
  readonly decide: () => LocalAnswer;
  /** States what is needed, and waits for the answer. */
  readonly report: () => Promise<void>;
  readonly isOffline: () => boolean;
  /** How long to wait for the server, of so many milliseconds. */
  readonly patienceMs: (timeoutMs: number) => number;
  /** Names the login in the journal. */
  readonly label: string;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
}

/**
 * Waits until the server has said whether a user may have one connection more.
 * @param rights - what is leased to the instance.
 * @param userId - who asks.
 * @returns what becomes of the login; `ask` when the server must decide it like any other, because nothing is
 * leased any more.
 * @throws the reason of the signal.
 */
export async function askForUser(asking: Asking, rights: LeaseRights, userId: string): Promise<LocalAnswer> {
  const { table, clock } = asking;
  const deadlineMs = clock.monotonicMs() + asking.timeoutMs;
  rights.wait(userId, asking.label);
  try {
    for (;;) {
      const waitMs = asking.patienceMs(deadlineMs - clock.monotonicMs());
      const isReported = await within(asking.report(), waitMs, asking);
      if (table.rights !== rights) return { is: 'ask', userId };
      const answer = asking.decide();
      if (answer.is !== 'ask') return answer;
      const refused = rights.refusalOf(userId);
      if (refused !== undefined) return refusalOf(table, refused);
      if (rights.closed !== null) return answer;
      if (!isReported || asking.isOffline())
        return { is: 'refused', ...unleasedGround(table.instance, userId) };
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) return undecided(answer);
      await within(null, Math.min(leftMs, Math.max(PAUSE_MS, rights.nextStatementMs)), asking);
    }
  } finally {
    rights.unwait(userId);
  }
}

/** Nobody asks again without a pause. */
const PAUSE_MS = 50;

/** The server's refusal, in the words of everywhere. */
function refusalOf(table: LocalTable, refused: RefusedUser): LocalRefusal {
  const { id, rule, limit, inUse, requested, retryAfterSeconds } = refused;
  const asked = { limit, inUse, requested };
  const connection = (table.users.get(id)?.connections ?? 0) + 1;
  const ground: Ground =
    rule === 'unit-limit'
      ? unitLimitGround(table.instance, asked)
      : rule === 'partial-activation'
        ? partialGround(table.instance, asked)
        : unitsGround(id, asked, rule === 'transition' ? connection : null, retryAfterSeconds);
  return { is: 'refused', ...ground };
}

function undecided({ userId }: AskServer): Problem {
  return {
    is: 'problem',
    code: 'outcome-unknown',
    detail: `Another instance must say first how many connections of user "${userId}" it has, and it has not done so in time. Try again in a moment.`,
  };
}

/**
 * Waits for something, or only for the time, and no longer than so many milliseconds.
 * @returns whether it came to pass.
 * @throws the reason of the signal, as soon as it is aborted.
 */
async function within(
  something: Promise<void> | null,
  waitMs: number,
  { clock, signal }: Pick<Asking, 'clock' | 'signal'>,
): Promise<boolean> {
  signal?.throwIfAborted();
  const { promise: ended, resolve, reject } = Promise.withResolvers<boolean>();
  const onAbort = () => reject(signal!.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  const cancel = clock.after(waitMs, () => resolve(false));
  void something?.then(() => resolve(true));
  try {
    return await ended;
  } finally {
    cancel();
    signal?.removeEventListener('abort', onAbort);
  }
}
