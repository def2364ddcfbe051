import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { colourless } from '../../src/cli/paint.ts';
import { type ScreenState, screenLines } from '../../src/cli/topscreen.ts';
import { startServer } from '../support/servers.ts';
import { openTerminal } from './terminal.ts';
import { CLI, type ListeningApp, startListening, startProcess } from './world.ts';

let app: ListeningApp;

beforeAll(async () => {
  app = await startListening({ evaluation: true });
  await app.register('hospital');
});

afterAll(() => app?.close());

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const top = (...args: string[]) =>
  openTerminal([process.execPath, CLI, 'top', '--interval', '1', ...args], app.as('viewer'));

describe('on a terminal', () => {
  test('it is refreshed in place, shows who comes and goes, and q gives the terminal back', async () => {
    const terminal = top();
    try {
      await terminal.sees(ENTER);
      await terminal.sees('0 of 8 units in use');
      const login = await app.login('hospital', 'alice');
      await terminal.sees('1 of 8 units in use, 1 users');
      await terminal.sees(/\+1/);
      terminal.type('u');
      await terminal.sees('alice');
      terminal.type('i');
      await terminal.sees('hospital');
      await app.call(`DELETE /v1/logins/${login}`);
      await terminal.sees('0 of 8 units in use');
      terminal.type('q');
      expect(await terminal.ended).toBe(0);
      expect(terminal.shown.endsWith(LEAVE)).toBe(true);
      // The alternate screen is entered once: nothing scrolls away.
      expect(terminal.shown.split(ENTER)).toHaveLength(2);
    } finally {
      await terminal.close();
    }
  });

  test('Ctrl-C gives the terminal back as well', async () => {
    const terminal = top();
    try {
      await terminal.sees('units in use');
      terminal.type('\u0003');
      expect(await terminal.ended).toBe(0);
      expect(terminal.shown.endsWith(LEAVE)).toBe(true);
    } finally {
      await terminal.close();
    }
  });

  test('it fits into a window that becomes smaller', async () => {
    const terminal = top('--interval', '3600');
    try {
      await terminal.sees('scroll  p pause');
      terminal.resize(10, 30);
      await terminal.sees('\u001b[J');
      // The keys at the foot are cut off at the edge.
      await terminal.sees('q quit  k keys  i instances  u\u001b');
      terminal.type('q');
      expect(await terminal.ended).toBe(0);
    } finally {
      await terminal.close();
    }
  });

  test('a server that is away leaves what is known in sight, and says so', async () => {
    const counts = { items: [], asOf: '2027-01-10T12:00:00.000Z', version: 1 };
    const server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(counts));
    });
    const env = { LICTOR_URL: server.url, LICTOR_TOKEN: 'lictor_x' };
    const terminal = openTerminal([process.execPath, CLI, 'top', '--interval', '1', '--timeout', '1'], env);
    try {
      await terminal.sees('as of 2027-01-10T12:00:00Z');
      await server.close();
      await terminal.sees('The server cannot be reached.');
      terminal.type('q');
      expect(await terminal.ended).toBe(0);
    } finally {
      await terminal.close();
    }
  });
});

describe('where standard output is no terminal', () => {
  test('there is one line for each key and refresh', async () => {
    const { exit, stdout } = await startProcess(['top', '--count', '2', '--interval', '1'], app.as('viewer'))
      .ended;
    expect(exit).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^\d{4}-\S+Z {2}evaluation {2}\d+\/8 units {2}\d+ users {2}\d+ connections$/);
    expect(stdout).not.toContain('\u001b');
  });

  test('with --json there is one object for each refresh', async () => {
    const { stdout } = await startProcess(['top', '--count', '1', '--json'], app.as('viewer')).ended;
    expect(JSON.parse(stdout).items[0]).toMatchObject({ key: 'evaluation', unitsEnforced: 8 });
  });
});

describe('the screen', () => {
  const key = (name: string, unitsInUse: number): ScreenState['snapshot']['keys'][number] => ({
    key: name,
    unitsAuthorised: 10,
    unitsEnforced: 10,
    unitsInUse,
    unitsLeased: 0,
    unitsFree: 10 - unitsInUse,
    users: unitsInUse,
    connections: unitsInUse,
    unitsPeak: unitsInUse,
    usersPeak: unitsInUse,
    connectionsPeak: unitsInUse,
    logins: { active: unitsInUse, pending: 0, grace: 0 },
  });
  const state = (fields: Partial<ScreenState> = {}): ScreenState => ({
    url: 'http://127.0.0.1:8080',
    intervalSeconds: 2,
    view: 'keys',
    offset: 0,
    isPaused: false,
    snapshot: {
      asOf: '2027-01-10T12:00:00Z',
      keys: [key('a', 5), key('b', 10)],
      instances: [],
      users: [],
      isCut: false,
    },
    before: new Map([['a', 3]]),
    trouble: null,
    ...fields,
  });

  test('has exactly the lines of the terminal, none wider than it', () => {
    for (const [rows, columns] of [
      [24, 80],
      [6, 20],
      [1, 1],
      [60, 300],
    ] as const) {
      const lines = screenLines(state(), { rows, columns }, colourless);
      expect(lines).toHaveLength(rows);
      expect(lines.filter((line) => line.length > columns)).toEqual([]);
    }
  });

  test('shows how full each key is, and what changed', () => {
    const lines = screenLines(state(), { rows: 24, columns: 120 }, colourless);
    expect(lines[1]).toBe('15 of 20 units in use, 15 users, 15 connections');
    expect(lines[4]).toMatch(/^a +\[#{5}\.{5}\] {2}50% +5 +\+2 +10 /);
    expect(lines[5]).toMatch(/^b +\[#{10}\] 100% /);
  });

  test('scrolls, and says where it is', () => {
    const keys = Array.from({ length: 40 }, (_, index) => key(`key-${index}`, 0));
    const snapshot = { ...state().snapshot, keys };
    const lines = screenLines(state({ snapshot, offset: 10 }), { rows: 15, columns: 120 }, colourless);
    expect(lines[4]).toMatch(/^key-10 /);
    expect(lines.at(-1)).toContain('11-20 of 40');
  });
});
