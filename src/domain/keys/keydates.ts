/**
 * Calendar days of a key in a time zone: a key is valid through the *end* of its expiration date where it is
 * used, and days have 23, 24 or 25 hours. Pure: `Intl` is a table here, and no clock is read.
 */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** The length of a day without a change of clocks. */
export const DAY_MS = 24 * HOUR_MS;

/** Every zone is between UTC-12 and UTC+14; two hours more on both sides cost nothing. */
const OFFSET_MAX_MS = 16 * HOUR_MS;

/** No zone has changed its clocks twice within this time. */
const STEP_MS = 15 * MINUTE_MS;

/** Years are compared with five digits, since the day after 9999-12-31 has a year of five. */
const DATE_CHARACTERS = 11;

/**
 * Whether a text names a time zone.
 *
 * @param text - for instance `UTC` or `Europe/Berlin` (IANA).
 */
export function isTimeZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return true;
  } catch {
    return false;
  }
}

/**
 * The last millisecond of a day in a zone. Where clocks go back over midnight, this is the end of the second
 * pass; where midnight is left out, it is the instant before the clocks jump.
 *
 * @param date - YYYY-MM-DD.
 * @param timeZone - a zone that `isTimeZone` accepts.
 * @returns milliseconds since 1970.
 */
export function endOfDayMs(date: string, timeZone: string): number {
  const dateAt = localDates(timeZone);
  const wanted = date.padStart(DATE_CHARACTERS, '0');
  const midnightMs = Date.parse(`${date}T00:00:00Z`) + DAY_MS;
  let insideMs = midnightMs + OFFSET_MAX_MS;
  // From the top down, so that the last instant that still bears the date is found even if it comes twice.
  while (dateAt(insideMs) > wanted) insideMs -= STEP_MS;
  let outsideMs = insideMs + STEP_MS;
  while (outsideMs - insideMs > 1) {
    const middleMs = Math.floor((insideMs + outsideMs) / 2);
    if (dateAt(middleMs) > wanted) outsideMs = middleMs;
    else insideMs = middleMs;
  }
  return insideMs;
}

/**
 * The first millisecond of a day in a zone, by the same rules.
 *
 * @param date - YYYY-MM-DD.
 * @param timeZone - a zone that `isTimeZone` accepts.
 * @returns milliseconds since 1970.
 */
export function startOfDayMs(date: string, timeZone: string): number {
  const dayBefore = new Date(Date.parse(`${date}T00:00:00Z`) - DAY_MS).toISOString().slice(0, 10);
  return endOfDayMs(dayBefore, timeZone) + 1;
}

/** A function from an instant to the local date there; dates as YYYY-MM-DD compare as text. */
function localDates(timeZone: string): (atMs: number) => string {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  });
  return (atMs) => {
    const parts = new Map(format.formatToParts(atMs).map(({ type, value }) => [type, value]));
    return `${parts.get('year')}-${parts.get('month')}-${parts.get('day')}`.padStart(DATE_CHARACTERS, '0');
  };
}
