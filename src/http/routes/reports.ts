/**
 * Reports of keys and licence servers: the key of an instance, the active licence server, and the dump of the
 * keys; JSON or text.
 */

import type { FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';
import type { Principal } from '../../domain/access.ts';
import { mainFields, statedFields } from '../../domain/keys/keydisplay.ts';
import { activeServerText, keyText, SINGLE_SERVER_TEXT } from '../../domain/texts/reporttexts.ts';
import { keysText } from '../../domain/texts/reporttexts-distributed.ts';
import type { KeyUserRow } from '../../domain/texts/usagerows.ts';
import { type Dumps, WHOLE_ROWS_IN_MEMORY_MAX } from '../../service/dumps.ts';
import type { KeyClient, KeyPosition, KeyReports, KeysPage, KeyUse } from '../../service/keyreports.ts';
import type { AsOf } from '../../service/keys.ts';
import type { LicenseServers } from '../../service/licenseservers.ts';
import { generationOf, type KeyReport, type Reports } from '../../service/reports.ts';
import { keyOfPool } from '../../service/usage.ts';
import { AS_OF, fieldFault, instantOf, PageAsOf, showAsOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { keyRowsText, visible } from '../distributedstreams.ts';
import { jsonLines } from '../dumpstreams.ts';
import { NameParams } from '../instance-shapes.ts';
import { KeyStatusView, KeyTerms, showTerms } from '../keyviews.ts';
import {
  AS_OF_HEADER,
  asStream,
  asText,
  goneSignal,
  headReport,
  LINES_TYPE,
  preferredForm,
  prefersText,
  TEXT_TYPE,
} from '../legacytext.ts';
import { Instant, jsonOrText, jsonTextOrLines, PageQuery, pageLimit, responses } from '../schemas.ts';

const CURSOR = 'usage-keys';

const Count = (description: string) => Type.Integer({ description });

const Fields = (description: string) =>
  Type.Array(Type.Object({ field: Type.String(), value: Type.String() }), { description });

const GenerationQuery = Type.Object(
  {
    generation: Type.Optional(
      Type.Enum(['cache', 'iris'], {
        type: 'string',
        description: 'The product whose text is wanted; left out, that of the instance.',
      }),
    ),
  },
  { additionalProperties: false },
);

const InstanceKey = Type.Object({
  instance: Type.String(),
  key: Type.Optional(
    Type.Object(KeyTerms.properties, { description: 'What the key says; absent without a usable one.' }),
  ),
  status: KeyStatusView.properties.status,
  reason: KeyStatusView.properties.reason,
  fields: Fields(
    'The key field by field: the six of the legacy display, then what else the key states. `AuthorizationKey` is shown only to who may install keys. Of a key that is missing or cannot be used `CustomerName` says why.',
  ),
  unitsAvailable: Count('What is left of the units that the instance may use, if it were alone.'),
  unitsAvailableMin: Type.Optional(
    Count('The least that was left since the instance was started, or the marks were reset.'),
  ),
  unitsAvailableMax: Count('The units that the instance may use: those enforced, or its own limit.'),
  activeServers: Count(
    'Active instances that use a key with this order number, this one included (`ActiveServerCount`).',
  ),
  ...AS_OF,
});

const ActiveQuery = Type.Object(
  {
    instance: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description: 'For an instance whose key is for a single server the answer is that none applies.',
      }),
    ),
  },
  { additionalProperties: false },
);

const ActiveServerView = Type.Object({
  active: Type.Optional(
    Type.Object(
      {
        name: Type.String({ description: 'In upper case.' }),
        address: Type.String(),
        port: Type.Integer(),
        since: Instant('When its term began.'),
      },
      { description: 'Absent while none is active.' },
    ),
  ),
  applicable: Type.Boolean({
    description: 'False for an instance whose key is for a single server, which needs no licence server.',
  }),
  asOf: AS_OF.asOf,
});

const KeyClientView = Type.Object({
  userId: Type.String({ description: 'The licence user ID.' }),
  instance: Type.String(),
  address: Type.Optional(Type.String({ description: 'Of the instance, where it stated one.' })),
  connections: Count('On this instance.'),
  units: Count('The units that this row accounts for; all rows of a user come to what he costs.'),
  shared: Type.Boolean({ description: 'Whether his unit stands on the row of another instance (`shr`).' }),
});

const KeyUseView = Type.Object({
  key: Type.Optional(Type.String({ description: 'Absent for the default licence of an instance.' })),
  fields: Fields('The fields of the legacy key display; none for a default licence.'),
  instances: Count('Instances that are registered with it and not silent.'),
  unitsAuthorised: Count('The units that were bought.'),
  unitsEnforced: Count('The units beyond which nobody new comes in.'),
  unitsInUse: Count('Units in use over all instances.'),
  unitsPeak: Count('The most units at one time.'),
  clients: Type.Array(KeyClientView, {
    description:
      'By user ID and instance. If a page ends among them, the next one goes on with the same key.',
  }),
});

