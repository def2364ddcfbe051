import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Place, Pool } from '../../src/domain/holdings/holdings.ts';
import { Login, totalsOf } from '../../src/domain/holdings/login.ts';
import { type Busy, PACKED_FROM, packAll, packing } from '../../src/domain/holdings/packing.ts';
import { Palette } from '../../src/domain/holdings/palette.ts';
import { CHUNK_ROWS } from '../../src/domain/holdings/rowstore.ts';
import { mix, SlotIndex } from '../../src/domain/holdings/slotindex.ts';
import { User } from '../../src/domain/holdings/user.ts';
import { readUuid, UUID_WORDS, writeUuid } from '../../src/domain/holdings/uuid.ts';
import { loginId, makeKey, makeLogin, START_MS, world } from '../support/make.ts';
import { expectMarksKept } from '../support/marks.ts';
import { snapshotOf } from '../support/snapshot.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** A login as `applyGranted` makes it, of a user with as many connections as it says. */
function enter(place: Place, pool: Pool, number: number, userId: string): Login {
  const login = new Login(loginId(number), place, pool);
  login.moment = { version: number, atMs: START_MS + number };
  login.index = number % 7;
  login.print = number * 13;
  login.processId = number % 3 === 0 ? number : 0;
  const user = pool.users.get(userId) ?? new User(userId, pool);
  user.connections += 1;
  user.connectionsPeak = Math.max(user.connectionsPeak, user.connections);
  user.home = place;
  pool.users.set(userId, user);
  login.user = user;
  login.totals = totalsOf(user.connections, 1, user.connections === 1 ? 1 : 0, false);
  place.logins.set(login.id, login);
  return login;
}

function leave(login: Login): void {
  const { place, pool, user } = login;
  place.logins.delete(login.id);
  user!.connections -= 1;
  if (user!.connections === 0) pool.users.delete(user!.id);
}

/** What a login says, whichever object says it. */
function tell(login: Login) {
  const { id, pool, user, kind, phase, moment, index, totals, print, processId } = login;
  return { id, pool: pool.id, user: user!.id, kind, phase, ...moment, index, totals, print, processId };
}

