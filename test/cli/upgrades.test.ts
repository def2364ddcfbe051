/** The seven situations of an upgrade, by the command line, on the fixture keys (F-20…F-23). */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { StandingClock } from '../support/clock.ts';
import { type ListeningApp, runProcess, startListening } from './world.ts';

/** A day on which all of them are valid but the one that has expired. */
const DAY_MS = Date.UTC(2026, 5, 1, 12);

/** The fixture keys, with what is stated of each: they are signed elsewhere. */
const KEYS = {
  five: ['cache-5-enterprise-5', '--units 5 --type "Concurrent User" --server single --product Enterprise'],
  eight: ['bom-crlf-utf8-8', '--units 8 --type "Concurrent User" --server multi --product Enterprise'],
  twentyFive: [
    'iris-multi-25',
    '--units 25 --type "Concurrent User" --server multi --product Enterprise --feature Interoperability',
  ],
  huge: [
    'cache-2011-multi-1000-trakcare',
    '--units 300000 --type "Concurrent User" --server multi --product Enterprise --feature Interoperability --feature DeepSee',
  ],
  power: ['cache-power-unit-64', '--units 64 --type "Power Unit" --server multi --product Enterprise'],
  expired: ['expired-multi-10', '--units 10 --type "Concurrent User" --server multi --product Enterprise'],
} as const;

type Key = keyof typeof KEYS;
type Profile = 'unlimited' | 'caché5' | 'caché' | 'iris';

const pathOf = (name: string) => fileURLToPath(new URL(`../fixtures/keys/${name}.key`, import.meta.url));
/** The file of a key with what is stated of it, as a command takes them. */
const fileOf = (key: Key) => `${pathOf(KEYS[key][0])} ${KEYS[key][1]}`;

let app: ListeningApp;
let count = 0;
const ids = new Map<Key, string>();

beforeAll(async () => {
  app = await startListening({ allowUnverified: true, clock: new StandingClock(DAY_MS) });
  for (const key of Object.keys(KEYS) as Key[]) {
    const { stdout } = await app.lictor(`keys inspect ${fileOf(key)} --json`);
    ids.set(key, JSON.parse(stdout).id);
  }
});

afterAll(() => app?.close());

const idOf = (key: Key) => ids.get(key)!;
const show = async (name: string) => JSON.parse((await app.lictor(`instances show ${name} --json`)).stdout);
const start = (name: string, key: Key, more = '') =>
  app.lictor(`instances register ${name} --key ${idOf(key)} ${more}`);

/** Registers a new instance with a key and a profile. */
async function instanceWith(key: Key, profile: Profile): Promise<string> {
  expect((await app.lictor(`keys install ${fileOf(key)}`)).exit).toBe(0);
  count += 1;
  const name = `upgrade-${count}`;
  const { exit, stderr } = await start(name, key, `--activation-profile ${profile}`);
  expect([exit, stderr]).toEqual([0, '']);
  return name;
}

/** What is to come of a situation. */
interface Expected {
  readonly outcome: 'active' | 'partly-active' | 'pending';
  readonly usableUnits?: number;
  /** What the lines of the answer that say so match. */
  readonly restart?: RegExp;
  readonly less?: RegExp;
}

const ACTIVE: Expected = { outcome: 'active' };
const POWER_UNIT: Expected = {
  outcome: 'pending',
  restart: /Power Unit/,
  less: /licence type|license type/i,
};
const FEWER = /units 25 -> 8/;

