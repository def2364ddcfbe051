import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ListeningApp, startListening } from './world.ts';

let app: ListeningApp;
let key: string;

beforeAll(async () => {
  app = await startListening();
  const file = await app.installKey({ AuthorizedUnits: '5' });
  key = file.id;
  await app.register('hospital', key);
});

afterAll(() => app?.close());

const lictor: ListeningApp['lictor'] = (...args) => app.lictor(...args);
const jsonOf = async (args: string) => JSON.parse((await lictor(`${args} --json`)).stdout);

/** The cells of a table, line by line. */
const cellsOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd().split(/ {2,}/));

describe('keys', () => {
  test('a list is a table for people and one object for programs', async () => {
    const { exit, stdout, stderr } = await lictor('keys list');
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    const [head, row] = cellsOf(stdout);
    expect(head).toEqual(['KEY', 'PRODUCT', 'TYPE', 'SERVER', 'UNITS', 'ENFORCEMENT', 'EXPIRES', 'STATE']);
    expect(row?.[0]).toBe(key);
    const answer = await jsonOf('keys list');
    expect(answer.items.map(({ id }: { id: string }) => id)).toEqual([key]);
    expect(answer.asOf).toMatch(/^\d{4}-/);
  });

  test('a file is inspected, installed, shown and removed', async () => {
    const { signedKeyFile } = await import('../support/keyfiles.ts');
    const { text, id } = signedKeyFile({ OrderNumber: '77', AuthorizedUnits: '9' });
    const file = await app.file('second.key', text);
    const inspected = await lictor(`keys inspect ${file}`);
    expect(inspected.stdout).toContain('Installable:');
    expect(inspected.exit).toBe(0);
    const installed = await lictor(`keys install ${file}`);
    expect(installed.stderr).toBe(`Installed key ${id}.\n`);
    expect((await lictor(`keys install ${file}`)).stderr).toBe(`It was installed already: key ${id}.\n`);
    expect((await lictor(`keys show ${id}`)).stdout).toMatch(/Units: +9\n/);
    const out = path.join(app.folder, 'out.key');
    await lictor(`keys file ${id} --out ${out}`);
    expect(await readFile(out, 'utf8')).toBe(text);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    // An existing file is never overwritten.
    expect(await lictor(`keys file ${id} --out ${out}`)).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('exists already'),
    });
    expect(await lictor(`keys remove ${id} --yes`)).toMatchObject({
      exit: 0,
      stdout: `Removed key ${id}.\n`,
    });
    expect(await lictor(`keys show ${id}`)).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('Hint: "lictor keys list"'),
    });
  });

  test('the file may come by standard input', async () => {
    const { signedKeyFile } = await import('../support/keyfiles.ts');
    const { text, id } = signedKeyFile({ OrderNumber: '78' });
    const { stdout } = await lictor('keys inspect - --json', { stdin: text });
    expect(JSON.parse(stdout)).toMatchObject({ id, installable: true, installed: false });
  });

  test('what cannot be taken back is asked about, and needs --yes where nobody can be asked', async () => {
    expect(await lictor(`keys remove ${key}`)).toEqual({
      exit: 2,
      stdout: '',
      stderr:
        'lictor keys remove: There is no terminal on which to ask.\nHint: Say --yes if it shall be done.\n',
    });
    const no = await lictor(`keys remove ${key}`, { answers: ['n'] });
    expect(no).toMatchObject({ exit: 1, stderr: expect.stringContaining('Nothing was done.') });
    const yes = await lictor(`keys remove ${key}`, { answers: ['y'] });
    expect(yes).toMatchObject({ exit: 1, stderr: expect.stringContaining('lictor instances list --key') });
  });

  test('every fault of a file is told with its line', async () => {
    const file = await app.file('bad.key', '[ConfigFile]\nFileType=Lictor License 1\nx\ny\n');
    const { exit, stderr } = await lictor(`keys inspect ${file}`);
    expect(exit).toBe(1);
    expect(stderr).toMatch(/line 3: /);
    expect(stderr).toMatch(/line 4: /);
  });

  test('terms that are stated in part are wrong use', async () => {
    const file = await app.file('unsigned.key', '[ConfigFile]\n');
    const { exit, stderr } = await lictor(`keys inspect ${file} --units 5`);
    expect(exit).toBe(2);
    expect(stderr).toContain('Hint: Give --units, --type and --server together');
  });

  test('the enforcement is changed on the revision that stands', async () => {
    const before = await jsonOf(`keys show ${key}`);
    const after = await jsonOf(`keys change ${key} --connections-per-unit 12`);
    expect(after).toMatchObject({ connectionsPerUnitMax: 12 });
    expect(after.revision).not.toBe(before.revision);
    await lictor(`keys change ${key} --connections-per-unit 25`);
    expect(await lictor(`keys change ${key}`)).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('Nothing is to be changed'),
    });
  });
});

