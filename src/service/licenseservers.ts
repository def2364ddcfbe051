/**
 * Licence servers: the roster, which of them is active, and whether the instances that share a key agree on
 * them. The active one holds a row of the database for a while (F-12): it is told for how long it may act, which
 * is less than the row says, counted from before it asked, so that no two act at any instant (F-82). No decision
 * of the lane depends on any of this.
 */

import type { Sql } from 'postgres';
import { type Principal, permits } from '../domain/access.ts';
import { LicenseError } from '../domain/errors.ts';
import {
  findDisagreements,
  LICENSE_SERVER_LIMITS,
  type LicenseServer,
  placeOfServer,
  readServerAddress,
  readServerName,
  type ServerDisagreement,
} from '../domain/licenseservers.ts';
import type { Logger } from '../storage/database.ts';
import {
  type ActiveRow,
  beatLicenseServer,
  findActiveLicenseServer,
  isPlaceTaken,
  type LicenseServerRow,
  listLicenseServers,
  putLicenseServer,
  removeLicenseServer,
  resignLicenseServer,
} from '../storage/licenseservers.ts';
import type { Lane } from './lane.ts';
import { whileReachable } from './reachable.ts';

/** The active one trusts itself for this much less than its row says. */
const SAFETY_MARGIN_MS = 1_000;
/** Signs of life within one term, so that two may be lost. */
const BEATS_PER_LEASE = 4;

/** What the roster's service needs. */
export interface LicenseServersOptions {
  readonly sql: Sql;
  readonly lane: Pick<Lane, 'read'>;
  /** How long the active one is held to be so without a sign of life, in milliseconds; above the margin. */
  readonly leaseMs: number;
  readonly logger: Logger;
}

/** An entry with what is known of its process: `active`, `standby` when it was heard of lately, else `down`. */
export interface RosterEntry extends LicenseServerRow {
  readonly state: 'active' | 'standby' | 'down';
}

/** Everything there is to say of the licence servers. */
export interface Roster {
  readonly entries: readonly RosterEntry[];
  /** Null while none may act: none was up yet, or the last one has just failed. */
  readonly active: ActiveRow | null;
  /** Keys whose instances are configured with different sets, as far as the asker may see (F-4). */
  readonly disagreements: readonly ServerDisagreement[];
  /** Things worth knowing, each a sentence. */
  readonly notices: readonly string[];
}

/** What a process is told that serves an entry of the roster. */
export interface Beat {
  readonly active: ActiveRow | null;
  /** For how long the asker may act, in seconds counted from before it asked; null when it may not. */
  readonly actsSeconds: number | null;
  readonly beatAfterSeconds: number;
}

/** Keeps the roster and says who is active. */
export class LicenseServers {
  readonly #options: LicenseServersOptions;

  constructor(options: LicenseServersOptions) {
    this.#options = options;
  }

  /** Reads the whole roster: it is short. */
  async list(principal: Principal): Promise<Roster> {
    const { sql, lane, leaseMs } = this.#options;
    const [rows, active] = await whileReachable(() =>
      Promise.all([listLicenseServers(sql), findActiveLicenseServer(sql)]),
    );
    const entries = rows.map((row) => ({ ...row, state: stateOf(row, active, leaseMs) }));
    return await lane.read((table) => {
      const seen = [...table.instances.values()].filter(({ name, key }) =>
        permits(principal, 'servers.read', { instance: name, keyId: key }),
      );
      return {
        entries,
        active,
        disagreements: findDisagreements(seen),
        notices: noticesOn(entries, seen),
      };
    });
  }

