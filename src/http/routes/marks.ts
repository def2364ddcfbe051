/**
 * Counts of an instance with their marks, the durations of its logins, and resetting both.
 */

import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { DURATION_BOUNDS_SECONDS } from '../../domain/marks/durations.ts';
import { COUNTERS } from '../../domain/marks/marks.ts';
import { countsShown, countsText } from '../../domain/texts/reporttexts.ts';
import { reportedLine } from '../../domain/texts/reporttexts-dumps.ts';
import { COUNTERS_RESET_BY_DEFAULT, type Marks } from '../../service/marks.ts';
import { AS_OF, actorOf, expectAnswer, instantOf, LANE_PROBLEMS, showAsOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { NameParams } from '../instance-shapes.ts';
import { AS_OF_HEADER, asText, headReport, prefersText } from '../legacytext.ts';
import {
  Buckets,
  CounterName,
  CountsShape,
  MarksBefore,
  showBuckets,
  showInstanceCounts,
  showMarksBefore,
} from '../mark-shapes.ts';
import { Instant, jsonOrText, responses } from '../schemas.ts';

const CountsQuery = Type.Object(
  {
    form: Type.Optional(
      Type.Enum(['older', 'newer'], {
        type: 'string',
        default: 'newer',
        description: 'Of the text: the six lines of older versions, or the nine of newer ones.',
      }),
    ),
  },
  { additionalProperties: false },
);

const Reset = Type.Object(
  {
    counters: Type.Optional(
      Type.Array(CounterName, {
        minItems: 1,
        maxItems: COUNTERS.length,
        uniqueItems: true,
        description:
          'Which marks; left out, users (with their units, and what was left of them) and connections.',
      }),
    ),
  },
  { additionalProperties: false },
);

const KeyReset = Type.Object(
  {
    counters: Type.Optional(
      Type.Array(Type.Enum(['users', 'connections'], { type: 'string' }), {
        minItems: 1,
        maxItems: COUNTERS_RESET_BY_DEFAULT.length,
        uniqueItems: true,
        description: 'Which marks; left out, both.',
      }),
    ),
  },
  { additionalProperties: false },
);

const ResetDone = Type.Object({
  before: MarksBefore,
  decision: Type.String({ description: 'The decision in the journal.' }),
  at: Instant('When, by the clock of the database.'),
});

const DurationsShape = Type.Object({
  instance: Type.String(),
  durations: Buckets,
  since: Instant('Since when they are counted.'),
  ...AS_OF,
});

const DurationsClearedShape = Type.Object({
  durations: Buckets,
  since: Instant('Since when they had been counted.'),
  decision: Type.String({ description: 'The decision in the journal.' }),
  at: Instant('When, by the clock of the database.'),
});

/** The services that these routes call. */
interface Using {
  readonly marks: Marks;
}

type App = Parameters<RoutePlugin>[0];

/**
 * Counts, marks and durations.
 * @param services.marks - their service.
 */
export function markRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    countsRoute(app, services);
    resetRoute(app, services);
    keyResetRoute(app, services);
    durationsRoute(app, services);
    clearRoute(app, services);
    done();
  };
}

/** Permits a reset; an instance that is not registered is the lane's to say. */
async function requireReset(request: FastifyRequest, { marks }: Using, instance: string): Promise<void> {
  const keyId = principalOf(request).keys === null ? null : await marks.keyOf(instance);
  if (keyId !== undefined) requirePermission(request, 'usage.reset', { instance, keyId });
}

function countsRoute(app: App, { marks }: Using): void {
  app.get(
    '/v1/instances/:name/counts',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'countInstance',
        summary: 'What an instance uses, the most it has used, and the least that was left',
        description: `Marks are kept since the instance was started, or since they were reset: a restart begins them anew. Of an instance that decides for itself they are of what it reported; it knows its own by itself. \`Accept: text/plain\` gives the legacy \`ShowCounts\`. ${AS_OF_HEADER}`,
        tags: ['instances'],
        params: NameParams,
        querystring: CountsQuery,
        response: responses({ 200: jsonOrText('The counts.', CountsShape) }, [
          'instance-not-found',
          'not-ready',
        ]),
      },
    },
    async (request, reply) => {
      const counts = await marks.counts(principalOf(request), request.params.name);
      headReport(reply, counts.asOf);
      if (!prefersText(request)) return showInstanceCounts(counts);
      const head = counts.reportedAtMs === null ? '' : reportedLine(counts.reportedAtMs);
      return asText(reply, head + countsText(countsShown(counts), request.query.form ?? 'newer'));
    },
  );
}

