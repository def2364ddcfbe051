/** How activations are shown: both keys side by side, what becomes of it, and the history. */

import type { ActivateKeyAnswer, InspectKeyAnswer, ListActivationsAnswer } from '../client/openapi.ts';
import { type Column, type Field, fieldLines, labelOf, type Style, writeTable } from './output.ts';
import type { World } from './world.ts';

/** What would become of a key on an instance. */
export type InspectedActivation = NonNullable<InspectKeyAnswer['activation']>;

type FieldRow = InspectedActivation['fields'][number];

const OUTCOME_STYLES: Readonly<Record<string, Style>> = {
  active: 'green',
  unchanged: 'dim',
  'partly-active': 'yellow',
  pending: 'yellow',
  invalid: 'red',
  dropped: 'red',
};

const SIDE_BY_SIDE: readonly Column<FieldRow>[] = [
  { title: 'FIELD', value: ({ field }) => (field.startsWith('[') ? field : labelOf(field)) },
  { title: 'CURRENT', value: ({ current }) => current },
  {
    title: 'SELECTED',
    value: ({ selected }) => selected,
    style: ({ differs }) => (differs ? 'bold' : undefined),
  },
  {
    title: '',
    value: ({ differs }) => (differs ? 'changes' : ' '),
    style: ({ differs }) => (differs ? 'yellow' : undefined),
  },
];

/**
 * Writes what would become of a key on an instance, both keys side by side first.
 *
 * @param world - where to.
 * @param activation - the server's word.
 */
export async function writeInspection(world: World, activation: InspectedActivation): Promise<void> {
  const { instance, currentCustomer, current, selected, fields } = activation;
  const { paint } = world;
  const from = current === undefined ? currentCustomer : current.id;
  await world.print(`${paint.bold(`Instance ${instance}: ${from} -> ${selected?.id ?? 'no key'}`)}\n\n`);
  await writeTable(world, SIDE_BY_SIDE, fields);
  await world.print(`\n${fieldLines(verdictFields(activation), paint)}`);
}

type Verdict = Pick<
  InspectedActivation,
  'outcome' | 'reason' | 'requiresRestart' | 'restartReason' | 'usableUnits' | 'hasReductions' | 'reductions'
>;

function verdictFields(activation: InspectedActivation): Field[] {
  const { valid, outcome, unitsEnforced, unitsInUse, selectedInUse, current, selected } = activation;
  // A user who is on this instance and on others costs one unit, so that it may be less.
  const inUse = current?.id === selected?.id ? selectedInUse : unitsInUse + selectedInUse;
  const isTooSmall = unitsEnforced !== undefined && unitsEnforced < inUse;
  return [
    ['Valid', valid, valid ? 'green' : 'red'],
    ['It would be', outcome, OUTCOME_STYLES[outcome]],
    ...consequences(activation),
    ['Units enforced', unitsEnforced],
    [
      'Units in use there',
      isTooSmall ? `${unitsInUse}: nobody new comes in until use falls` : unitsInUse,
      isTooSmall ? 'yellow' : undefined,
    ],
    ['Units of the key in use', selectedInUse === 0 ? undefined : selectedInUse],
  ];
}

/** What follows from an activation, as labels and values. */
function consequences(verdict: Verdict): Field[] {
  const { reason, requiresRestart, restartReason, usableUnits, hasReductions, reductions } = verdict;
  const lost = reductionWords(reductions);
  return [
    ['Why', reason],
    ['Units at once', usableUnits, 'yellow'],
    [
      'Restart',
      requiresRestart ? (restartReason ?? 'needed') : 'not needed',
      requiresRestart ? 'yellow' : undefined,
    ],
    [
      'Less of',
      hasReductions ? (lost.length === 0 ? 'everything' : lost.join('; ')) : 'nothing',
      hasReductions ? 'yellow' : undefined,
    ],
  ];
}

function reductionWords({ features, applications, ...changes }: Verdict['reductions']): string[] {
  return [
    ...Object.entries(changes).map(
      ([name, { from, to }]) =>
        `${labelOf(name).toLowerCase()} ${from === '' ? 'none' : from} -> ${to === '' ? 'none' : to}`,
    ),
    ...features.map((feature) => `feature ${feature}`),
    ...applications.map(({ application, keyword, from, to }) => {
      const what = keyword === undefined ? `application ${application}` : `${application} ${keyword}`;
      return from === undefined && to === undefined ? what : `${what} ${from ?? 'none'} -> ${to ?? 'none'}`;
    }),
  ];
}

/**
 * What came of an activation, as labels and values.
 *
 * @param answer - the server's word.
 */
export function activatedFields(answer: ActivateKeyAnswer): Field[] {
  const { outcome, key, pendingKey, previousKey, usableUnits, unitsEnforced, unitsInUse } = answer;
  return [
    ['Instance', answer.instance],
    ['Outcome', outcome, OUTCOME_STYLES[outcome]],
    ['Key', key ?? 'none'],
    ['Waits for a restart', pendingKey, 'yellow'],
    ['Key before', previousKey],
    ...consequences({ ...answer, usableUnits: usableUnits as number }),
    ['Units in use', `${unitsInUse} of ${unitsEnforced}`],
    ['Decision', answer.decision],
  ];
}

/** The columns of the history of an instance's keys. */
export const HISTORY_COLUMNS: readonly Column<ListActivationsAnswer['items'][number]>[] = [
  { title: 'AT', value: ({ at }) => at },
  { title: 'CAUSE', value: ({ cause }) => cause },
  { title: 'FROM', value: ({ from }) => from },
  { title: 'TO', value: ({ to }) => to },
  {
    title: 'UNITS',
    value: ({ unitsFrom, unitsTo }) => `${unitsFrom} -> ${unitsTo}`,
    align: 'right',
  },
  { title: 'OUTCOME', value: ({ outcome }) => outcome, style: ({ outcome }) => OUTCOME_STYLES[outcome] },
  { title: 'BY', value: ({ by }) => by },
  { title: 'DECISION', value: ({ id }) => id },
];