describe('instances', () => {
  test('one is registered, configured, shown and deregistered', async () => {
    const made = await jsonOf(`instances register lab --key ${key} --unit-limit 2 --username-licensing on`);
    expect(made).toMatchObject({ outcome: 'new', settings: { unitLimit: 2, usernameLicensing: true } });
    const changed = await jsonOf('instances configure lab --unit-limit 3');
    expect(changed.settings).toMatchObject({ unitLimit: 3, usernameLicensing: true });
    expect((await lictor('instances show lab')).stdout).toMatch(/Setting unit-limit: +3\n/);
    expect((await lictor(`instances list --key ${key}`)).stdout).toContain('lab');
    expect(await lictor('instances deregister lab --yes')).toMatchObject({ exit: 0 });
    expect(await lictor('instances show lab')).toMatchObject({ exit: 1 });
  });

  test('whether a feature is permitted is the exit status', async () => {
    const { exit, stdout } = await lictor('instances feature hospital "BPM User"');
    expect(exit).toBe(1);
    expect(stdout).toMatch(/Permitted: +no\n/);
  });
});

describe('logins', () => {
  test('in and out, with the units to see', async () => {
    const { id } = await jsonOf('logins login --instance hospital --user alice');
    const shown = await lictor(`logins show ${id}`);
    expect(shown.stdout).toMatch(/User ID: +alice\n/);
    expect(shown.stdout).toMatch(/Held: +yes\n/);
    expect(await lictor(`logins logout ${id}`)).toMatchObject({ exit: 0, stdout: `Logged out ${id}.\n` });
    expect((await lictor(`logins show ${id}`)).stdout).toMatch(/Held: +no\n/);
  });

  test('75 when no unit is free, and the refusal can be explained (F-23)', async () => {
    const ids = await Promise.all(['u1', 'u2', 'u3', 'u4', 'u5'].map((user) => app.login('hospital', user)));
    const refused = await lictor('logins login --instance hospital --user u6');
    expect(refused).toMatchObject({ exit: 75, stdout: '' });
    expect(refused.stderr).toContain('Hint: "lictor usage users" shows who holds the units');
    const forPrograms = await lictor('logins login --instance hospital --user u6 --json');
    expect(JSON.parse(forPrograms.stderr)).toMatchObject({
      exit: 75,
      command: 'lictor logins login',
      problem: { code: 'units-exhausted', limit: 5, inUse: 5 },
    });
    const would = await lictor('logins explain --instance hospital --user u6');
    expect(would.exit).toBe(0);
    expect(would.stdout).toMatch(/It would be: +refused\n/);
    const { decision } = (await jsonOf('journal list --type refused --limit 1')).items[0];
    const explained = await lictor(`explain ${decision}`);
    expect(explained.stdout).toMatch(/Type: +refused\n/);
    expect(explained.stdout).toMatch(/In words: +\S/);
    const counts = await jsonOf('usage counts');
    expect(counts.items[0]).toMatchObject({ key, unitsInUse: 5, unitsFree: 0 });
    const released = await jsonOf('instances release hospital --reason test --yes');
    expect(released.released).toBe(ids.length);
  });

  test('what nobody is asked for by name is not released', async () => {
    for (const which of ['', '--user a', '--key k', '--instance i --user a', '--login l']) {
      expect(await lictor(`logins release --reason test --yes ${which}`)).toMatchObject({
        exit: 2,
        stderr: expect.stringContaining('It is not said which logins'),
      });
    }
    expect(await lictor('logins release --instance hospital --reason x --yes')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('fewer than 3 characters'),
    });
    const login = await app.login('hospital', 'gone');
    const args = `logins release --instance hospital --login ${login} --reason test --yes`;
    expect(await lictor(args)).toMatchObject({ exit: 0, stderr: '' });
    await app.login('hospital', 'gone');
    const { released } = await jsonOf(`logins release --key ${key} --user gone --reason test --yes`);
    expect(released).toBe(1);
  });
});

describe('lists', () => {
  test('all pages are gone through, and --limit ends them', async () => {
    const { Tokens } = { Tokens: 505 };
    for (let number = 0; number < Tokens; number += 1) await app.token('viewer');
    const all = await jsonOf('tokens list');
    expect(all.items.length).toBeGreaterThan(Tokens);
    expect(all.more).toBeUndefined();
    const some = await lictor('tokens list --limit 3');
    expect(some.stdout.trimEnd().split('\n')).toHaveLength(4);
    expect(some.stderr).toBe('There are more; --limit 3 was given.\n');
    expect(await jsonOf('tokens list --limit 3')).toMatchObject({ more: true });
  });

  test('an empty one says so on standard error alone', async () => {
    expect(await lictor('leases')).toEqual({ exit: 0, stdout: '', stderr: 'There is no lease.\n' });
    expect(await jsonOf('leases list')).toMatchObject({ items: [] });
  });

  test('on a terminal there are colours, with NO_COLOR there are none', async () => {
    const coloured = await lictor('keys list', { isTerminal: true });
    expect(coloured.stdout).toContain('\u001b[1mKEY');
    const plain = await lictor('keys list', { isTerminal: true, env: { NO_COLOR: '1' } });
    expect(plain.stdout).not.toContain('\u001b');
    expect((await lictor('keys list')).stdout).not.toContain('\u001b');
  });

  test('what would steer a terminal is written out', async () => {
    await app.register('wide', key);
    await app.login('wide', 'Ünal 漢字');
    const users = await lictor('usage users');
    const lines = users.stdout.split('\n');
    const [head, row] = [lines[0], lines.find((line) => line.includes('漢字'))];
    // Two columns for each of the wide characters.
    expect(row!.indexOf(key)).toBe(head!.indexOf('KEY') - 2);
    const { visible } = await import('../../src/cli/paint.ts');
    expect(visible('a\u001b[31mb\u202e')).toBe('a\\u001b[31mb\\u202e');
  });
});

