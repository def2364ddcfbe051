/**
 * What the sidecar asks of Lictor, over HTTP. Calls are short: an instance that hears nothing sends again, so an
 * answer that comes late is worth nothing.
 */

import type { Client } from '../client/client.ts';
import type { Operations } from '../client/openapi.ts';
import { ApiError } from '../client/problems.ts';
import type { Enforcement } from './answers.ts';
import type { KeyIdentity } from './requests.ts';

type RegisterAnswer = Operations['registerInstance']['answer'];

/** What a registration is asked with. */
export type Registration = Pick<
  Operations['registerInstance']['input'][1],
  'key' | 'licenseId' | 'product' | 'version' | 'address' | 'licenseServers'
> & { readonly registrationId: string };

/** The settings of an instance that it has to know. */
export type InstanceSettings = Pick<
  RegisterAnswer['settings'],
  'unitLimit' | 'connectionLimit' | 'graceSeconds'
>;

/** What a registration is answered with, as far as an instance needs it. */
export type Registered = Pick<
  RegisterAnswer,
  | 'key'
  | 'incarnation'
  | 'licence'
  | 'enforcement'
  | 'limit'
  | 'connectionsPerUnitMax'
  | 'nextUpdateAfterSeconds'
  | 'notices'
> & { readonly settings: InstanceSettings };

/** An instance that is registered. */
export type KnownInstance = Pick<
  Operations['readInstance']['answer'],
  'incarnation' | 'registrationId' | 'key' | 'state'
>;

/** A numbered update. */
export type Update = Omit<Operations['updateInstance']['input'][1], 'lease'>;

/** What an update is answered with, as far as an instance needs it. */
export type UpdateAnswer = Pick<
  Operations['updateInstance']['answer'],
  | 'acknowledged'
  | 'reason'
  | 'sequence'
  | 'resend'
  | 'key'
  | 'enforcement'
  | 'limit'
  | 'inUse'
  | 'connectionsPerUnitMax'
  | 'at'
  | 'nextUpdateAfterSeconds'
  | 'transitioned'
> & {
  readonly overLimit?: { readonly unitsMax: number };
  readonly settings?: InstanceSettings;
  readonly settingsRevision?: string;
};

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
  key(identity: Exclude<KeyIdentity, { by: 'none' | 'license-id' }>): Promise<KnownKey | null>;
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
  return {
    instance: (name) => nullWhen('instance-not-found', client.instances.read(name)),
    key: (identity) => findKey(client, identity),
    register: (name, registration) => client.instances.register(name, registration),
    update: (name, update) => client.instances.update(name, update),
    close: (name, incarnation) => client.instances.close(name, { incarnation }),
  };
}

/**
 * Asks Lictor something that changes nothing, to find out whether it is there and lets the sidecar in.
 * @returns the first installed key that the token may see; null when there is none.
 * @throws what the client throws.
 */
export async function greet(client: Client): Promise<KnownKey | null> {
  return (await client.keys.list({ limit: 1 })).items[0] ?? null;
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
  identity: Exclude<KeyIdentity, { by: 'none' | 'license-id' }>,
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
