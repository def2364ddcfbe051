/**
 * The table of one instance that decides for itself: its users, what they cost as this instance sees them, and
 * which rows the server has not heard of yet (F-1, F-50, F-51). Plain data with the primitive changes that
 * `localdecisions.ts` is made of; what is told to the server is in `localreports.ts`.
 *
 * A login is an object that its caller holds, so that letting in and out looks nothing up but the user, and
 * leaves nothing behind that grows.
 */

import { CONNECTIONS_PER_UNIT_MAX, type Count, unitsOf } from '../counting.ts';
import { EndingQueue } from '../due.ts';
import type { CapacityFault } from '../grounds.ts';
import type { Phase } from '../holdings/login.ts';
import { DEFAULT_SETTINGS, type InstanceSettings } from '../instances.ts';
import type { LeaseRights } from '../leases/leaserights.ts';
import type { LoginKind } from '../users.ts';

/** A user ID that has connections here, or had some that the server has not been told the end of. */
export class LocalUser implements Count {
  readonly id: string;
  connections = 0;
  /** Web sessions among the connections (`CSPCon`). */
  webSessions = 0;
  /** Passed the connections of one unit, here or over all instances as the server said (F-32, trap 5). */
  transitioned = false;
  readonly apart = false;
  /** Most connections at one time since it last had none (`MaxCon`, trap 12). */
  connectionsPeak = 0;
  /** When it came in: had its first connection since it last had none, in ms of the table's clock (`Active`). */
  sinceMs = 0;
  /** Where it stands among the changed ones; -1 when it is not among them. */
  changedAt = -1;
  /** The row as it was stated last; no connections is no row. */
  statedConnections = 0;
  statedWebSessions = 0;
  statedTransitioned = false;
  /** Whether the server may hold a row of it, as far as its answers tell. */
  mayBeHeld = false;
  /** Whether it had no connection at some time since it was stated last: what the server says of it is older. */
  hasEnded = true;

  constructor(id: string) {
    this.id = id;
  }
}

/** One connection on this instance, as its caller holds it: what a login comes to when it is granted. */
export class LocalLogin {
  readonly table: LocalTable;
  /** The life of the table in which it got its connection, with which it is lost. */
  life: number;
  readonly kind: LoginKind;
  user: LocalUser | null = null;
  phase: Phase = 'active';
  /** Whether its connection is gone; it goes on naming who it was, for the jobs that it started. */
  isOut = false;
  processId = 0;
  /** When it came in, in milliseconds of the table's clock. */
  sinceMs = 0;
  /** When it ends by itself, in milliseconds of the table's clock; 0 when it does not. */
  endsAtMs = 0;
  /** As of the moment it came in, or identified itself: what `Login()` returns (trap 7). */
  connections = 0;
  units = 0;
  unitsAdded = 0;

  constructor(table: LocalTable, kind: LoginKind) {
    this.table = table;
    this.life = table.life;
    this.kind = kind;
  }

  /** Tells a grant from a refusal. */
  get is(): 'granted' {
    return 'granted';
  }

  /** The licence user ID; null for who is nobody, or not identified yet. It stays when the login is out. */
  get userId(): string | null {
    return this.user === null ? null : this.user.id;
  }

  /** Whether it is in: neither logged out nor lost. In grace only its unit is. What costs nothing is not lost. */
  get isHeld(): boolean {
    if (this.table.checkTerm !== null) this.table.checkTerm();
    return !this.isOut && (this.user === null || this.life === this.table.life);
  }
}

/** What the instance may take: the units of its key, or its default licence (F-24). */
export interface LocalCapacity {
  readonly unitsMax: number;
  readonly connectionsPerUnitMax: number;
  readonly fault: CapacityFault | null;
  /** The units that can be used before the next start, of a key that is active in part (F-22). */
  readonly usableUnits?: number;
}

/** Why users who have no connection here are not let in. */
export interface LocalGates {
  /** Combined use was over the limit, as the last answer said (F-52). */
  readonly overLimit: { readonly limit: number; readonly inUse: number } | null;
  /** The server has been away for longer than the instance goes on letting new users in. */
  readonly offline: { readonly forSeconds: number } | null;
}

const OPEN: LocalGates = { overLimit: null, offline: null };

