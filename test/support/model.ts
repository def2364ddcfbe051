/**
 * A naive model of who holds what, written from the facts alone (F-31…F-33): a list of connections for every
 * user, its units counted from scratch whenever somebody asks. It shares no arithmetic with the domain.
 */
import { FLAGS, type JournalEvent, type Leased, type Moved, type Reported } from '../../src/domain/events.ts';
import { ApplicationModel, type Presence } from './applicationmodel.ts';

interface Connection {
  readonly instance: string;
  readonly login: string;
  readonly pool: string;
  user: string | null;
  /** Whether it lives as long as its instance: it has no lease and no end of its own. */
  bound: boolean;
}

/** What the model comes to for one pool. */
export interface PoolCount {
  readonly units: number;
  readonly connections: number;
  readonly users: number;
}

export class Model {
  #connections: Connection[] = [];
  /** By instance and user: the update that stated him last, and whether he had transitioned there. */
  readonly #stated = new Map<string, { instance: string; user: string; sequence: number; passed: boolean }>();
  /** Users that have passed the limit since they last had no connection, as `pool user`. */
  readonly #passed = new Set<string>();
  /** What one unit serves under each key; one connection under a default licence. */
  readonly #most = new Map<string, number>();

  /** Units that instances hold, by lease. */
  readonly #blocks = new Map<string, { pool: string; instance: string; units: number }>();
  /** Users whose connections are counted apart, as `pool user`. */
  readonly #apart = new Set<string>();

  /** Units of applications. */
  readonly applications = new ApplicationModel();

