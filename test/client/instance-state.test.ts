/** What an instance keeps between its lives, and what it does with it. */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Client, createClient, LicenseInstance } from '../../src/client/index.ts';
import { FOREIGN_LOCK_MS, StateFile } from '../../src/client/instance-state.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN } from '../support/http.ts';
import { impatientClient, loggedIn, openInstance, refusedBy } from '../support/instances.ts';
import { Relay } from '../support/relay.ts';
import { until } from '../support/wait.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

let folder: string;
let file: string;
const closing: { close(): Promise<unknown> }[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lictor-state-'));
  file = path.join(folder, 'app-a.json');
});
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
  await rm(folder, { recursive: true, force: true });
});

const STATE = {
  name: 'app-a',
  registrationId: 'r-1',
  incarnation: 3,
  formerIncarnation: 2,
  terms: null,
  heardAtMs: 12,
};

async function openFile(): Promise<StateFile> {
  const state = await StateFile.open(file, Date.now());
  closing.push(state);
  return state;
}

/** Leaves a lock as another process would. */
function leaveLock(lock: object | string): Promise<void> {
  return writeFile(`${file}.lock`, typeof lock === 'string' ? lock : JSON.stringify(lock));
}

describe('the file', () => {
  test('is replaced as a whole, and only its owner can read it', async () => {
    const state = await openFile();
    expect(await state.read('app-a')).toBeNull();
    await Promise.all([state.write({ ...STATE, incarnation: 2 }), state.write(STATE)]);
    expect(await state.read('app-a')).toEqual(STATE);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readdir(folder)).sort()).toEqual(['app-a.json', 'app-a.json.lock']);
    await state.close();
    expect(await readdir(folder)).toEqual(['app-a.json']);
  });

  test('is no other’s, and no other file', async () => {
    const state = await openFile();
    await state.write(STATE);
    await expect(state.read('app-b')).rejects.toThrow('is of the instance "app-a", not of "app-b"');
    await writeFile(file, '{"format":2}');
    await expect(state.read('app-a')).rejects.toThrow('does not hold the state of an instance');
    await writeFile(file, 'half a fi');
    await expect(state.read('app-a')).rejects.toThrow('remove it to begin anew');
  });

  test('a folder that is not there is said to be missing', async () => {
    file = path.join(folder, 'missing', 'app-a.json');
    await expect(StateFile.open(file, Date.now())).rejects.toThrow('ENOENT');
    await expect(StateFile.open(file, Date.now())).rejects.toThrow('ENOENT');
  });
});

describe('its lock', () => {
  test('keeps the same process and another one out', async () => {
    await openFile();
    await expect(StateFile.open(file, Date.now())).rejects.toThrow('in use by this process');
    const other = path.join(folder, 'other.json');
    await writeFile(`${other}.lock`, JSON.stringify({ host: hostname(), pid: process.ppid, since: null }));
    await expect(StateFile.open(other, Date.now())).rejects.toThrow(`in use by process ${process.ppid}.`);
  });

  test.each([
    ['a process that has ended', { host: hostname(), pid: 2 ** 22 - 3, since: null }],
    ['a former process with this ID, as in a container', { host: hostname(), pid: process.pid, since: '1' }],
    ['another process that has its ID now', { host: hostname(), pid: process.ppid, since: '1' }],
    ['nobody knows whom', 'half a lo'],
  ])('left by %s is taken over', async (_, lock) => {
    await leaveLock(lock);
    await openFile();
    expect(JSON.parse(await readFile(`${file}.lock`, 'utf8'))).toMatchObject({ pid: process.pid });
  });

  test('of another host holds as long as that gives signs of life', async () => {
    await leaveLock({ host: 'elsewhere', pid: 7, since: null });
    const nowMs = Date.now();
    await expect(StateFile.open(file, nowMs)).rejects.toThrow('in use by process 7 on host elsewhere');
    const longAgo = (nowMs - FOREIGN_LOCK_MS - 1) / 1000;
    await utimes(`${file}.lock`, longAgo, longAgo);
    const state = await StateFile.open(file, nowMs);
    closing.push(state);
    await state.touch(nowMs + 60_000);
    expect((await stat(`${file}.lock`)).mtimeMs).toBeCloseTo(nowMs + 60_000, -1);
  });

  test('of many that start at once one gets it', async () => {
    await leaveLock({ host: hostname(), pid: 2 ** 22 - 3, since: null });
    const script = `
      import { StateFile } from ${JSON.stringify(path.join(ROOT, 'src/client/instance-state.ts'))};
      const state = await StateFile.open(${JSON.stringify(file)}, Date.now()).catch(() => null);
      process.stdout.write(state === null ? 'out' : 'in');
      setInterval(() => {}, 60_000);`;
    // Whoever gets it lives until all have said what became of them, however late one of them comes.
    const starts = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    );
    try {
      const outcomes = await Promise.all(
        starts.map(async ({ stdout }) => String(await once(stdout, 'data'))),
      );
      expect(outcomes.sort()).toEqual(['in', 'out', 'out', 'out']);
    } finally {
      for (const child of starts) child.kill('SIGKILL');
    }
  });
});