const SITUATIONS: readonly (readonly [string, Profile, Key, Key, Expected])[] = [
  ['bigger', 'iris', 'eight', 'twentyFive', ACTIVE],
  ['single to multi', 'caché', 'five', 'twentyFive', ACTIVE],
  ['much bigger', 'unlimited', 'eight', 'huge', ACTIVE],
  [
    'much bigger',
    'caché5',
    'eight',
    'huge',
    { outcome: 'partly-active', usableUnits: 7_008, restart: /7000 units/ },
  ],
  [
    'much bigger',
    'caché',
    'eight',
    'huge',
    { outcome: 'partly-active', usableUnits: 226_781, restart: /226773 units/ },
  ],
  [
    'much bigger',
    'iris',
    'eight',
    'huge',
    { outcome: 'partly-active', usableUnits: 226_781, restart: /226773 units/ },
  ],
  ['smaller', 'unlimited', 'twentyFive', 'eight', { outcome: 'active', less: FEWER }],
  ['smaller', 'caché5', 'twentyFive', 'eight', { outcome: 'active', less: FEWER }],
  ['smaller', 'caché', 'twentyFive', 'eight', { outcome: 'active', less: FEWER }],
  [
    'smaller',
    'iris',
    'twentyFive',
    'eight',
    { outcome: 'pending', restart: /Fewer units, 8 in place of 25/, less: FEWER },
  ],
  [
    'type changed from Power Unit',
    'unlimited',
    'power',
    'huge',
    { outcome: 'active', less: POWER_UNIT.less! },
  ],
  ['type changed from Power Unit', 'caché5', 'power', 'huge', POWER_UNIT],
  ['type changed from Power Unit', 'caché', 'power', 'huge', POWER_UNIT],
  ['type changed from Power Unit', 'iris', 'power', 'huge', POWER_UNIT],
  ['type changed to Power Unit', 'caché', 'eight', 'power', { outcome: 'active', less: POWER_UNIT.less! }],
  ['type changed to Power Unit', 'iris', 'eight', 'power', POWER_UNIT],
  [
    'features and an application lost',
    'caché',
    'huge',
    'twentyFive',
    { outcome: 'active', less: /units 300000 -> 25; feature DeepSee; application ISC\.HealthShare/ },
  ],
];

describe('what is shown is what comes of it', () => {
  test.each(SITUATIONS)('%s, %s: %s -> %s', async (_situation, profile, before, after, expected) => {
    const { outcome, usableUnits, restart, less } = expected;
    const name = await instanceWith(before, profile);
    const { exit, stdout } = await app.lictor(`keys activate ${fileOf(after)} --instance ${name} --dry-run`);
    expect(exit).toBe(0);
    const line = (label: string) => new RegExp(`^${label}: +(.*)$`, 'm').exec(stdout)?.[1];
    expect(stdout).toContain(`Instance ${name}: ${idOf(before)} -> ${idOf(after)}\n`);
    expect([line('Valid'), line('It would be')]).toEqual(['yes', outcome]);
    expect(line('Restart')).toMatch(restart ?? /^not needed$/);
    expect(line('Less of')).toMatch(less ?? /^nothing$/);
    expect(line('Units at once')).toBe(usableUnits === undefined ? undefined : `${usableUnits}`);
    expect((await show(name)).key).toBe(idOf(before));

    const done = await app.lictor(`keys activate ${fileOf(after)} --instance ${name} --yes --json`);
    expect([done.exit, done.stderr]).toEqual([0, '']);
    const isPending = outcome === 'pending';
    const now = await show(name);
    expect(now.key).toBe(idOf(isPending ? before : after));
    expect(now.pendingKey).toBe(isPending ? idOf(after) : undefined);
    expect(now.usableUnits).toBe(usableUnits);

    // The next start brings the rest, though the instance goes on naming the key that it was configured with.
    expect((await start(name, before)).exit).toBe(0);
    const started = await show(name);
    expect([started.key, started.pendingKey, started.usableUnits]).toEqual([
      idOf(after),
      undefined,
      undefined,
    ]);
    await app.lictor(`instances deregister ${name} --yes`);
  });

  test('invalid: 1 with the reason, and neither installed nor activated', async () => {
    const name = await instanceWith('eight', 'unlimited');
    const before = await app.lictor('keys list --json');
    for (const more of ['--dry-run', '--yes']) {
      const { exit, stdout } = await app.lictor(
        `keys activate ${fileOf('expired')} --instance ${name} ${more}`,
      );
      expect(exit).toBe(1);
      expect(stdout).toMatch(/^Valid: +no$/m);
      expect(stdout).toMatch(/^Why: .*expired at the end of 2020-04-30/m);
    }
    for (const bad of ['zeros', 'impossible-date', 'no-configfile-section']) {
      const refused = await app.lictor(`keys activate ${pathOf(`bad/${bad}`)} --instance ${name} --yes`);
      expect(refused.exit).toBe(1);
      expect(refused.stderr).toMatch(/: Line \d+: \S+/);
    }
    expect((await app.lictor('keys list --json')).stdout.replace(/"asOf".*/s, '')).toBe(
      before.stdout.replace(/"asOf".*/s, ''),
    );
    expect((await show(name)).key).toBe(idOf('eight'));
  });

  test('without a key it is told as the portal tells it (F-20)', async () => {
    await app.lictor('instances register bare --activation-profile iris');
    const { stdout } = await app.lictor(`keys activate ${fileOf('twentyFive')} --instance bare --dry-run`);
    expect(stdout).toContain(`Instance bare: License missing or unreadable -> ${idOf('twentyFive')}\n`);
    expect(stdout).toMatch(/^It would be: +active$/m);
  });
});