const KeysDump = PageAsOf(KeyUseView);

const KeysQuery = Type.Object(
  {
    ...PageQuery.properties,
    key: Type.Optional(
      Type.String({ minLength: 1, maxLength: 128, description: 'Only of this key (`DumpKey`).' }),
    ),
  },
  { additionalProperties: false },
);

/** The services that these routes call. */
interface Using {
  readonly reports: Reports;
  readonly keyReports: KeyReports;
  readonly dumps: Dumps;
  readonly licenseServers: LicenseServers;
}

type App = Parameters<RoutePlugin>[0];

function fieldsOf({ key, status, authorizationKey }: KeyReport) {
  return [...mainFields(key, status, authorizationKey), ...statedFields(key)];
}

const showFields = (fields: readonly (readonly [string, string])[]) =>
  fields.map(([field, value]) => ({ field, value }));

function showKeyReport(report: KeyReport): Static<typeof InstanceKey> {
  const { instance, key, status, activeServers, available, availableMin, availableMax, asOf } = report;
  return {
    instance: instance.name,
    ...(key === null ? {} : { key: showTerms(key) }),
    status: status.status,
    reason: status.reason,
    fields: showFields(fieldsOf(report)),
    unitsAvailable: available ?? 0,
    ...(availableMin === null ? {} : { unitsAvailableMin: availableMin }),
    unitsAvailableMax: availableMax ?? 0,
    activeServers,
    ...showAsOf(asOf),
  };
}

function showUse({ pool: _pool, key, fields, clients, ...use }: KeyUse): Static<typeof KeyUseView> {
  return {
    ...(key === null ? {} : { key: key.id }),
    fields: showFields(fields),
    ...use,
    clients: clients.map(showClient),
  };
}

type ClientRow = Pick<KeyClient, 'userId' | 'instance' | 'address' | 'connections' | 'units' | 'isShared'>;

function showClient({ userId, instance, address, connections, units, isShared }: ClientRow) {
  return {
    userId,
    instance,
    ...(address === '' ? {} : { address }),
    ...{ connections, units, shared: isShared },
  };
}

function showKeys({ keys, next, asOf }: KeysPage): Static<typeof KeysDump> {
  return {
    items: keys.map(showUse),
    ...(next === null ? {} : { nextCursor: encodeCursor(CURSOR, next) }),
    ...showAsOf(asOf),
  };
}

/**
 * The key of an instance, the active licence server, the dump of the keys.
 * @param services - what they call.
 */
export function reportRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    keyRoute(app, services);
    activeServerRoute(app, services);
    keysRoute(app, services);
    done();
  };
}

function keyRoute(app: App, services: Using): void {
  app.get(
    '/v1/instances/:name/key',
    {
      config: { access: 'instances.read' },
      schema: {
        operationId: 'readInstanceKey',
        summary: 'The key of an instance, and what is left of it',
        description: `\`Accept: text/plain\` gives the layout of the legacy \`CKEY\`. ${AS_OF_HEADER}`,
        tags: ['instances'],
        params: NameParams,
        querystring: GenerationQuery,
        response: responses({ 200: jsonOrText('The key.', InstanceKey) }, [
          'instance-not-found',
          'not-ready',
        ]),
      },
    },
    async (request, reply) => {
      const report = await services.reports.key(principalOf(request), request.params.name);
      headReport(reply, report.asOf);
      if (!prefersText(request)) return showKeyReport(report);
      const { key, status, authorizationKey, instance } = report;
      return asText(
        reply,
        keyText({
          generation: request.query.generation ?? generationOf(instance),
          file: key === null ? null : `${key.id}.key`,
          fields: mainFields(key, status, authorizationKey),
          available: report.available,
          availableMin: report.availableMin,
          availableMax: report.availableMax,
        }),
      );
    },
  );
}

function activeServerRoute(app: App, services: Using): void {
  app.get(
    '/v1/license-servers/active',
    {
      config: { access: 'servers.read' },
      schema: {
        operationId: 'readActiveLicenseServer',
        summary: 'Which licence server is active',
        description: `\`Accept: text/plain\` gives the legacy \`ShowServer\`. A licence server that is itself named ACTIVE is read under its name in capitals. ${AS_OF_HEADER}`,
        tags: ['servers'],
        querystring: ActiveQuery,
        response: responses({ 200: jsonOrText('The active licence server.', ActiveServerView) }, [
          'instance-not-found',
          'not-ready',
        ]),
      },
    },
    async (request, reply) => {
      const { instance } = request.query;
      const { isSingle, asOf } = await services.reports.server(principalOf(request), instance);
      const active = isSingle ? null : await services.licenseServers.active();
      headReport(reply, asOf);
      if (prefersText(request))
        return asText(reply, isSingle ? SINGLE_SERVER_TEXT : activeServerText(active));
      const { name, address, port } = active ?? {};
      return {
        ...(active === null
          ? {}
          : {
              active: { name: name!, address: address!, port: port!, since: active.electedAt.toISOString() },
            }),
        applicable: !isSingle,
        asOf: instantOf(asOf.atMs),
      };
    },
  );
}

