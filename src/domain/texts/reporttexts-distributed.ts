/**
 * The reports over all instances as text (F-19, F-62; notes 2.7): the dump of the servers and the dump of the
 * keys. No sample of either is known; notes 2.7 names their columns and totals, `docs/reports.md` shows them.
 */

import { DEFAULT_CAPACITY_TEXT, fieldLine, printable } from './reporttexts.ts';

/** A user on an instance, and what his row accounts for. */
export interface ClientShown {
  readonly userId: string;
  readonly connections: number;
  readonly units: number;
  /** Whether his unit stands on the row of another instance. */
  readonly isShared: boolean;
}

/** An instance of a key. */
export interface ServerShown {
  readonly pool: string;
  /** Null for the default licence of an instance without a usable key. */
  readonly key: string | null;
  readonly instance: string;
  readonly state: 'active' | 'silent' | 'removed';
  readonly users: number;
  readonly connections: number;
  readonly units: number;
  readonly unitsShared: number;
  readonly unitsReserved: number;
  readonly clients: readonly ClientShown[];
}

/** The totals of a key. */
export interface KeyTotalShown {
  readonly pool: string;
  readonly unitsInUse: number;
  readonly unitsEnforced: number;
  readonly unitsAuthorised: number;
  readonly users: number;
  readonly connections: number;
  readonly instances: number;
}

/** What the dump of the servers shows. */
export interface ServersShown {
  readonly servers: readonly ServerShown[];
  readonly totals: readonly KeyTotalShown[];
  /** Whether there is more than the text bears. */
  readonly isCut: boolean;
  /** The instant of the report, ms since 1970. */
  readonly atMs: number;
  /** The one instance that is shown; null for all. */
  readonly instance: string | null;
}

const CUT = 'There is more than this text bears; read the pages of the same report as JSON.';
const COLUMNS = 'Connections  License Units  Client';

/**
 * `DumpServer` and `DumpServers`: connections, licence units and client, totals of each instance with the units
 * that it shares with others, and a grand total of each key (F-19, F-62, notes 2.7).
 */
export function serversText({ servers, totals, isCut, atMs, instance }: ServersShown): string {
  const parts = [serversTitle(instance, atMs)];
  for (const [index, server] of servers.entries()) {
    const total = totals.find(({ pool }) => pool === server.pool);
    if (servers[index - 1]?.pool !== server.pool) parts.push(serversKeyLine(server, total));
    parts.push(serverHead(server), ...server.clients.map(serverClientLine), serverTail(server));
    const isLast = servers[index + 1]?.pool !== server.pool;
    if (isLast && total !== undefined && instance === null && !(isCut && index === servers.length - 1)) {
      parts.push(serversTotal(total));
    }
  }
  if (servers.length === 0) parts.push(NO_SERVERS);
  if (isCut) parts.push(`\n${CUT}\n`);
  return parts.join('');
}

/** What stands in the place of the servers where there are none. */
export const NO_SERVERS = '\nNo instance uses a key.\n';

/** The first line of `DumpServer`, which is of one instance, and of `DumpServers`. */
export function serversTitle(instance: string | null, atMs: number): string {
  const of = instance === null ? 'all servers' : `server ${printable(instance)}`;
  return `License Server database of ${of} at ${new Date(atMs).toISOString()}\n`;
}

function row(connections: number | '', units: number | 'shr', client: string): string {
  return `${String(connections).padStart(11)}  ${String(units).padStart(13)}  ${client}\n`;
}

/** What stands above the instances of a key. */
export function serversKeyLine(
  { key, instance }: Pick<ServerShown, 'key' | 'instance'>,
  total: KeyTotalShown | undefined,
): string {
  const name = key === null ? `Instance ${instance} without a usable key` : `Key ${key}`;
  if (total === undefined) return `\n${name}\n`;
  return `\n${name}: ${total.unitsAuthorised} license units authorized, ${total.unitsEnforced} enforced\n`;
}

/** What stands above the rows of an instance. */
export function serverHead({ instance, state }: Pick<ServerShown, 'instance' | 'state'>): string {
  return `\n     Instance ${instance}${state === 'active' ? '' : ` (${state})`}\n${COLUMNS}\n`;
}

