/** The directory of served keys on a real disk, as files come, are written, replaced and go. */
import { appendFile, mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { LicenseError } from '../../src/domain/errors.ts';
import { parseKeyFile } from '../../src/domain/keys/keyfiles.ts';
import { readKey } from '../../src/domain/keys/keys.ts';
import { KEY_FILES_MAX, KeyDirectory } from '../../src/service/keydirectory.ts';
import { createRecordingLogger, type RecordingLogger } from '../support/http.ts';
import { foreignKeyFile, signedKeyFile, TRUSTED } from '../support/keyfiles.ts';

/** The machine's clock, and the database's. */
let wallMs: number;
let nowMs: number;
let folder: string;
let log: RecordingLogger;
let directory: KeyDirectory;

const LONG_MS = 60_000;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lictor-keys-'));
  directory = open(folder);
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const open = (where: string) => openWith(read, where);

function openWith(reading: typeof read, where = folder): KeyDirectory {
  [wallMs, nowMs] = [Date.now() + LONG_MS, Date.now() + LONG_MS];
  log = createRecordingLogger();
  return new KeyDirectory({
    path: where,
    keys: { read: reading },
    clock: { nowMs: () => nowMs },
    revoked: new Set(),
    logger: log,
    wallMs: () => wallMs,
  });
}

/** Reads as the service of keys does. */
function read(bytes: Uint8Array) {
  const parsed = parseKeyFile(bytes);
  if (!parsed.ok) throw new LicenseError('key-file-invalid', `Line ${parsed.faults[0]!.line} is at fault.`);
  const conditions = {
    trusted: TRUSTED,
    revoked: new Set<string>(),
    allowUnverified: false,
    timeZone: 'UTC',
  };
  const verdict = readKey(parsed.file, conditions);
  if (!verdict.ok) throw new LicenseError(verdict.code, verdict.reason);
  return verdict.key;
}

const FIRST = signedKeyFile({ OrderNumber: 1, LicenseID: 'CLINIC', AuthorizedUnits: 5 });
const SECOND = signedKeyFile({ OrderNumber: 2, LicenseID: 'CLINIC', AuthorizedUnits: 25 });
const LAB = signedKeyFile({ OrderNumber: 3, LicenseID: 'LAB' });

const put = (name: string, text: string) => writeFile(path.join(folder, name), text);

/** What lies in the directory, by file: the ID of the key, or the code of the fault. */
async function look(): Promise<Record<string, string | null>> {
  await directory.look();
  return Object.fromEntries(
    directory.files.map(({ name, key, fault }) => [name, fault?.code ?? key?.id ?? null]),
  );
}

const reasonOf = (name: string) => directory.files.find((file) => file.name === name)?.fault?.reason;

describe('what is looked at', () => {
  test('every *.key with a LicenseID; hidden files and others are somebody else’s (notes 3.4)', async () => {
    await put('b.key', FIRST.text);
    await put('a.key', LAB.text);
    await put('.c.key', SECOND.text);
    await put('d.key~', SECOND.text);
    await put('readme.txt', 'x');
    expect(await look()).toEqual({ 'a.key': LAB.id, 'b.key': FIRST.id });
    expect(await directory.bytesOf('b.key')).toEqual(Buffer.from(FIRST.text));
    expect(log.lines).toEqual([]);
  });

  test('each fault is told with its file and what to do, and the others go on', async () => {
    await put('good.key', LAB.text);
    await put('empty.key', '');
    await put('foreign.key', foreignKeyFile().text);
    await put('large.key', 'x'.repeat(65_537));
    await put('nameless.key', signedKeyFile({ OrderNumber: 4 }).text);
    await put('tampered.key', FIRST.text.replace('AuthorizedUnits=5', 'AuthorizedUnits=500'));
    await put('expired.key', signedKeyFile({ LicenseID: 'OLD', ExpirationDate: '1/1/2020' }).text);
    await mkdir(path.join(folder, 'folder.key'));
    await symlink('nowhere', path.join(folder, 'dangling.key'));
    await symlink('loop.key', path.join(folder, 'loop.key'));
    expect(await look()).toEqual({
      'dangling.key': 'key-file-invalid',
      'empty.key': 'key-file-invalid',
      'expired.key': 'key-expired',
      'folder.key': 'key-file-invalid',
      'foreign.key': 'key-unverified',
      'good.key': LAB.id,
      'large.key': 'key-file-invalid',
      'loop.key': 'key-file-invalid',
      'nameless.key': 'key-not-servable',
      'tampered.key': 'key-file-invalid',
    });
    expect(reasonOf('large.key')).toContain('65537 bytes');
    expect(reasonOf('nameless.key')).toContain('LicenseID');
    expect(reasonOf('dangling.key')).toContain('leads nowhere (ENOENT)');
  });

  test('nothing is shown of a file that is no key: it may be a secret', async () => {
    await put('token.key', 'hunter2-hunter2');
    await put('tls.key', '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n');
    await put('latin.key', FIRST.text.replace('[License]', '[ license ]'));
    directory = openWith((bytes) => {
      throw new LicenseError('key-file-invalid', Buffer.from(bytes).toString('latin1'));
    });
    await look();
    for (const name of ['token.key', 'tls.key']) expect(reasonOf(name)).toContain('It is no key file');
    expect(reasonOf('latin.key')).toContain('Example Clinic');
    expect(JSON.stringify(log.lines)).not.toMatch(/hunter2|PRIVATE|MC4CAQ/);
  });

  test('a fault is said in the log once, and once that it is mended', async () => {
    await put('a.key', 'nonsense');
    await look();
    await look();
    expect(log.lines.map(({ level }) => level)).toEqual(['warn']);
    expect(log.lines[0]!.fields).toMatchObject({ file: 'a.key' });
    await put('a.key', LAB.text);
    expect(await look()).toEqual({ 'a.key': LAB.id });
    await look();
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'info']);
  });

  test('two files of one LicenseID are at fault, and the second is served once the first is gone', async () => {
    await put('a.key', FIRST.text);
    await put('b.key', SECOND.text);
    expect(await look()).toEqual({ 'a.key': 'key-not-servable', 'b.key': 'key-not-servable' });
    expect(reasonOf('a.key')).toContain('b.key');
    await unlink(path.join(folder, 'a.key'));
    expect(await look()).toEqual({ 'b.key': SECOND.id });
    // The same key twice says nothing that contradicts itself.
    await put('copy.key', SECOND.text);
    expect(await look()).toEqual({ 'b.key': SECOND.id, 'copy.key': SECOND.id });
  });

  test('more files than there may be are looked at not at all, and what was known stands', async () => {
    await put('a.key', LAB.text);
    await look();
    for (let number = 0; number < KEY_FILES_MAX; number += 1) await put(`many-${number}.key`, '');
    expect(await look()).toEqual({ 'a.key': LAB.id });
    expect(directory.fault).toContain(`${KEY_FILES_MAX + 1} key files`);
  });

  test('a directory that is not there is a fault of its own, until it is', async () => {
    const later = path.join(folder, 'later');
    directory = open(later);
    expect(await look()).toEqual({});
    expect(directory.fault).toContain('ENOENT');
    await look();
    await mkdir(later);
    await writeFile(path.join(later, 'a.key'), LAB.text);
    expect(await look()).toEqual({ 'a.key': LAB.id });
    expect(directory.fault).toBeNull();
    await rm(later, { recursive: true });
    // A mount that is away for a moment takes nothing back.
    expect(await look()).toEqual({ 'a.key': LAB.id });
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'info', 'warn']);
  });

  test('a key that is not valid yet is served when its day has come', async () => {
    await put('a.key', signedKeyFile({ LicenseID: 'NEXT', NotBefore: '1/1/2098' }).text);
    expect(await look()).toEqual({ 'a.key': 'key-not-yet-valid' });
    nowMs = Date.UTC(2098, 0, 2);
    expect(directory.files[0]!.key).not.toBeNull();
    await look();
    expect(directory.files[0]!.fault).toBeNull();
  });
});