describe('a packed login', () => {
  test('unpacks itself when it is looked up, and says what it said', () => {
    const pool = new Pool('key-1', 9, 1);
    const place = new Place('a', 1);
    const logins = [1, 2, 3].map((number) => enter(place, pool, number, number === 3 ? 'bob' : 'alice'));
    const said = logins.map(tell);
    for (const login of logins) place.logins.pack(login);
    expect([place.logins.size, place.logins.openSize]).toEqual([3, 0]);
    expect(place.logins.haveUser).toBe(true);
    expect(place.logins.has(loginId(2))).toBe(true);
    expect(place.logins.has(loginId(4))).toBe(false);
    expect(place.logins.get('no UUID')).toBeUndefined();
    expect(place.logins.openSize).toBe(0);
    const found = place.logins.get(loginId(2))!;
    expect(tell(found)).toEqual(said[1]);
    expect(place.logins.get(loginId(2))).toBe(found);
    expect(found.user).toBe(pool.users.get('alice'));
    expect([...place.logins.values()].map(tell).sort((one, other) => one.version - other.version)).toEqual(
      said,
    );
    expect(place.logins.openSize).toBe(3);
  });

  test('counts in its pool, and is found by its user', () => {
    const [one, other] = [new Pool('key-1', 9, 1), new Pool('key-2', 9, 1)];
    const place = new Place('a', 1);
    for (let number = 0; number < 6; number += 1)
      place.logins.pack(enter(place, number < 4 ? one : other, number, number % 2 === 0 ? 'alice' : 'bob'));
    expect([...place.logins.packedByPool()]).toEqual([
      [one, 4],
      [other, 2],
    ]);
    expect(place.logins.pools()).toEqual([one, other]);
    expect([...place.logins.userIds()].sort()).toEqual(['alice', 'alice', 'alice', 'bob', 'bob', 'bob']);
    const alice = one.users.get('alice')!;
    expect(place.logins.of(alice).map(({ id }) => id)).toEqual(
      expect.arrayContaining([loginId(0), loginId(2)]),
    );
    expect(place.logins.of(alice)).toHaveLength(2);
    expect([alice.packed, place.logins.openSize]).toEqual([0, 2]);
  });

  test.each([
    ['is nobody’s', { user: null }],
    ['is pending', { phase: 'pending' }],
    ['lingers', { phase: 'grace' }],
    ['is the emergency login', { kind: 'emergency' }],
    ['has a lease', { leaseSeconds: 60 }],
    ['ends by itself', { endsAtMs: START_MS + 10_000 }],
    ['took two units', { totals: totalsOf(26, 26, 2, true) }],
    ['has an ID that is no UUID', { id: 'web-1' }],
    ['has an ID in capitals', { id: 'ABCDEF00-0000-4000-8000-000000000001' }],
    ['has a process ID beyond 32 bits', { processId: 2 ** 32 }],
    ['stands in a row beyond 32 bits', { moment: { version: 2 ** 32, atMs: START_MS } }],
  ] as const)('is never one that %s', (_, fields) => {
    const pool = new Pool('key-1', 9, 1);
    const place = new Place('a', 1);
    const login = Object.assign(enter(place, pool, 1, 'alice'), fields);
    place.logins.pack(login);
    expect(place.logins.openSize).toBe(1);
    expect(pool.users.get('alice')!.packed).toBe(0);
  });

  test('is never one that holds units of applications', () => {
    const pool = new Pool('key-1', 9, 1);
    const place = new Place('a', 1);
    const login = enter(place, pool, 1, 'alice');
    place.holdings = { byLogin: new Map([[login, new Map()]]) } as unknown as Place['holdings'];
    place.logins.pack(login);
    expect(place.logins.openSize).toBe(1);
  });
});

describe('a packed user', () => {
  test('is one all of whose connections are packed logins of one instance', () => {
    const pool = new Pool('key-1', 9, 1);
    const place = new Place('a', 1);
    const [first, second] = [enter(place, pool, 1, 'alice'), enter(place, pool, 2, 'alice')];
    const alice = pool.users.get('alice')!;
    alice.apart = true;
    place.logins.pack(first);
    pool.users.pack(alice);
    expect(pool.users.openSize).toBe(1);
    place.logins.pack(second);
    alice.elsewhere = new Map([[new Place('b', 1), 1]]);
    pool.users.pack(alice);
    expect(pool.users.openSize).toBe(1);
    alice.elsewhere = null;
    pool.users.pack(alice);
    expect([pool.users.size, pool.users.openSize]).toEqual([1, 0]);
    expect([...pool.users.readAll()]).toMatchObject([
      { id: 'alice', connections: 2, apart: true, home: place },
    ]);
    expect(pool.users.openSize).toBe(0);
    const back = pool.users.get('alice')!;
    expect(back).toMatchObject({
      connections: 2,
      connectionsPeak: 2,
      packed: 2,
      transitioned: false,
      apart: true,
    });
    expect(place.logins.get(first.id)!.user).toBe(back);
    expect(back.packed).toBe(1);
    // One of his logins is an object that speaks of him, so that he has to stay the one that he is.
    pool.users.pack(back);
    expect(pool.users.openSize).toBe(1);
  });
});

