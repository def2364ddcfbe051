/**
 * Resetting the marks of an instance or of a key, and clearing the histogram of durations (`LUMaxConsumedReset`,
 * `DistributedMaxReset`, `ClearDurationCounts`, notes 2.3). The journal says who did it and what stood before.
 */

import type { Draft } from '../draft.ts';
import type { Place, Pool } from '../holdings/holdings.ts';
import { keyNotFound } from '../keys/keyring.ts';
import { instanceNotFound } from '../logins.ts';
import type { Answer, ClearDurations, ResetMarks } from '../operations.ts';
import { noDurations } from './durations.ts';
import type { Counter, MarkValues } from './marks.ts';

/** Decides a reset: every mark that is named becomes what stands. The answer tells what they were. */
export function decideResetMarks(draft: Draft, operation: ResetMarks): Answer {
  const { table } = draft;
  const { instance, key, counters } = operation;
  if (instance !== null && !table.instances.has(instance)) return instanceNotFound(instance);
  if (key !== null && !table.keys.has(key)) return keyNotFound(key);
  const before =
    instance === null
      ? poolMarks(table.pool(key!), counters)
      : instanceMarks(table.place(instance), counters);
  const decision = draft.nextDecision;
  draft.emit({
    type: 'marks-reset',
    ...(instance === null ? { pool: key! } : { instance }),
    counters,
    before,
    by: draft.by(operation.actor),
  });
  return { is: 'marks', before, decision, atMs: draft.atMs };
}

/** Decides that the histogram of an instance begins anew. The answer tells what it was. */
export function decideClearDurations(draft: Draft, { instance, actor }: ClearDurations): Answer {
  const { table } = draft;
  if (!table.instances.has(instance)) return instanceNotFound(instance);
  const place = table.place(instance);
  const { counts, sinceMs } = place.durations ?? noDurations(place.life?.startedAtMs ?? draft.atMs);
  const before = [...counts];
  const decision = draft.nextDecision;
  draft.emit({ type: 'durations-cleared', instance, counts: before, by: draft.by(actor) });
  return { is: 'durations', counts: before, sinceMs, decision, atMs: draft.atMs };
}

function poolMarks(
  { unitsPeak, usersPeak, connectionsPeak, availableMin }: Pool,
  counters: readonly Counter[],
): MarkValues {
  return {
    ...(counters.includes('users')
      ? { units: unitsPeak, users: usersPeak, availableMinimum: Math.max(0, availableMin) }
      : {}),
    ...(counters.includes('connections') ? { connections: connectionsPeak } : {}),
  };
}

function instanceMarks({ marks }: Place, counters: readonly Counter[]): MarkValues {
  const has = (counter: Counter) => counters.includes(counter);
  return {
    ...(has('users')
      ? {
          units: marks.unitsPeak,
          users: marks.usersPeak,
          availableMinimum: Math.max(0, marks.availableMin),
        }
      : {}),
    ...(has('connections') ? { connections: marks.connectionsPeak } : {}),
    ...(has('web-users') ? { webUsers: marks.webUsersPeak } : {}),
    ...(has('processes') ? { processes: marks.processesPeak } : {}),
    ...(has('web-grace') ? { webGrace: marks.webGracePeak } : {}),
  };
}
