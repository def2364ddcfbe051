/** The seven situations of an upgrade, by the command line (F-22, F-25). */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { signedKeyFile } from '../support/keyfiles.ts';
import { type ListeningApp, startListening } from './world.ts';

let app: ListeningApp;
let count = 0;

beforeAll(async () => {
  app = await startListening({ allowUnverified: true });
});

afterAll(() => app?.close());

/** Fields of a key file; every key gets an order number, and so an ID, of its own. */
type Fields = Parameters<typeof signedKeyFile>[0];

async function keyFile(fields: Fields, sections = ''): Promise<{ path: string; id: string }> {
  count += 1;
  const { text, id } = signedKeyFile({ OrderNumber: 700_000 + count, ...fields }, sections);
  return { path: await app.file(`${count}.key`, text), id };
}

/** An instance with a key and a profile; its name is new. */
async function instanceWith(fields: Fields, profile: string, sections = ''): Promise<string> {
  const { path, id } = await keyFile(fields, sections);
  await app.lictor(`keys install ${path}`);
  const name = `instance-${count}`;
  await app.lictor(`instances register ${name} --key ${id} --activation-profile ${profile}`);
  return name;
}

const FIVE = { AuthorizedUnits: 5 };
const POWER = { LicenseType: 'Power Unit', AuthorizedUnits: 64 };
const POWERLESS = { LicenseType: 'Concurrent User', AuthorizedUnits: 64 };

/** What the situations come to: the outcome, the units at once, and why a restart is needed. */
const SITUATIONS = [
  ['bigger', 'iris', FIVE, { AuthorizedUnits: 25 }, 'active', undefined, null],
  [
    'single to multi',
    'caché',
    { Server: 'Single' },
    { Server: 'Multi', AuthorizedUnits: 25 },
    'active',
    undefined,
    null,
  ],
  ['much bigger, unlimited', 'unlimited', FIVE, { AuthorizedUnits: 900_000 }, 'active', undefined, null],
  ['much bigger, caché5', 'caché5', FIVE, { AuthorizedUnits: 10_000 }, 'partly-active', 7_005, /7000 units/],
  [
    'much bigger, caché',
    'caché',
    FIVE,
    { AuthorizedUnits: 900_000 },
    'partly-active',
    226_778,
    /226773 units/,
  ],
  ['much bigger, iris', 'iris', FIVE, { AuthorizedUnits: 900_000 }, 'partly-active', 226_778, /226773 units/],
  ['smaller, iris', 'iris', { AuthorizedUnits: 25 }, FIVE, 'pending', undefined, /Fewer units/],
  ['smaller, caché', 'caché', { AuthorizedUnits: 25 }, FIVE, 'active', undefined, null],
  ['type changed, caché', 'caché', POWER, POWERLESS, 'pending', undefined, /Power Unit/],
  ['type changed, iris', 'iris', POWERLESS, POWER, 'pending', undefined, /Power Unit/],
  ['type changed, unlimited', 'unlimited', POWER, POWERLESS, 'active', undefined, null],
  [
    'features lost',
    'iris',
    { Features: 'Mirroring, BPM User' },
    { Features: 'Mirroring' },
    'active',
    undefined,
    null,
  ],
] as const;