/** What an instance holds by itself (`ShowCounts`). */
export interface LocalCounts {
  readonly users: number;
  readonly connections: number;
  readonly webSessions: number;
  readonly units: number;
  readonly usersPeak: number;
  readonly connectionsPeak: number;
  readonly unitsPeak: number;
  /** What is left of the units that it may use, and the least that was; never below 0 (`LUMinAvailable`). */
  readonly unitsAvailable: number;
  readonly unitsAvailableMin: number;
  /** Users who have a web session, also one in grace (`CSPUsers`). */
  readonly webUsers: number;
  readonly webUsersPeak: number;
  /** Sessions and requests that went out and whose unit is still held (`CSPGrace`). */
  readonly webInGrace: number;
  readonly webInGracePeak: number;
}

export interface LocalTableOptions {
  /** The name of the instance. */
  readonly instance: string;
  /** Makes IDs of what names nobody unique over all instances and their lives; at most 32 characters. */
  readonly idPrefix: string;
  readonly settings?: InstanceSettings;
  readonly capacity?: LocalCapacity;
}

export class LocalTable {
  readonly instance: string;
  settings: InstanceSettings;
  capacity: LocalCapacity;
  gates: LocalGates = OPEN;
  /** What the server has leased to the instance; null unless its key is enforced so. */
  rights: LeaseRights | null = null;
  /** Finds out whether the term of what is leased has ended, and has everything lost then; null without a term. */
  checkTerm: (() => void) | null = null;
  /** Rises when everything that was in is lost at once. */
  life = 1;
  readonly users = new Map<string, LocalUser>();
  /** Users whose rows the server has not been told of as they are. */
  readonly changed: LocalUser[] = [];
  readonly due = new EndingQueue<LocalLogin>((login) => login.isHeld);
  emergency: LocalLogin | null = null;
  /** The logins that are in, oldest first, where processes are to be told (`ProcessList`); null keeps none. */
  logins: Set<LocalLogin> | null = null;
  units = 0;
  connections = 0;
  webSessions = 0;
  /** Users who have a web session, and what went out and whose unit is still held (`CSPUsers`, `CSPGrace`). */
  webUsers = 0;
  webGrace = 0;
  webUsersPeak = 0;
  webGracePeak = 0;
  /** Users who have a connection; the others in `users` wait for the server to hear that they went. */
  usersIn = 0;
  unitsPeak = 0;
  connectionsPeak = 0;
  usersPeak = 0;
  /** The least that was left of the units that it may use; infinity while nobody came. */
  availableMin = Number.POSITIVE_INFINITY;
  /** How many logins held their unit up to each bound (`ReadDurationCounts`). */
  durations = [0, 0, 0, 0, 0, 0];
  readonly #idPrefix: string;
  #idsMade = 0;

  constructor({ instance, idPrefix, settings, capacity }: LocalTableOptions) {
    this.instance = instance;
    this.#idPrefix = idPrefix;
    this.settings = settings ?? DEFAULT_SETTINGS;
    this.capacity = capacity ?? {
      unitsMax: 1,
      connectionsPerUnitMax: CONNECTIONS_PER_UNIT_MAX,
      fault: null,
    };
  }

  /** An ID for what names nobody. */
  makeId(): string {
    this.#idsMade += 1;
    return `${this.#idPrefix}-${this.#idsMade.toString(36)}`;
  }

  get counts(): LocalCounts {
    const available = Math.max(0, this.unitsMax - this.units);
    return {
      users: this.usersIn,
      connections: this.connections,
      webSessions: this.webSessions,
      units: this.units,
      usersPeak: this.usersPeak,
      connectionsPeak: this.connectionsPeak,
      unitsPeak: this.unitsPeak,
      unitsAvailable: available,
      unitsAvailableMin: Math.max(0, Math.min(available, this.availableMin)),
      webUsers: this.webUsers,
      webUsersPeak: this.webUsersPeak,
      webInGrace: this.webGrace,
      webInGracePeak: this.webGracePeak,
    };
  }

  /** The units that it may use if it were alone: of its key, or its own limit where that is less. */
  get unitsMax(): number {
    const { unitLimit } = this.settings;
    const { unitsMax } = this.capacity;
    return unitLimit > 0 && unitLimit < unitsMax ? unitLimit : unitsMax;
  }

