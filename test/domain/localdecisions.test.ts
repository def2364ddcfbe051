import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { endDue } from '../../src/domain/local/localdecisions.ts';
import type { LocalLogin } from '../../src/domain/local/localtable.ts';
import type { Answer, LoginView } from '../../src/domain/operations.ts';
import type { Claims } from '../../src/domain/users.ts';
import { LocalWorld } from '../support/local.ts';
import { makeIdentify, makeKey, makeLogin, world as makeWorld } from '../support/make.ts';

const user = fc.constantFrom('alice', 'bob', 'carol', 'a|b', '');
const claims: fc.Arbitrary<Claims> = fc.oneof(
  fc.record({ kind: fc.constant('user' as const), user }),
  fc.record({ kind: fc.constant('user' as const), clientAddress: fc.constantFrom('192.0.2.1', '192.0.2.2') }),
  fc.record({ kind: fc.constant('user' as const), username: user, clientAddress: fc.constant('192.0.2.1') }),
  fc.record({ kind: fc.constant('web' as const), webSession: fc.constantFrom('s1', 's2', 's3', 'alice') }),
  fc.record({ kind: fc.constant('batch' as const), processId: fc.integer({ min: 1, max: 3 }) }),
  fc.record({
    kind: fc.constantFrom('request' as const, 'system' as const, 'startup' as const, 'emergency' as const),
  }),
);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('in' as const), claims, parent: fc.option(fc.nat(20)) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('out' as const), at: fc.nat(20), onePage: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('identify' as const), at: fc.nat(20), user }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 9_999, 10_000, 600_000),
    }),
  },
);
const settings = fc.record({
  identityForm: fc.constantFrom('name' as const, 'name@address' as const),
  usernameLicensing: fc.boolean(),
  deferredIdentification: fc.boolean(),
  unitLimit: fc.constantFrom(0, 2),
  connectionLimit: fc.constantFrom(0, 3),
});

/** What of an answer must be the same on either side. IDs of what names nobody are each side's own. */
function shown(answer: Answer | ReturnType<LocalWorld['ask']>): unknown {
  if (answer.is === 'refused') {
    const { code, rule, limit, inUse, requested } = answer;
    const detail = answer.detail.replaceAll(/request:[\w-]+/g, 'request').replace(/in use by .*?\./, '');
    return { code, rule, limit, inUse, requested, detail };
  }
  if (answer.is === 'problem') return { code: answer.code };
  const login = ('login' in answer ? answer.login : answer) as LoginView | LocalLogin;
  const { phase, connections, units, unitsAdded } = login;
  return { userId: login.userId?.replace(/^request:.*/, 'request'), phase, connections, units, unitsAdded };
}

test('an instance by itself decides as the server would for it (R-16)', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      settings,
      fc.integer({ min: 1, max: 6 }),
      (steps, set, units) => {
        const key = makeKey({ units, connectionsPerUnitMax: 2 });
        // The server's settings may not be looked up by what nobody set.
        const server = makeWorld({ keys: [key], settings: { ...set, graceSeconds: 0 } });
        const local = new LocalWorld({ unitsMax: units, connectionsPerUnitMax: 2, settings: set });
        const held: { id: string; login: LocalLogin }[] = [];
        for (const what of steps) {
          const one = 'at' in what ? held[what.at % Math.max(1, held.length)] : undefined;
          if (what.do === 'wait') {
            server.wait(what.ms);
            local.nowMs += what.ms;
            endDue(local.table, local.nowMs);
          } else if (what.do === 'in') {
            const parent = what.parent === null ? undefined : held[what.parent % Math.max(1, held.length)];
            const id = server.newId();
            const there = server.ask(makeLogin({ id, claims: what.claims, parent: parent?.id }));
            if (isForgotten(there)) continue;
            const here = local.ask({ ...what.claims, parent: parent?.login });
            expect(shown(here)).toEqual(shown(there));
            if (here.is === 'granted') held.push({ id, login: here });
          } else if (what.do === 'out' && one) {
            server.logout({ id: one.id, instance: 'a' }, { onePage: what.onePage });
            local.logout(one.login, what.onePage);
          } else if (what.do === 'identify' && one) {
            const there = server.ask(
              makeIdentify({ id: one.id, user: what.user, clientAddress: '192.0.2.9' }),
            );
            expect(shown(local.identify(one.login, what.user, '192.0.2.9'))).toEqual(shown(there));
          }
          expect(local.table.units).toBe(server.units());
          expect(local.table.usersIn).toBe(server.table.pools.get('key-1')?.users.size ?? 0);
        }
      },
    ),
    { seed: 53, numRuns: 1_000 },
  );
});

/** The server remembers who went out for ten minutes; a caller here holds the login itself. */
function isForgotten(answer: Answer): boolean {
  return answer.is === 'refused' && answer.rule === 'parent';
}
