/**
 * Random operations for property tests: a step is a handful of small numbers, which are made into an operation
 * on whatever there is when its turn comes, so that any sequence of steps means something and can be shrunk.
 */
import fc from 'fast-check';
import type { LogIn, Operation } from '../../src/domain/operations.ts';
import type { Claims } from '../../src/domain/users.ts';
import { loginId, makeKey, makeRegister, START_MS, type World } from './make.ts';

const KINDS = {
  login: 12,
  repeat: 2,
  logout: 5,
  identify: 3,
  renew: 1,
  reap: 2,
  register: 2,
  activate: 2,
  configure: 2,
  deregister: 1,
  'release-user': 1,
  'release-instance': 1,
  'reap-instance': 1,
  'renew-instance': 1,
  'change-key': 1,
  'remove-key': 1,
  'install-key': 1,
} as const;

type Kind = keyof typeof KINDS;

export interface Step {
  readonly kind: Kind;
  /** Three choices that the kind makes of as it likes. */
  readonly picks: readonly [number, number, number];
  /** How much time passes before it, if it begins a batch. */
  readonly waitMs: number;
  /** Whether the batch ends after it. */
  readonly closes: boolean;
  /** Whether the batch that it closes is decided and taken back before it is decided again. */
  readonly stumbles: boolean;
}

/** One random step. */
export function steps(): fc.Arbitrary<Step> {
  const pick = fc.nat({ max: 59 });
  return fc.record({
    kind: fc.oneof(
      ...(Object.keys(KINDS) as Kind[]).map((kind) => ({
        weight: KINDS[kind],
        arbitrary: fc.constant<Kind>(kind),
      })),
    ),
    picks: fc.tuple(pick, pick, pick),
    waitMs: fc.oneof(
      { weight: 12, arbitrary: fc.constant(0) },
      { weight: 8, arbitrary: fc.integer({ min: 1, max: 12_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: 500_000, max: 700_000 }) },
    ),
    closes: fc.boolean(),
    stumbles: fc.boolean(),
  });
}

const NAMES = ['a', 'b', 'c', 'd'];

/** A shared key that can never end, a Single one that ends after twenty minutes. */
export const STEP_KEYS = [
  makeKey({ id: 'shared', units: 7, connectionsPerUnitMax: 3 }),
  makeKey({
    id: 'solo',
    units: 4,
    connectionsPerUnitMax: 2,
    server: 'single',
    expirationDate: '2030-01-01',
    validThroughMs: START_MS + 1_200_000,
  }),
  makeKey({ id: 'small', units: 2, connectionsPerUnitMax: 2 }),
  makeKey({ id: 'power', units: 5, connectionsPerUnitMax: 4, licenseType: 'power-unit' }),
];

/** Two instances share a key, one has a key alone, one has none. */
export const STEP_INSTANCES = [
  { name: 'a', key: 'shared' },
  { name: 'b', key: 'shared' },
  { name: 'c', key: 'solo' },
  { name: 'd', key: null },
];

const CLAIMS: readonly Partial<Claims>[] = [
  { user: 'alice' },
  { user: 'alice', clientAddress: '192.0.2.1' },
  { user: 'bob', clientAddress: '192.0.2.1' },
  { clientAddress: '192.0.2.1' },
  { clientAddress: '192.0.2.2', username: 'alice' },
  { kind: 'web', webSession: 's-1', clientAddress: '192.0.2.1' },
  { kind: 'web' },
  { kind: 'request' },
  { kind: 'request', user: 'alice', clientAddress: '192.0.2.1' },
  { kind: 'batch', processId: 7 },
  { kind: 'startup' },
  { kind: 'system' },
  { kind: 'server' },
  { kind: 'emergency' },
  { terminal: { server: 'ts', port: 'p1' } },
  {},
];

/** Every login that a run has asked for, granted or not. */
export type Asked = LogIn[];

/**
 * Makes a step into an operation.
 * @param asked - gains a new login.
 */