  /**
   * Gives a login's connection to a user.
   * @param known - the user where it is in the table.
   * @param next - what it is with this connection.
   */
  connect(login: LocalLogin, known: LocalUser | undefined, userId: string, next: Count): void {
    let user = known;
    if (user === undefined) {
      user = new LocalUser(userId);
      this.users.set(userId, user);
    }
    if (user.connections === 0) this.usersIn += 1;
    if (this.rights !== null) this.rights.connect(userId, user.connections);
    this.units += unitsOf(next) - unitsOf(user);
    user.connections = next.connections;
    user.transitioned = next.transitioned;
    this.connections += 1;
    if (login.kind === 'web') {
      user.webSessions += 1;
      this.webSessions += 1;
      if (user.webSessions === 1) this.webUsers += 1;
      if (this.webUsers > this.webUsersPeak) this.webUsersPeak = this.webUsers;
    }
    login.user = user;
    login.life = this.life;
    if (this.logins !== null) this.logins.add(login);
    if (user.changedAt < 0) this.noteChanged(user);
    if (user.connections > user.connectionsPeak) user.connectionsPeak = user.connections;
    if (this.units > this.unitsPeak) this.unitsPeak = this.units;
    const available = this.unitsMax - this.units;
    if (available < this.availableMin) this.availableMin = available;
    if (this.connections > this.connectionsPeak) this.connectionsPeak = this.connections;
    if (this.usersIn > this.usersPeak) this.usersPeak = this.usersIn;
  }

  /** Takes a login's connection away from its user; the login goes on naming it. */
  disconnect(login: LocalLogin): void {
    const user = login.user!;
    if (this.rights !== null) this.rights.disconnect(user.id, user.connections);
    this.units -= unitsOf(user);
    user.connections -= 1;
    this.connections -= 1;
    if (login.kind === 'web') {
      user.webSessions -= 1;
      this.webSessions -= 1;
      if (user.webSessions === 0) this.webUsers -= 1;
    }
    if (user.connections > 0) {
      this.units += unitsOf(user);
      if (user.changedAt < 0) this.noteChanged(user);
      return;
    }
    // With the last connection the transition ends (F-33).
    user.transitioned = false;
    user.connectionsPeak = 0;
    user.hasEnded = true;
    this.usersIn -= 1;
    if (user.mayBeHeld) {
      if (user.changedAt < 0) this.noteChanged(user);
    } else {
      this.forget(user);
    }
  }

  /** Holds the unit of a login that went out. */
  linger(login: LocalLogin): void {
    login.phase = 'grace';
    this.webGrace += 1;
    if (this.webGrace > this.webGracePeak) this.webGracePeak = this.webGrace;
  }

  /** Marks a user as transitioned over all instances, which the server alone can see (trap 5). */
  transition(user: LocalUser): void {
    this.units -= unitsOf(user);
    user.transitioned = true;
    this.units += unitsOf(user);
    if (this.units > this.unitsPeak) this.unitsPeak = this.units;
    if (user.changedAt < 0) this.noteChanged(user);
  }

  /** Puts a user that is not there among the changed ones. */
  noteChanged(user: LocalUser): void {
    user.changedAt = this.changed.push(user) - 1;
  }

  /** Takes a user out of the changed ones; the last one takes its place there. */
  unnoteChanged(user: LocalUser): void {
    const index = user.changedAt;
    if (index < 0) return;
    const last = this.changed.pop()!;
    if (last !== user) {
      this.changed[index] = last;
      last.changedAt = index;
    }
    user.changedAt = -1;
  }

  /** Lets go of a user who has no connection, and of whom the server has no row. */
  forget(user: LocalUser): void {
    this.unnoteChanged(user);
    if (this.users.get(user.id) === user) this.users.delete(user.id);
  }

  /**
   * Everything that costs anything is lost at once: the logins that callers hold are held no longer.
   * @returns how many connections that were.
   */
  loseAll(): number {
    const lost = this.connections;
    this.rights?.lose();
    this.life += 1;
    this.users.clear();
    for (const login of this.logins ?? []) if (login.user !== null) this.logins!.delete(login);
    for (const user of this.changed) user.changedAt = -1;
    this.changed.length = 0;
    this.units = 0;
    this.connections = 0;
    this.webSessions = 0;
    this.webUsers = 0;
    this.webGrace = 0;
    this.usersIn = 0;
    this.due.clear();
    return lost;
  }
}
