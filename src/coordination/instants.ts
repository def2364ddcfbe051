/** How both coordinators understand the instants that they are given. */

/**
 * For how long a deadline or a mark that nobody asks about any more is kept, counted from it. A member that
 * is dropped is missing, which is always safe: the journal then decides.
 */
export const RETENTION_MS = 86_400_000;

/** A deadline as it is kept: whole milliseconds, rounded up, so that nobody is reaped before it. */
export function asDeadlineMs(deadlineMs: number): number {
  return Math.max(1, Math.ceil(deadlineMs));
}

/** The instant of a mark as it is kept: whole milliseconds, rounded down for the same reason. */
export function asDueMs(dueMs: number): number {
  return Math.max(1, Math.floor(dueMs));
}

/** The length of a rate window in whole milliseconds. */
export function asWindowMs(windowSeconds: number): number {
  return Math.max(1, Math.ceil(windowSeconds * 1000));
}
