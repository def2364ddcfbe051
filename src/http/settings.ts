/**
 * The settings of an instance as they are sent and shown.
 */

import ipaddr from 'ipaddr.js';
import { type Static, Type } from 'typebox';
import { DEFAULT_SETTINGS, type Instance, type InstanceSettings, unitLimitOf } from '../domain/instances.ts';
import { ACTIVATION_PROFILES } from '../domain/keys/activation.ts';
import { fieldFault } from './answers.ts';

const LIMIT_MAX = 1_000_000_000;
const PROXIES_MAX = 64;
const GRACE_SECONDS_MIN = 10;
const GRACE_SECONDS_MAX = 86_400;
const THROTTLE_PAUSE_SECONDS_MAX = 3_600;

const members = {
  identityForm: Type.Enum(['name', 'name@address'], {
    type: 'string',
    description: 'Whether a named user is the name alone, or the name at each client address.',
  }),
  usernameLicensing: Type.Boolean({
    description: 'The user name is the licence user ID in place of the client address.',
  }),
  deferredIdentification: Type.Boolean({
    description: 'Nobody is identified until an explicit identification.',
  }),
  throttleProfile: Type.Enum(['caché5', 'caché'], {
    type: 'string',
    description: 'How processes that have not identified themselves are slowed down.',
  }),
  throttlePauseSeconds: Type.Integer({
    minimum: 0,
    maximum: THROTTLE_PAUSE_SECONDS_MAX,
    description: 'The length of a pause of the profile `caché`.',
  }),
  unitLimit: Type.Integer({
    minimum: 0,
    maximum: LIMIT_MAX,
    description: 'The units that the instance may consume of its key; 0 is no limit.',
  }),
  connectionLimit: Type.Integer({
    minimum: 0,
    maximum: LIMIT_MAX,
    description: 'The connections of one user on this instance; 0 is no limit.',
  }),
  trustedProxies: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
    maxItems: PROXIES_MAX,
    description: 'Addresses and networks (CIDR) whose `X-Forwarded-For` is believed.',
  }),
  graceSeconds: Type.Integer({
    minimum: 0,
    maximum: GRACE_SECONDS_MAX,
    description: `How long it may be silent before what it holds is taken back: ${GRACE_SECONDS_MIN} to ${GRACE_SECONDS_MAX}, or 0 for ever.`,
  }),
  activationProfile: Type.Enum([...ACTIVATION_PROFILES], {
    type: 'string',
    description:
      'What a new key can give the running instance: everything (`unlimited`); or as the product does it, the rest after a restart. `caché5`: 7,000 units more, and no change from Power Unit; `caché`: 226,773 more, and no change from Power Unit; `iris`: the same, and no change to or from Power Unit, and no fewer units.',
  }),
};

/** All settings, as they are shown. */
export const Settings = Type.Object(members);

/** Some settings, as they are sent. */
export const SettingsChange = Type.Partial(Type.Object(members), {
  additionalProperties: false,
  minProperties: 1,
});

/**
 * Settings by which an instance would loosen what binds it; only who may change instances states them, also
 * at a registration (domain notes 2.2).
 */
export const ADMINISTRATIVE_SETTINGS = ['unitLimit', 'connectionLimit', 'trustedProxies'] as const;

/**
 * Checks what no schema can tell, and gives networks their canonical form.
 *
 * @param sent - the settings that were sent.
 * @param at - JSON Pointer of the object that holds them.
 * @throws LicenseError `malformed-request`.
 */
export function readSettings(sent: Static<typeof SettingsChange>, at: string): Partial<InstanceSettings> {
  const { graceSeconds, trustedProxies } = sent;
  if (graceSeconds !== undefined && graceSeconds > 0 && graceSeconds < GRACE_SECONDS_MIN) {
    throw fieldFault(`${at}/graceSeconds`, `must be 0, or at least ${GRACE_SECONDS_MIN}`);
  }
  if (trustedProxies === undefined) return sent;
  const networks = trustedProxies.map((text, index) => {
    const network = canonicalNetwork(text);
    if (network !== null) return network;
    throw fieldFault(
      `${at}/trustedProxies/${index}`,
      'must be an IP address, or a network such as 10.0.0.0/8',
    );
  });
  return { ...sent, trustedProxies: [...new Set(networks)] };
}

/** Shows settings. */
export function showSettings(settings: InstanceSettings): Static<typeof Settings> {
  // Records of earlier versions lack the settings that came later.
  return { ...DEFAULT_SETTINGS, ...settings, trustedProxies: [...settings.trustedProxies] };
}

/** Shows settings to their instance, with the limit of units that holds now: until it is started again, say (F-22). */
export function showSettingsInForce(instance: Instance): Static<typeof Settings> {
  return { ...showSettings(instance.settings), unitLimit: unitLimitOf(instance) };
}

/**
 * The canonical form of a network: its first address and the length of its prefix. An address stands for
 * itself, and IPv4 that is written as IPv6 is IPv4.
 *
 * @returns null when the text is neither an address nor a network.
 */
function canonicalNetwork(text: string): string | null {
  const [address = '', prefix, ...rest] = text.split('/');
  // Forms such as "10" or "0x0a.1" are addresses to some programs and not to others.
  const isPlain = ipaddr.IPv6.isValid(address) || ipaddr.IPv4.isValidFourPartDecimal(address);
  if (rest.length > 0 || !isPlain || address.includes('%')) return null;
  if (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) return null;
  const parsed = ipaddr.parse(address);
  const bits = parsed.kind() === 'ipv4' ? 32 : 128;
  const length = prefix === undefined ? bits : Number(prefix);
  if (length > bits) return null;
  if (parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() && length >= 96) {
    return `${ipaddr.IPv4.networkAddressFromCIDR(`${parsed.toIPv4Address()}/${length - 96}`)}/${length - 96}`;
  }
  const family = parsed.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  return `${family.networkAddressFromCIDR(`${parsed}/${length}`)}/${length}`;
}