describe('packing a table', () => {
  const plenty = () => world({ keys: [makeKey({ units: 5_000 })] });

  test('leaves what is recent, what is still to be folded, and a table that is small', () => {
    const lictor = plenty();
    lictor.logins(4);
    const { logins } = lictor.table.place('a');
    const pool = lictor.table.pool('key-1');
    // The objects are looked up first, because packing goes on with every batch of this world.
    const [first, ...others] = logins.values();
    packAll(lictor.table);
    expect(logins.openSize).toBe(4);
    const busy: Busy = { hasLogin: (login) => login === first, hasUser: () => false };
    for (const _ of packing(lictor.table, first!.moment.atMs - 1, busy, 1)) expect(logins.openSize).toBe(4);
    packAll(lictor.table, busy, 1);
    expect([...logins.open()]).toEqual([first]);
    expect(others).toHaveLength(3);
    packAll(lictor.table, { hasLogin: () => false, hasUser: () => true }, 1);
    expect([logins.openSize, pool.users.openSize]).toEqual([0, 1]);
    packAll(lictor.table, undefined, 1);
    expect(pool.users.openSize).toBe(0);
  });

  test('goes on while logins come, go and are looked up between its steps', () => {
    const lictor = plenty();
    const count = PACKED_FROM + 500;
    const views = Array.from({ length: count }, (_, index) =>
      lictor.login({ claims: { user: `user ${index}` } }),
    );
    const before = snapshotOf(lictor.table);
    const steps = packing(lictor.table, NEVER, { hasLogin: () => false, hasUser: () => false });
    for (let step = 0; !steps.next().done; step += 1) {
      if (step % 100 === 0) lictor.table.place('a').logins.get(views[step % count]!.id);
      if (step === 700) lictor.logout(lictor.login({ claims: { user: 'passing' } }));
    }
    const { logins } = lictor.table.place('a');
    expect(logins.openSize).toBeLessThan(100);
    const { places, pools } = snapshotOf(lictor.table);
    expect(places.map((place) => place.logins)).toEqual(before.places.map((place) => place.logins));
    expect(pools.map((pool) => pool.units)).toEqual([count]);
  });

  test('what was packed is released, moved, identified and repeated as if it had never been', () => {
    const run = (packs: boolean) => {
      const lictor = world({ keys: [makeKey({ units: 50 }), makeKey({ id: 'key-2', units: 50 })] });
      const pack = () => packs && packAll(lictor.table, undefined, 1);
      const ids = Array.from({ length: 12 }, (_, index) => loginId(5_000 + index));
      for (const [index, id] of ids.entries())
        lictor.ask(
          makeLogin({ id, claims: { user: `user ${index % 5}`, kind: index % 2 === 0 ? 'user' : 'web' } }),
        );
      pack();
      expect(lictor.ask(makeLogin({ id: ids[0]!, claims: { user: 'user 0' } }))).toMatchObject({
        repeated: true,
      });
      lictor.logout({ id: ids[1]!, instance: 'a' });
      pack();
      lictor.ask({
        op: 'identify',
        instance: 'a',
        id: ids[2]!,
        user: 'somebody',
        clientAddress: undefined,
        actor: 't',
      });
      pack();
      expect(
        lictor.ask({ op: 'release-user', pool: 'key-1', user: 'user 3', note: '', actor: 't' }),
      ).toMatchObject({ is: 'ended' });
      pack();
      expectMarksKept(lictor.table);
      lictor.draft([{ op: 'release-instance', instance: 'a', note: '', actor: 't' }]);
      lictor.table.rollback();
      expectMarksKept(lictor.table);
      return snapshotOf(lictor.table);
    };
    expect(run(true)).toEqual(run(false));
  });
});

/** Logins and users as maps of plain objects, to compare with. */
type Action = { readonly what: 'in' | 'out' | 'look' | 'pack' | 'users'; readonly number: number };

const actions = fc.array(
  fc.record<Action>({
    what: fc.constantFrom('in', 'in', 'in', 'out', 'look', 'pack', 'pack', 'users'),
    number: fc.nat(400),
  }),
  { maxLength: 300 },
);