describe('a file that is being written', () => {
  test('is not read before it has lain unchanged', async () => {
    wallMs = 0;
    const half = FIRST.text.slice(0, FIRST.text.length / 2);
    await put('a.key', half);
    expect(await look()).toEqual({ 'a.key': null });
    await appendFile(path.join(folder, 'a.key'), FIRST.text.slice(half.length));
    expect(await look()).toEqual({ 'a.key': null });
    expect(await look()).toEqual({ 'a.key': FIRST.id });
    expect(log.lines).toEqual([]);
  });

  test('leaves what was read before in place, and half of a key is none', async () => {
    await put('a.key', FIRST.text);
    await look();
    wallMs = 0;
    await put('a.key', SECOND.text.slice(0, -20));
    expect(await look()).toEqual({ 'a.key': FIRST.id });
    // Whoever writes it pauses for long: then it is at fault, and still nothing of it is taken.
    expect(await look()).toEqual({ 'a.key': 'key-file-invalid' });
    await put('a.key', SECOND.text);
    await look();
    expect(await look()).toEqual({ 'a.key': SECOND.id });
  });

  test('that is replaced by another one is known by its time: when it was replaced, not when it was written', async () => {
    await put('a.key', FIRST.text);
    await put('b.tmp', SECOND.text);
    await look();
    expect(directory.files[0]!.changedAtMs).toBeLessThan(nowMs - LONG_MS / 2);
    await rename(path.join(folder, 'b.tmp'), path.join(folder, 'a.key'));
    nowMs += 1_000;
    expect(await look()).toEqual({ 'a.key': SECOND.id });
    expect(directory.files[0]!.changedAtMs).toBe(nowMs);
  });

  test('is read through the links of a mounted secret, which all turn at once', async () => {
    const mount = async (name: string, text: string) => {
      await mkdir(path.join(folder, name));
      await writeFile(path.join(folder, name, 'clinic.key'), text);
      await symlink(name, path.join(folder, '..data_tmp'));
      await rename(path.join(folder, '..data_tmp'), path.join(folder, '..data'));
    };
    await mount('..2030_01_01', FIRST.text);
    await symlink('..data/clinic.key', path.join(folder, 'clinic.key'));
    expect(await look()).toEqual({ 'clinic.key': FIRST.id });
    await mount('..2030_01_02', SECOND.text);
    await rm(path.join(folder, '..2030_01_01'), { recursive: true });
    expect(await look()).toEqual({ 'clinic.key': SECOND.id });
    expect(await directory.bytesOf('clinic.key')).toEqual(Buffer.from(SECOND.text));
  });

  test('and was replaced since it was read gives no bytes', async () => {
    await put('a.key', FIRST.text);
    await look();
    await put('a.key', SECOND.text);
    expect(await directory.bytesOf('a.key')).toBeNull();
    expect(await directory.bytesOf('b.key')).toBeNull();
  });
});