describe('an instance that starts again', () => {
  let started: StartedApp;
  let url: string;
  let client: Client;
  let key: string;

  beforeAll(async () => {
    started = await startApp();
    url = await started.app.listen({ port: 0, host: '127.0.0.1' });
    client = createClient({ url, token: ADMIN_TOKEN });
    key = (await started.installKey({ AuthorizedUnits: 3 })).id;
    await client.keys.change(key, { enforcement: 'local' }, '*');
  });
  afterAll(async () => {
    client?.close();
    await started?.close();
  });

  const open = async (more: Partial<Parameters<typeof openInstance>[0]> = {}) => {
    const opened = await openInstance({ client, name: 'app-a', key, stateFile: file, ...more });
    closing.push(opened.instance);
    return opened;
  };

  test('says which incarnation it was, and gets the next; meanwhile nobody else has its file (R-10)', async () => {
    const { instance } = await open();
    const first = instance.incarnation!;
    await expect(open()).rejects.toThrow('in use by this process');
    await instance.close();
    const { instance: next, told } = await open();
    expect(next.incarnation).toBe(first + 1);
    expect(told).toEqual([]);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      name: 'app-a',
      incarnation: first + 1,
      terms: { enforcement: 'local', limit: 3 },
    });
  });

  test('under a name that was used elsewhere meanwhile, it says so', async () => {
    const { instance } = await open();
    await instance.close();
    await client.instances.register('app-a', { key });
    const notices: string[] = [];
    const again = await LicenseInstance.open({ client, name: 'app-a', key, stateFile: file });
    closing.push(again);
    again.on('notice', (notice) => notices.push(notice));
    expect(again.incarnation).toBe(instance.incarnation! + 2);
    await until(() => notices.length > 0, 20_000, 'the notice is told');
    expect(notices.join()).toContain('its name was used elsewhere meanwhile');
  });

  test('a registration whose answer was lost is repeated, and is the same life', async () => {
    const answered = await client.instances.register('app-a', { key, registrationId: 'lost-answer' });
    const state = await StateFile.open(file, Date.now());
    await state.write({ ...STATE, registrationId: 'lost-answer', incarnation: null, formerIncarnation: 1 });
    await state.close();
    const { instance } = await open();
    expect(instance.incarnation).toBe(answered.incarnation);
  });

  test('a server that went back to what a backup knew issues a later incarnation', async () => {
    const state = await StateFile.open(file, Date.now());
    await state.write({ ...STATE, name: 'app-b', incarnation: 50 });
    await state.close();
    const { instance } = await openInstance({ client, name: 'app-b', key, stateFile: file });
    closing.push(instance);
    expect(instance.incarnation).toBe(51);
  });

  test('without the server goes on under the local terms that it knew, as long as the policy says', async () => {
    const { instance } = await open();
    await instance.close();
    const relay = await Relay.open(url);
    closing.push(relay);
    relay.cut();
    const away = impatientClient(relay.url);
    const {
      instance: alone,
      clock,
      names,
    } = await open({
      client: away,
      offline: { newUsers: 'allow', forSeconds: 60 },
    });
    expect(alone).toMatchObject({ incarnation: null, isOnline: false, enforcement: 'local' });
    await until(() => names().length > 0, 20_000, 'it is told that the server is away');
    loggedIn(alone.tryLogin({ user: 'alice' }));
    clock.advance(61_000);
    expect(refusedBy(alone.tryLogin({ user: 'bob' })).code).toBe('server-unreachable');
    relay.mend();
    await alone.report();
    expect(alone).toMatchObject({ incarnation: instance.incarnation! + 1, isOnline: true });
    loggedIn(alone.tryLogin({ user: 'bob' }));
    expect(names()).toEqual(['offline', 'refused', 'online']);
    away.close();
  });

  test('without the server and without knowing any terms does not start', async () => {
    const away = impatientClient('http://127.0.0.1:1');
    await expect(open({ client: away })).rejects.toMatchObject({ name: 'UnreachableError' });
    const { instance } = await open();
    expect(instance.isOnline).toBe(true);
  });

  test('keeps no process alive that has nothing else to do, and leaves it a lock to take over', async () => {
    const script = `
      import { LicenseInstance } from ${JSON.stringify(path.join(ROOT, 'src/client/index.ts'))};
      const client = { url: ${JSON.stringify(url)}, token: ${JSON.stringify(ADMIN_TOKEN)} };
      const instance = await LicenseInstance.open({
        client, name: 'app-a', key: ${JSON.stringify(key)}, stateFile: ${JSON.stringify(file)},
      });
      process.stdout.write(instance.tryLogin({ user: 'alice' }).is);`;
    const { stdout } = await run(process.execPath, ['--no-warnings', '--input-type=module', '-e', script], {
      timeout: 20_000,
    });
    expect(stdout).toBe('granted');
    const { instance } = await open();
    expect(instance.isOnline).toBe(true);
  });
});
