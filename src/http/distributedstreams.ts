/**
 * The dumps of servers and of keys as text, piece by piece, of more rows than one page bears (F-19, F-62). They are
 * the texts that are made whole of fewer.
 */

import {
  keyClientLine,
  keyHead,
  keysTitle,
  NO_SERVERS,
  serverClientLine,
  serverHead,
  serversKeyLine,
  serversTitle,
  serversTotal,
  serverTail,
} from '../domain/texts/reporttexts-distributed.ts';
import type { KeyUserRow } from '../domain/texts/usagerows.ts';
import type { KeyHeads } from '../service/keyreports.ts';
import type { PoolHead, PoolHeads } from '../service/summary.ts';
import type { Batches } from './dumpstreams.ts';

/** What a dump is of. */
interface Title {
  /** The key or the instance that was asked for; null for all. */
  readonly of: string | null;
  /** The instant of the rows, ms since 1970. */
  readonly atMs: number;
}

/**
 * `DumpKey` and `DumpKeys`.
 *
 * @param heads - the keys without their rows.
 * @param batches - the rows, by key in the order of the heads, then by user and instance.
 */
export async function* keyRowsText(
  { keys, addressOf, ...heads }: KeyHeads,
  { of, atMs }: Title,
  batches: Batches<KeyUserRow>,
): AsyncGenerator<string> {
  yield keysTitle(of !== null, atMs);
  const left = [...keys];
  let pool: string | null = null;
  /** The heads up to that of a pool, or all that are left. */
  const headsTo = (to: string | null) => {
    const heads: string[] = [];
    while (pool !== to || to === null) {
      const next = left.shift();
      if (!next) break;
      pool = next.pool;
      heads.push(keyHead({ ...next, key: next.key?.id ?? null }));
    }
    return heads;
  };
  for await (const rows of visible(batches, heads)) {
    const lines: string[] = [];
    for (const row of rows) {
      if (row.pool !== pool) lines.push(...headsTo(row.pool));
      lines.push(keyClientLine({ ...row, address: addressOf(row.instance) }));
    }
    yield lines.join('');
  }
  yield headsTo(null).join('');
}

/** Only the rows that the asker may see. */
export async function* visible(
  batches: Batches<KeyUserRow>,
  { mayShow }: Pick<KeyHeads, 'mayShow'>,
): AsyncGenerator<readonly KeyUserRow[]> {
  for await (const rows of batches) yield rows.filter(({ pool, instance }) => mayShow(pool, instance));
}

/** The instance whose rows are being written, and what they come to. */
interface Open {
  readonly instance: string;
  readonly unitsReserved: number;
  users: number;
  connections: number;
  units: number;
  unitsShared: number;
}

/**
 * `DumpServer` and `DumpServers`.
 *
 * @param heads - the keys and their instances without rows.
 * @param batches - the rows, by key in the order of the heads, then by instance and user.
 */
export async function* serverRowsText(
  heads: PoolHeads,
  { of, atMs }: Title,
  batches: Batches<KeyUserRow>,
): AsyncGenerator<string> {
  yield serversTitle(of, atMs);
  const text = new ServersText(heads, of === null);
  for await (const rows of visible(batches, heads)) yield rows.map((row) => text.add(row)).join('');
  yield text.end();
}

/** Puts the lines of instances around rows that come one by one. */
class ServersText {
  readonly #heads: PoolHeads;
  readonly #withTotals: boolean;
  /** The pools that have not ended, the first of them with the instances that have not begun. */
  readonly #pools: PoolHead[];
  #instances: PoolHead['instances'][number][] = [];
  #isKeyShown = false;
  #isAnyShown = false;
  #open: Open | null = null;

  constructor(heads: PoolHeads, withTotals: boolean) {
    this.#heads = heads;
    this.#withTotals = withTotals;
    this.#pools = [...heads.pools];
    this.#instances = [...(this.#pools[0]?.instances ?? [])];
  }

  /** @returns the line of a row, and what stands before it. */
  add(row: KeyUserRow): string {
    let text = '';
    while (this.#pools.length > 0 && this.#pools[0]!.pool !== row.pool) text += this.#endPool();
    if (this.#open?.instance !== row.instance) {
      text += this.#endInstance() + this.#emptyUntil(row.instance);
      const known = this.#instances[0]?.instance === row.instance ? this.#instances.shift()! : null;
      text += this.#begin(known ?? { instance: row.instance, unitsReserved: 0 });
    }
    const open = this.#open!;
    open.users += 1;
    open.connections += row.connections;
    open.units += row.units;
    open.unitsShared += Number(row.isElsewhere);
    return text + serverClientLine(row);
  }

  /** @returns what stands after the last row. */
  end(): string {
    let text = '';
    while (this.#pools.length > 0) text += this.#endPool();
    return this.#isAnyShown ? text : NO_SERVERS;
  }

  /** The instances before one that nobody is on. */
  #emptyUntil(instance: string | null): string {
    let text = '';
    while (this.#instances.length > 0 && (instance === null || this.#instances[0]!.instance < instance)) {
      text += this.#begin(this.#instances.shift()!) + this.#endInstance();
    }
    return text;
  }

  #begin({ instance, unitsReserved }: Pick<Open, 'instance' | 'unitsReserved'>): string {
    const { key, total } = this.#pools[0]!;
    const above = this.#isKeyShown ? '' : serversKeyLine({ key, instance }, total ?? undefined);
    this.#isKeyShown = true;
    this.#isAnyShown = true;
    const nothing = { users: 0, connections: 0, units: unitsReserved, unitsShared: 0 };
    this.#open = { instance, unitsReserved, ...nothing };
    return above + serverHead({ instance, state: this.#heads.stateOf(instance) });
  }

  #endInstance(): string {
    const open = this.#open;
    this.#open = null;
    return open === null ? '' : serverTail(open);
  }

  #endPool(): string {
    let text = this.#endInstance() + this.#emptyUntil(null);
    const total = this.#pools.shift()?.total ?? null;
    if (this.#isKeyShown && this.#withTotals && total !== null) text += serversTotal(total);
    this.#isKeyShown = false;
    this.#instances = [...(this.#pools[0]?.instances ?? [])];
    return text;
  }
}