function resetRoute(app: App, services: Using): void {
  app.post(
    '/v1/instances/:name/marks/reset',
    {
      config: { access: 'usage.reset' },
      schema: {
        operationId: 'resetInstanceMarks',
        summary: 'Set the marks of an instance back to what stands',
        description:
          'The legacy `LUMaxConsumedReset`. The answer says what they were. An instance that decides for itself keeps marks of its own, which are its own to reset.',
        tags: ['instances'],
        params: NameParams,
        body: Reset,
        response: responses({ 200: ResetDone }, ['instance-not-found', ...LANE_PROBLEMS], { body: true }),
      },
    },
    async (request) => {
      const { name } = request.params;
      await requireReset(request, services, name);
      const { counters = COUNTERS_RESET_BY_DEFAULT } = request.body;
      const actor = actorOf(principalOf(request));
      return showReset(expectAnswer(await services.marks.resetInstance(name, counters, actor), 'marks'));
    },
  );
}

function keyResetRoute(app: App, { marks }: Using): void {
  app.post(
    '/v1/keys/:id/marks/reset',
    {
      config: { access: 'usage.reset' },
      schema: {
        operationId: 'resetKeyMarks',
        summary: 'Set the marks of a key, over all its instances, back to what stands',
        description:
          'The legacy `DistributedMaxReset`. The answer says what they were. The marks of its instances stay.',
        tags: ['keys'],
        params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 128 }) }),
        body: KeyReset,
        response: responses({ 200: ResetDone }, ['key-not-found', ...LANE_PROBLEMS], { body: true }),
      },
    },
    async (request) => {
      const { id } = request.params;
      requirePermission(request, 'usage.reset', { keyId: id, instance: null });
      const { counters = ['users', 'connections'] as const } = request.body;
      return showReset(
        expectAnswer(await marks.resetKey(id, counters, actorOf(principalOf(request))), 'marks'),
      );
    },
  );
}

type Answered = ReturnType<typeof expectAnswer<'marks'>>;

function showReset({ before, decision, atMs }: Answered) {
  return { before: showMarksBefore(before), decision, at: instantOf(atMs) };
}

function durationsRoute(app: App, { marks }: Using): void {
  app.get(
    '/v1/instances/:name/durations',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'readDurations',
        summary: 'How long the logins of an instance lasted',
        description:
          'Of logins that held a unit and have ended, since the instance was started or the histogram was cleared, by the time of the journal; grace is part of it. Users whom an instance let in by itself are not in it: it counts these itself.',
        tags: ['instances'],
        params: NameParams,
        response: responses({ 200: DurationsShape }, ['instance-not-found', 'not-ready']),
      },
    },
    async (request) => {
      const { name } = request.params;
      const durations = await marks.durations(principalOf(request), name);
      return {
        instance: name,
        durations: showBuckets(durations),
        since: instantOf(durations.sinceMs),
        ...showAsOf(durations.asOf),
      };
    },
  );
}

function clearRoute(app: App, services: Using): void {
  app.post(
    '/v1/instances/:name/durations/clear',
    {
      config: { access: 'usage.reset' },
      schema: {
        operationId: 'clearDurations',
        summary: 'Begin the histogram of durations anew',
        description: 'The legacy `ClearDurationCounts`. The answer says what it was.',
        tags: ['instances'],
        params: NameParams,
        response: responses({ 200: DurationsClearedShape }, ['instance-not-found', ...LANE_PROBLEMS]),
      },
    },
    async (request) => {
      const { name } = request.params;
      await requireReset(request, services, name);
      const actor = actorOf(principalOf(request));
      const answer = expectAnswer(await services.marks.clearDurations(name, actor), 'durations');
      const { counts, sinceMs, decision, atMs } = answer;
      return {
        durations: showBuckets({ boundsSeconds: DURATION_BOUNDS_SECONDS, counts }),
        since: instantOf(sinceMs),
        decision,
        at: instantOf(atMs),
      };
    },
  );
}