  /** The one that is active (F-16); null while none is. */
  active(): Promise<ActiveRow | null> {
    return whileReachable(() => findActiveLicenseServer(this.#options.sql));
  }

  /** @throws LicenseError `license-server-not-found`. */
  async get(name: string): Promise<RosterEntry> {
    const { sql, leaseMs } = this.#options;
    const wanted = requireName(name);
    const [rows, active] = await whileReachable(() =>
      Promise.all([listLicenseServers(sql), findActiveLicenseServer(sql)]),
    );
    const row = rows.find((entry) => entry.name === wanted);
    if (row === undefined) throw notInRoster(wanted);
    return { ...row, state: stateOf(row, active, leaseMs) };
  }

  /**
   * Adds an entry or changes the one of that name (F-14, F-15).
   * @throws LicenseError `malformed-request`, `license-server-address-taken` or `license-server-limit-reached`.
   */
  async put(
    name: string,
    place: Omit<LicenseServer, 'name'>,
    actor: string,
  ): Promise<{ readonly outcome: 'added' | 'changed' | 'unchanged'; readonly entry: RosterEntry }> {
    const { sql, logger } = this.#options;
    const address = readServerAddress(place.address);
    if ('fault' in address) throw fault('/address', address.fault);
    const server = { name: requireName(name), address: address.value, port: place.port };
    const outcome = await whileReachable(() =>
      putLicenseServer(sql, server, actor, LICENSE_SERVER_LIMITS.countMax),
    ).catch(async (error) => {
      if (!isPlaceTaken(error)) throw error;
      throw await this.#taken(server);
    });
    if (outcome === 'full') {
      throw new LicenseError(
        'license-server-limit-reached',
        `There are ${LICENSE_SERVER_LIMITS.countMax} licence servers already; remove one that is not used any more.`,
      );
    }
    if (outcome !== 'unchanged') logger.info({ ...server, actor, outcome }, 'The roster was changed.');
    return { outcome, entry: await this.get(server.name) };
  }

  /** Removes an entry. Repeating it does no harm. An active one ends with its time, and then another takes over. */
  async remove(name: string, actor: string): Promise<void> {
    const { sql, logger } = this.#options;
    const wanted = requireName(name);
    const removed = await whileReachable(() => removeLicenseServer(sql, wanted));
    if (removed) logger.info({ name: wanted, actor, outcome: 'removed' }, 'The roster was changed.');
  }

  /**
   * A sign of life of a process that serves an entry. The first one up is active and stays so (F-18); another
   * takes over once it was silent for a term, and one that returns is an ordinary member (F-81).
   *
   * @param holder - the process, by an ID that no other life of it has.
   * @param resigns - whether the process acts no longer and gives its term up.
   * @throws LicenseError `license-server-not-found`.
   */
  async beat(name: string, holder: string, resigns: boolean): Promise<Beat> {
    const { sql, leaseMs, logger } = this.#options;
    const wanted = requireName(name);
    let isActive = false;
    if (resigns) await whileReachable(() => resignLicenseServer(sql, wanted, holder));
    else {
      const { isKnown, token, isNew } = await whileReachable(() =>
        beatLicenseServer(sql, wanted, holder, leaseMs),
      );
      if (!isKnown) throw notInRoster(wanted);
      isActive = token !== null;
      if (isNew) logger.info({ name: wanted, holder, token }, 'A licence server has become the active one.');
    }
    const active = await whileReachable(() => findActiveLicenseServer(sql));
    // Only what this very sign of life renewed lasts long enough for what is promised here.
    const acts = isActive && active?.name === wanted && active.holder === holder;
    return {
      active,
      actsSeconds: acts ? (leaseMs - SAFETY_MARGIN_MS) / 1_000 : null,
      beatAfterSeconds: leaseMs / BEATS_PER_LEASE / 1_000,
    };
  }

  /** The refusal of a place that another entry has. */
  async #taken(server: LicenseServer): Promise<LicenseError> {
    const rows = await whileReachable(() => listLicenseServers(this.#options.sql));
    const other = rows.find(({ address, port }) => address === server.address && port === server.port);
    const heldBy = other === undefined ? {} : { heldBy: other.name };
    const who = other === undefined ? 'Another licence server' : `The licence server ${other.name}`;
    return new LicenseError(
      'license-server-address-taken',
      `${who} has ${placeOfServer(server)}. Every entry needs an address and port of its own.`,
      heldBy,
    );
  }
}

function stateOf(row: LicenseServerRow, active: ActiveRow | null, leaseMs: number): RosterEntry['state'] {
  if (row.name === active?.name) return 'active';
  return row.silentMs !== null && row.silentMs < leaseMs ? 'standby' : 'down';
}

function noticesOn(
  entries: readonly RosterEntry[],
  instances: readonly { readonly name: string; readonly licenseServers?: readonly string[] }[],
): string[] {
  const notices: string[] = [];
  const { countWise } = LICENSE_SERVER_LIMITS;
  if (entries.length > countWise) {
    notices.push(`There are ${entries.length} licence servers; more than ${countWise} are excessive.`);
  }
  const known = new Set(entries.map(placeOfServer));
  const unknown = new Map<string, string>();
  for (const { name, licenseServers = [] } of instances) {
    for (const place of licenseServers) if (!known.has(place)) unknown.set(place, name);
  }
  for (const [place, name] of unknown) {
    if (notices.length >= LICENSE_SERVER_LIMITS.countMax) break;
    notices.push(`The instance ${name} is configured with ${place}, which is not in the roster.`);
  }
  return notices;
}

function requireName(name: string): string {
  const read = readServerName(name);
  if ('fault' in read) throw fault('name', read.fault);
  return read.value;
}

function fault(pointer: string, message: string): LicenseError {
  return new LicenseError('malformed-request', `${pointer} ${message}.`, { errors: [{ pointer, message }] });
}

function notInRoster(name: string): LicenseError {
  return new LicenseError(
    'license-server-not-found',
    `There is no licence server ${name} in the roster; add it with PUT /v1/license-servers/${name}.`,
  );
}
