import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LeaseRights } from '../../src/domain/leases/leaserights.ts';
import type { LeaseAnswer, LeaseStatement } from '../../src/domain/leases/leasestatements.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { readContract, underContract } from '../support/contract.ts';
import { Reporter, updateBody } from '../support/reporter.ts';

let started: StartedApp;
let key: string;
let names = 0;

beforeAll(async () => {
  started = underContract(await startApp({ leaseTermMs: 30_000 }), await readContract());
  ({ id: key } = await started.installKey({ OrderNumber: 7_001, AuthorizedUnits: 5 }));
  const headers = { 'if-match': '*' };
  await started.call(`PATCH /v1/keys/${key}`, { body: { enforcement: 'leased' }, headers });
});
afterAll(async () => {
  await started.close();
});

/** An instance that has registered, with what it holds. */
class Holder {
  readonly reporter: Reporter;
  readonly users = new Map<string, number>();
  readonly rights = new LeaseRights({
    connectionsOf: (user) => this.users.get(user) ?? 0,
    connectionsPerUnitMax: 25,
  });

  constructor(name: string) {
    this.reporter = new Reporter(name);
  }

  connect(user: string): boolean {
    const connections = this.users.get(user) ?? 0;
    if (this.rights.coverage(user, connections) === 'ask') return false;
    this.rights.unwait(user);
    this.rights.connect(user, connections);
    this.users.set(user, connections + 1);
    return true;
  }

  /** Sends a statement as it is, with an update that states nothing. */
  async send(lease: object) {
    const body = { ...updateBody(this.reporter.update()), lease };
    return started.call(`POST /v1/instances/${this.reporter.name}/updates`, { body });
  }

  async exchange(): Promise<LeaseAnswer> {
    const response = await this.send(this.rights.statement(Date.now(), performance.now()));
    expect(response.statusCode).toBe(200);
    const { lease } = response.json();
    this.rights.adopt(lease);
    return lease;
  }
}

async function holder(): Promise<Holder> {
  names += 1;
  const one = new Holder(`leased-${names}`);
  expect((await started.register(one.reporter.name, key)).json()).toMatchObject({ enforcement: 'leased' });
  return one;
}

async function close({ reporter }: Holder): Promise<void> {
  const body = { incarnation: 1 };
  expect((await started.call(`POST /v1/instances/${reporter.name}/close`, { body })).statusCode).toBe(204);
}

describe('POST /v1/instances/{name}/updates with a lease', () => {
  test('200: units are leased, grow with demand, and are refused in words of the journal', async () => {
    const [one, other] = [await holder(), await holder()];
    expect(await one.exchange()).toMatchObject({ units: 1, termMs: 30_000, scarce: false });
    expect(await other.exchange()).toMatchObject({ units: 1 });
    expect([one.connect('alice'), one.connect('bob')]).toEqual([true, false]);
    for (const user of ['bob', 'carol', 'dave']) one.rights.wait(user, 'login-1');
    await one.exchange();
    expect(['bob', 'carol', 'dave'].map((user) => one.connect(user))).toEqual([true, true, true]);
    one.rights.wait('eve', 'login-2');
    const { refused } = await one.exchange();
    expect(refused).toMatchObject([{ id: 'eve', rule: 'enforced-units', limit: 5, inUse: 5 }]);
    const decision = await started.call(`GET /v1/journal/${refused![0]!.decision}`);
    expect(decision.json()).toMatchObject({ type: 'refused', rule: 'enforced-units' });
    await close(one);
    await close(other);
  });

  test('200: a central login has what is left, and a lease what the central logins leave', async () => {
    const [one, central] = [await holder(), await holder()];
    for (const user of ['u', 'v', 'w', 'x', 'y']) one.rights.wait(user, 'login-1');
    await one.exchange();
    const body = { instance: central.reporter.name, user: 'central' };
    const login = () => started.call('POST /v1/logins', { body });
    expect((await login()).json()).toMatchObject({ status: 409, code: 'units-exhausted', inUse: 5 });
    expect(one.connect('u')).toBe(true);
    for (const user of ['u', 'v', 'w', 'x', 'y']) one.rights.unwait(user);
    await one.exchange();
    expect((await login()).statusCode).toBe(201);
    await close(one);
    await close(central);
  });

  test('200: a statement that is repeated is answered with what stands', async () => {
    const one = await holder();
    const statement: LeaseStatement = one.rights.statement(Date.now(), performance.now());
    const first = (await one.send(statement)).json().lease;
    const again = (await one.send(statement)).json().lease;
    expect(again).toMatchObject({ id: first.id, revision: first.revision, units: 1, whole: true });
    await close(one);
  });

  test.each([
    ['/lease/users/1/id', { users: [{ id: 'a' }, { id: 'a' }] }],
    ['/lease/users/0/allowance', { users: [{ id: 'a', allowance: 1 }] }],
    ['/lease/units', { units: 1 }],
    ['/lease/whole', { whole: undefined }],
    ['/lease/sequence', { sequence: 0 }],
  ])('400: %s', async (pointer, wrong) => {
    const one = await holder();
    const { users = [], ...rest } = wrong as { users?: object[] };
    const named = users.map((user) => ({ allowance: 0, needed: 1, wanted: 1, ...user }));
    const statement = { sequence: 1, fresh: true, basis: 0, whole: true, units: 0, wanted: 1 };
    const response = await one.send({ ...statement, ...rest, users: named });
    expect(response.json()).toMatchObject({ status: 400, errors: [{ pointer }] });
    await close(one);
  });
});

describe('GET /v1/leases', () => {
  test('200: by instance, page by page, as far as the token may see', async () => {
    const [one, other] = [await holder(), await holder()];
    await one.exchange();
    await other.exchange();
    one.connect('alice');
    one.rights.wait('alice', 'login-1');
    await one.exchange();
    const page = (await started.call('GET /v1/leases?limit=1')).json();
    expect(page.items).toMatchObject([
      { instance: one.reporter.name, key, incarnation: 1, former: false, users: 1, connections: 2 },
    ]);
    const next = (await started.call(`GET /v1/leases?limit=1&cursor=${page.nextCursor}`)).json();
    expect(next.items).toMatchObject([{ instance: other.reporter.name, units: 1 }]);
    expect(next).not.toHaveProperty('nextCursor');
    const token = await started.token('viewer', { instance: other.reporter.name });
    const own = (await started.call(`GET /v1/leases?key=${key}`, { token })).json();
    expect(own.items).toMatchObject([{ instance: other.reporter.name }]);
    const counts = (await started.call(`GET /v1/usage/counts?key=${key}`)).json();
    expect(counts.items[0]).toMatchObject({ unitsLeased: page.items[0].units + 1 });
    await close(one);
    await close(other);
    expect((await started.call('GET /v1/leases')).json().items).toEqual([]);
  });

  test('401 and 403', async () => {
    expect((await started.call('GET /v1/leases', { token: null })).statusCode).toBe(401);
    const token = await started.token('viewer', { keys: ['another'] });
    expect((await started.call(`GET /v1/leases?key=${key}`, { token })).statusCode).toBe(403);
  });
});
