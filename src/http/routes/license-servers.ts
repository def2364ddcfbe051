/**
 * Licence servers: the roster, who is active, and the signs of life of the processes that serve its entries.
 */

import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import type { Action } from '../../domain/access.ts';
import { LICENSE_SERVER_LIMITS, LICENSE_SERVER_PORT_DEFAULT } from '../../domain/licenseservers.ts';
import type { Beat, LicenseServers, Roster, RosterEntry } from '../../service/licenseservers.ts';
import { actorOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { Instant, NoContent, responses } from '../schemas.ts';

const { nameLengthMax, addressLengthMax, portMin, portMax } = LICENSE_SERVER_LIMITS;

const NameParams = Type.Object({
  name: Type.String({
    minLength: 1,
    maxLength: nameLengthMax,
    description: 'The name of the licence server, in any case: letters, digits, dot, underscore and hyphen.',
  }),
});

const Place = {
  name: Type.String({ description: 'In upper case.' }),
  address: Type.String({ description: 'IPv4 address, host name or IPv6 address.' }),
  port: Type.Integer(),
};

const Entry = Type.Object({
  ...Place,
  state: Type.Enum(['active', 'standby', 'down'], {
    type: 'string',
    description:
      '`active`: it serves; `standby`: it was heard of lately and takes over if the active one fails; `down`: it was not.',
  }),
  heardAt: Type.Optional(Instant('When one of its processes last gave a sign of life.')),
  changedAt: Instant('When the entry was last changed.'),
  changedBy: Type.String({ description: 'Who changed it: the name and the ID of a token.' }),
});

const Changed = Type.Object({
  ...Entry.properties,
  outcome: Type.Enum(['added', 'changed', 'unchanged'], { type: 'string' }),
});

const ActiveServer = Type.Object(Place);

const RosterView = Type.Object({
  items: Type.Array(Entry, {
    description: `By name; there are at most ${LICENSE_SERVER_LIMITS.countMax}. The order says nothing about who is active.`,
  }),
  active: Type.Optional(
    Type.Object(
      {
        ...Place,
        holder: Type.String({ description: 'The process that serves it.' }),
        token: Type.Integer({ description: 'Grows with every term; the higher one is the later.' }),
        since: Instant('When its term began.'),
        expiresAt: Instant('When another may take over, unless it is heard of before.'),
      },
      { description: 'The one that is active; absent while none is.' },
    ),
  ),
  conflicts: Type.Array(
    Type.Object({
      key: Type.String(),
      sets: Type.Array(
        Type.Object({
          licenseServers: Type.Array(Type.String({ description: '`address:port`.' })),
          instances: Type.Array(Type.String()),
        }),
      ),
    }),
    {
      description:
        'Keys whose active instances are configured with different sets of licence servers, which must be the same for all that share a key; only what the token may see.',
    },
  ),
  notices: Type.Array(Type.String(), { description: 'Things worth knowing.' }),
});

const BeatBody = Type.Object(
  {
    holder: Type.String({
      minLength: 1,
      maxLength: 128,
      pattern: '^[\\x21-\\x7e]+$',
      description: 'The process that serves the entry, by an ID that it makes at its start.',
    }),
    resign: Type.Optional(
      Type.Boolean({
        description:
          'The process acts no longer, from before it sent this on; if it is active, another may take over at once.',
      }),
    ),
  },
  { additionalProperties: false },
);

const BeatView = Type.Object({
  active: Type.Boolean({ description: 'Whether the process is the active licence server.' }),
  activeServer: Type.Optional(ActiveServer),
  token: Type.Optional(
    Type.Integer({ description: 'The fencing token of the present term, whoever holds it.' }),
  ),
  expiresInSeconds: Type.Optional(
    Type.Number({
      description:
        'For how long the process may act, counted from before it sent the request, by the larger of wall and monotonic time. Another takes over later than that. Absent unless it is active.',
    }),
  ),
  beatAfterSeconds: Type.Number({ description: 'When to give the next sign of life.' }),
});

/** The services that these routes call. */
interface Using {
  readonly licenseServers: LicenseServers;
}

type App = Parameters<RoutePlugin>[0];

function showEntry(entry: RosterEntry): Static<typeof Entry> {
  const { name, address, port, state, heardAt, changedAt, changedBy } = entry;
  return {
    name,
    address,
    port,
    state,
    ...(heardAt === null ? {} : { heardAt: heardAt.toISOString() }),
    changedAt: changedAt.toISOString(),
    changedBy,
  };
}

function showRoster({ entries, active, disagreements, notices }: Roster): Static<typeof RosterView> {
  return {
    items: entries.map(showEntry),
    ...(active === null
      ? {}
      : {
          active: {
            name: active.name,
            address: active.address,
            port: active.port,
            holder: active.holder,
            token: active.token,
            since: active.electedAt.toISOString(),
            expiresAt: active.expiresAt.toISOString(),
          },
        }),
    conflicts: disagreements.map(({ key, sets }) => ({
      key,
      sets: sets.map(({ licenseServers, instances }) => ({
        licenseServers: [...licenseServers],
        instances: [...instances],
      })),
    })),
    notices: [...notices],
  };
}

function showBeat({ active, actsSeconds, beatAfterSeconds }: Beat): Static<typeof BeatView> {
  return {
    active: actsSeconds !== null,
    ...(active === null
      ? {}
      : {
          activeServer: { name: active.name, address: active.address, port: active.port },
          token: active.token,
        }),
    ...(actsSeconds === null ? {} : { expiresInSeconds: actsSeconds }),
    beatAfterSeconds,
  };
}

/** The roster belongs to no key and no instance, so that a token restricted to some may not touch it. */
function requireWhole(request: FastifyRequest, action: Action): void {
  requirePermission(request, action, {});
}

/**
 * List, read, add or change, remove, and signs of life.
 * @param services.licenseServers - the roster's service.
 */
export function licenseServerRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    listRoute(app, services);
    readRoute(app, services);
    putRoute(app, services);
    removeRoute(app, services);
    beatRoute(app, services);
    done();
  };
}

