/**
 * Makers of domain values for tests, every field optional, and a small world: a table that takes operations the
 * way the lane gives them to it (begin, draft, decide, build the row, commit), with its journal at hand.
 */
import { moveHead } from '../../src/domain/apply.ts';
import { decide, emitClosing, emitDue, type Policy } from '../../src/domain/decide.ts';
import { Draft } from '../../src/domain/draft.ts';
import type { JournalEvent, JournalRow } from '../../src/domain/events.ts';
import type { Touched } from '../../src/domain/holdings/holdings.ts';
import { type Busy, packAll } from '../../src/domain/holdings/packing.ts';
import type { User } from '../../src/domain/holdings/user.ts';
import {
  DEFAULT_SETTINGS,
  defaultPoolOf,
  type Instance,
  type InstanceSettings,
} from '../../src/domain/instances.ts';
import { EVALUATION_KEY, type LicenseKey } from '../../src/domain/keys/keys.ts';
import type {
  Answer,
  Identify,
  LogIn,
  LoginView,
  LogOut,
  Operation,
  Problem,
  Reap,
  Refusal,
  Register,
} from '../../src/domain/operations.ts';
import { Table } from '../../src/domain/table.ts';
import type { Claims } from '../../src/domain/users.ts';

/** The instant at which worlds begin, in milliseconds since 1970. */
export const START_MS = Date.UTC(2030, 0, 1, 12);
export const DAY_MS = 86_400_000;

/** A verified Multi key of 100 units without an end. Stating one number of units states both. */
export function makeKey(fields: Partial<LicenseKey> & { units?: number } = {}): LicenseKey {
  const { units = 100, ...rest } = fields;
  return {
    ...EVALUATION_KEY,
    id: 'key-1',
    orderNumber: '700000001',
    customerName: 'Example Hospital',
    product: 'Enterprise',
    unitsAuthorised: units,
    unitsEnforced: units,
    trust: 'verified',
    signingKeyId: 'signer-1',
    licenseCapacity: `Enterprise - Concurrent Users:${units}`,
    ...rest,
  };
}

/** A key that ended a day before worlds begin. */
export function makeExpiredKey(fields: Parameters<typeof makeKey>[0] = {}): LicenseKey {
  return makeKey({ expirationDate: '2029-12-30', validThroughMs: START_MS - DAY_MS, ...fields });
}

/** The record of an instance registered with `key-1`. */
export function makeInstance(
  fields: Partial<Omit<Instance, 'settings'>> & { settings?: Partial<InstanceSettings> } = {},
): Instance {
  return {
    name: 'a',
    key: 'key-1',
    incarnation: 1,
    registrationId: null,
    product: null,
    version: null,
    state: 'active',
    deadlineMs: START_MS + 60_000,
    registeredAtMs: START_MS,
    revision: '0:1:0',
    ...fields,
    settings: { ...DEFAULT_SETTINGS, ...fields.settings },
  };
}

/** A login of alice on instance `a`; claims replace the explicit user when they are given. */
export function makeLogin(fields: Partial<Omit<LogIn, 'op' | 'claims'>> & { claims?: Partial<Claims> } = {}) {
  const { claims, ...rest } = fields;
  const login: LogIn = {
    op: 'login',
    instance: 'a',
    id: 'login-1',
    print: 1,
    actor: 'tester',
    ...rest,
    claims: claims ? { kind: 'user', ...claims } : { kind: 'user', user: 'alice' },
  };
  return login;
}

export function makeLogout(fields: Partial<Omit<LogOut, 'op'>> = {}): LogOut {
  return { op: 'logout', instance: 'a', id: 'login-1', reason: 'logout', actor: 'tester', ...fields };
}

export function makeIdentify(fields: Partial<Omit<Identify, 'op'>> = {}): Identify {
  return { op: 'identify', instance: 'a', id: 'login-1', user: 'alice', actor: 'tester', ...fields };
}

export function makeReap(fields: Partial<Omit<Reap, 'op'>> = {}): Reap {
  return { op: 'reap', instance: 'a', id: 'login-1', observedMs: START_MS, actor: 'lictor', ...fields };
}

/** A registration of instance `a` with `key-1`, as after a start. */
export function makeRegister(fields: Partial<Omit<Register, 'op'>> = {}): Register {
  return {
    op: 'register',
    name: 'a',
    key: 'key-1',
    incarnation: null,
    registrationId: null,
    product: null,
    version: null,
    licenseServers: null,
    settings: {},
    actor: 'tester',
    ...fields,
  };
}

export const DEFAULT_POLICY: Policy = { revokedKeys: new Set(), evaluation: false, leaseTermMs: 60_000 };

/** How a world begins. Instances are registered in order, each with the first key unless it says otherwise. */
export interface WorldFields {
  readonly keys?: readonly LicenseKey[];
  readonly instances?: readonly Partial<Omit<Register, 'op'>>[];
  readonly settings?: Partial<InstanceSettings>;
  readonly policy?: Partial<Policy>;
  readonly nowMs?: number;
}

export class World {
  readonly table = new Table(0);
  /** The rows as they come back from a database: through JSON. */
  readonly rows: JournalRow[] = [];
  policy: Policy;
  nowMs: number;
  #logins = 0;
  #commits = 0;

