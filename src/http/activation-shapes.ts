/**
 * The shapes of activations on the wire: what an inspection says of one, what came of it, and its history.
 */

import { type Static, Type } from 'typebox';
import type { Activated, Moved } from '../domain/events.ts';
import { defaultPoolOf, type Instance } from '../domain/instances.ts';
import {
  type Activation,
  type ActivationVerdict,
  hasReductions,
  type Reductions,
} from '../domain/keys/activation.ts';
import type { LicenseKey } from '../domain/keys/keys.ts';
import type { ActivationView, InspectedActivation } from '../service/activations.ts';
import { instantOf } from './answers.ts';
import { KeyTerms, showTerms } from './keyviews.ts';
import { Instant } from './schemas.ts';

/** What stands in place of a key where there is none that can be used (F-20). */
export const NO_KEY_WORDS = 'License missing or unreadable';

/** The members of an instance that say which keys it has besides the active one. */
export const KeyMembers = {
  statedKey: Type.Optional(
    Type.String({
      description:
        'The ID of the key that it registers with, where that is not the one it works under; empty when it names none.',
    }),
  ),
  pendingKey: Type.Optional(Type.String({ description: 'The ID of the key that its next start brings.' })),
  previousKey: Type.Optional(
    Type.String({ description: 'The ID of the key that it worked under before, to go back to.' }),
  ),
  usableUnits: Type.Optional(
    Type.Integer({
      description: 'The units that it can use of its key until its next start; absent when all.',
    }),
  ),
};

/** Shows which keys an instance has besides the active one. */
export function keyMembers({ statedKey, pendingKey, previousKey, usableUnits }: Instance) {
  return {
    ...(statedKey === undefined ? {} : { statedKey: statedKey ?? '' }),
    ...(pendingKey === undefined ? {} : { pendingKey }),
    ...(previousKey === undefined ? {} : { previousKey }),
    ...(usableUnits === undefined ? {} : { usableUnits }),
  };
}

const Change = <Of extends 'integer' | 'string'>(of: Of, description: string) => {
  const value = of === 'integer' ? Type.Integer() : Type.String();
  return Type.Optional(Type.Object({ from: value, to: value }, { description }));
};

const ReductionsShape = Type.Object(
  {
    cores: Change('integer', 'Fewer cores.'),
    units: Change('integer', 'Fewer units are enforced; or, where those are no fewer, were bought.'),
    connectionsPerUnit: Change('integer', 'A unit bears fewer connections of a user.'),
    server: Change('string', 'It may not be shared any more.'),
    product: Change('string', 'Another product.'),
    licenseType: Change('string', 'Another licence type.'),
    features: Type.Array(Type.String(), { description: 'Features that the selected key does not permit.' }),
    applications: Type.Array(
      Type.Object({
        application: Type.String(),
        keyword: Type.Optional(Type.String({ description: 'Absent when the whole section is lost.' })),
        from: Type.Optional(Type.String()),
        to: Type.Optional(Type.String({ description: 'Absent when it is lost.' })),
      }),
      { description: 'Protected application sections that are lost or count less.' },
    ),
  },
  { description: 'What the selected key has less of, or otherwise; what is no less is left out.' },
);

const Field = Type.Object({
  field: Type.String({ description: 'A member of the key.' }),
  current: Type.Optional(Type.String({ description: 'Absent when the current key has none.' })),
  selected: Type.Optional(Type.String({ description: 'Absent when the selected key has none.' })),
  differs: Type.Boolean(),
});

const Outcome = Type.Enum(['active', 'partly-active', 'pending', 'unchanged', 'invalid'], {
  type: 'string',
  description:
    '`active` at once; `partly-active`: so many units at once, the others after a restart; `pending` until a restart; `unchanged`: it is active, or waits for the restart, already; `invalid`: it cannot be activated.',
});

const VERDICT = {
  outcome: Outcome,
  reason: Type.String({ description: 'The outcome in words, with what to do.' }),
  requiresRestart: Type.Boolean(),
  restartReason: Type.Optional(Type.String({ description: 'Why a restart is needed, in words.' })),
  usableUnits: Type.Optional(
    Type.Integer({ description: 'Of a key that is partly active: the units that can be used at once.' }),
  ),
  hasReductions: Type.Boolean({ description: 'Whether it is less in anything.' }),
  reductions: ReductionsShape,
};

