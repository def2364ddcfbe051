/**
 * Keys that are served by ID: list them, serve one by hand, and ask at once whether there is a newer one.
 */

import { type Static, Type } from 'typebox';
import { isUnrestricted, permits } from '../../domain/access.ts';
import type { Instances } from '../../service/instances.ts';
import { positionOf, type ServedKeys, type ServedKeyView } from '../../service/servedkeys.ts';
import type { Done } from '../answers.ts';
import { actorOf, expectAnswer, instantOf, LANE_PROBLEMS, PageAsOf, showAsOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { LicenseId, NameParams, Text } from '../instance-shapes.ts';
import { Instant, PageQuery, pageLimit, responses } from '../schemas.ts';

const ServedKeyParams = Type.Object({ licenseId: LicenseId });

const ServedKey = Type.Object({
  licenseId: Type.Optional(Type.String({ description: 'Absent for a file that gives none.' })),
  key: Type.Optional(Type.String({ description: 'The ID of the key that is served; absent when none is.' })),
  servedAt: Type.Optional(Instant('Since when it is.')),
  unitsEnforced: Type.Optional(Type.Integer({ description: 'The units beyond which logins are refused.' })),
  instances: Type.Integer({ description: 'How many instances are registered by this LicenseID.' }),
  file: Type.Optional(Type.String({ description: 'The file of the directory that states it.' })),
  fileKey: Type.Optional(
    Type.String({ description: 'The key in the file, where it is not the one that is served.' }),
  ),
  fault: Type.Optional(
    Type.Object(
      { code: Type.String(), reason: Type.String({ description: 'In words, with what to do.' }) },
      { description: 'What keeps the file from being served. What was served before stays so.' },
    ),
  ),
});

const ServedKeysPage = Type.Object({
  ...PageAsOf(ServedKey).properties,
  directory: Type.Optional(
    Type.Object(
      {
        lookedAt: Type.Optional(Instant('When the replica that answers looked at it last.')),
        files: Type.Integer({ description: 'How many key files it has.' }),
        fault: Type.Optional(Type.String({ description: 'What is wrong with it as a whole.' })),
      },
      {
        description:
          'The directory of `LICTOR_KEY_DIRECTORY`; absent without one, and for a token that is restricted.',
      },
    ),
  ),
});

const ServeBody = Type.Object(
  { key: Text('The ID of an installed key that states the LicenseID.') },
  { additionalProperties: false },
);

const KeyChecked = Type.Object({
  newer: Type.Boolean({ description: 'Whether there was a newer key, which the instance has been given.' }),
  reason: Type.String({ description: 'What came of it, in words.' }),
  licenseId: Type.Optional(
    Type.String({ description: 'The LicenseID of the instance; absent when it names its key itself.' }),
  ),
  servedKey: Type.Optional(Type.String({ description: 'The key that is served for it.' })),
  key: Type.Optional(Type.String({ description: 'The key that it works under now.' })),
  activation: Type.Optional(
    Type.Object({
      outcome: Type.Enum(['active', 'partly-active', 'pending', 'unchanged'], {
        type: 'string',
        description: '`pending` waits for the next start of the instance, `partly-active` waits in part.',
      }),
      requiresRestart: Type.Boolean(),
      usableUnits: Type.Optional(
        Type.Integer({ description: 'Of a key that is partly active: the units until the next start.' }),
      ),
    }),
  ),
});

function showServed({
  licenseId,
  key,
  instances,
  file,
  fileKey,
  fault,
}: ServedKeyView): Static<typeof ServedKey> {
  return {
    ...(licenseId === null ? {} : { licenseId }),
    ...(key === null
      ? {}
      : { key: key.id, servedAt: instantOf(key.servedAtMs!), unitsEnforced: key.unitsEnforced }),
    instances,
    ...(file === null ? {} : { file }),
    ...(fileKey === null ? {} : { fileKey }),
    ...(fault === null ? {} : { fault: { ...fault } }),
  };
}

function showChecked(answer: Extract<Done, { readonly is: 'key-checked' }>): Static<typeof KeyChecked> {
  const { instance, served, activated } = answer;
  const { licenseId, key } = instance;
  const found = {
    ...(licenseId === undefined ? {} : { licenseId }),
    ...(served === null ? {} : { servedKey: served.id }),
    ...(key === null ? {} : { key }),
  };
  if (activated === null) return { newer: false, reason: unchangedWords(answer), ...found };
  const { outcome, reason, requiresRestart, usableUnits } = activated.verdict;
  const usable = usableUnits === undefined ? {} : { usableUnits };
  return { newer: true, reason, ...found, activation: { outcome, requiresRestart, ...usable } };
}

function unchangedWords({ instance, served }: Extract<Done, { readonly is: 'key-checked' }>): string {
  const { name, licenseId, key } = instance;
  if (licenseId === undefined) {
    return `Instance "${name}" names its key itself. Register it with a licenseId to have one served.`;
  }
  if (served === null) return `No key is served under the LicenseID "${licenseId}".`;
  if (served.id === key) return `Instance "${name}" works under the key ${key} that is served for it.`;
  return `Instance "${name}" has followed the key ${served.id} that is served for it, and ${key === null ? 'works under none' : `works under ${key}`} since; it follows again when another one is served.`;
}

/** The services that these routes call. */
interface Using {
  readonly servedKeys: ServedKeys;
  readonly instances: Pick<Instances, 'keyOf'>;
}

type App = Parameters<RoutePlugin>[0];

/**
 * List what is served, serve a key, and check for a newer one.
 * @param services.servedKeys - the service of served keys.
 */
export function servedKeyRoutes(services: Using): RoutePlugin {
  return (app, _options, done) => {
    listRoute(app, services);
    serveRoute(app, services);
    checkRoute(app, services);
    done();
  };
}

function listRoute(app: App, { servedKeys }: Using): void {
  app.get(
    '/v1/served-keys',
    {
      config: { access: 'keys.read' },
      schema: {
        operationId: 'listServedKeys',
        summary: 'List the keys that are served by LicenseID',
        description:
          'By LicenseID and file, with what is wrong with a file of the directory; files that give no LicenseID come first. The directory is told as the replica that answers sees it.',
        tags: ['keys'],
        querystring: PageQuery,
        response: responses({ 200: ServedKeysPage }, ['not-ready']),
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const position = decodeCursor('served-keys', request.query.cursor, 2);
      const mayShow = (keyId: string | null) =>
        keyId === null ? isUnrestricted(principal) : permits(principal, 'keys.read', { keyId });
      const { items, hasMore, asOf, directory } = await servedKeys.list(mayShow, {
        after: position === null ? null : [String(position[0]), String(position[1])],
        limit: pageLimit(request.query),
      });
      const last = items.at(-1);
      const { lookedAtMs = 0, files = 0, fault = null } = directory ?? {};
      return {
        items: items.map(showServed),
        ...(hasMore && last ? { nextCursor: encodeCursor('served-keys', [...positionOf(last)]) } : {}),
        ...showAsOf(asOf),
        ...(directory === null || !mayShow(null)
          ? {}
          : {
              directory: {
                ...(lookedAtMs === 0 ? {} : { lookedAt: instantOf(lookedAtMs) }),
                files,
                ...(fault === null ? {} : { fault }),
              },
            }),
      };
    },
  );
}

function serveRoute(app: App, { servedKeys }: Using): void {
  app.put(
    '/v1/served-keys/:licenseId',
    {
      config: { access: 'keys.change' },
      schema: {
        operationId: 'serveKey',
        summary: 'Serve an installed key under its LicenseID',
        description:
          'Every instance that is registered by the LicenseID is given it, by the rules of its activation profile. A file of the directory that is written later takes its place. Repeating it does no harm.',
        tags: ['keys'],
        params: ServedKeyParams,
        body: ServeBody,
        response: responses(
          { 200: ServedKey },
          ['key-not-found', 'key-not-servable', 'key-unusable', 'not-found', ...LANE_PROBLEMS],
          { body: true },
        ),
      },
    },
    async (request) => {
      const { licenseId } = request.params;
      const { key } = request.body;
      requirePermission(request, 'keys.change', { keyId: key });
      const before = await servedKeys.servedUnder(licenseId);
      if (before !== null) requirePermission(request, 'keys.change', { keyId: before });
      expectAnswer(await servedKeys.serve(licenseId, key, actorOf(principalOf(request))), 'key');
      return showServed(await servedKeys.get(licenseId));
    },
  );
}

function checkRoute(app: App, { servedKeys, instances }: Using): void {
  app.post(
    '/v1/instances/:name/key/check',
    {
      config: { access: 'instances.register' },
      schema: {
        operationId: 'checkInstanceKey',
        summary: 'Ask now whether a newer key is served for an instance',
        description:
          'The legacy `CheckNewKey`: what happens every few minutes by itself happens at once. A newer key is activated by the rules of the instance’s activation profile.',
        tags: ['instances'],
        params: NameParams,
        response: responses({ 200: KeyChecked }, [
          'instance-not-found',
          'key-generation-mismatch',
          'key-not-shareable',
          'key-unusable',
          ...LANE_PROBLEMS,
        ]),
      },
    },
    async (request) => {
      const { name } = request.params;
      const isByKey = principalOf(request).keys !== null;
      const keyId = isByKey ? await instances.keyOf(name) : null;
      if (keyId !== undefined) requirePermission(request, 'instances.register', { instance: name, keyId });
      return showChecked(
        expectAnswer(await servedKeys.check(name, actorOf(principalOf(request))), 'key-checked'),
      );
    },
  );
}
