/**
 * Reports for a QUERY (F-16, F-19, F-60, F-62): texts of lines whose fields are separated by tabs, each table
 * under a line that begins with `#`. A report is made once and handed out in parts.
 */

import type { Client } from '../client/client.ts';
import type { QueryName } from './requests.ts';
import type { Roster } from './roster.ts';

/** Whose numbers an instance may ask for. */
export type ReportScope = 'key' | 'all';

const PAGE_LIMIT = 500;
/** The longest report; a longer one is cut at a line and says so. */
const REPORT_OCTETS_TOTAL_MAX: number = 16 * 1_048_576;

const CUT = '# cut: the report is too long';

/** Makes reports by a client. */
export class Reports {
  readonly #client: Client;
  readonly #roster: Roster;
  readonly #scope: ReportScope;

  /** @param scope - `key`: an instance sees what concerns its own key; `all`: every key's users. */
  constructor(client: Client, roster: Roster, scope: ReportScope) {
    this.#client = client;
    this.#roster = roster;
    this.#scope = scope;
  }

  /** Whether instances may ask for this. */
  permits(what: QueryName): boolean {
    return this.#scope === 'all' || (what !== 'keys' && what !== 'servers');
  }

  /**
   * Makes a report.
   * @param what - what is asked for.
   * @param instance - who asks; his key is meant.
   * @returns the text in UTF-8.
   * @throws what the client throws.
   */
  async make(what: QueryName, instance: string): Promise<Buffer> {
    const lines = new Lines();
    const isOfServers = what === 'server' || what === 'servers';
    if (isOfServers) await this.#servers(lines);
    if (what !== 'server') {
      const isAll = what === 'keys' || what === 'servers';
      const key = isAll ? null : await this.#keyOf(instance);
      await this.#counts(lines, key, instance);
      if (what !== 'counts') await this.#instances(lines, key, instance);
      if (what !== 'counts') await this.#users(lines, key, instance);
    }
    return lines.octets();
  }

  async #keyOf(instance: string): Promise<string | undefined> {
    return (await this.#client.instances.read(instance)).key;
  }

  async #servers(lines: Lines): Promise<void> {
    lines.push('# server\taddress\tport\tstate');
    for (const { name, address, port, state } of await this.#roster.list()) {
      lines.push(row(name, address, port, state));
    }
  }

  async #counts(lines: Lines, key: string | undefined | null, instance: string): Promise<void> {
    lines.push('# key\tauthorised\tenforced\tunits\tfree\tusers\tconnections');
    const list = (cursor?: string) => this.#client.usage.counts(pageOf(key, cursor));
    for await (const each of pages(list)) {
      if (lines.isFull) return;
      if (!concerns(key, instance, each.key, each.instance)) continue;
      const { unitsAuthorised, unitsEnforced, unitsInUse, unitsFree, users, connections } = each;
      lines.push(
        row(each.key ?? '-', unitsAuthorised, unitsEnforced, unitsInUse, unitsFree, users, connections),
      );
    }
  }

  async #instances(lines: Lines, key: string | undefined | null, instance: string): Promise<void> {
    lines.push('# instance\tkey\tstate\tunits\tusers\tconnections');
    const list = (cursor?: string) => this.#client.usage.instances(pageOf(key, cursor));
    for await (const each of pages(list)) {
      if (lines.isFull) return;
      if (!concerns(key, instance, each.key, each.instance)) continue;
      lines.push(row(each.instance, each.key ?? '-', each.state, each.units, each.users, each.connections));
    }
  }

  async #users(lines: Lines, key: string | undefined | null, instance: string): Promise<void> {
    lines.push('# user\tkey\tinstance\tconnections\tunits\tshared\ttransitioned');
    const list = (cursor?: string) => this.#client.usage.users(pageOf(key, cursor));
    for await (const each of pages(list)) {
      if (lines.isFull) return;
      for (const place of each.instances) {
        if (!concerns(key, instance, each.key, place.instance)) continue;
        const { connections, units, shared } = place;
        const flags = [shared ? 'shr' : '-', each.transitioned ? 'yes' : 'no'];
        lines.push(row(each.userId, each.key ?? '-', place.instance, connections, units, ...flags));
      }
    }
  }
}

/** Of one key, all that is of it; of an instance without a key, what is its own; null is everything. */
function concerns(
  key: string | undefined | null,
  instance: string,
  itsKey: string | undefined,
  itsInstance: string | undefined,
): boolean {
  if (key === null) return true;
  return key === undefined ? itsKey === undefined && itsInstance === instance : itsKey === key;
}

function pageOf(
  key: string | undefined | null,
  cursor: string | undefined,
): { readonly limit: number; readonly key?: string; readonly cursor?: string } {
  return {
    limit: PAGE_LIMIT,
    ...(typeof key === 'string' ? { key } : {}),
    ...(cursor === undefined ? {} : { cursor }),
  };
}

interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor?: string;
}

async function* pages<Item>(list: (cursor?: string) => Promise<Page<Item>>): AsyncGenerator<Item> {
  let cursor: string | undefined;
  do {
    const page: Page<Item> = await list(cursor);
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

/** A line; tabs and line ends in what others chose would make fields and lines of their own. */
function row(...fields: readonly (string | number)[]): string {
  return fields.map((field) => String(field).replace(/[\t\r\n]/g, ' ')).join('\t');
}

/** The lines of a report, as many as it may have. */
class Lines {
  readonly #lines: string[] = [];
  #left = REPORT_OCTETS_TOTAL_MAX - Buffer.byteLength(CUT);
  isFull = false;

  push(line: string): void {
    if (this.isFull) return;
    this.#left -= Buffer.byteLength(line) + 1;
    this.isFull = this.#left < 0;
    this.#lines.push(this.isFull ? CUT : line);
  }

  /** The text in UTF-8. */
  octets(): Buffer {
    return Buffer.from(`${this.#lines.join('\n')}\n`, 'utf8');
  }
}
