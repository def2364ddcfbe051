/**
 * Combined use over the limit: the ledger of what has been, and what is possible and to be expected of a key.
 */

import type { Sql } from 'postgres';
import { LicenseError } from '../domain/errors.ts';
import { type Excess, unitMsAt } from '../domain/excesses.ts';
import { keyNotFound } from '../domain/keys/keyring.ts';
import type { LicenseKey } from '../domain/keys/keys.ts';
import { type Overshoot, overshootOf } from '../domain/overshoot.ts';
import type { Table } from '../domain/table.ts';
import { type ExcessFilter, type ExcessPosition, listExcesses } from '../storage/excesses.ts';
import type { ArrivalRate, Arrivals } from './arrivals.ts';
import type { DatabaseClock } from './clock.ts';
import { type AsOf, byCodeUnits } from './keys.ts';
import type { Lane } from './lane.ts';
import { whileReachable } from './reachable.ts';
import { knownSign, type Sign, type Signs } from './signs.ts';

/** What the service needs. */
export interface ExcessesOptions {
  readonly sql: Sql;
  readonly shard: number;
  readonly lane: Pick<Lane, 'read'>;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
  readonly arrivals: Arrivals;
  readonly signs: Signs;
  /** How often instances that decide for themselves should report, in seconds. */
  readonly updateIntervalSeconds: number;
}

/** A page of the ledger, the latest first. */
export interface LedgerPage {
  readonly items: Excess[];
  readonly hasMore: boolean;
  readonly atMs: number;
}

/** An instance that shares a key, with how fresh its reports are. */
export interface ReportingInstance extends Sign {
  readonly instance: string;
  readonly state: 'active' | 'silent';
  /** The units that it could let in by itself; null where it cannot. */
  readonly unitsMax: number | null;
}

/** How far a key can come over its limit, and how it stands. */
export interface ExcessOutlook {
  readonly key: string;
  readonly enforcement: LicenseKey['enforcement'];
  readonly limit: number;
  readonly inUse: number;
  readonly overshoot: Overshoot;
  readonly rate: ArrivalRate | null;
  readonly open: Excess | null;
  readonly instances: readonly ReportingInstance[];
  readonly asOf: AsOf;
}

/** Reads the ledger, and looks ahead. */
export class Excesses {
  readonly #options: ExcessesOptions;

  constructor(options: ExcessesOptions) {
    this.#options = options;
  }

  /** Lists episodes; one that is open is told as of now. */
  async list(filter: ExcessFilter, after: ExcessPosition | null, limit: number): Promise<LedgerPage> {
    const { sql, shard, clock } = this.#options;
    const found = await whileReachable(() => listExcesses(sql, shard, filter, after, limit + 1));
    const atMs = Math.floor(clock.nowMs());
    const items = found.slice(0, limit).map((excess) => asOfNow(excess, atMs));
    return { items, hasMore: found.length > limit, atMs };
  }

  /** @throws LicenseError `key-not-found`. */
  async outlook(id: string): Promise<ExcessOutlook> {
    const { lane, clock, arrivals, signs, updateIntervalSeconds } = this.#options;
    const read = await lane.read((table) => readKey(table, id));
    if (read === null) throw new LicenseError('key-not-found', keyNotFound(id).detail);
    const nowMs = Math.floor(clock.nowMs());
    const { key, instances, known, connectionsAtServer, inUse, excess, version } = read;
    const rate = arrivals.rateOf(id, nowMs);
    const mayHold = instances.filter(({ closed }) => !closed);
    const usersPerMs = rate === null ? null : rate.perMinuteMax / 60_000;
    const overshoot = overshootOf(
      key,
      mayHold,
      connectionsAtServer,
      updateIntervalSeconds * 1000,
      usersPerMs,
    );
    const unitsOf = new Map(overshoot.shares.map(({ instance, unitsMax }) => [instance, unitsMax]));
    const heard = await signs.of(known, nowMs);
    return {
      key: id,
      enforcement: key.enforcement,
      limit: key.unitsEnforced,
      inUse,
      overshoot,
      rate,
      open: excess === null ? null : asOfNow(excess, nowMs),
      instances: instances.map(({ name, state }, index) => ({
        instance: name,
        state,
        unitsMax: unitsOf.get(name) ?? null,
        ...heard[index]!,
      })),
      asOf: { atMs: nowMs, version },
    };
  }
}

function readKey(table: Table, id: string) {
  const key = table.keys.get(id);
  if (!key) return null;
  const instances = [...table.instances.values()]
    .filter((instance) => instance.key === id)
    .sort((left, right) => byCodeUnits(left.name, right.name));
  const pool = table.pools.get(id);
  const known = instances.map((instance) => knownSign(table, instance));
  const { version } = table;
  return {
    key,
    instances,
    known,
    connectionsAtServer: connectionsAtServer(table, id),
    inUse: pool?.units ?? 0,
    excess: pool?.excess ?? null,
    version,
  };
}

/** How many connections of a pool are logins at the server, and not reported by an instance. */
function connectionsAtServer(table: Table, id: string): number {
  let connections = table.pools.get(id)?.connections ?? 0;
  for (const { report } of table.places.values())
    if (report?.counted && report.pool === id) connections -= report.connections;
  return connections;
}

function asOfNow(excess: Excess, nowMs: number): Excess {
  if (excess.toMs !== null) return excess;
  const atMs = Math.max(excess.atMs, nowMs);
  return { ...excess, atMs, unitMs: unitMsAt(excess, atMs) };
}
