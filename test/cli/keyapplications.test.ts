import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
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
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

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
  });
  return { exit, stdout, stderr };
}

const sign = (source: string, ...args: string[]) =>
  run('sign', source, '--signing-key', at('acme.pem'), ...args);

async function signed(name: string): Promise<string> {
  const made = await sign(fixture('applications-two-sections.ini'), '--out', at(name));
  expect(made).toEqual({
    exit: 0,
    stdout: '',
    stderr: `Wrote [Radiology], [Pharmacy], signed by acme-2026, to ${at(name)}.\n`,
  });
  return at(name);
}

describe('lictor key sign, on application licences (F-73)', () => {
  test('signs every section, and leaves every other line', async () => {
    const text = await readFile(await signed('all.ini'), 'utf8');
    expect(text.match(/^AuthorizationKey=ed25519:acme-2026:[\w-]{86}$/gm)).toHaveLength(2);
    const original = await readFile(fixture('applications-two-sections.ini'), 'utf8');
    expect(text.replace(/AuthorizationKey=.*\n/g, '')).toBe(original);
  });

  test('signs the one section that is asked for', async () => {
    const { stdout, stderr } = await sign(fixture('applications-two-sections.ini'), '--section', 'Pharmacy');
    expect(stderr).toBe('[Pharmacy], signed by acme-2026.\n');
    expect(stdout.match(/AuthorizationKey/g)).toHaveLength(1);
    expect(stdout.indexOf('AuthorizationKey')).toBeGreaterThan(stdout.indexOf('[Pharmacy]'));
    expect(await sign(fixture('applications-two-sections.ini'), '--section', 'pharmacy')).toMatchObject({
      exit: 1,
      stdout: '',
      stderr: expect.stringContaining('There is no section [pharmacy] in the file.'),
    });
  });

  test('signs anew only when told to', async () => {
    const path = await signed('twice.ini');
    expect(await sign(path)).toMatchObject({
      exit: 1,
      stderr: expect.stringMatching(/\[Radiology\].*already[\s\S]*--force/),
    });
    expect(await sign(path, '--force')).toMatchObject({ exit: 0, stdout: await readFile(path, 'utf8') });
  });

  test('writes nothing for a file that is not in order, and tells every fault with its line', async () => {
    const refused = await sign(fixture('applications-bad.ini'), '--out', at('bad.ini'));
    expect(refused.exit).toBe(1);
    expect(refused.stderr).toMatch(
      /2 faults:\n {2}line 1: The name "Bad\.Name" has a period.*\n {2}line 6: .*again/,
    );
    await expect(stat(at('bad.ini'))).rejects.toThrow('ENOENT');
  });

  test('a section cannot be chosen of a key file', async () => {
    for (const command of ['verify', 'inspect']) {
      const args = [command, fixture('keys/iris-multi-25.key'), '--trusted', trusted, '--section', 'License'];
      expect(await run(...args)).toMatchObject({ exit: 2, stderr: expect.stringContaining('as a whole') });
    }
    const args = ['--section', 'License'];
    expect(await sign(fixture('keys/iris-multi-25.key'), ...args)).toMatchObject({ exit: 2 });
  });
});

describe('lictor key verify, on application licences (F-73)', () => {
  test('tells who signed each section', async () => {
    const path = await signed('good.ini');
    expect(await run('verify', path, '--trusted', trusted)).toEqual({
      exit: 0,
      stdout: `${path}: [Radiology] signed by acme-2026.\n${path}: [Pharmacy] signed by acme-2026.\n`,
      stderr: '',
    });
  });

  test('one byte changed anywhere in a section is told with its line; the other section still verifies', async () => {
    const path = await signed('altered.ini');
    const bytes = await readFile(path);
    const index = bytes.indexOf('LabTech=20') + 'LabTech='.length;
    bytes[index] = bytes[index]! + 1;
    await writeFile(path, bytes);
    expect(await run('verify', path, '--trusted', trusted)).toMatchObject({
      exit: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /1 fault:\n {2}line 6: The signature by "acme-2026" does not fit the content/,
      ),
    });
    const args = ['verify', path, '--trusted', trusted, '--section', 'Pharmacy'];
    expect(await run(...args)).toMatchObject({ exit: 0, stderr: '' });
  });

  test('an unsigned section, an unknown signing key and a revoked one exit 1', async () => {
    const plain = fixture('applications-bestlab.ini');
    expect(await run('verify', plain, '--trusted', trusted)).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('Section [BestLabApplication] is not signed.'),
    });
    const path = await signed('whose.ini');
    expect(await run('verify', path, '--trusted', trusted.replace('acme-2026', 'other'))).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('not trusted here (trusted are: other)'),
    });
    expect(await run('verify', path, '--trusted', trusted, '--revoked', 'acme-2026')).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('"acme-2026", which is revoked'),
    });
  });
});

describe('lictor key inspect, on application licences', () => {
  test('shows the features, which are counted, and who signed them (F-71)', async () => {
    await copyFile(fixture('applications-bestlab.ini'), at('lab.ini'));
    expect(await run('inspect', at('lab.ini'))).toEqual({
      exit: 0,
      stdout: `[BestLabApplication]
  Lab Users             50  (counted)
  Lab Administrators    2  (counted)
  Lab Devices           5  (counted)
  Extended Lab Reports  Enabled
  Trust: unsigned; a server takes it and shows it as unsigned.
`,
      stderr: '',
    });
    const path = await signed('shown.ini');
    expect((await run('inspect', path)).stdout).toContain('signed by acme-2026, not checked');
    const { stdout } = await run('inspect', path, '--trusted', trusted, '--section', 'Pharmacy');
    expect(stdout).toMatch(/^\[Pharmacy\][\s\S]*Trust: verified: signed by acme-2026\n$/);
  });

  test('is for programs, too', async () => {
    const path = await signed('json.ini');
    const { stdout } = await run('inspect', path, '--trusted', trusted, '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      applications: [
        {
          name: 'Radiology',
          signature: { kind: 'verified', signingKeyId: 'acme-2026' },
          entries: [{ units: 50 }, { units: 20 }, { units: 3 }, { keyword: 'Modules', units: null, line: 5 }],
        },
        { name: 'Pharmacy' },
      ],
    });
    const bad = await run('inspect', fixture('applications-bad.ini'), '--json');
    expect(bad.exit).toBe(1);
    expect(JSON.parse(bad.stdout)).toMatchObject({
      ok: false,
      faults: [
        { line: 1, code: 'section-name-invalid', legacyCode: 1 },
        { line: 6, code: 'keyword-duplicate', legacyCode: 1 },
      ],
    });
  });

  test('exits 1 where a signature does not fit', async () => {
    const path = await signed('changed.ini');
    await writeFile(path, (await readFile(path, 'utf8')).replace('Robots=4', 'Robots=9'));
    const { exit, stdout } = await run('inspect', path, '--trusted', trusted);
    expect(exit).toBe(1);
    expect(stdout).toMatch(/Trust: refused: The signature by "acme-2026" does not fit/);
  });
});
