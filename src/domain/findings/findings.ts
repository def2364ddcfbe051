/**
 * What was found when a deployment was looked at: one finding a thing that was checked, with how bad it is, what
 * is the case, and how to mend it.
 */

/**
 * How bad a finding is. `ok`: as it should be; `note`: worth knowing; `warning`: it works, and will not for long
 * or not under load; `fault`: what Lictor promises does not hold now.
 */
export const FINDING_LEVELS = ['ok', 'note', 'warning', 'fault'] as const;

/** How bad a finding is. */
export type FindingLevel = (typeof FINDING_LEVELS)[number];

/** One finding. */
export interface Finding {
  /** What was checked, as area and thing: `database.durability`. One check may have several findings. */
  readonly check: string;
  readonly level: FindingLevel;
  /** What is the case, in sentences. */
  readonly says: string;
  /** What to do, in sentences; left out when there is nothing to do. */
  readonly mend?: string;
}

/** @returns a finding that all is as it should be. */
export function ok(check: string, says: string): Finding {
  return { check, level: 'ok', says };
}

/**
 * A finding that asks for something.
 *
 * @param check - what was checked.
 * @param level - how bad it is.
 * @param says - what is the case.
 * @param mend - what to do.
 */
export function found(check: string, level: FindingLevel, says: string, mend: string): Finding {
  return { check, level, says, mend };
}

/**
 * The level that stands for several findings.
 *
 * @returns the worst among them; `ok` for none.
 */
export function worstLevel(findings: Iterable<Finding>): FindingLevel {
  let worst = 0;
  for (const { level } of findings) worst = Math.max(worst, FINDING_LEVELS.indexOf(level));
  return FINDING_LEVELS[worst]!;
}

/**
 * Names some of many.
 *
 * @param names - all of them.
 * @param shownMax - how many are named.
 * @returns `a, b and 3 more`.
 */
export function nameSome(names: readonly string[], shownMax = 5): string {
  if (names.length <= shownMax) {
    return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  }
  return `${names.slice(0, shownMax).join(', ')} and ${names.length - shownMax} more`;
}

/** @returns a number with its noun: `1 key`, `3 keys`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}

/** @returns bytes as people read them, such as `1.5 GiB`. */
export function bytesWords(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** @returns a length of time as people read it, such as `250 ms`, `12.5 s`, `5 minutes` or `3 days`. */
export function timeWords(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Math.round(ms / 100) / 10} s`;
  if (ms < 7_200_000) return count(Math.round(ms / 60_000), 'minute');
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} hours`;
  return `${Math.round(ms / 86_400_000)} days`;
}