/** A row of an instance. */
export function serverClientLine({ connections, units, isShared, userId }: ClientShown): string {
  return row(connections, isShared ? 'shr' : units, printable(userId));
}

/** What stands below the rows of an instance. */
export function serverTail(
  all: Pick<ServerShown, 'users' | 'connections' | 'units' | 'unitsShared' | 'unitsReserved'>,
): string {
  const reserved = all.unitsReserved > 0 ? row('', all.unitsReserved, '(leased and not in use)') : '';
  const total = row(all.connections, all.units, `Total of ${countOf(all.users, 'client')}`);
  return `${reserved}${total}${row('', all.unitsShared, 'Units shared with other instances')}`;
}

/** What stands below the instances of a key. */
export function serversTotal({ connections, unitsInUse, users, instances }: KeyTotalShown): string {
  const of = `${countOf(users, 'client')} on ${countOf(instances, 'active instance')}`;
  return `\n     All instances\n${COLUMNS}\n${row(connections, unitsInUse, `Grand total of ${of}`)}`;
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A key, or the default licence of one instance, with everybody who uses it. */
export interface KeyShown {
  readonly key: string | null;
  /** Its fields as a key display has them; none for a default licence. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Instances registered with it that are not silent. */
  readonly instances: number;
  readonly unitsAuthorised: number;
  readonly unitsInUse: number;
  readonly unitsPeak: number;
  /** By user ID, and by instance. */
  readonly clients: readonly (ClientShown & { readonly instance: string; readonly address: string })[];
}

const CLIENT_WIDTH = 30;
const SERVER_WIDTH = 15;

/**
 * `DumpKey` and `DumpKeys`: the fields of the key, the number of instances that use it, its units, and who uses
 * them where (F-62, notes 2.7).
 */
export function keysText(shown: {
  readonly keys: readonly KeyShown[];
  readonly isCut: boolean;
  /** The instant of the report, ms since 1970. */
  readonly atMs: number;
  /** Whether one key was asked for. */
  readonly isOne: boolean;
}): string {
  const { keys, isCut, atMs, isOne } = shown;
  const parts = [keysTitle(isOne, atMs)];
  for (const { clients, ...key } of keys) parts.push(keyHead(key), ...clients.map(keyClientLine));
  if (keys.length === 0) parts.push('\nThere is no key.\n');
  if (isCut) parts.push(`\n${CUT}\n`);
  return parts.join('');
}

/** The first line of `DumpKey` and `DumpKeys`. */
export function keysTitle(isOne: boolean, atMs: number): string {
  const of = isOne ? 'one key' : 'all keys';
  return `License Server database of ${of} at ${new Date(atMs).toISOString()}\n`;
}

/** What stands above the rows of a key. */
export function keyHead({ key, fields, ...use }: Omit<KeyShown, 'clients'>): string {
  const number = (count: number) => String(count).padStart(8);
  const title = key === null ? `No key: ${DEFAULT_CAPACITY_TEXT}` : `Key ${key}`;
  const lines = ['', title, '', ...fields.map(([name, value]) => fieldLine(name, value))];
  if (fields.length > 0) lines.push('');
  lines.push(
    `Instances    using the key =${number(use.instances)}`,
    `License Units   Authorized =${number(use.unitsAuthorised)}`,
    `Current License Units Used =${number(use.unitsInUse)}`,
    `Maximum License Units Used =${number(use.unitsPeak)}`,
    '',
    clientLine('Client', 'LU', 'Connections', 'Server', 'Instance'),
  );
  return `${lines.join('\n')}\n`;
}

/** A row of a key. */
export function keyClientLine(client: KeyShown['clients'][number]): string {
  const { userId, units, isShared, connections, address, instance } = client;
  const cost = isShared ? 'shr' : String(units);
  return `${clientLine(printable(userId), cost, String(connections), address, instance)}\n`;
}

function clientLine(
  client: string,
  units: string,
  connections: string,
  server: string,
  instance: string,
): string {
  const numbers = `${units.padStart(8)}  ${connections.padStart(11)}`;
  return `${client.padEnd(CLIENT_WIDTH)}${numbers}  ${server.padEnd(SERVER_WIDTH)}  ${instance}`;
}
