import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runKeyCommand } from '../../src/cli/key/key.ts';
import { processKeyIo } from '../../src/cli/key/keyio.ts';

let folder: string;
let trusted: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lictor-key-'));
  const made = await run('generate', '--id', 'acme-2026', '--out', at('acme.pem'));
  trusted = made.stdout.replace('LICTOR_TRUSTED_KEYS=', '').trim();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/keys/${name}`, import.meta.url));

/** Runs the command on real files, with the output kept and the clock standing still. */
async function run(...args: string[]) {
  let stdout = '';
  let stderr = '';
  const exit = await runKeyCommand(args, {
    ...processKeyIo(),
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
    nowMs: () => Date.parse('2027-01-10T12:00:00Z'),
  });
  return { exit, stdout, stderr };
}

const ORDER = `; an order
[ConfigFile]
FileType=Lictor License 1
[License]
CustomerName=Example Clinic
OrderNumber=100200301
ExpirationDate=12/31/2027
Product=Example Server
LicenseType=Concurrent User
Server=Multi
AuthorizedUnits=25
[ISC.Lab]
Lab Users=5
`;

async function signedFile(name: string, order = ORDER): Promise<string> {
  await writeFile(at(`${name}.ini`), order);
  const args = ['sign', at(`${name}.ini`), '--signing-key', at('acme.pem'), '--out', at(`${name}.key`)];
  const { exit, stderr } = await run(...args);
  expect([exit, stderr]).toEqual([0, expect.stringContaining('signed by acme-2026')]);
  return at(`${name}.key`);
}

describe('lictor key generate', () => {
  test('writes a private key for its owner alone and prints the line for the configuration', async () => {
    expect(trusted).toMatch(/^acme-2026:[\w-]{43}$/);
    expect((await stat(at('acme.pem'))).mode & 0o777).toBe(0o600);
    expect(await readFile(at('acme.pem'), 'utf8')).toContain('-----BEGIN PRIVATE KEY-----');
  });

  test('never overwrites', async () => {
    const before = await readFile(at('acme.pem'), 'utf8');
    const again = await run('generate', '--id', 'acme-2026', '--out', at('acme.pem'));
    expect(again).toMatchObject({
      exit: 2,
      stdout: '',
      stderr: expect.stringMatching(/exists already[\s\S]*Hint:/),
    });
    expect(await readFile(at('acme.pem'), 'utf8')).toBe(before);
  });

  test('refuses an ID that could not be configured', async () => {
    const refused = await run('generate', '--id', 'Acme 2026', '--out', at('x.pem'));
    expect(refused).toMatchObject({ exit: 2, stderr: expect.stringContaining('not a signing key ID') });
    await expect(stat(at('x.pem'))).rejects.toThrow('ENOENT');
  });
});

describe('lictor key sign', () => {
  test('what it signs is verified, and every other line stays', async () => {
    const path = await signedFile('good');
    const text = await readFile(path, 'utf8');
    expect(text.replace(/AuthorizationKey=.*\n/, '')).toBe(ORDER);
    expect(await run('verify', path, '--trusted', trusted)).toEqual({
      exit: 0,
      stdout: expect.stringMatching(/signed by acme-2026\. .*valid through 2027-12-31/),
      stderr: '',
    });
  });

  test('writes to standard output when no file is named', async () => {
    await writeFile(at('out.ini'), ORDER);
    const { stdout } = await run('sign', at('out.ini'), '--signing-key', at('acme.pem'));
    expect(stdout).toContain('AuthorizationKey=ed25519:acme-2026:');
  });

  test('reports missing, misspelt and wrong fields before anything is written', async () => {
    await writeFile(at('bad.ini'), ORDER.replace('Server=Multi\n', 'Sever=Multi\n'));
    const bad = await run('sign', at('bad.ini'), '--signing-key', at('acme.pem'), '--out', at('bad.key'));
    expect(bad).toMatchObject({
      exit: 1,
      stderr: expect.stringMatching(/2 faults[\s\S]*Server of[\s\S]*"Sever"/),
    });
    await writeFile(at('bad.ini'), ORDER.replace('=25', '=many'));
    const worse = await run('sign', at('bad.ini'), '--signing-key', at('acme.pem'), '--out', at('bad.key'));
    expect(worse).toMatchObject({ exit: 1, stderr: expect.stringContaining('line 11: AuthorizedUnits') });
    await expect(stat(at('bad.key'))).rejects.toThrow('ENOENT');
  });

  test('overwrites and signs anew only when told to', async () => {
    const path = await signedFile('twice');
    const args = ['sign', path, '--signing-key', at('acme.pem'), '--out', path];
    expect(await run(...args)).toMatchObject({ exit: 1, stderr: expect.stringContaining('--force') });
    const before = await readFile(path, 'utf8');
    expect(await run(...args, '--force')).toMatchObject({ exit: 0 });
    expect(await readFile(path, 'utf8')).toBe(before);
    const over = await run('sign', at('twice.ini'), '--signing-key', at('acme.pem'), '--out', path);
    expect(over).toMatchObject({ exit: 2, stderr: expect.stringContaining('exists already') });
  });

  test('a private key that names no ID needs one, and what is no private key is never quoted', async () => {
    const pem = await readFile(at('acme.pem'), 'utf8');
    await writeFile(at('bare.pem'), pem.slice(pem.indexOf('-----')));
    await writeFile(at('order.ini'), ORDER);
    const args = ['sign', at('order.ini'), '--signing-key'];
    expect(await run(...args, at('bare.pem'))).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('--id'),
    });
    expect(await run(...args, at('bare.pem'), '--id', 'acme-2026')).toMatchObject({ exit: 0 });
    await writeFile(at('no.pem'), 'SECRET-CONTENT');
    const refused = await run(...args, at('no.pem'), '--id', 'x');
    expect(refused).toMatchObject({ exit: 2, stderr: expect.stringContaining('no private key') });
    expect(refused.stderr).not.toContain('SECRET-CONTENT');
  });
});

describe('lictor key verify', () => {
  test.each([
    ['altered', (text: string) => text.replace('Units=25', 'Units=52'), 'changed after it was signed'],
    ['cut', (text: string) => text.replace(/(ed25519:\S{30})\S+/, '$1'), 'probably cut'],
    ['unsigned', (text: string) => text.replace(/AuthorizationKey=.*/, ''), 'no ed25519 signature'],
    ['broken', (text: string) => text.replace('[ConfigFile]', ''), 'line 3'],
  ])('a key that is %s exits 1 with the reason', async (name, change, words) => {
    const path = await signedFile(`verify-${name}`);
    await writeFile(path, change(await readFile(path, 'utf8')));
    expect(await run('verify', path, '--trusted', trusted)).toMatchObject({
      exit: 1,
      stdout: '',
      stderr: expect.stringContaining(words),
    });
  });

  test('an expired key, a key not valid yet and a revoked one exit 1', async () => {
    const expired = await signedFile('expired', ORDER.replace('12/31/2027', '1/9/2027'));
    expect(await run('verify', expired, '--trusted', trusted)).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('expired at the end of 2027-01-09'),
    });
    const early = await signedFile('early', ORDER.replace('Product', 'NotBefore=1/11/2027\nProduct'));
    expect(await run('verify', early, '--trusted', trusted)).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('from 2027-01-11'),
    });
    // It is already the 11th in Kiritimati.
    const there = ['--trusted', trusted, '--time-zone', 'Pacific/Kiritimati'];
    expect(await run('verify', early, ...there)).toMatchObject({ exit: 0 });
    const good = await signedFile('revoked');
    expect(await run('verify', good, '--trusted', trusted, '--revoked', 'acme-2026')).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('"acme-2026", which is revoked'),
    });
  });

  test('an unknown signing key is named', async () => {
    const path = await signedFile('stranger');
    const other = trusted.replace('acme-2026', 'other');
    expect(await run('verify', path, '--trusted', other)).toMatchObject({
      exit: 1,
      stderr: expect.stringMatching(/"acme-2026", which is not trusted here \(trusted are: other\)/),
    });
  });
});

describe('lictor key inspect', () => {
  test('shows the fields, the sections and the state (F-20)', async () => {
    const path = await signedFile('shown');
    const { exit, stdout } = await run('inspect', path, '--trusted', trusted);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^Key: +100200301-[0-9a-f]{8}$/m);
    expect(stdout).toMatch(/^AuthorizedUnits: +25$/m);
    expect(stdout).toMatch(/^Trust: +verified: signed by acme-2026$/m);
    expect(stdout).toMatch(/^State: +valid: /m);
    expect(stdout).toContain('[ISC.Lab] (protected)\n  Lab Users=5\n');
    expect((await run('inspect', path)).stdout).toMatch(/^Trust: +signed, not checked/m);
  });

  test('shows a foreign key as it is', async () => {
    const { exit, stdout } = await run('inspect', fixture('iris-multi-25.key'));
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^CustomerName: +St\. Example Hospital Trust$/m);
    expect(stdout).toMatch(/^Trust: +unverified/m);
  });

  test('with --json gives the key, the verdict and the state to programs', async () => {
    const path = await signedFile('json');
    const report = JSON.parse((await run('inspect', path, '--trusted', trusted, '--json')).stdout);
    expect(report).toMatchObject({
      ok: true,
      id: expect.stringMatching(/^100200301-/),
      encoding: 'utf-8',
      verdict: { ok: true, key: { unitsAuthorised: 25, trust: 'verified' } },
      status: { status: 'valid', code: null },
    });
  });

  test('reports every fault of a bad file, as text and as JSON', async () => {
    const text = await run('inspect', fixture('bad/impossible-date.key'));
    expect(text).toMatchObject({
      exit: 1,
      stderr: expect.stringMatching(/1 fault:\n {2}line 8: ExpirationDate/),
    });
    const json = await run('inspect', fixture('bad/zeros.key'), '--json');
    expect(json.exit).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, faults: [{ code: 'file-zeroed' }] });
  });

  test('an altered key exits 1', async () => {
    const path = await signedFile('altered');
    await writeFile(path, (await readFile(path, 'utf8')).replace('Units=25', 'Units=52'));
    const { exit, stdout } = await run('inspect', path, '--trusted', trusted);
    expect([exit, stdout]).toEqual([1, expect.stringMatching(/^Trust: +refused: .*changed after/m)]);
  });
});

describe('lictor key, used wrongly', () => {
  test.each([
    [[], 'lictor key generate'],
    [['destroy'], 'no command "destroy"'],
    [['verify', 'x.key'], '--trusted is missing'],
    [['verify', '--trusted', 'a:b'], 'One key file is expected, 0 given'],
    [['inspect', 'a', 'b'], 'One key file is expected, 2 given'],
    [['inspect', 'a', '--jsn'], '--jsn'],
    [['inspect', 'a', '--trusted', 'a:b', '--time-zone', 'Mars'], '"Mars" is not a time zone'],
    [['inspect', '/does/not/exist.key'], 'no such file'],
    [['generate', '--id', 'a', 'b'], 'No file is expected'],
    [['generate', '--id', 'a'], '--out is missing'],
  ])('%j exits 2 and tells what to do', async (args, words) => {
    const { exit, stdout, stderr } = await run(...args);
    expect([exit, stdout]).toEqual([2, '']);
    expect(stderr).toContain(words);
    expect(stderr).toMatch(/Hint:|--help/);
  });

  test.each([
    [['--help']],
    [['generate', '--help']],
    [['sign', '-h']],
    [['inspect', '--help']],
    [['verify', '--help']],
  ])('%j shows examples', async (args) => {
    const { exit, stdout, stderr } = await run(...args);
    expect([exit, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/lictor key \w+ /);
  });
});