describe('each situation is shown first, and comes to that', () => {
  test.each(SITUATIONS)('%s', async (_situation, profile, before, after, outcome, usable, restart) => {
    const name = await instanceWith(before, profile);
    const { path, id } = await keyFile(after);
    const shown = await app.lictor(`keys activate ${path} --instance ${name} --dry-run --json`);
    expect(shown.exit).toBe(0);
    const { inspections, activated } = JSON.parse(shown.stdout);
    expect(activated).toEqual([]);
    expect(inspections[0]).toMatchObject({ valid: true, outcome, requiresRestart: restart !== null });
    expect(inspections[0].usableUnits).toBe(usable);
    if (restart !== null) expect(inspections[0].restartReason).toMatch(restart);
    // Nothing was installed by looking.
    expect((await app.lictor(`keys show ${id}`)).exit).toBe(1);

    const done = await app.lictor(`keys activate ${path} --instance ${name} --yes --json`);
    expect(done.exit).toBe(0);
    const [answer] = JSON.parse(done.stdout).activated;
    expect(answer.outcome).toBe(outcome);
    expect(outcome === 'pending' ? answer.pendingKey : answer.key).toBe(id);
    expect(answer.usableUnits).toBe(usable);
    const history = JSON.parse((await app.lictor(`keys history ${name} --json`)).stdout);
    expect(history.items[0]).toMatchObject({ to: id, outcome, cause: 'activated' });
  });

  test('invalid: 1, the reason, and nothing is installed', async () => {
    const name = await instanceWith(FIVE, 'unlimited');
    const expired = fileURLToPath(new URL('../fixtures/keys/expired-multi-10.key', import.meta.url));
    const terms = '--units 10 --type "Concurrent User" --server multi';
    const { exit, stdout } = await app.lictor(`keys activate ${expired} --instance ${name} --yes ${terms}`);
    expect(exit).toBe(1);
    expect(stdout).toMatch(/Valid: +no\n/);
    expect(stdout).toMatch(/Why: .*expired/i);
    const list = JSON.parse((await app.lictor('keys list --json')).stdout);
    expect(
      list.items.filter(({ orderNumber }: { orderNumber: string }) => orderNumber === '100200305'),
    ).toEqual([]);
  });
});

describe('what is shown', () => {
  test('both keys side by side, what changes, and what is less', async () => {
    const name = await instanceWith(
      { AuthorizedUnits: 25, Features: 'Mirroring, BPM User' },
      'iris',
      '[ISC.Lab]\nLab Users=5\n',
    );
    const { path, id } = await keyFile({ ...FIVE, Features: 'Mirroring' });
    const { exit, stdout } = await app.lictor(`keys activate ${path} --instance ${name} --dry-run`);
    expect(exit).toBe(0);
    expect(stdout).toContain(`-> ${id}\n`);
    expect(stdout).toMatch(/^FIELD +CURRENT +SELECTED/m);
    expect(stdout).toMatch(/^Units enforced +25 +5 +changes$/m);
    expect(stdout).toMatch(/^Product +Example Server +Example Server$/m);
    expect(stdout).toMatch(/^It would be: +pending$/m);
    expect(stdout).toMatch(/^Less of: .*units 25 -> 5.*feature BPM User.*Lab/m);
  });

  test('an instance without a key is told as the portal does (F-20)', async () => {
    await app.lictor('instances register bare');
    const { path } = await keyFile(FIVE);
    const { stdout } = await app.lictor(`keys activate ${path} --instance bare --dry-run`);
    expect(stdout).toContain('Instance bare: License missing or unreadable -> ');
  });

  test('it is asked on a terminal, and without one --yes is needed', async () => {
    const name = await instanceWith(FIVE, 'unlimited');
    const { path, id } = await keyFile({ AuthorizedUnits: 25 });
    const args = `keys activate ${path} --instance ${name}`;
    expect(await app.lictor(args)).toMatchObject({ exit: 2, stderr: expect.stringContaining('--yes') });
    expect(await app.lictor(args, { answers: ['no'] })).toMatchObject({ exit: 1 });
    expect((await app.lictor(`keys show ${id}`)).exit).toBe(1);
    const yes = await app.lictor(args, { answers: ['y'] });
    expect(yes.exit).toBe(0);
    expect(yes.stderr).toContain(`Activate the key ${id} on ${name}? [y/N]`);
    expect(yes.stdout).toMatch(/^Outcome: +active$/m);
    // Once more there is nothing to do, and nothing is asked.
    expect(await app.lictor(`keys activate ${id} --instance ${name}`)).toMatchObject({
      exit: 0,
      stdout: expect.stringMatching(/It would be: +unchanged/),
    });
  });

  test('several instances: nothing is done anywhere unless it is valid everywhere', async () => {
    const one = await instanceWith(FIVE, 'unlimited');
    const two = await instanceWith(FIVE, 'unlimited');
    const { path, id } = await keyFile({ AuthorizedUnits: 25, Server: 'Single' });
    const single = await app.lictor(`keys activate ${path} --instance ${one} --instance nowhere --yes`);
    expect(single).toMatchObject({ exit: 1, stderr: expect.stringContaining('nowhere') });
    expect((await app.lictor(`keys show ${id}`)).exit).toBe(1);
    const multi = await keyFile({ AuthorizedUnits: 25 });
    const both = await app.lictor(
      `keys activate ${multi.path} --instance ${one} --instance ${two} --yes --json`,
    );
    expect(JSON.parse(both.stdout).activated.map(({ key }: { key: string }) => key)).toEqual([
      multi.id,
      multi.id,
    ]);
  });

  test('what changed since it was shown is refused', async () => {
    const name = await instanceWith(FIVE, 'iris');
    const { path } = await keyFile({ AuthorizedUnits: 25 });
    const other = await keyFile({ AuthorizedUnits: 50 });
    // Somebody else is faster while the question is read.
    const { exit, stderr } = await app.lictor(`keys activate ${path} --instance ${name}`, {
      answers: [],
      parts: {
        stdin: {
          isTerminal: true,
          readAll: async () => Buffer.alloc(0),
          onKey: () => () => {},
          async ask() {
            const { exit: faster } = await app.lictor(`keys activate ${other.path} --instance ${name} --yes`);
            expect(faster).toBe(0);
            return 'y';
          },
        },
      },
    });
    expect(exit).toBe(1);
    expect(stderr).toContain('Somebody changed it meanwhile');
    expect(JSON.parse((await app.lictor(`instances show ${name} --json`)).stdout).key).toBe(other.id);
  });
});