function keysRoute(app: App, services: Using): void {
  app.get(
    '/v1/usage/keys',
    {
      config: { access: 'usage.read' },
      schema: {
        operationId: 'dumpKeys',
        summary: 'Every key, and who uses it where',
        description: `By key, user ID and instance; only what the token may see. \`limit\` counts rows. \`Accept: text/plain\` gives the layout of the legacy \`DumpKeys\`, or \`DumpKey\` with a key. \`Accept: application/x-ndjson\` gives one JSON object a line: first \`keys\`, then each user on an instance. Both are whole; from ${WHOLE_ROWS_IN_MEMORY_MAX} rows on they are read from the folded table and sent piece by piece. The header \`dump-entries\` says how many rows there are. ${AS_OF_HEADER}`,
        tags: ['usage'],
        querystring: KeysQuery,
        response: responses({ 200: jsonTextOrLines('The dump.', KeysDump) }, [
          'key-not-found',
          'too-many-dumps',
          'dump-too-slow',
          'not-ready',
        ]),
      },
    },
    async (request, reply) => {
      const { key, cursor } = request.query;
      const principal = principalOf(request);
      if (key !== undefined)
        requirePermission(request, 'usage.read', { keyId: key, instance: principal.instance });
      const form = preferredForm(request);
      if (form !== 'json') {
        if (cursor !== undefined) throw fieldFault('?cursor', 'is for pages of JSON; this form is whole');
        return dumpWhole(services, principal, key, form, reply);
      }
      const position = decodeCursor(CURSOR, cursor, 3);
      const after = position === null ? null : (position.map(String) as unknown as KeyPosition);
      const limit = pageLimit(request.query);
      const page = await services.keyReports.dump(principal, { key, after, limit });
      headReport(reply, page.asOf);
      return showKeys(page);
    },
  );
}

async function dumpWhole(
  { keyReports, dumps }: Using,
  principal: Principal,
  key: string | undefined,
  form: 'text' | 'lines',
  reply: FastifyReply,
): Promise<never> {
  const page = await keyReports.dump(principal, { key, after: null, limit: dumps.wholeRowsInMemoryMax });
  if (page.next === null) {
    const { keys, asOf } = page;
    headReport(reply, asOf);
    reply.header(
      'dump-entries',
      keys.reduce((count, { clients }) => count + clients.length, 0),
    );
    if (form === 'text') {
      const shown = keys.map((use) => ({ ...use, key: use.key?.id ?? null }));
      return asText(
        reply,
        keysText({ keys: shown, isCut: false, atMs: asOf.atMs, isOne: key !== undefined }),
      );
    }
    const rows = keys.flatMap(({ pool, clients }) => clients.map((client) => ({ pool, ...client })));
    return asStream(reply, LINES_TYPE, jsonLines(showWhole(keys, asOf), [rows], showRow));
  }
  const heads = await keyReports.heads(principal, key);
  const pools = heads.keys.map(({ pool }) => pool);
  const of = { pools, instance: principal.instance, first: 'user' } as const;
  const { atMs, version, rows, batches } = await dumps.keyUsers(of, goneSignal(reply));
  headReport(reply, { atMs, version });
  reply.header('dump-entries', rows);
  if (form === 'text')
    return asStream(reply, TEXT_TYPE, keyRowsText(heads, { of: key ?? null, atMs }, batches));
  const head = showWhole(heads.keys, { atMs, version });
  const shown = (row: KeyUserRow) => showRow({ ...row, address: heads.addressOf(row.instance) });
  return asStream(reply, LINES_TYPE, jsonLines(head, visible(batches, heads), shown));
}

/** The first line of a dump as lines. */
function showWhole(keys: readonly Omit<KeyUse, 'clients'>[], asOf: AsOf) {
  const shown = keys.map((use) => {
    const { clients: _clients, ...head } = showUse({ ...use, clients: [] });
    return head;
  });
  return { keys: shown, ...showAsOf(asOf) };
}

/** A row of a dump as lines. */
function showRow({ pool, ...row }: ClientRow & { readonly pool: string }) {
  const key = keyOfPool(pool);
  return { ...(key === null ? {} : { key }), ...showClient(row) };
}