export function operationOf(step: Step, lictor: World, asked: Asked): Operation {
  const [first, second, third] = step.picks;
  const name = pick(NAMES, first);
  const instance = lictor.table.instances.get(name);
  const recent = asked.slice(-15);
  const old = recent[second % Math.max(1, recent.length)] ?? { instance: name, id: 'never' };
  const target = { instance: old.instance, id: old.id };
  const actor = pick(['x', 'y'], third);
  switch (step.kind) {
    case 'login':
      return newLogin(name, step, asked);
    case 'repeat': {
      const again = recent[second % Math.max(1, recent.length)];
      return again
        ? { ...again, print: third % 4 === 0 ? again.print + 1 : again.print }
        : newLogin(name, step, asked);
    }
    case 'logout': {
      const reason = third % 6 === 0 ? 'forced' : 'logout';
      return { op: 'logout', ...target, reason, onePage: third % 2 === 1, actor };
    }
    case 'identify':
      return {
        op: 'identify',
        ...target,
        user: pick(['alice', 'bob', 'carol'], first),
        clientAddress: '192.0.2.1',
        actor,
      };
    case 'renew':
      return { op: 'renew', ...target, actor };
    case 'reap': {
      const deadlineMs = lictor.table.places.get(old.instance)?.logins.get(old.id)?.expiresAtMs ?? 0;
      return { op: 'reap', ...target, observedMs: deadlineMs - (third % 2), actor };
    }
    case 'release-user':
      return {
        op: 'release-user',
        pool: pick(['shared', 'solo', 'default:a'], first),
        user: pick(['alice', 'bob', 's-1'], second),
        note: '',
        actor,
      };
    case 'release-instance':
      return { op: 'release-instance', instance: name, note: '', actor };
    case 'reap-instance':
      return {
        op: 'reap-instance',
        name,
        incarnation: instance?.incarnation ?? 1,
        observedMs: (instance?.deadlineMs ?? 0) - (third % 2),
        actor,
      };
    case 'renew-instance':
      return {
        op: 'renew-instance',
        name,
        incarnation: (instance?.incarnation ?? 1) - (third % 4 === 0 ? 1 : 0),
        actor,
      };
    case 'activate': {
      const cause = third % 4 === 0 ? 'rolled-back' : 'activated';
      const key = pick(['shared', 'solo', 'small', 'power'], second);
      return { op: 'activate-key', instance: name, key, cause, inspected: null, actor };
    }
    case 'deregister':
      return { op: 'deregister', name, actor };
    default:
      return rareOperation(step, name, lictor, actor);
  }
}

function newLogin(instance: string, step: Step, asked: Asked): LogIn {
  const [, second, third] = step.picks;
  const parent = third % 7 === 0 ? asked.at(-1 - (third % 5))?.id : undefined;
  const login: LogIn = {
    op: 'login',
    instance,
    id: loginId(asked.length),
    claims: { kind: 'user', ...pick(CLAIMS, second) },
    print: second,
    actor: 'x',
    ...(parent === undefined ? {} : { parent }),
    ...(third % 3 === 0 ? { leaseSeconds: 20 } : {}),
  };
  asked.push(login);
  return login;
}

function rareOperation(step: Step, name: string, lictor: World, actor: string): Operation {
  const [first, second, third] = step.picks;
  const id = pick(['shared', 'solo'], first);
  const settings = {
    unitLimit: pick([0, 0, 2, 4], second),
    connectionLimit: pick([0, 0, 2, 3], third),
    deferredIdentification: second % 3 === 0,
    usernameLicensing: third % 3 === 0,
    identityForm: pick(['name', 'name@address'] as const, second),
    activationProfile: pick(['unlimited', 'unlimited', 'iris'] as const, first),
  };
  switch (step.kind) {
    case 'configure':
      return { op: 'configure', name, settings, ifRevision: third % 5 === 0 ? 'old' : null, actor };
    case 'change-key':
      return {
        op: 'change-key',
        id,
        changes: { connectionsPerUnitMax: 1 + (second % 4) },
        ifRevision: null,
        actor,
      };
    case 'remove-key':
      return { op: 'remove-key', id, actor };
    case 'install-key': {
      const units = pick([3, 7], second);
      const key = { ...STEP_KEYS[first % 2]!, unitsAuthorised: units, unitsEnforced: units };
      return { op: 'install-key', key, file: null, actor };
    }
    default: {
      const incarnation = lictor.table.instances.get(name)?.incarnation ?? 1;
      return makeRegister({
        name,
        key: pick(['shared', 'solo', 'shared', null], second),
        incarnation: pick([null, incarnation, incarnation - 1, incarnation + 3], third),
        registrationId: pick([null, 'start-1', 'start-2'], second),
        settings: third % 2 === 0 ? {} : settings,
        actor,
      });
    }
  }
}

function pick<Value>(values: readonly Value[], index: number): Value {
  return values[index % values.length]!;
}
