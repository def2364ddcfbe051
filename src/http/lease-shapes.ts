/**
 * The shapes of leased units on the wire: what an instance states of its rights, and what it is answered.
 */

import { type Static, Type } from 'typebox';
import {
  CLOSING_CODES,
  LEASE_ENTRIES_MAX,
  type LeaseAnswer,
  type LeaseStatement,
} from '../domain/leases/leasestatements.ts';
import type { StateLease } from '../domain/operations.ts';
import { fieldFault } from './answers.ts';

/** The longest user ID in a statement: derived ones may be longer than those that people choose. */
const STATED_ID_LENGTH_MAX = 128;
/** More connections of one user ID are a mistake, and more units in a block as well. */
const COUNT_MAX = 1_000_000;

const Count = (description: string) => Type.Integer({ minimum: 0, maximum: COUNT_MAX, description });
const Number64 = (minimum: number, description: string) =>
  Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER, description });

const UserIds = (description: string) => Type.Optional(Type.Array(Type.String(), { description }));

const Stated = Type.Object(
  {
    id: Type.String({
      minLength: 1,
      maxLength: STATED_ID_LENGTH_MAX,
      description: 'The licence user ID.',
    }),
    allowance: Count(
      'The connections that the instance keeps on the server’s account. Of a user without an entry so far: those that were on the block, which has been made smaller by as many.',
    ),
    needed: Count('The connections that he has, and those that wait for this answer.'),
    wanted: Count('The connections that would spare the instance from asking for the next.'),
    login: Type.Optional(
      Type.String({ maxLength: 64, description: 'One of the logins that wait, for the journal to name.' }),
    ),
  },
  { additionalProperties: false },
);

/** What an instance under a leased key states of its rights. */
export const LeaseBody = Type.Object(
  {
    sequence: Number64(
      1,
      'The number of this statement: above that of every earlier one of this incarnation. To repeat one as it was does no harm.',
    ),
    fresh: Type.Optional(
      Type.Literal(true, {
        description: 'The instance holds nothing: it has just begun, or its term has ended.',
      }),
    ),
    basis: Number64(0, 'The revision of the lease that the entries are of; 0 when it is fresh.'),
    whole: Type.Optional(
      Type.Literal(true, {
        description:
          '`users` are all entries. Stated whenever the last statement was not answered; otherwise only what changed.',
      }),
    ),
    units: Count('The units of the block that the instance keeps. It has given up the others already.'),
    wanted: Count('The units that it would like to have in its block.'),
    users: Type.Array(Stated, {
      maxItems: LEASE_ENTRIES_MAX,
      description: 'User IDs with an entry, each once.',
    }),
  },
  {
    additionalProperties: false,
    description:
      'For a key whose enforcement is `leased`: the rights of the instance, lowered to what it needs before they are stated.',
  },
);

const Refused = Type.Object({
  id: Type.String({ description: 'The licence user ID.' }),
  rule: Type.Enum(['enforced-units', 'transition', 'unit-limit', 'partial-activation'], {
    type: 'string',
    description: 'The rule that refused one more connection.',
  }),
  code: Type.Enum(['units-exhausted', 'unit-limit-reached', 'restart-required'], {
    type: 'string',
    description: 'The code of the problem.',
  }),
  limit: Type.Integer({ description: 'The units that there are.' }),
  inUse: Type.Integer({ description: 'The units in use or leased.' }),
  requested: Type.Integer({ description: 'The units that one more connection would have taken.' }),
  decision: Type.String({ description: 'The ID of the decision in the journal.' }),
  retryAfterSeconds: Type.Integer({ description: 'When to ask again.' }),
});

/** What it is answered. */
export const LeaseAnswerShape = Type.Object({
  sequence: Type.Integer({
    description: 'The statement that this answers. Only the answer to the latest one counts.',
  }),
  id: Type.Optional(Type.String({ description: 'The ID of the lease; absent when there is none.' })),
  revision: Type.Integer({ description: 'State it as the basis of the next statement.' }),
  units: Type.Integer({ description: 'The units of the block.' }),
  termMs: Type.Integer({
    description:
      'How long the lease may be believed in, counted from before the statement was first sent, and ended early by a margin.',
  }),
  nextStatementAfterSeconds: Type.Number({
    description: 'When to state the rights again, if nothing is wanted before.',
  }),
  allowances: Type.Array(
    Type.Object({
      id: Type.String(),
      allowance: Type.Integer({ description: 'The connections that the instance may have of him.' }),
    }),
    { description: 'Entries that are other than they were stated; with `whole`, all there are.' },
  ),
  whole: Type.Optional(Type.Literal(true)),
  dropped: UserIds('Entries that are no more: connections of these users cost a unit of the block again.'),
  held: UserIds(
    'Users to state exactly in the next statement, soon: how many connections there are, and no more.',
  ),
  pending: UserIds(
    'Users of whom nothing can be decided before other instances have spoken: state them again soon.',
  ),
  refused: Type.Optional(Type.Array(Refused, { description: 'Users who get no more connections, and why.' })),
  scarce: Type.Boolean({ description: 'Few units are free: keep none that are idle.' }),
  closed: Type.Optional(
    Type.Enum([...CLOSING_CODES], {
      type: 'string',
      description: 'Why nothing more is granted, in the code of a problem; what is held stays held.',
    }),
  ),
  restate: Type.Optional(
    Type.Literal(true, { description: 'Nothing was done: state everything at once, whole.' }),
  ),
  unknown: Type.Optional(
    Type.Literal(true, {
      description: 'The server knows of no such rights: whatever they covered is lost. Begin afresh.',
    }),
  ),
});

/**
 * Reads what an instance states.
 * @throws LicenseError `malformed-request` for what no schema can tell.
 */
export function readLease(
  name: string,
  incarnation: number,
  body: Static<typeof LeaseBody>,
  actor: string,
): Omit<StateLease, 'op'> {
  const { fresh, whole, units, users } = body;
  const known = new Set<string>();
  users.forEach(({ id, allowance }, index) => {
    if (known.size === known.add(id).size) throw fieldFault(`/lease/users/${index}/id`, 'is stated twice');
    if (fresh && allowance > 0)
      throw fieldFault(`/lease/users/${index}/allowance`, 'must be 0 where nothing is held (fresh)');
  });
  if (fresh && units > 0) throw fieldFault('/lease/units', 'must be 0 where nothing is held (fresh)');
  if (fresh && !whole) throw fieldFault('/lease/whole', 'must be true where nothing is held (fresh)');
  return { name, incarnation, statement: body as LeaseStatement, actor };
}

/** Shows the answer. */
export function showLease(answer: LeaseAnswer): Static<typeof LeaseAnswerShape> {
  return answer as Static<typeof LeaseAnswerShape>;
}