  constructor(fields: WorldFields = {}) {
    this.policy = { ...DEFAULT_POLICY, ...fields.policy };
    this.nowMs = fields.nowMs ?? START_MS;
    const keys = fields.keys ?? [makeKey()];
    for (const key of keys) this.ask({ op: 'install-key', key, file: null, actor: 'tester' });
    for (const instance of fields.instances ?? [{ name: 'a' }]) {
      const settings = { ...fields.settings, ...instance.settings };
      this.ask(makeRegister({ key: keys[0]?.id ?? null, ...instance, settings }));
    }
  }

  /** Decides operations on the table, after the ends that fell due, without ending the batch. */
  draft(operations: readonly Operation[]): { draft: Draft; answers: Answer[] } {
    this.table.begin();
    const draft = new Draft(this.table, this.nowMs);
    emitDue(draft);
    const answers = operations.map((operation) => decide(draft, operation, this.policy));
    emitClosing(draft);
    return { draft, answers };
  }

  /** Ends a batch as an append that succeeded. A batch without events leaves no row. */
  commit(draft: Draft): void {
    if (draft.events.length > 0) {
      const { version, actors, events } = draft;
      const row: JournalRow = {
        shard: this.table.shard,
        version,
        batch: `00000000-0000-4000-8000-${String(version).padStart(12, '0')}`,
        at: draft.atMs,
        actors,
        events,
      };
      this.rows.push(JSON.parse(JSON.stringify(row)));
      moveHead(this.table, row);
    }
    this.table.commit();
    this.#commits += 1;
    // What rests is packed now and then, so that every rule is tried on objects and on what unpacks itself.
    if (this.#commits % 2 === 0) packAll(this.table, busyWith(this.table.touched), 1);
  }

  /** Runs one batch. */
  run(operations: readonly Operation[]): Answer[] {
    const { draft, answers } = this.draft(operations);
    this.commit(draft);
    return answers;
  }

  /** Runs a batch of one operation. */
  ask(operation: Operation): Answer {
    return this.run([operation])[0]!;
  }

  /** Lets time pass, and emits what fell due. */
  wait(milliseconds: number): void {
    this.nowMs += milliseconds;
    this.run([]);
  }

  /** Logs in under an ID of its own and expects to be let in. */
  login(fields: Parameters<typeof makeLogin>[0] = {}): LoginView {
    return granted(this.ask(makeLogin({ id: this.newId(), ...fields })));
  }

  /** Logs in that often, as the same user unless claims say otherwise. */
  logins(count: number, fields: Parameters<typeof makeLogin>[0] = {}): LoginView[] {
    return Array.from({ length: count }, () => this.login(fields));
  }

  /** Asks for a login and expects a refusal by a rule. */
  refuse(fields: Parameters<typeof makeLogin>[0] = {}): Refusal {
    return refused(this.ask(makeLogin({ id: this.newId(), ...fields })));
  }

  logout(login: Pick<LoginView, 'id' | 'instance'>, fields: Partial<Omit<LogOut, 'op'>> = {}): Answer {
    return this.ask(makeLogout({ id: login.id, instance: login.instance, ...fields }));
  }

  /** An ID that no login of this world has. */
  newId(): string {
    this.#logins += 1;
    return loginId(this.#logins);
  }

  /** The events of the last row. */
  get lastEvents(): readonly JournalEvent[] {
    return this.rows.at(-1)?.events ?? [];
  }

  user(id: string, pool = 'key-1'): User | undefined {
    return this.table.pools.get(pool)?.users.get(id);
  }

  units(pool = 'key-1'): number {
    return this.table.pools.get(pool)?.units ?? 0;
  }

  defaultUnits(instance: string): number {
    return this.units(defaultPoolOf(instance));
  }

  /** The units of an instance as it sees them itself. */
  unitsAt(instance: string): number {
    return this.table.places.get(instance)?.units ?? 0;
  }
}

/** A world of one Multi key and one instance `a` registered with it, unless it is told otherwise. */
export function world(fields: WorldFields = {}): World {
  return new World(fields);
}

/** @returns the login of an answer that must be a grant. */
export function granted(answer: Answer): LoginView {
  if (answer.is !== 'granted') throw new Error(`granted was expected, not ${JSON.stringify(answer)}`);
  return answer.login;
}

/** @returns an answer that must be a refusal by a rule. */
export function refused(answer: Answer): Refusal {
  if (answer.is !== 'refused') throw new Error(`a refusal was expected, not ${JSON.stringify(answer)}`);
  return answer;
}

/** @returns an answer that must be a problem. */
export function problem(answer: Answer): Problem {
  if (answer.is !== 'problem') throw new Error(`a problem was expected, not ${JSON.stringify(answer)}`);
  return answer;
}

/** @returns the instance of an answer that must show one. */
export function instanceOf(answer: Answer): Extract<Answer, { is: 'instance' }> {
  if (answer.is !== 'instance') throw new Error(`an instance was expected, not ${JSON.stringify(answer)}`);
  return answer;
}

/** @returns an ID of a login by its number. */
export function loginId(number: number): string {
  return `10000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

/** @returns who must not be packed: whatever is to be folded. */
function busyWith(touched: Touched | null): Busy {
  return {
    hasLogin: (login) => touched?.logins.has(login) === true,
    hasUser: (user) => touched?.users.has(user) === true,
  };
}