test('any history of entering, leaving, looking up and packing leaves who is in, and of whom, as two maps have it', () => {
  fc.assert(
    fc.property(actions, (steps) => {
      const pool = new Pool('key-1', 9, 77);
      const place = new Place('a', 77);
      const model = new Map<string, ReturnType<typeof tell>>();
      for (const { what, number } of steps) {
        const id = loginId(number);
        const found = what === 'pack' || what === 'users' ? undefined : place.logins.get(id);
        if (what === 'in' && !found) model.set(id, tell(enter(place, pool, number, `user ${number % 40}`)));
        else if (what === 'out' && found) {
          leave(found);
          model.delete(id);
        } else if (what === 'pack') for (const login of place.logins.open()) place.logins.pack(login);
        else if (what === 'users') for (const user of pool.users.open()) pool.users.pack(user);
        expect(place.logins.size).toBe(model.size);
        if (what === 'look') expect(found && tell(found)).toEqual(model.get(id));
      }
      const connections = new Map<string, number>();
      for (const { user } of model.values()) connections.set(user, (connections.get(user) ?? 0) + 1);
      expect(new Map([...pool.users.readAll()].map((user) => [user.id, user.connections]))).toEqual(
        connections,
      );
      expect(pool.users.size).toBe(connections.size);
      expect(new Map([...place.logins.values()].map((login) => [login.id, tell(login)]))).toEqual(model);
      for (const login of place.logins.values()) expect(login.user).toBe(pool.users.get(login.user!.id));
      for (const user of pool.users.readAll()) expect(user.packed).toBe(0);
    }),
    { seed: 41, numRuns: 300 },
  );
});

test('stores grow over many chunks and shrink again, in any order', () => {
  const pool = new Pool('key-1', 9, 5);
  const place = new Place('a', 5);
  const count = 3 * CHUNK_ROWS + 17;
  for (let number = 0; number < count; number += 1)
    place.logins.pack(enter(place, pool, number, `user ${number}`));
  for (const user of pool.users.open()) pool.users.pack(user);
  expect([place.logins.openSize, pool.users.openSize]).toEqual([0, 0]);
  for (let turn = 0; turn < count; turn += 1) {
    const number = (turn * 7_919) % count;
    const login = place.logins.get(loginId(number))!;
    expect(tell(login)).toMatchObject({ version: number, user: `user ${number}` });
    leave(login);
  }
  expect([place.logins.size, pool.users.size]).toEqual([0, 0]);
});

test('a palette is full when its rows can name no more values, and goes on naming those that it has', () => {
  const palette = new Palette<string>(2);
  expect(['a', 'b', 'c', 'a'].map((value) => palette.indexOf(value))).toEqual([0, 1, -1, 0]);
  expect(palette.at(1)).toBe('b');
});

test('an index finds every row although all of them collide', () => {
  for (const hashOf of [() => 7, (slot: number) => slot & 1, (slot: number) => mix(3, slot)]) {
    const index = new SlotIndex(hashOf);
    const rows = new Set<number>();
    const finds = (slot: number) => {
      for (let cell = index.first(hashOf(slot)); index.slotAt(cell) >= 0; cell = index.after(cell))
        if (index.slotAt(cell) === slot) return true;
      return false;
    };
    for (let slot = 0; slot < 300; slot += 1) {
      index.add(hashOf(slot), slot);
      rows.add(slot);
      if (slot % 3 !== 0) continue;
      index.remove(hashOf(slot / 3), slot / 3);
      rows.delete(slot / 3);
    }
    for (let slot = 0; slot < 300; slot += 1) expect([slot, finds(slot)]).toEqual([slot, rows.has(slot)]);
  }
});

test('UUIDs come back as they were, and nothing else is taken for one', () => {
  const words = new Uint32Array(UUID_WORDS * 2);
  fc.assert(
    fc.property(fc.uuid(), (id) => {
      expect(readUuid(id, words)).toBe(true);
      words.copyWithin(UUID_WORDS, 0, UUID_WORDS);
      expect(writeUuid(words, UUID_WORDS)).toBe(id);
    }),
    { seed: 3, numRuns: 500 },
  );
  for (const id of [
    '',
    'x',
    `${loginId(1)}0`,
    loginId(1).replace('-', '0'),
    loginId(1).replace('1', 'g'),
    'ı'.repeat(36),
  ])
    expect([id, readUuid(id, words)]).toEqual([id, false]);
});
