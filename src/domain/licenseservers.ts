/**
 * Licence servers: what an entry of the roster may be (F-14), how an address and a port are written in one
 * way, and whether the instances that share a key agree on their servers (F-4).
 */

/** The port of an entry that states none (F-14). It is a default only: other products use 4002 (trap 21). */
export const LICENSE_SERVER_PORT_DEFAULT = 4001;

/** The bounds of the roster and of its entries. */
export const LICENSE_SERVER_LIMITS = {
  nameLengthMax: 64,
  /** A host name has at most so many characters (RFC 1035, 2.3.4). */
  addressLengthMax: 253,
  portMin: 1_024,
  portMax: 65_535,
  /** Entries of the roster; more than `countWise` are called excessive already. */
  countMax: 64,
  /** More than three are excessive (F-12). */
  countWise: 3,
  /** Licence servers that an instance may say it is configured with. */
  statedMax: 8,
} as const;

/** One entry of the roster. */
export interface LicenseServer {
  /** In upper case, and unique. */
  readonly name: string;
  /** Dotted IPv4, host name in lower case, or IPv6 in the form of RFC 5952. */
  readonly address: string;
  readonly port: number;
}

/** A text in its one form, or what is wrong with it, as the rest of a sentence: "must be …". */
export type Reading = { readonly value: string } | { readonly fault: string };

/**
 * The form in which a name is kept: it is compared in any case, and shown in upper case (notes 7.1).
 *
 * @param text - the name as it was given.
 */
export function readServerName(text: string): Reading {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)) return { value: text.toUpperCase() };
  return {
    fault: `must be 1 to ${LICENSE_SERVER_LIMITS.nameLengthMax} letters, digits, dots, underscores and hyphens, and begin with a letter or digit`,
  };
}

/**
 * The one form of an address that instances can send to (F-14).
 *
 * @param text - dotted IPv4, a host name, or IPv6, in brackets or without.
 */
export function readServerAddress(text: string): Reading {
  if (text.length > LICENSE_SERVER_LIMITS.addressLengthMax) {
    return { fault: `must have at most ${LICENSE_SERVER_LIMITS.addressLengthMax} characters` };
  }
  const value = text.includes(':') ? canonicalIpv6(text) : canonicalName(text);
  if (value === '0.0.0.0' || value === '::') {
    return { fault: 'must be an address that instances can send to, which the unspecified one is not' };
  }
  if (value !== null) return { value };
  return { fault: 'must be an IPv4 address in four decimal parts, an IPv6 address, or a host name' };
}

/** What may be left out of the pair is the port. */
const PAIR = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,6}))?$/;

/**
 * The one form of an address with its port, by which two statements can be compared.
 *
 * @param text - `192.0.2.1:4001`, `licences.example:4001`, `[2001:db8::1]:4001`; without a port, the default.
 */
export function readServerPlace(text: string): Reading {
  const [, address = '', port] = PAIR.exec(text) ?? [];
  const isBracketed = address.startsWith('[');
  const read = readServerAddress(isBracketed ? address.slice(1, -1) : address);
  const number = port === undefined ? LICENSE_SERVER_PORT_DEFAULT : Number(port);
  if (address === '' || 'fault' in read || isBracketed !== read.value.includes(':')) {
    return { fault: 'must be address:port, with an IPv6 address in brackets' };
  }
  const { portMin, portMax } = LICENSE_SERVER_LIMITS;
  if (number < portMin || number > portMax)
    return { fault: `must have a port between ${portMin} and ${portMax}` };
  return { value: placeOfServer({ address: read.value, port: number }) };
}

/** @returns the address and port of a server as one text, such as `[2001:db8::1]:4001`. */
export function placeOfServer({ address, port }: Pick<LicenseServer, 'address' | 'port'>): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function canonicalIpv6(text: string): string | null {
  if (!/^[0-9A-Fa-f:.]+$/.test(text)) return null;
  const url = `http://[${text}]/`;
  if (!URL.canParse(url)) return null;
  const compressed = new URL(url).hostname.slice(1, -1);
  // IPv4 that is written as IPv6 is the same place.
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(compressed);
  if (!mapped) return compressed;
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** IPv4 or a host name. What ends in a number is IPv4 or nothing, so that 10.1 and 0x7f.1 are no host names. */
function canonicalName(text: string): string | null {
  const labels = text.toLowerCase().replace(/\.$/, '').split('.');
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1)!)) {
    const isIpv4 = labels.length === 4 && labels.every((part) => /^(0|[1-9]\d{0,2})$/.test(part));
    return isIpv4 && labels.every((part) => Number(part) <= 255) && !text.endsWith('.')
      ? labels.join('.')
      : null;
  }
  return labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))
    ? labels.join('.')
    : null;
}

/** What an instance says of the licence servers that it is configured with. */
export interface ServerStatement {
  readonly name: string;
  readonly key: string | null;
  readonly state: 'active' | 'silent';
  /** Places as `readServerPlace` writes them; left out when the instance states none. */
  readonly licenseServers?: readonly string[];
}

/** Instances of one key that are configured with different sets of licence servers. */
export interface ServerDisagreement {
  readonly key: string;
  /** Every set that is stated, the one of most instances first. */
  readonly sets: readonly {
    readonly licenseServers: readonly string[];
    readonly instances: readonly string[];
  }[];
}

/**
 * Finds the keys whose active instances state different sets of licence servers, which all of them must share
 * (F-4). In which order a set is listed says nothing (trap 15). An instance that states none uses none.
 *
 * @param statements - of any instances.
 * @returns by key; empty when all agree.
 */
export function findDisagreements(statements: Iterable<ServerStatement>): ServerDisagreement[] {
  const byKey = new Map<string, Map<string, string[]>>();
  for (const { name, key, state, licenseServers = [] } of statements) {
    if (key === null || state !== 'active' || licenseServers.length === 0) continue;
    const sets = byKey.get(key) ?? new Map<string, string[]>();
    const set = [...new Set(licenseServers)].sort().join(' ');
    byKey.set(key, sets.set(set, [...(sets.get(set) ?? []), name]));
  }
  return [...byKey]
    .filter(([, sets]) => sets.size > 1)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, sets]) => ({
      key,
      sets: [...sets]
        .map(([set, instances]) => ({ licenseServers: set.split(' '), instances: instances.sort() }))
        .sort((left, right) => right.instances.length - left.instances.length),
    }));
}

/**
 * What an instance should be told when others of its key are configured otherwise (F-4).
 *
 * @param statements - of any instances, the asked one among them.
 * @param name - of the instance.
 * @returns one sentence; null when all agree or the instance states none.
 */
export function disagreementNotice(statements: Iterable<ServerStatement>, name: string): string | null {
  for (const { key, sets } of findDisagreements(statements)) {
    const own = sets.find(({ instances }) => instances.includes(name));
    if (own === undefined) continue;
    const others = sets.filter((set) => set !== own);
    const words = others.map(
      ({ instances, licenseServers }) =>
        `${nameSome(instances)} ${instances.length === 1 ? 'has' : 'have'} ${licenseServers.join(', ')}`,
    );
    // Datagrams carry the first 200 octets of it.
    return `Instances of one key must have the same licence servers. Of ${key} this one has ${own.licenseServers.join(', ')}, and ${words.join('; ')}.`;
  }
  return null;
}

const NAMES_SHOWN_MAX = 3;

function nameSome(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN_MAX).join(', ');
  return names.length > NAMES_SHOWN_MAX ? `${shown} and ${names.length - NAMES_SHOWN_MAX} more` : shown;
}