describe('tokens', () => {
  test('the text of a new one is alone on standard output', async () => {
    const { stdout, stderr } = await lictor('tokens create ci --role operator --expires 90d');
    expect(stdout).toMatch(/^\S+\n$/);
    expect(stderr).toContain('operator');
    expect(stderr).not.toContain(stdout.trim());
    const asCi = await lictor('keys list', { env: { LICTOR_TOKEN: stdout.trim() } });
    expect(asCi.exit).toBe(0);
  });

  test('into a file for its owner alone, and never over another', async () => {
    const out = path.join(app.folder, 'ci-token');
    const made = JSON.parse((await lictor(`tokens create ci2 --role viewer --out ${out} --json`)).stdout);
    expect(made).not.toHaveProperty('token');
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    expect(await lictor(`keys list --token-file ${out}`)).toMatchObject({ exit: 0 });
    const again = await lictor(`tokens create ci3 --role viewer --out ${out}`);
    expect(again).toMatchObject({ exit: 2, stderr: expect.stringContaining('exists already') });
    expect((await lictor(`tokens revoke ${made.id} --yes`)).exit).toBe(0);
    const list = await lictor('tokens list');
    expect(list.stdout).toMatch(new RegExp(`${made.id} +ci2 .*revoked`));
  });

  test('77 for what a token does not permit, or is none', async () => {
    const viewer = { env: { LICTOR_TOKEN: app.tokens.viewer } };
    expect(await lictor(`keys remove ${key} --yes`, viewer)).toMatchObject({ exit: 77 });
    const none = await lictor('keys list', { env: { LICTOR_TOKEN: 'lictor_of-nobody-at-all' } });
    expect(none.exit).toBe(77);
    expect(none.stderr).not.toContain('of-nobody');
  });
});

describe('servers, journal, excesses', () => {
  test('the roster is changed and listed', async () => {
    expect(await jsonOf('servers put alpha --address 192.0.2.1')).toMatchObject({
      outcome: 'added',
      port: 4001,
    });
    expect((await lictor('servers list')).stdout).toMatch(/ALPHA +192\.0\.2\.1 +4001 +down/);
    expect(await lictor('servers remove alpha --yes')).toMatchObject({ exit: 0 });
    expect(await lictor('servers list')).toMatchObject({
      stdout: '',
      stderr: 'There is no licence server.\n',
    });
  });

  test('the outlook of a key that the server alone decides', async () => {
    const { stdout } = await lictor(`excesses outlook ${key}`);
    expect(stdout).toMatch(/Enforcement: +central\n/);
    expect((await lictor('excesses list --text')).exit).toBe(0);
  });

  test('the journal, filtered and in order', async () => {
    const { items } = await jsonOf('journal list --order oldest --limit 2');
    expect(items.map(({ type }: { type: string }) => type)).toEqual(['key-installed', 'registered']);
    const after = await jsonOf(`journal list --order oldest --after ${items[1].decision} --limit 1`);
    expect(after.items[0].decision).not.toBe(items[1].decision);
    expect((await lictor('journal list --instance hospital --limit 5')).stdout).toContain('hospital');
  });
});

describe('usage', () => {
  test('by instance and user, the summary and the dump, as tables and as the legacy texts', async () => {
    await app.login('hospital', 'zoe');
    expect((await lictor('usage instances')).stdout).toMatch(/hospital/);
    expect((await lictor('usage users')).stdout).toMatch(/zoe/);
    const summary = await jsonOf('usage summary --instance hospital');
    expect(summary.local).toMatchObject({ instance: 'hospital' });
    expect((await lictor(`usage summary --key ${key} --text`)).stdout).toContain(
      'Current License Units Used =',
    );
    expect((await lictor('usage servers')).stdout).toMatch(/hospital +active +zoe/);
    expect((await lictor('usage servers --text')).stdout).toContain('Connections  License Units  Client');
    expect((await jsonOf('usage servers')).items[0]).toHaveProperty('clients');
  });
});