describe('an upgrade with all units taken (F-23)', () => {
  test('the sixth user comes in, and nobody inside noticed', async () => {
    const name = await instanceWith(FIVE, 'iris');
    const inside = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((user) => app.login(name, user)));
    const sixth = `logins login --instance ${name} --user f`;
    expect((await app.lictor(sixth)).exit).toBe(75);
    const { path } = await keyFile({ AuthorizedUnits: 25 });
    expect((await app.lictor(`keys activate ${path} --instance ${name} --yes`)).exit).toBe(0);
    expect((await app.lictor(sixth)).exit).toBe(0);
    for (const id of inside) {
      const login = JSON.parse((await app.lictor(`logins show ${id} --json`)).stdout);
      expect(login).toMatchObject({ held: true, units: 1, connections: 1 });
    }
  });

  test('and back: the key before is active again, the journal knows both', async () => {
    const name = await instanceWith(FIVE, 'unlimited');
    const { key: before } = JSON.parse((await app.lictor(`instances show ${name} --json`)).stdout);
    const { path, id } = await keyFile({ AuthorizedUnits: 25 });
    await app.lictor(`keys activate ${path} --instance ${name} --yes`);
    const back = await app.lictor(`keys rollback ${name}`, { answers: ['y'] });
    expect(back.exit).toBe(0);
    expect(back.stderr).toContain(`go back from the key ${id} to ${before}`);
    const { stdout } = await app.lictor(`keys history ${name}`);
    expect(stdout.trimEnd().split('\n')).toHaveLength(3);
    expect(stdout).toMatch(new RegExp(`rolled-back +${id} +${before} +25 -> 5`));
  });
});

describe('served keys', () => {
  test('one is served by hand, and an instance asks for it', async () => {
    const { path, id } = await keyFile({ AuthorizedUnits: 10, LicenseID: 'ward' });
    await app.lictor(`keys install ${path}`);
    const { exit, stdout } = await app.lictor(`keys serve ${id}`);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/License ID: +ward\n/);
    await app.lictor('instances register ward-1 --license-id ward');
    expect((await app.lictor('keys served')).stdout).toMatch(new RegExp(`^ward +${id} +10 +1 `, 'm'));
    expect((await app.lictor('instances check-key ward-1')).stdout).toMatch(/Newer: +no\n/);
    const plain = await keyFile(FIVE);
    await app.lictor(`keys install ${plain.path}`);
    expect(await app.lictor(`keys serve ${plain.id}`)).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('no LicenseID'),
    });
  });
});
