/**
 * The reports as text, for terminals and for programs that read the legacy ones (domain notes 2.7).
 */

import type { FastifyRequest } from 'fastify';
import type { DumpPage, KeyTotal, ServerUsage, UsageSummary } from '../service/summary.ts';
import { instantOf } from './answers.ts';

/** The media type of the text reports. */
export const TEXT_TYPE = 'text/plain; charset=utf-8';

/**
 * Whether a request prefers text to JSON. Whoever says nothing, or takes anything, gets JSON.
 *
 * @param request - with its `Accept`.
 */
export function prefersText(request: FastifyRequest): boolean {
  const accept = request.headers.accept;
  if (accept === undefined) return false;
  const ranges = accept.split(',').map((range) => {
    const [type = '', ...parameters] = range.toLowerCase().split(';');
    const quality = /^\s*q=([\d.]+)\s*$/.exec(parameters.find((text) => /^\s*q=/.test(text)) ?? '')?.[1];
    return { type: type.trim(), quality: quality === undefined ? 1 : Number(quality) };
  });
  const qualityOf = (names: readonly string[]): number => {
    for (const name of names) {
      const range = ranges.find(({ type }) => type === name);
      if (range !== undefined) return range.quality;
    }
    return 0;
  };
  const text = qualityOf(['text/plain', 'text/*']);
  return text > 0 && text >= qualityOf(['application/json', 'application/*']);
}

/**
 * The layout of `ShowSummary` (notes 2.7). What it calls users are units (trap 13). The most that an instance
 * ever had is its own to know, so that this column of the local part has no number.
 *
 * @param summary - of a key; without a local part only its first section is shown.
 */
export function summaryText({ distributed, local }: UsageSummary): string {
  const { unitsInUse, unitsPeak, unitsEnforced, unitsAuthorised } = distributed;
  const wide = (count: number) => String(count).padStart(8);
  const narrow = (count: number | string) => String(count).padStart(7);
  const lines = [
    'License Server summary view of active key.',
    '',
    '     Distributed license use:',
    `Current License Units Used =${wide(unitsInUse)}`,
    `Maximum License Units Used =${wide(unitsPeak)}`,
    `License Units     Enforced =${wide(unitsEnforced)}`,
    `License Units   Authorized =${wide(unitsAuthorised)}`,
  ];
  if (local !== null) {
    lines.push(
      '',
      '     Local license use:',
      `Current Connections =${narrow(local.connections)}  Maximum Connections =${narrow('-')}`,
      `Current Users       =${narrow(local.units)}  Maximum Users       =${narrow('-')}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/**
 * The dump of all servers: connections, licence units and client, totals of each instance with the units that
 * it shares with others, and a grand total of each key (F-62, notes 2.7).
 *
 * @param page - the first page, with as many users as it bears.
 */
export function dumpText({ servers, totals, next, asOf }: DumpPage): string {
  const lines = [`License Server database of all servers at ${instantOf(asOf.atMs)}`];
  for (const [index, server] of servers.entries()) {
    const total = totals.find(({ pool }) => pool === server.pool);
    if (servers[index - 1]?.pool !== server.pool) lines.push('', keyLine(server, total));
    lines.push('', ...serverLines(server));
    const isLast = servers[index + 1]?.pool !== server.pool;
    if (isLast && total !== undefined && !(next !== null && index === servers.length - 1)) {
      lines.push('', ...totalLines(total));
    }
  }
  if (servers.length === 0) lines.push('', 'No instance uses a key.');
  if (next !== null) {
    lines.push('', 'There is more than this text bears; read the pages of the same report as JSON.');
  }
  return `${lines.join('\n')}\n`;
}

const COLUMNS = 'Connections  License Units  Client';

function row(connections: number | '', units: number | 'shr', client: string): string {
  return `${String(connections).padStart(11)}  ${String(units).padStart(13)}  ${client}`;
}

function keyLine({ key, instance }: ServerUsage, total: KeyTotal | undefined): string {
  const name = key === null ? `Instance ${instance} without a usable key` : `Key ${key}`;
  if (total === undefined) return name;
  return `${name}: ${total.unitsAuthorised} license units authorized, ${total.unitsEnforced} enforced`;
}

function serverLines({ instance, state, clients, ...all }: ServerUsage): string[] {
  const lines = [`     Instance ${instance}${state === 'active' ? '' : ` (${state})`}`, COLUMNS];
  for (const { connections, units, isShared, userId } of clients) {
    lines.push(row(connections, isShared ? 'shr' : units, printable(userId)));
  }
  if (all.unitsReserved > 0) lines.push(row('', all.unitsReserved, '(leased and not in use)'));
  lines.push(row(all.connections, all.units, `Total of ${countOf(all.users, 'client')}`));
  lines.push(row('', all.unitsShared, 'Units shared with other instances'));
  return lines;
}

function totalLines({ connections, unitsInUse, users, instances }: KeyTotal): string[] {
  const of = `${countOf(users, 'client')} on ${countOf(instances, 'active instance')}`;
  return ['     All instances', COLUMNS, row(connections, unitsInUse, `Grand total of ${of}`)];
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A user ID may hold anything; a line of the report must stay one. */
function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}
