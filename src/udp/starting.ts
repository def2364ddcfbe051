/**
 * START and SHUTDOWN: the beginning and the end of a life. A START is done only on a proof that names the
 * incarnation that Lictor knows, so that one that was recorded cannot end a life that began after it: by then
 * the incarnation is another one, and the proof is too old besides.
 */

import { type Enforcement, writeFault, writeWelcome } from './answers.ts';
import type { Exchange } from './exchange.ts';
import type { KnownInstance, Lictor, Registered, Registration } from './lictor.ts';
import { START_PROOF_SECONDS } from './proofs.ts';
import type { KeyIdentity, StartBody } from './requests.ts';

/** What starting needs of the sidecar. */
export interface Starting {
  readonly lictor: Lictor;
  /** Sends a CHALLENGE whose proof names an incarnation. */
  challenge(exchange: Exchange, incarnation: number): void;
  /** The time, in milliseconds since 1970. */
  readonly nowMs: () => number;
}

/**
 * Does what a START asks, or sends the CHALLENGE that comes before it.
 * @throws what the client throws.
 */
export async function start(using: Starting, exchange: Exchange, body: StartBody): Promise<void> {
  const { frame, proof, life: registrationId } = exchange;
  const known = await using.lictor.instance(frame.name);
  if (
    proof === null ||
    proof.ageSeconds > START_PROOF_SECONDS ||
    !isDue(known, registrationId, proof.incarnation)
  ) {
    using.challenge(exchange, known?.incarnation ?? 0);
    return;
  }
  if (known?.registrationId === registrationId && known.state === 'silent') {
    // To register it again would begin a life under the same ID, which whoever has recorded this START could do.
    const reason = 'This life of the instance has ended. Begin another one with START and a new life.';
    exchange.answer('stale', writeFault({ code: 'instance-silent', reason }), known.incarnation);
    return;
  }
  const { key: identity } = body;
  const licenseId = identity.by === 'license-id' ? identity.value : undefined;
  const key = identity.by === 'license-id' ? null : await findKey(using, exchange, identity);
  if (key === undefined) return;
  const registration: Registration = {
    registrationId,
    ...(key === null ? {} : { key }),
    ...(licenseId === undefined ? {} : { licenseId }),
    ...(body.product === '' ? {} : { product: body.product }),
    ...(body.version === '' ? {} : { version: body.version }),
    // Of a link-local address the zone means nothing anywhere else.
    ...(exchange.sender.address.includes('%') ? {} : { address: exchange.sender.address }),
    ...(body.licenseServers.length === 0 ? {} : { licenseServers: body.licenseServers }),
  };
  const registered = await using.lictor.register(frame.name, registration);
  exchange.acquaintance.windows.keep(registrationId);
  if (registered.enforcement !== 'local') {
    if (licenseId !== undefined && registered.key === undefined) refuseUnserved(exchange, licenseId);
    else refuseEnforcement(exchange, registered.key ?? null, registered.enforcement);
    return;
  }
  welcome(exchange, registered, using.nowMs());
}

/** Whether a START is the same again, or follows the life that was known when its proof was made. */
function isDue(known: KnownInstance | null, registrationId: string, incarnation: number): boolean {
  return known?.registrationId === registrationId || (known?.incarnation ?? 0) === incarnation;
}

/**
 * Finds the key that the instance means, and that it can be used over UDP.
 * @returns its ID; null when the instance has none; undefined when the answer was INVALID.
 */
async function findKey(
  { lictor }: Starting,
  exchange: Exchange,
  key: Exclude<KeyIdentity, { by: 'license-id' }>,
): Promise<string | null | undefined> {
  if (key.by === 'none') return null;
  const found = await lictor.key(key);
  if (found === null) {
    const meant = { id: 'the ID', 'order-number': 'the order number', hash: 'the hash' }[key.by];
    const reason = `No single installed key has ${meant} "${key.value}". Install the key, or name the one that is meant by its ID.`;
    exchange.answer('invalid', writeFault({ code: 'key-not-found', reason }));
    return undefined;
  }
  if (found.enforcement === 'local') return found.id;
  refuseEnforcement(exchange, found.id, found.enforcement);
  return undefined;
}

/** Refuses an instance for which no key is served yet; it tries again at its leisure. */
function refuseUnserved(exchange: Exchange, licenseId: string): void {
  const reason = `No key is served under the LicenseID "${licenseId}", or none that is good for this instance. Serve one that is enforced locally.`;
  exchange.answer('invalid', writeFault({ code: 'key-not-found', reason }));
}

/** Refuses an instance that would decide for itself, which only a local key permits. */
export function refuseEnforcement(exchange: Exchange, key: string | null, enforcement: Enforcement): void {
  const reason =
    key === null
      ? 'The instance named no key, and without one each login needs the server. Name a key that is enforced locally.'
      : `The key ${key} is enforced ${enforcement === 'leased' ? 'by leases' : 'centrally'}, which UDP cannot do. Set its enforcement to local, or use the HTTP API.`;
  exchange.answer('invalid', writeFault({ code: 'key-unusable', reason }));
}

function welcome(exchange: Exchange, registered: Registered, atMs: number): void {
  const { acquaintance } = exchange;
  const { settings, licence, incarnation } = registered;
  acquaintance.incarnation = incarnation;
  acquaintance.settings = settings;
  acquaintance.settingsRevision = undefined;
  const octets = writeWelcome({
    limit: registered.limit,
    connectionsPerUnitMax: registered.connectionsPerUnitMax,
    unitLimit: settings.unitLimit,
    connectionLimit: settings.connectionLimit,
    nextUpdateAfterSeconds: Math.ceil(registered.nextUpdateAfterSeconds),
    atMs,
    enforcement: registered.enforcement,
    graceSeconds: settings.graceSeconds,
    key: registered.key ?? '',
    fault: licence.code ?? '',
    notices: registered.notices ?? [],
  });
  exchange.answer('welcome', octets, incarnation);
}

/**
 * Does what a SHUTDOWN asks.
 * @throws what the client throws.
 */
export async function shutDown({ lictor }: Starting, exchange: Exchange): Promise<void> {
  const { name, incarnation } = exchange.frame;
  await lictor.close(name, incarnation);
  // What the network delivers late must not wake the instance up again.
  exchange.acquaintance.closed = exchange.life;
  exchange.answer('goodbye', Buffer.alloc(0));
}