/** What would become of a key on an instance. */
export const InspectedActivationShape = Type.Object(
  {
    instance: Type.String(),
    currentCustomer: Type.String({
      description: `The customer of the current key; \`${NO_KEY_WORDS}\` without one.`,
    }),
    current: Type.Optional(KeyTerms),
    selected: Type.Optional(KeyTerms),
    fields: Type.Array(Field, { description: 'Both keys side by side, field by field.' }),
    valid: Type.Boolean(),
    code: Type.Optional(Type.String({ description: 'Why it is not valid, as the code of a problem.' })),
    unitsEnforced: Type.Optional(
      Type.Integer({ description: 'The units beyond which the selected key refuses logins.' }),
    ),
    unitsInUse: Type.Integer({ description: 'Units that the instance uses now.' }),
    selectedInUse: Type.Integer({
      description:
        'Units of the selected key that are in use now, over all instances; those of this instance come to them where it works under another key.',
    }),
    inspection: Type.Optional(
      Type.String({
        description:
          'A token of what was inspected, which is the ETag as well: activate it with `If-Match`, and exactly this is applied.',
      }),
    ),
    ...VERDICT,
  },
  { description: 'What would become of the key on the instance.' },
);

/** One entry of the history. */
export const ActivationShape = Type.Object({
  id: Type.String({ description: 'The ID of the decision.' }),
  instance: Type.String(),
  at: Instant('When.'),
  by: Type.String({ description: 'Who did it: the name and the ID of a token.' }),
  cause: Type.Enum(['activated', 'registered', 'served', 'restarted', 'rolled-back'], {
    type: 'string',
    description:
      'What brought it: an administrator; the instance, which registered with it; the key directory; the start that it waited for; an administrator who went back.',
  }),
  from: Type.Optional(Type.String({ description: 'The key before; absent when there was none.' })),
  to: Type.Optional(Type.String({ description: 'The key; absent when there is none from now on.' })),
  outcome: Type.Enum(['active', 'partly-active', 'pending', 'cancelled', 'dropped'], {
    type: 'string',
    description:
      '`cancelled`: the key `from` waits for a restart no more; `dropped`: at the restart `to` could not be used.',
  }),
  reason: Type.String(),
  usableUnits: Type.Optional(Type.Integer({ description: 'The units that could be used at once.' })),
  unitsFrom: Type.Integer({ description: 'The units that were enforced before; 1 without a key.' }),
  unitsTo: Type.Integer({ description: 'The units that the key enforces.' }),
});

/** The answer to an activation. */
export const ActivatedShape = Type.Object({
  instance: Type.String(),
  key: Type.Optional(Type.String({ description: 'The ID of the key that it works under now.' })),
  ...KeyMembers,
  ...VERDICT,
  unitsEnforced: Type.Integer({ description: 'The units that are enforced now; 1 without a usable key.' }),
  unitsInUse: Type.Integer({ description: 'Units of the key in use now, over all instances.' }),
  decision: Type.Optional(Type.String({ description: 'The decision’s ID; absent when nothing changed.' })),
  revision: Type.String({ description: 'Of the instance.' }),
});

/** Shows what would become of a key. */
export function showInspectedActivation(
  inspected: InspectedActivation,
): Static<typeof InspectedActivationShape> {
  const { instance, current, selected, result, unitsInUse, selectedInUse } = inspected;
  return {
    instance,
    currentCustomer: current === null ? NO_KEY_WORDS : current.customerName,
    ...(current === null ? {} : { current: showTerms(current) }),
    ...(selected === null ? {} : { selected: showTerms(selected), unitsEnforced: selected.unitsEnforced }),
    fields: sideBySide(current, selected),
    unitsInUse,
    selectedInUse,
    ...(result.ok
      ? { valid: true, inspection: result.token, ...showVerdict(result.verdict) }
      : {
          valid: false,
          code: result.code,
          outcome: 'invalid' as const,
          reason: result.reason,
          requiresRestart: false,
          // As the portal has it: whoever cannot be activated has less of everything (notes 2.5).
          hasReductions: true,
          reductions: { features: [], applications: [] },
        }),
  };
}

