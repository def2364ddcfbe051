/**
 * The journal: what was decided and changed, and why.
 */

import { type Static, Type } from 'typebox';
import type { Journal, JournalPosition } from '../../service/journal.ts';
import { eventWords } from '../../service/journalwords.ts';
import { fieldFault } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { Event, EventType, showEvent } from '../journalviews.ts';
import { Page, PageQuery, pageLimit, responses } from '../schemas.ts';

const DECISION_PATTERN = '^\\d{1,5}:\\d{1,16}:\\d{1,6}$';

const Text = (description: string, maxLength = 128) => Type.String({ minLength: 1, maxLength, description });

const JournalQuery = Type.Object(
  {
    ...PageQuery.properties,
    order: Type.Optional(Type.Enum(['newest', 'oldest'], { type: 'string', default: 'newest' })),
    after: Type.Optional(
      Type.String({
        pattern: DECISION_PATTERN,
        description:
          'Without a cursor: begin behind this decision. With `order=oldest` and the last decision that you know, it gives what came since.',
      }),
    ),
    type: Type.Optional(EventType),
    instance: Type.Optional(Text('Events that name this instance.')),
    login: Type.Optional(Type.String({ format: 'uuid', description: 'Events that name this login.' })),
    user: Type.Optional(Text('Events that name this licence user ID; a release names its login only.', 256)),
    key: Type.Optional(
      Text(
        'Events under this key; those that name an instance only count to the key it is registered with now.',
      ),
    ),
    actor: Type.Optional(Text('What this actor did, as it stands in the journal.', 256)),
  },
  { additionalProperties: false },
);

const Explained = Type.Object({
  ...Event.properties,
  words: Type.String({ description: 'What it means, in a sentence or two.' }),
});

/** The services that these routes call. */
interface Using {
  readonly journal: Journal;
}

type App = Parameters<RoutePlugin>[0];

/** Where a page begins: a cursor goes before `after`, and one of one order is none of the other. */
function positionOf({ cursor, after, order }: Static<typeof JournalQuery>): JournalPosition | null {
  const position = decodeCursor(`journal-${order ?? 'newest'}`, cursor, 2);
  if (position !== null) return { version: Number(position[0]), index: Number(position[1]) };
  if (after === undefined) return null;
  const [, version, index] = after.split(':').map(Number) as [number, number, number];
  if (!Number.isSafeInteger(version)) throw fieldFault('?after', 'is beyond any version');
  return { version, index };
}

/**
 * List and explain.
 * @param services.journal - the journal's service.
 */
export function journalRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    listRoute(app, services);
    explainRoute(app, services);
    done();
  };
}

function listRoute(app: App, services: Using): void {
  app.get(
    '/v1/journal',
    {
      config: { access: 'journal.read' },
      schema: {
        operationId: 'listJournal',
        summary: 'List what was decided and changed',
        description:
          'A page looks at a bounded part of the journal: with a filter it may hold few events or none and still have a `nextCursor`. The end is reached when there is none.',
        tags: ['journal'],
        querystring: JournalQuery,
        response: responses({ 200: Page(Event) }, ['not-ready']),
      },
    },
    async (request) => {
      const { order = 'newest', type, instance, login, user, key, actor } = request.query;
      const principal = principalOf(request);
      // What is named must be the token's; whatever is not named is filtered.
      requirePermission(request, 'journal.read', {
        instance: instance ?? principal.instance,
        keyId: key ?? principal.keys?.[0],
      });
      const filter = { type, instance, login: login?.toLowerCase(), user, key, actor };
      const { items, next } = await services.journal.list(
        principal,
        filter,
        order,
        pageLimit(request.query),
        positionOf(request.query),
      );
      return {
        items: items.map(showEvent),
        ...(next === null
          ? {}
          : { nextCursor: encodeCursor(`journal-${order}`, [next.version, next.index]) }),
      };
    },
  );
}

function explainRoute(app: App, services: Using): void {
  app.get(
    '/v1/journal/:decision',
    {
      config: { access: 'journal.read' },
      schema: {
        operationId: 'explainDecision',
        summary: 'Explain one decision',
        description: 'What was decided, by whom, when, and what it means in words.',
        tags: ['journal'],
        params: Type.Object({
          decision: Type.String({ pattern: DECISION_PATTERN, description: 'For instance `0:18446:3`.' }),
        }),
        response: responses({ 200: Explained }, ['decision-not-found', 'not-ready']),
      },
    },
    async (request) => {
      const entry = await services.journal.find(principalOf(request), request.params.decision);
      return { ...showEvent(entry), words: eventWords(entry.event) };
    },
  );
}
