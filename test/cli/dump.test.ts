import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { problem, startServer } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { openTerminal } from './terminal.ts';
import { CLI, type ListeningApp, runProcess, startListening, startProcess } from './world.ts';

let app: ListeningApp;
let key: string;

beforeAll(async () => {
  app = await startListening();
  key = (await app.installKey({ AuthorizedUnits: 700 })).id;
  await app.register('hospital', key);
  for (let number = 0; number < 600; number += 1) await app.login('hospital', `user-${number}`);
});

afterAll(() => app?.close());

const lictor: ListeningApp['lictor'] = (...args) => app.lictor(...args);

describe('dumps', () => {
  test('as the legacy text, to standard output or into a file that is not overwritten', async () => {
    const { exit, stdout, stderr } = await lictor('usage dump in-use --instance hospital');
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).toContain('user-599');
    const out = path.join(app.folder, 'inuse.dmp');
    const args = `usage dump in-use --instance hospital --out ${out}`;
    const written = await lictor(args);
    expect(written.stdout).toBe('');
    expect(written.stderr).toMatch(/^Wrote 6\d\d lines, as of \d{4}-\S+Z, to .*inuse\.dmp\.\n$/);
    expect((await readFile(out, 'utf8')).split('\n').length).toBe(stdout.split('\n').length);
    expect(await lictor(args)).toMatchObject({ exit: 2, stderr: expect.stringContaining('exists already') });
    expect(await lictor(`${args} --force`)).toMatchObject({ exit: 0 });
  });

  test('as JSON, all pages', async () => {
    const out = path.join(app.folder, 'servers.json');
    const { stderr } = await lictor(`usage dump in-use --instance hospital --json --out ${out}`);
    expect(stderr).toContain('Wrote 600 entries');
    const { items, instance, capacity } = JSON.parse(await readFile(out, 'utf8'));
    expect({ instance, capacity }).toEqual({ instance: 'hospital', capacity: 700 });
    expect(new Set(items.map(({ userId }: { userId: string }) => userId)).size).toBe(600);
    for (const what of ['servers', 'keys', 'all --instance hospital', 'processes --instance hospital']) {
      const answer = JSON.parse((await lictor(`usage dump ${what} --json`)).stdout);
      expect([what, answer.items.length > 0]).toEqual([what, true]);
      expect((await lictor(`usage dump ${what}`)).stdout.length).toBeGreaterThan(0);
    }
  });

  test('of servers and keys as JSON: one entry for each user on an instance', async () => {
    const servers = JSON.parse((await lictor('usage dump servers --json')).stdout);
    expect(servers.items).toHaveLength(600);
    expect(servers.items[0]).toEqual({
      ...{ key, instance: 'hospital', state: 'active', userId: 'user-0' },
      ...{ connections: 1, units: 1, shared: false },
    });
    expect(servers).toMatchObject({
      totals: [{ key, unitsInUse: 600 }],
      instances: [{ instance: 'hospital' }],
    });
    const keys = JSON.parse((await lictor(`usage dump keys --key ${key} --json`)).stdout);
    expect([keys.items.length, keys.keys[0].unitsAuthorised]).toEqual([600, 700]);
  });

  test('a refusal is told, and leaves no file', async () => {
    const out = path.join(app.folder, 'none.dmp');
    const refused = await lictor(`usage dump all --instance nowhere --out ${out}`);
    expect(refused).toMatchObject({ exit: 1, stderr: expect.stringContaining('lictor instances list') });
    expect((await readdir(app.folder)).filter((name) => name.startsWith('none.dmp'))).toEqual([]);
    expect(await lictor('usage dump all')).toMatchObject({ exit: 2 });
  });

  test('more than the memory of the command can hold comes through it', async () => {
    const line = `${'x'.repeat(99)}\n`;
    const piece = line.repeat(10_000);
    const pieces = 200;
    const server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
      let sent = 0;
      const send = () => {
        while (sent < pieces) {
          sent += 1;
          if (!response.write(piece)) {
            response.once('drain', send);
            return;
          }
        }
        response.end();
      };
      send();
    });
    const out = path.join(app.folder, 'large.dmp');
    // 200 MB through a heap of 48 MB, which the modules themselves fill in part.
    const { exit, stderr } = await runProcess(['usage', 'dump', 'in-use', '--instance', 'a', '--out', out], {
      LICTOR_URL: server.url,
      LICTOR_TOKEN: 'lictor_x',
      NODE_OPTIONS: '--max-old-space-size=48',
    });
    await server.close();
    expect([exit, stderr]).toEqual([0, `Wrote 2,000,000 lines to ${out}.\n`]);
  });

  test('an interruption leaves nothing behind', async () => {
    const server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/plain' }).write('the beginning\n');
    });
    const out = path.join(app.folder, 'part.dmp');
    const dumping = startProcess(['usage', 'dump', 'in-use', '--instance', 'a', '--out', out], {
      LICTOR_URL: server.url,
      LICTOR_TOKEN: 'lictor_x',
    });
    const parts = async () => (await readdir(app.folder)).filter((name) => name.startsWith('part.dmp'));
    await until(
      async () => server.requests.length === 1 && (await parts()).length === 1,
      15_000,
      'it writes',
    );
    dumping.signal('SIGINT');
    expect(await dumping.ended).toMatchObject({ exit: 130, stderr: expect.stringContaining('interrupted') });
    expect(await parts()).toEqual([]);
    await server.close();
  });

  test('an answer that breaks off is no dump', async () => {
    const server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '1000' }).write('some\n');
      setImmediate(() => response.socket!.destroy());
    });
    const out = path.join(app.folder, 'broken.dmp');
    const env = { LICTOR_URL: server.url, LICTOR_TOKEN: 'lictor_x' };
    const { exit } = await runProcess(['usage', 'dump', 'in-use', '--instance', 'a', '--out', out], env);
    await server.close();
    expect(exit).toBe(69);
    expect((await readdir(app.folder)).filter((name) => name.startsWith('broken.dmp'))).toEqual([]);
  });

  test('the token is refused as by every command', async () => {
    const server = await startServer(problem(403, 'forbidden'));
    const env = { LICTOR_URL: server.url, LICTOR_TOKEN: 'lictor_x' };
    const { exit } = await runProcess(['usage', 'dump', 'keys'], env);
    await server.close();
    expect(exit).toBe(77);
  });
});