describe('a key that others share', () => {
  test('is told with what is in use of it, and who would be kept out', async () => {
    const [here, there] = [
      await instanceWith('twentyFive', 'iris'),
      await instanceWith('eight', 'unlimited'),
    ];
    await Promise.all(['gus', 'hal'].map((user) => app.login(here, user)));
    await Promise.all(
      ['ida', 'jon', 'kim', 'lea', 'mia', 'ned', 'ole'].map((user) => app.login(there, user)),
    );
    const { stdout } = await app.lictor(`keys activate ${idOf('eight')} --instance ${here} --dry-run`);
    expect(stdout).toMatch(/^Units in use there: +2: nobody new comes in until use falls$/m);
    expect(stdout).toMatch(/^Units of the key in use: +7$/m);
    for (const name of [here, there]) await app.lictor(`instances deregister ${name} --yes`);
  });
});

describe('a key of 5 units, all of them taken (F-21, F-23)', () => {
  test('the administrator activates one of 25 by the command; the sixth comes in, and nobody inside noticed', async () => {
    const name = await instanceWith('five', 'iris');
    const users = ['ann', 'ben', 'cleo', 'dan', 'eve'];
    const inside = await Promise.all(users.map((user) => app.login(name, user, { leaseSeconds: 600 })));
    const env = app.as('administrator');
    const logIn = ['logins', 'login', '--instance', name, '--user', 'frank'];
    const refused = await runProcess(logIn, env);
    expect([refused.exit, refused.stderr]).toEqual([75, expect.stringContaining('5')]);

    const [file, terms] = [pathOf(KEYS.twentyFive[0]), KEYS.twentyFive[1]];
    const stated = [...terms.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
    const activated = await runProcess(
      ['keys', 'activate', file, '--instance', name, '--yes', ...stated],
      env,
    );
    expect(activated.exit).toBe(0);
    expect(activated.stdout).toMatch(/^Outcome: +active$/m);
    expect(activated.stdout).toMatch(/^Units in use: +5 of 25$/m);

    expect((await runProcess(logIn, env)).exit).toBe(0);
    for (const [index, id] of inside.entries()) {
      const login = (await app.call(`GET /v1/logins/${id}`)).json();
      expect(login).toMatchObject({ held: true, userId: users[index], units: 1, key: idOf('twentyFive') });
      // Signs of life and logouts go on under the IDs that they had.
      expect((await app.call(`POST /v1/logins/${id}/heartbeat`)).statusCode).toBe(200);
    }
    expect((await app.call(`DELETE /v1/logins/${inside[0]}?instance=${name}`)).statusCode).toBe(204);
    const { holds } = await show(name);
    expect(holds).toMatchObject({ users: 5, units: 5 });
  });
});
