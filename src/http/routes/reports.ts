/**
 * Reports of keys and licence servers: the key of an instance, the active licence server, and the dump of the
 * keys; JSON or text.
 */

import { type Static, Type } from 'typebox';
import { mainFields, statedFields } from '../../domain/keydisplay.ts';
import { activeServerText, keyText, SINGLE_SERVER_TEXT } from '../../domain/reporttexts.ts';
import { keysText } from '../../domain/reporttexts-distributed.ts';
import type { Dumps } from '../../service/dumps.ts';
import type { KeyPosition, KeyReports, KeysPage, KeyUse } from '../../service/keyreports.ts';
import type { LicenseServers } from '../../service/licenseservers.ts';
import { generationOf, type KeyReport, type Reports } from '../../service/reports.ts';
import { AS_OF, fieldFault, instantOf, PageAsOf, showAsOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { keyRowsText } from '../dumpstreams.ts';
import { NameParams } from '../instance-shapes.ts';
import { KeyStatusView, KeyTerms, showTerms } from '../keyviews.ts';
import {
  AS_OF_HEADER,
  asStream,
  asText,
  goneSignal,
  headReport,
  prefersText,
  TEXT_TYPE,
} from '../legacytext.ts';
import { Instant, jsonOrText, PageQuery, pageLimit, responses } from '../schemas.ts';

/** How many rows of a text are made in memory; more are read from the folded table. */
const TEXT_ROWS_MAX = 20_000;
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
    clients: clients.map(({ userId, instance, address, connections, units, isShared }) => ({
      userId,
      instance,
      ...(address === '' ? {} : { address }),
      connections,
      units,
      shared: isShared,
    })),
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
        description: `By key, user ID and instance; only what the token may see. \`limit\` counts rows. \`Accept: text/plain\` gives the layout of the legacy \`DumpKeys\`, or \`DumpKey\` with a key, whole; from ${TEXT_ROWS_MAX} rows on it is read from the folded table. ${AS_OF_HEADER}`,
        tags: ['usage'],
        querystring: KeysQuery,
        response: responses({ 200: jsonOrText('The dump.', KeysDump) }, [
          'key-not-found',
          'too-many-dumps',
          'dump-too-slow',
          'not-ready',
        ]),
      },
    },
    async (request, reply) => {
      const { key, cursor } = request.query;
      const { keyReports, dumps } = services;
      const principal = principalOf(request);
      if (key !== undefined)
        requirePermission(request, 'usage.read', { keyId: key, instance: principal.instance });
      const isText = prefersText(request);
      if (isText && cursor !== undefined)
        throw fieldFault('?cursor', 'is for pages of JSON; the text is whole');
      const position = decodeCursor(CURSOR, cursor, 3);
      const after = position === null ? null : (position.map(String) as unknown as KeyPosition);
      const limit = isText ? TEXT_ROWS_MAX : pageLimit(request.query);
      const page = await keyReports.dump(principal, { key, after, limit });
      headReport(reply, page.asOf);
      if (!isText) return showKeys(page);
      if (page.next === null) {
        const keys = page.keys.map((use) => ({ ...use, key: use.key?.id ?? null }));
        return asText(
          reply,
          keysText({ keys, isCut: false, atMs: page.asOf.atMs, isOne: key !== undefined }),
        );
      }
      const heads = await keyReports.heads(principal, key);
      headReport(reply, heads.asOf);
      const gone = goneSignal(reply);
      const open = (pool: string) => dumps.keyUsers(pool, gone);
      return asStream(reply, TEXT_TYPE, keyRowsText(heads, key !== undefined, open));
    },
  );
}