test('progress is shown on the terminal while the answer goes elsewhere', async () => {
  let rest: () => void = () => {};
  const server = await startServer((response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'dump-entries': '1000' });
    let sent = 0;
    const timer = setInterval(() => {
      sent += 1;
      response.write(`line ${sent}\n`);
    }, 20);
    rest = () => {
      clearInterval(timer);
      response.end();
    };
  });
  const out = path.join(app.folder, 'progress.dmp');
  const env = { LICTOR_URL: server.url, LICTOR_TOKEN: 'lictor_x' };
  const command = [process.execPath, CLI, 'usage', 'dump', 'in-use', '--instance', 'a', '--out', out];
  const terminal = openTerminal(command, env);
  try {
    await terminal.sees(/\r\d+ of 1,000 \(\d+ %\) lines, \d+ a second/);
    rest();
    await terminal.sees(/Wrote \d+ lines/);
    expect(await terminal.ended).toBe(0);
  } finally {
    await terminal.close();
    await server.close();
  }
});

describe('reports', () => {
  test('who is on an instance, its processes, its key, and the active licence server', async () => {
    expect((await lictor('usage users --instance hospital --limit 3')).stdout.split('\n')).toHaveLength(5);
    expect((await lictor('usage users --instance hospital --text')).stdout).toContain('user-0');
    expect((await lictor('usage processes hospital --limit 2')).stdout).toMatch(/^ *PID +PROCESS/);
    expect((await lictor('usage keys')).stdout).toMatch(new RegExp(`^${key} +600 +700 `, 'm'));
    expect((await lictor(`usage keys --key ${key} --text`)).stdout).toContain('user-0');
    expect((await lictor('instances key hospital')).stdout).toMatch(/Units available: +100 of 700/);
    expect((await lictor('instances key hospital --text')).stdout).toContain('Example Clinic');
    expect(await lictor('servers active')).toMatchObject({
      exit: 1,
      stdout: expect.stringContaining('Active:'),
    });
  });

  test('the queries, under their own columns and over all pages', async () => {
    const { items } = JSON.parse((await lictor('usage queries --json')).stdout);
    expect(items.length).toBeGreaterThan(5);
    const userList = items.find(({ name }: { name: string }) => name === 'UserList');
    const { stdout } = await lictor('usage query UserList --instance hospital');
    const [head, ...rows] = stdout.trimEnd().split('\n');
    expect(head!.split(/ {2,}/)).toEqual(userList.columns);
    expect(rows).toHaveLength(600);
    const unknown = await lictor('usage query Nothing --instance hospital');
    expect(unknown.exit).toBe(1);
  });
});
