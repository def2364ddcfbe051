/** `npm run demo` tells what is so, ends by itself, and leaves nothing behind (F-18, F-19). */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../support/wait.ts';

const DEMO = fileURLToPath(new URL('../../demo/run.ts', import.meta.url));
/** The demonstration itself is to be done within a minute. */
const DONE_WITHIN_MS = 60_000;

let folder: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lictor-demo-test-'));
  // Where the tests run as root, Postgres runs as somebody else, who has to reach its files.
  await chmod(folder, 0o755);
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

function start(temporary: string) {
  const child = spawn(process.execPath, [DEMO], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, ended, output: () => output };
}

/** Where Lictor listened, as the demonstration tells. */
function urlIn(output: string): string {
  return /Lictor runs at (http:\/\/\S+),/.exec(output)![1]!;
}

describe('npm run demo', () => {
  test('ends by itself with 0 within a minute, with everything as told, and nothing is left of it', async () => {
    const startedMs = performance.now();
    const { ended, output } = start(folder);
    expect([await ended, output()]).toEqual([0, expect.stringContaining('Everything was as told.')]);
    expect(performance.now() - startedMs).toBeLessThan(DONE_WITHIN_MS);
    const told = output();
    const inOrder = [
      'PRIMARY is up first, and so it is active',
      'SECONDARY sees that PRIMARY is active, and stands by',
      'All three are configured with the same licence servers',
      'alice is on three hosts and costs one',
      'PRIMARY is killed',
      'SECONDARY has taken over, by a higher token: 1, then 2',
      'SECONDARY stays the active one',
      'Every host is answered NAK',
      'That is not below the limit',
      'Every host is answered ACK',
      'From the over-limit ledger:',
      'over 10 units by 4 at most',
      'ended because users logged out',
      'Current License Units Used =      10',
      'Maximum License Units Used =      14',
      'shr  alice',
      'Grand total of 10 clients on 3 active instances',
      '0 units in use',
    ];
    const positions = inOrder.map((text) => told.indexOf(text));
    expect(positions.every((position) => position >= 0)).toBe(true);
    expect(positions).toEqual(positions.toSorted((left, right) => left - right));
    for (const host of ['database-server', 'app-server-a', 'app-server-b']) {
      expect(told).toContain(`ShowServer on ${host}: PRIMARY at 127.0.0.1:`);
      expect(told).toContain(`ShowServer on ${host}: SECONDARY at 127.0.0.1:`);
    }
    expect(await readdir(folder)).toEqual([]);
    await expect(fetch(urlIn(told))).rejects.toThrow();
  }, 180_000);

  test('ends with 130 when it is interrupted, and leaves nothing behind either', async () => {
    const { child, ended, output } = start(folder);
    await until(() => output().includes('PRIMARY is up first'), 30_000, 'the demonstration is under way');
    child.kill('SIGINT');
    expect([await ended, output()]).toEqual([130, expect.stringContaining('Interrupted')]);
    expect(await readdir(folder)).toEqual([]);
    await expect(fetch(urlIn(output()))).rejects.toThrow();
  }, 120_000);

  test('ends with 1 and says why when it cannot be as told', async () => {
    const { ended, output } = start(path.join(folder, 'missing'));
    expect([await ended, output()]).toEqual([1, expect.stringContaining('ENOENT')]);
  });
});