function showVerdict(verdict: ActivationVerdict) {
  const { outcome, reason, requiresRestart, restartReason, usableUnits, reductions } = verdict;
  return {
    outcome,
    reason,
    requiresRestart,
    ...(restartReason === null ? {} : { restartReason }),
    ...(usableUnits === undefined ? {} : { usableUnits }),
    hasReductions: hasReductions(reductions),
    reductions: showReductions(reductions),
  };
}

function showReductions(reductions: Reductions): Static<typeof ReductionsShape> {
  const { features, applications, ...rest } = reductions;
  return {
    ...rest,
    features: [...features],
    applications: applications.map(({ application, keyword, from, to }) => ({
      application,
      ...(keyword === undefined ? {} : { keyword }),
      ...(from === null ? {} : { from }),
      ...(to === null ? {} : { to }),
    })),
  };
}

/** Both keys field by field, in the order in which keys are shown (F-20). */
function sideBySide(current: LicenseKey | null, selected: LicenseKey | null): Static<typeof Field>[] {
  const [one, other] = [current, selected].map((key) => (key === null ? {} : textsOf(key))) as [Texts, Texts];
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].map((field) => ({
    field,
    ...(one[field] === undefined ? {} : { current: one[field] }),
    ...(other[field] === undefined ? {} : { selected: other[field] }),
    differs: one[field] !== other[field],
  }));
}

type Texts = Readonly<Record<string, string>>;

function textsOf(key: LicenseKey): Texts {
  const { sections = [], features, ...plain } = showTerms(key);
  const texts = Object.entries(plain).map(([name, value]) => [name, String(value)] as const);
  const entries = sections.flatMap(({ name, entries: each }) =>
    each.map(({ keyword, value }) => [`[${name}] ${keyword}`, value] as const),
  );
  return Object.fromEntries([...texts, ['features', features.join(', ')], ...entries]);
}

/** Shows what came of an activation. */
export function showActivated(view: ActivationView): Static<typeof ActivatedShape> {
  const { instance, verdict, activation, unitsEnforced, unitsInUse } = view;
  const { name, key, revision } = instance;
  const { usableUnits: _usable, ...shown } = showVerdict(verdict);
  return {
    instance: name,
    ...(key === null ? {} : { key }),
    ...keyMembers(instance),
    ...shown,
    unitsEnforced,
    unitsInUse,
    ...(activation === null ? {} : { decision: activation.id }),
    revision,
  };
}

/** Shows an entry of the history. */
export function showActivation(activation: Activation): Static<typeof ActivationShape> {
  const { atMs, from, to, usableUnits, ...rest } = activation;
  return {
    ...rest,
    at: instantOf(atMs),
    ...(from === null ? {} : { from }),
    ...(to === null ? {} : { to }),
    ...(usableUnits === undefined ? {} : { usableUnits }),
  };
}

/** What the journal's events about activations have besides the members of others. */
export const ActivationMembers = {
  activation: Type.Optional(ActivationShape),
  from: Type.Optional(
    Type.String({ description: 'The key whose logins went over; absent for a default licence.' }),
  ),
};

/** Shows what is special to an event about an activation. */
export function activationMembers(event: Activated | Moved) {
  if (event.type === 'activated') {
    const { activation } = event;
    const { instance, to } = activation;
    return {
      instance,
      ...(to === null ? {} : { key: to }),
      activation: showActivation(activation),
    };
  }
  const { instance, from, to, logins, used } = event;
  const prefix = defaultPoolOf('');
  const members = (pool: string) =>
    pool.startsWith(prefix) ? { instance: pool.slice(prefix.length) } : { key: pool };
  return {
    instance,
    key: to,
    ...(from.startsWith(prefix) ? {} : { from }),
    logins,
    unitsInUseByKey: used.map(([pool, unitsInUse]) => ({ ...members(pool), unitsInUse })),
  };
}
