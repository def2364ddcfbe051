/** How entries of the journal are shown. */

import type { ExplainDecisionAnswer, ListJournalAnswer } from '../client/openapi.ts';
import { type Column, type Field, labelOf, type Style } from './output.ts';

/** An entry of the journal. */
export type JournalEntry = ListJournalAnswer['items'][number];

/** What stands in a column or has a label of its own. */
const TOLD = new Set([
  'decision',
  'at',
  'type',
  'actor',
  'instance',
  'login',
  'key',
  'userId',
  'words',
  'samples',
]);

function styleOf({ type }: JournalEntry): Style | undefined {
  if (type === 'refused' || type === 'excess' || type === 'silenced') return 'red';
  return type === 'granted' ? 'green' : undefined;
}

/** The columns of a list of entries. */
export const JOURNAL_COLUMNS: readonly Column<JournalEntry>[] = [
  { title: 'DECISION', value: ({ decision }) => decision },
  { title: 'AT', value: ({ at }) => at },
  { title: 'TYPE', value: ({ type }) => type, style: styleOf },
  { title: 'INSTANCE', value: (entry) => entry.instance ?? ofRefused(entry, 'instance') },
  { title: 'USER ID', value: (entry) => entry.userId ?? ofRefused(entry, 'userId') },
  { title: 'KEY', value: ({ key }) => key },
  { title: 'DETAIL', value: detailOf },
];

/** Logins that were refused alike are one entry: the first of them, and whether there were others. */
function ofRefused({ samples }: JournalEntry, member: 'instance' | 'userId'): string | undefined {
  const [first, ...others] = new Set(samples?.flatMap((sample) => sample[member] ?? []));
  return first === undefined || others.length === 0 ? first : `${first}, …`;
}

/** What an entry says in few words. */
function detailOf(entry: JournalEntry): string | undefined {
  const { code, count, limit, inUse, requested, reason, units, unitsAdded, unitsInUse, unitsFreed } = entry;
  const actor = entry.actor ?? (entry.samples?.length === 1 ? entry.samples[0]?.actor : undefined);
  const parts = [
    code,
    count !== undefined && count > 1 ? `${count} times` : undefined,
    limit === undefined ? undefined : `${inUse ?? '?'} of ${limit} in use, ${requested ?? '?'} needed`,
    reason === undefined || entry.note === undefined ? reason : `${reason} ("${entry.note}")`,
    unitsAdded === undefined ? undefined : `+${unitsAdded} (${units ?? '?'} of the user)`,
    unitsFreed === undefined ? undefined : `-${unitsFreed}`,
    limit !== undefined || unitsInUse === undefined ? undefined : `${unitsInUse} in use`,
    actor === undefined ? undefined : `by ${actor}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join(', ');
}

/**
 * A decision as labels and values.
 *
 * @param decision - with its explanation in words.
 */
export function decisionFields(decision: ExplainDecisionAnswer): Field[] {
  const { samples = [] } = decision;
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
    ...samples.map((sample): Field => ['Refused', sampleWords(sample)]),
  ];
}

function sampleWords({
  userId,
  instance,
  actor,
  login,
}: NonNullable<JournalEntry['samples']>[number]): string {
  const who = userId === undefined ? 'nobody identified' : `"${userId}"`;
  return `${who} on ${instance}, by ${actor}${login === undefined ? '' : `, login ${login}`}`;
}

function plain(value: unknown): string | number | boolean {
  return typeof value === 'object' ? JSON.stringify(value) : (value as string | number | boolean);
}
