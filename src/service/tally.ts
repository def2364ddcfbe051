/**
 * Counting what the journal says, for the metrics: one call a row and label, never one a login.
 */

import type { JournalRow, ReleaseReason, Rule } from '../domain/events.ts';
import { metrics } from '../telemetry/metrics.ts';

/** Counts a row that this replica appended. */
export function tallyRow(row: JournalRow): void {
  let granted = 0;
  let taken = 0;
  let returned = 0;
  const refused = new Map<Rule, number>();
  const released = new Map<ReleaseReason, number>();
  for (const event of row.events) {
    if (event.type === 'granted') granted += 1;
    else if (event.type === 'taken') taken += event.features.length;
    else if (event.type === 'returned') returned += event.features.filter(({ missing }) => !missing).length;
    else if (event.type === 'refused') refused.set(event.rule, (refused.get(event.rule) ?? 0) + event.count);
    else if (event.type === 'released') released.set(event.reason, (released.get(event.reason) ?? 0) + 1);
    else if (event.type === 'ended')
      released.set(event.reason, (released.get(event.reason) ?? 0) + event.logins);
  }
  metrics.granted(granted);
  metrics.applications('taken', taken);
  metrics.applications('returned', returned);
  for (const [rule, count] of refused) metrics.refused(rule, count);
  for (const [reason, count] of released) metrics.released(reason, count);
}