  /** Follows an event. */
  follow(event: JournalEvent): void {
    const before = this.#presence;
    this.#follow(event);
    this.applications.follow(event, before, this.#presence);
  }

  /** Which logins there are, and who is reported; looked at only where somebody holds something. */
  get #presence(): Presence {
    if (this.applications.takes.length === 0) return { logins: [], reported: new Set() };
    const logins = this.#connections.filter(isLogin).map((one) => ({ ...one }));
    const reported = [...this.#stated.values()].map(({ instance, user }) => `${instance}\n${user}`);
    return { logins, reported: new Set(reported) };
  }

  #follow(event: JournalEvent): void {
    switch (event.type) {
      case 'granted': {
        const { instance, login, pool } = event;
        const bound = event.leaseSeconds === undefined && event.ends === undefined;
        this.#connections.push({ instance, login, pool, user: null, bound });
        if (event.user !== undefined) this.#name(this.find(instance, login)!, event.user);
        break;
      }
      case 'released':
        this.#drop((one) => one.instance === event.instance && one.login === event.login);
        break;
      case 'ended':
        this.#drop((one) => {
          if (event.instance === undefined) return one.pool === event.pool && one.user === event.user;
          const isReported = one.login.startsWith('reported:');
          return one.instance === event.instance && !isReported && (one.bound || !event.boundOnly);
        });
        break;
      case 'identified': {
        const one = this.find(event.instance, event.login)!;
        this.#drop((other) => other === one);
        this.#connections.push({ ...one, pool: event.pool, user: null });
        this.#name(this.find(event.instance, event.login)!, event.user);
        break;
      }
      case 'reported':
        this.#report(event);
        break;
      case 'unreported':
        this.#forget(event.instance, Number.POSITIVE_INFINITY);
        break;
      case 'leased':
        this.#lease(event);
        break;
      case 'lease-ended':
        this.#blocks.delete(event.lease);
        this.#drop((one) => one.login.startsWith(`${event.lease} `));
        break;
      case 'joined':
        for (const [user] of event.users) this.#apart.delete(`${event.pool} ${user}`);
        break;
      case 'moved':
        this.#move(event);
        break;
      case 'lingered':
        this.find(event.instance, event.login)!.bound = false;
        break;
      case 'key-installed':
      case 'key-changed':
        this.#most.set(event.key.id, event.key.connectionsPerUnitMax);
        break;
    }
  }

  find(instance: string, login: string): Connection | undefined {
    return this.#connections.find((one) => one.instance === instance && one.login === login);
  }

  /** What one pool would come to, and one instance in it, if an event happened; nothing happens. */
  supposing(event: JournalEvent, pool: string, instance: string) {
    const connections = this.#connections.map((one) => ({ ...one }));
    const passed = new Set(this.#passed);
    this.#follow(event);
    const result = { units: this.pool(pool).units, unitsAt: this.unitsAt(instance) };
    this.#connections = connections;
    this.#passed.clear();
    for (const user of passed) this.#passed.add(user);
    return result;
  }

  pool(pool: string): PoolCount {
    const mine = this.#connections.filter((one) => one.pool === pool && one.user !== null);
    const users = [...new Set(mine.map((one) => one.user!))];
    const units = users.map((user) => this.unitsOf(pool, user));
    const leased = [...this.#blocks.values()].filter((block) => block.pool === pool);
    units.push(...leased.map((block) => block.units));
    return { units: sum(units), connections: mine.length, users: users.length };
  }

  /** The units that one instance sees itself consume, over all pools it counts in. */
  unitsAt(instance: string): number {
    const here = this.#connections.filter((one) => one.instance === instance && one.user !== null);
    const users = [...new Set(here.map((one) => `${one.pool} ${one.user}`))];
    const leased = [...this.#blocks.values()].filter((block) => block.instance === instance);
    const costs = users.map((name) =>
      this.#costsEach(name) ? here.filter((one) => `${one.pool} ${one.user}` === name).length : 1,
    );
    return sum([...costs, ...leased.map((block) => block.units)]);
  }

  unitsOf(pool: string, user: string): number {
    const connections = this.connections(pool, user);
    if (connections === 0) return 0;
    return this.#costsEach(`${pool} ${user}`) ? connections : 1;
  }

  /** The connections of a user, on one instance or on all. */
  connections(pool: string, user: string, instance?: string): number {
    return this.#connections.filter(
      (one) => one.pool === pool && one.user === user && (instance ?? one.instance) === one.instance,
    ).length;
  }

  /** The connections of everybody, and of nobody, under all keys together. */
  get connectionsHeld(): number {
    return this.#connections.length;
  }

  hasUserOn(instance: string): boolean {
    return this.#connections.some((one) => one.instance === instance && one.user !== null);
  }

  get count(): number {
    return this.#connections.length;
  }

  #costsEach(name: string): boolean {
    return this.#passed.has(name) || this.#apart.has(name);
  }

  /** Logins that count under another key from now on. Whoever had transitioned has, until he has no connection left. */
  #move({ instance, from, to, users }: Moved): void {
    const mine = this.#connections.filter(
      (one) => one.instance === instance && one.pool === from && isLogin(one),
    );
    const passed = mine.filter(({ user }) => user !== null && this.#passed.has(`${from} ${user}`));
    this.#drop((one) => mine.includes(one));
    for (const { user } of passed) this.#passed.add(`${to} ${user}`);
    for (const one of mine) {
      const moved: Connection = { ...one, pool: to, user: null };
      this.#connections.push(moved);
      if (one.user !== null) this.#name(moved, one.user);
    }
    for (const { user } of mine) {
      if (user === null) continue;
      const flags = users.find(([id]) => id === user)?.[1] ?? 0;
      if (this.connections(from, user) === 0) this.#apart.delete(`${from} ${user}`);
      if ((flags & FLAGS.apart) === 0) this.#apart.delete(`${to} ${user}`);
      else this.#apart.add(`${to} ${user}`);
    }
  }

  /** What an instance may hold on the server's account is connections like any others. */
  #lease({ lease, instance, pool, units, allowances = [], dropped = [] }: Leased): void {
    this.#blocks.set(lease, { pool, instance, units });
    for (const [user, allowance, flags] of allowances) {
      const login = `${lease} ${user}`;
      const name = `${pool} ${user}`;
      const kept = this.#connections.filter((one) => one.login === login);
      for (const one of kept.slice(allowance)) this.#drop((other) => other === one);
      for (let index = kept.length; index < allowance; index += 1) {
        const one: Connection = { instance, login, pool, user: null, bound: false };
        this.#connections.push(one);
        this.#name(one, user);
      }
      if ((flags & FLAGS.apart) === 0) this.#apart.delete(name);
      else this.#apart.add(name);
    }
    for (const user of dropped) this.#drop((one) => one.login === `${lease} ${user}`);
  }

  /** Reported connections are connections like any others; they are told by where and whose they are. */
  #report({ instance, pool, rows, sequence, counted, dropped, fullFrom }: Reported): void {
    for (const [user, count, , flags] of rows) {
      const name = `${instance} ${user}`;
      const before = this.#stated.get(name);
      const passed = (flags & FLAGS.transitionedHere) !== 0;
      this.#stated.set(name, { instance, user, sequence, passed });
      if (count === 0) this.#stated.delete(name);
      if (!counted) continue;
      const kept = new Set(this.#passed);
      this.#drop((one) => one.instance === instance && one.login === `reported:${user}`);
      const isElsewhere = this.connections(pool, user) > 0;
      // He may have as many connections as before, or fewer, and in between none.
      if (count > 0 && kept.has(`${pool} ${user}`) && (isElsewhere || passed || !before?.passed))
        this.#passed.add(`${pool} ${user}`);
      for (let index = 0; index < count; index += 1) {
        const one: Connection = { instance, login: `reported:${user}`, pool, user: null, bound: false };
        this.#connections.push(one);
        this.#name(one, user);
      }
      if (passed) this.#passed.add(`${pool} ${user}`);
    }
    if (dropped !== undefined) this.#forget(instance, fullFrom ?? 0);
  }

  /** What no update has stated from a sequence on is gone. */
  #forget(instance: string, fromSequence: number): void {
    for (const [name, stated] of this.#stated) {
      if (stated.instance !== instance || stated.sequence >= fromSequence) continue;
      this.#stated.delete(name);
      this.#drop((one) => one.instance === instance && one.login === `reported:${stated.user}`);
    }
  }

  #name(one: Connection, user: string): void {
    one.user = user;
    if (this.connections(one.pool, user) > (this.#most.get(one.pool) ?? 1)) {
      this.#passed.add(`${one.pool} ${user}`);
    }
  }

  #drop(isGone: (one: Connection) => boolean): void {
    this.#connections = this.#connections.filter((one) => !isGone(one));
    const left = new Set(this.#connections.map((one) => `${one.pool} ${one.user}`));
    for (const name of this.#passed) if (!left.has(name)) this.#passed.delete(name);
  }
}

/** What is reported or leased stands among the connections as well. */
function isLogin({ login }: Connection): boolean {
  return !login.startsWith('reported:') && !login.includes(' ');
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
