import { createSecretKey } from 'node:crypto';
import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Flights } from '../../src/udp/flights.ts';
import { checkProof, makeProof } from '../../src/udp/proofs.ts';
import { Rates, senderOf } from '../../src/udp/rates.ts';
import { parseSecrets, Secrets, SecretsError } from '../../src/udp/secrets.ts';
import { LifeWindows, ReplayWindow, WINDOW_NUMBERS } from '../../src/udp/windows.ts';

describe('replay windows', () => {
  test('take each number once, in whatever order, as a set would that forgets what lies far back', () => {
    const number = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 20_000 }));
    fc.assert(
      fc.property(fc.array(number, { maxLength: 400 }), (numbers) => {
        const window = new ReplayWindow();
        const seen = new Set<number>();
        let highest = 0;
        for (const each of numbers) {
          const isNew = !seen.has(each) && each + WINDOW_NUMBERS > highest;
          expect([each, window.take(each)]).toEqual([each, isNew]);
          seen.add(each);
          highest = Math.max(highest, each);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('0 is no number, and the highest of all can be reached at once', () => {
    const window = new ReplayWindow();
    expect(window.take(0)).toBe(false);
    expect(window.take(0xffff_ffff)).toBe(true);
    expect(window.take(0xffff_ffff)).toBe(false);
    expect(window.take(0xffff_fffe)).toBe(true);
    expect(window.take(1)).toBe(false);
  });

  test('lives have numbers of their own, and only the last lives are remembered', () => {
    const windows = new LifeWindows(2);
    expect([windows.take('a', 1), windows.take('b', 1), windows.take('a', 1)]).toEqual([true, true, false]);
    expect(windows.take('c', 1)).toBe(true);
    expect(windows.take('a', 1)).toBe(true);
    expect(windows.take('c', 1)).toBe(false);
  });

  test('the life that is registered is not forgotten, however many former ones come again', () => {
    const windows = new LifeWindows(2);
    expect(windows.take('now', 1)).toBe(true);
    windows.keep('now');
    for (const life of ['a', 'b', 'c', 'a']) expect(windows.take(life, 1)).toBe(true);
    expect(windows.take('now', 1)).toBe(false);
  });
});

describe('proofs of address', () => {
  const key = createSecretKey(Buffer.alloc(32, 1));
  const sender = { address: '192.0.2.1', port: 4_000 };
  const nowMs = 1_800_000_000_000;
  const proof = makeProof(key, 'app-a', sender, nowMs, 7);

  test('say when and for which incarnation they were made', () => {
    expect(checkProof(key, 'app-a', sender, nowMs + 5_000, proof)).toEqual({ ageSeconds: 5, incarnation: 7 });
  });

  test.each([
    ['another instance', () => checkProof(key, 'app-b', sender, nowMs, proof)],
    ['another port', () => checkProof(key, 'app-a', { ...sender, port: 4_001 }, nowMs, proof)],
    ['another address', () => checkProof(key, 'app-a', { ...sender, address: '192.0.2.2' }, nowMs, proof)],
    [
      'another sidecar',
      () => checkProof(createSecretKey(Buffer.alloc(32, 2)), 'app-a', sender, nowMs, proof),
    ],
    ['a time long after', () => checkProof(key, 'app-a', sender, nowMs + 3_601_000, proof)],
    ['a time before', () => checkProof(key, 'app-a', sender, nowMs - 1_000, proof)],
  ])('are nothing for %s', (_what, check) => {
    expect(check()).toBeNull();
  });

  test('no bit of one can be turned', () => {
    for (let bit = 0; bit < 128; bit += 1) {
      const turned = Buffer.from(proof);
      turned[bit >> 3]! ^= 1 << (bit & 7);
      expect(checkProof(key, 'app-a', sender, nowMs, turned)).toBeNull();
    }
  });
});

describe('rates', () => {
  test('let a burst through, then so many a second, in bounded memory', () => {
    const rates = new Rates({ perSecond: 10, burst: 5 }, 2);
    const passed = (sender: string, nowMs: number, count: number) =>
      Array.from({ length: count }, () => rates.take(sender, nowMs)).filter(Boolean).length;
    expect(passed('a', 0, 20)).toBe(5);
    expect(passed('a', 1_000, 20)).toBe(5);
    expect(passed('a', 1_200, 20)).toBe(2);
    expect(passed('b', 1_200, 20)).toBe(5);
    expect(passed('c', 1_200, 20)).toBe(5);
  });

  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
  ])('%s counts as %s', (address, sender) => {
    expect(senderOf(address)).toBe(sender);
  });
});

describe('what is under way', () => {
  test('one thing at a time for each, the last that waits counts, and the whole is bounded', async () => {
    const flights = new Flights(2);
    const done: string[] = [];
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const work = (name: string, number = 0, life = name) => ({
      run: async () => {
        await held;
        done.push(name);
      },
      displaced: () => {
        done.push(`not ${name}`);
      },
      life,
      number,
    });
    expect(['1', '2', '3'].map((name) => flights.submit('a', work(name)))).toEqual([true, true, true]);
    expect(flights.submit('b', work('b'))).toBe(true);
    expect(flights.submit('c', work('c'))).toBe(false);
    // What the same life asked before what waits does not take its place.
    expect(flights.submit('b', work('b2', 2, 'b'))).toBe(true);
    expect(flights.submit('b', work('b1', 1, 'b'))).toBe(true);
    expect(done).toEqual(['not 2', 'not b1']);
    done.length = 0;
    release();
    await held;
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    expect(done.sort()).toEqual(['1', '3', 'b', 'b2']);
    expect(flights.size).toBe(0);
  });
});

describe('the secrets file', () => {
  const secret = 'a'.repeat(32);
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'lictor-secrets-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function fileOf(name: string, text: string, mode = 0o600): Promise<string> {
    const file = path.join(folder, name);
    await writeFile(file, text);
    await chmod(file, mode);
    return file;
  }

  test('has a name and a secret on each line', () => {
    const keys = parseSecrets(`# all\n\napp-a ${secret}\r\n  app-b\t${secret}  \n`, 'x');
    expect([...keys.keys()]).toEqual(['app-a', 'app-b']);
    expect(keys.get('app-a')!.instance.equals(keys.get('app-b')!.instance)).toBe(false);
  });

  test('every line at fault is told, and no secret', () => {
    const text = `app-a ${secret}\napp-a ${secret}\n-x ${secret}\napp-b short-secret\napp-c\napp-d ${secret} more\n`;
    let message = '';
    try {
      parseSecrets(text, 'x');
    } catch (error) {
      message = (error as SecretsError).message;
    }
    for (const line of [2, 3, 4, 5, 6]) expect(message).toContain(`line ${line} `);
    expect(message).not.toContain(secret);
    expect(message).not.toContain('short-secret');
  });

  test.each([0o644, 0o606, 0o620, 0o666])(
    'is refused with the mode %o, by which others can use it',
    async (mode) => {
      const file = await fileOf(`mode-${mode}`, `app-a ${secret}\n`, mode);
      await expect(Secrets.open(file)).rejects.toThrow(SecretsError);
    },
  );

  test('is read again when it changes; one that cannot be used leaves the last good one in force', async () => {
    const file = await fileOf('changing', `app-a ${secret}\n`, 0o640);
    const told: string[] = [];
    const logger = {
      info: (_fields: object, message: string) => told.push(`info ${message}`),
      error: (_fields: object, message: string) => told.push(`error ${message}`),
    };
    const secrets = await Secrets.open(file);
    await secrets.refresh(logger);
    expect(told).toEqual([]);
    // As a mounted secret does: another file takes its place.
    await rename(await fileOf('next', `app-b ${secret}\n`), file);
    await secrets.refresh(logger);
    expect([secrets.keysOf('app-a'), secrets.size]).toEqual([undefined, 1]);
    await rename(await fileOf('bad', 'nonsense\n'), file);
    await secrets.refresh(logger);
    await secrets.refresh(logger);
    expect(secrets.keysOf('app-b')).toBeDefined();
    expect(told.map((line) => line.split(' ', 1)[0])).toEqual(['info', 'error']);
  });
});