function listRoute(app: App, { licenseServers }: Using): void {
  app.get(
    '/v1/license-servers',
    {
      config: { access: 'servers.read' },
      schema: {
        operationId: 'listLicenseServers',
        summary: 'List the licence servers, and say who is active',
        description:
          'At most one is active. Names the keys whose instances are configured with different sets of licence servers.',
        tags: ['servers'],
        response: responses({ 200: RosterView }, ['not-ready']),
      },
    },
    async (request) => showRoster(await licenseServers.list(principalOf(request))),
  );
}

function readRoute(app: App, { licenseServers }: Using): void {
  app.get(
    '/v1/license-servers/:name',
    {
      config: { access: 'servers.read' },
      schema: {
        operationId: 'readLicenseServer',
        summary: 'Read a licence server',
        tags: ['servers'],
        params: NameParams,
        response: responses({ 200: Entry }, ['license-server-not-found']),
      },
    },
    async (request) => showEntry(await licenseServers.get(request.params.name)),
  );
}

const NewEntry = Type.Object(
  {
    address: Type.String({
      minLength: 1,
      maxLength: addressLengthMax,
      description:
        'Where instances reach it: IPv4 address in four decimal parts, host name, or IPv6 address.',
    }),
    port: Type.Optional(
      Type.Integer({
        minimum: portMin,
        maximum: portMax,
        default: LICENSE_SERVER_PORT_DEFAULT,
        description: 'The UDP port; no two licence servers have the same at one address.',
      }),
    ),
  },
  { additionalProperties: false },
);

function putRoute(app: App, { licenseServers }: Using): void {
  app.put(
    '/v1/license-servers/:name',
    {
      config: { access: 'servers.change' },
      schema: {
        operationId: 'putLicenseServer',
        summary: 'Add or change a licence server',
        description:
          'Changes the roster only: a process that serves the entry listens where it was started. The same again changes nothing.',
        tags: ['servers'],
        params: NameParams,
        body: NewEntry,
        response: responses(
          { 200: Changed, 201: Changed },
          ['license-server-address-taken', 'license-server-limit-reached'],
          { body: true },
        ),
      },
    },
    async (request, reply) => {
      requireWhole(request, 'servers.change');
      const { address, port = LICENSE_SERVER_PORT_DEFAULT } = request.body;
      const actor = actorOf(principalOf(request));
      const { outcome, entry } = await licenseServers.put(request.params.name, { address, port }, actor);
      if (outcome === 'added')
        reply.header('location', `/v1/license-servers/${encodeURIComponent(entry.name)}`);
      return reply.code(outcome === 'added' ? 201 : 200).send({ ...showEntry(entry), outcome });
    },
  );
}

function removeRoute(app: App, { licenseServers }: Using): void {
  app.delete(
    '/v1/license-servers/:name',
    {
      config: { access: 'servers.change' },
      schema: {
        operationId: 'removeLicenseServer',
        summary: 'Remove a licence server',
        description:
          'If it is active its term cannot be renewed any more, and another takes over when it has run out. Repeating it does no harm.',
        tags: ['servers'],
        params: NameParams,
        response: responses({ 204: NoContent }, []),
      },
    },
    async (request, reply) => {
      requireWhole(request, 'servers.change');
      await licenseServers.remove(request.params.name, actorOf(principalOf(request)));
      return reply.code(204).send(null);
    },
  );
}

function beatRoute(app: App, { licenseServers }: Using): void {
  app.post(
    '/v1/license-servers/:name/beat',
    {
      config: { access: 'servers.serve' },
      schema: {
        operationId: 'beatLicenseServer',
        summary: 'Serve an entry: a sign of life of its process',
        description:
          'The first one up is active and stays so; when it was silent for its term the next sign of life of another takes over, and one that returns is an ordinary member. A token restricted to keys or to an instance may not do this.',
        tags: ['servers'],
        params: NameParams,
        body: BeatBody,
        response: responses({ 200: BeatView }, ['license-server-not-found'], { body: true }),
      },
    },
    async (request) => {
      requireWhole(request, 'servers.serve');
      const { holder, resign = false } = request.body;
      return showBeat(await licenseServers.beat(request.params.name, holder, resign));
    },
  );
}
