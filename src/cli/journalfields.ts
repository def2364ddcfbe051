/** How entries of the journal are shown. */

import type { ExplainDecisionAnswer, ListJournalAnswer } from '../client/openapi.ts';
import { type Column, type Field, labelOf, type Style } from './output.ts';

/** An entry of the journal. */
export type JournalEntry = ListJournalAnswer['items'][number];

/** What stands in a column or has a label of its own. */
const TOLD = new Set(['decision', 'at', 'type', 'actor', 'instance', 'login', 'key', 'userId', 'words']);

function styleOf({ type }: JournalEntry): Style | undefined {
  if (type === 'refused' || type === 'excess' || type === 'silenced') return 'red';
  return type === 'granted' ? 'green' : undefined;
}

/** The columns of a list of entries. */
export const JOURNAL_COLUMNS: readonly Column<JournalEntry>[] = [
  { title: 'DECISION', value: ({ decision }) => decision },
  { title: 'AT', value: ({ at }) => at },
  { title: 'TYPE', value: ({ type }) => type, style: styleOf },
  { title: 'INSTANCE', value: ({ instance }) => instance },
  { title: 'USER ID', value: ({ userId }) => userId },
  { title: 'KEY', value: ({ key }) => key },
  { title: 'DETAIL', value: detailOf },
];

/** What an entry says in few words. */
function detailOf(entry: JournalEntry): string | undefined {
  const { code, count, limit, inUse, requested, reason, units, unitsAdded, unitsInUse, unitsFreed } = entry;
  const parts = [
    code,
    count !== undefined && count > 1 ? `${count} times` : undefined,
    limit === undefined ? undefined : `${inUse ?? '?'} of ${limit} in use, ${requested ?? '?'} needed`,
    reason,
    unitsAdded === undefined ? undefined : `+${unitsAdded} (${units ?? '?'} of the user)`,
    unitsFreed === undefined ? undefined : `-${unitsFreed}`,
    limit !== undefined || unitsInUse === undefined ? undefined : `${unitsInUse} in use`,
    entry.actor === undefined ? undefined : `by ${entry.actor}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join(', ');
}

/**
 * A decision as labels and values.
 *
 * @param decision - with its explanation in words.
 */
export function decisionFields(decision: ExplainDecisionAnswer): Field[] {
  const rest = Object.entries(decision).filter(([name]) => !TOLD.has(name));
  return [
    ['Decision', decision.decision],
    ['At', decision.at],
    ['Type', decision.type, styleOf(decision)],
    ['In words', decision.words],
    ['Instance', decision.instance],
    ['Login', decision.login],
    ['User ID', decision.userId],
    ['Key', decision.key],
    ['By', decision.actor],
    ...rest.map(([name, value]): Field => [labelOf(name), plain(value)]),
  ];
}

function plain(value: unknown): string | number | boolean {
  return typeof value === 'object' ? JSON.stringify(value) : (value as string | number | boolean);
}
