/**
 * What the sidecar asks of Lictor, over HTTP. Calls are short: an instance that hears nothing sends again, so an
 * answer that comes late is worth nothing.
 */

import type { Client } from '../client/client.ts';
import { ApiError } from '../client/problems.ts';
import type { DigestedRow } from '../domain/digest.ts';
import type { Enforcement } from './answers.ts';
import type { KeyIdentity } from './requests.ts';

/** What a registration is asked with. */
export interface Registration {
  readonly key?: string;
  readonly registrationId: string;
  readonly product?: string;
  readonly version?: string;
  readonly licenseServers?: readonly string[];
}

/** What a registration is answered with, as far as an instance needs it. */
export interface Registered {
  readonly key?: string;
  readonly incarnation: number;
  readonly licence: { readonly status: string; readonly code?: string; readonly reason: string };
  readonly settings: InstanceSettings;
  readonly enforcement: Enforcement;
  readonly limit: number;
  readonly connectionsPerUnitMax: number;
  readonly nextUpdateAfterSeconds: number;
  readonly notices?: readonly string[];
}

/** The settings of an instance that it has to know. */
export interface InstanceSettings {
  readonly unitLimit: number;
  readonly connectionLimit: number;
  readonly graceSeconds: number;
}

/** An instance that is registered. */
export interface KnownInstance {
  readonly incarnation: number;
  readonly registrationId?: string;
  readonly key?: string;
}

/** A numbered update. */
export interface Update {
  readonly incarnation: number;
  readonly sequence: number;
  readonly since: number;
  readonly fullFrom?: number;
  readonly more?: true;
  readonly users: readonly DigestedRow[];
  readonly digest?: string;
  readonly settingsRevision?: string;
}

/** What an update is answered with, as far as an instance needs it. */
export interface UpdateAnswer {
  readonly acknowledged: boolean;
  readonly reason?: string;
  readonly sequence: number;
  readonly resend?: string;
  readonly limit: number;
  readonly inUse: number;
  readonly connectionsPerUnitMax: number;
  readonly at: string;
  readonly nextUpdateAfterSeconds: number;
  readonly transitioned?: readonly string[];
  readonly overLimit?: { readonly unitsMax: number };
  readonly settings?: InstanceSettings;
  readonly settingsRevision?: string;
}

/** A key that is installed. */
export interface KnownKey {
  readonly id: string;
  readonly enforcement: Enforcement;
}

/** The calls that the exchanges with instances need. Each throws what the client throws. */
export interface Lictor {
  /** @returns what is known of an instance; null when it is not registered. */
  instance(name: string): Promise<KnownInstance | null>;
  /** @returns the key that an identity means; null when there is none such. */
  key(identity: Exclude<KeyIdentity, { by: 'none' }>): Promise<KnownKey | null>;
  register(name: string, registration: Registration): Promise<Registered>;
  update(name: string, update: Update): Promise<UpdateAnswer>;
  close(name: string, incarnation: number): Promise<void>;
}

const PAGE_LIMIT = 200;

/**
 * The calls by a client.
 * @param client - with the token of an operator, who may register and report for every instance.
 */
export function lictorBy(client: Client): Lictor {
  const path = (name: string, end = '') => `/v1/instances/${encodeURIComponent(name)}${end}`;
  return {
    instance: (name) => nullWhen('instance-not-found', client.instances.read(name)),
    key: (identity) => findKey(client, identity),
    register: (name, registration) =>
      client.request({ method: 'PUT', path: path(name), body: registration }) as Promise<Registered>,
    update: (name, update) =>
      client.request({
        method: 'POST',
        path: path(name, '/updates'),
        body: update,
        isRepeatable: true,
      }) as Promise<UpdateAnswer>,
    close: async (name, incarnation) => {
      await client.request({
        method: 'POST',
        path: path(name, '/close'),
        body: { incarnation },
        isRepeatable: true,
      });
    },
  };
}

async function nullWhen<T>(code: string, call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ApiError && error.code === code) return null;
    throw error;
  }
}

/** A key has its order number and the first digits of its content's hash in its ID. */
async function findKey(
  client: Client,
  identity: Exclude<KeyIdentity, { by: 'none' }>,
): Promise<KnownKey | null> {
  if (identity.by === 'id') return nullWhen('key-not-found', client.keys.read(identity.value));
  const ending = `-${identity.value.slice(0, 8)}`;
  const found: KnownKey[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.keys.list({ limit: PAGE_LIMIT, ...(cursor === undefined ? {} : { cursor }) });
    for (const key of page.items) {
      const isMeant = identity.by === 'hash' ? key.id.endsWith(ending) : key.orderNumber === identity.value;
      if (isMeant) found.push(key);
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  // An order may have been delivered again with another content; which one is meant cannot be told then.
  return found.length === 1 ? found[0]! : null;
}
