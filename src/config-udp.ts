/** Every setting of the UDP sidecar, `lictor udp`, which shares none but `LOG_LEVEL` with the server. */
import ipaddr from 'ipaddr.js';
import { list, oneOf, type Parsed, type Setting, text, wholeNumber } from './config-settings.ts';
import { SETTINGS } from './config-table.ts';

const PORT_MIN = 1_024;
const PORT_MAX = 65_535;
const MIB = 1_048_576;

/** Every setting by its name in `UdpConfig`, in the order of the documentation. */
export const UDP_SETTINGS = {
  logLevel: SETTINGS.logLevel,
  urls: list<readonly string[]>(
    'LICTOR_URL',
    [],
    'URLs that begin with http:// or https://, separated by commas',
    'Where Lictor is; required. Of several the first that is well is asked.',
    parseUrls,
  ),
  token: {
    ...text<string | null>(
      'LICTOR_TOKEN',
      null,
      'an access token',
      "The sidecar's access token, of an operator; required unless `LICTOR_TOKEN_FILE` is set.",
      (value) => /^[\x21-\x7e]+$/.test(value),
    ),
    repeatable: false,
  },
  tokenFile: text<string | null>(
    'LICTOR_TOKEN_FILE',
    null,
    'a path',
    'The file that has the token; it is read again when it changes.',
  ),
  secretsFile: text<string | null>(
    'LICTOR_UDP_SECRETS_FILE',
    null,
    'a path',
    'The file with the name and the secret of each instance; required, mode 0600 or 0640, and read again when it changes.',
  ),
  hosts: {
    ...list<readonly string[]>(
      'LICTOR_UDP_HOSTS',
      ['127.0.0.1', '::1'],
      'IPv4 and IPv6 addresses, separated by commas',
      'The addresses to receive at. The default is this machine alone; `0.0.0.0,::` is every address.',
      parseAddresses,
    ),
    shown: '127.0.0.1,::1',
  },
  ports: {
    ...list<readonly number[]>(
      'LICTOR_UDP_PORTS',
      [4_001],
      `whole numbers, ${PORT_MIN} to ${PORT_MAX}, separated by commas; 0 takes any free one`,
      'The UDP ports to receive at.',
      parsePorts,
    ),
    shown: '4001',
  },
  server: text<string | null>(
    'LICTOR_UDP_SERVER',
    null,
    'a name',
    'The entry of the roster of licence servers that the sidecar serves; without it, none, and it always acts. The option `--server NAME` says the same.',
    (value) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value),
  ),
  reports: oneOf(
    'LICTOR_UDP_REPORTS',
    'key',
    ['key', 'all'],
    'What an instance may ask reports of: its own key, or every key.',
  ),
  addressRateMax: wholeNumber(
    'LICTOR_UDP_ADDRESS_RATE_MAX',
    10_000,
    [1, 10_000_000],
    'Datagrams a second from one address, or from one IPv6 network of 64 bits.',
  ),
  instanceRateMax: wholeNumber(
    'LICTOR_UDP_INSTANCE_RATE_MAX',
    2_000,
    [1, 10_000_000],
    'Datagrams a second from one instance.',
  ),
  stagedBytesMax: wholeNumber(
    'LICTOR_UDP_STAGED_BYTES_MAX',
    64 * MIB,
    [MIB, 4_096 * MIB],
    'Memory for reports of which parts are still to come, in bytes.',
  ),
  flightsMax: wholeNumber(
    'LICTOR_UDP_FLIGHTS_MAX',
    256,
    [1, 10_000],
    'Instances whose requests are under way with Lictor at the same time.',
  ),
  healthHost: text(
    'LICTOR_UDP_HEALTH_HOST',
    '127.0.0.1',
    'an address or host name',
    'The address of `/livez`, `/readyz` and `/metrics` of the sidecar.',
  ),
  healthPort: {
    ...text<string | null>(
      'LICTOR_UDP_HEALTH_PORT',
      null,
      `a whole number, 0 to ${PORT_MAX}`,
      'The TCP port of `/livez`, `/readyz` and `/metrics` of the sidecar; without it there are none, and 0 takes any free one.',
      (value) => /^\d{1,5}$/.test(value) && Number(value) <= PORT_MAX,
    ),
  },
} satisfies Record<string, Setting<unknown>>;

function itemsOf(value: string): string[] {
  return [...new Set(value.split(/[\s,]+/).filter((item) => item !== ''))];
}

function parseUrls(value: string): Parsed<readonly string[]> {
  const items = itemsOf(value);
  const wrong = items.findIndex((item) => !/^https?:\/\/[^@?#\s]+$/.test(item) || !URL.canParse(item));
  // The text is not repeated, since it may hold a password.
  return wrong === -1 ? { value: items } : { fault: `has as its item ${wrong + 1} what is no such URL` };
}

function parseAddresses(value: string): Parsed<readonly string[]> {
  const items = itemsOf(value);
  for (const item of items) {
    if (!ipaddr.IPv6.isValid(item) && !ipaddr.IPv4.isValidFourPartDecimal(item)) {
      return { fault: `holds "${item}", which is not an IP address` };
    }
    if (ipaddr.IPv6.isValid(item) && ipaddr.IPv6.parse(item).isIPv4MappedAddress()) {
      return { fault: `holds "${item}", an IPv4 address in the form of IPv6; write it as IPv4` };
    }
  }
  return items.length === 0 ? { fault: 'must name at least one address' } : { value: items };
}

function parsePorts(value: string): Parsed<readonly number[]> {
  const items = itemsOf(value);
  for (const item of items) {
    const port = /^\d{1,5}$/.test(item) ? Number(item) : -1;
    if (port !== 0 && (port < PORT_MIN || port > PORT_MAX)) {
      return { fault: `holds "${item}", which is not a port from ${PORT_MIN} to ${PORT_MAX}` };
    }
  }
  return items.length === 0 ? { fault: 'must name at least one port' } : { value: items.map(Number) };
}
