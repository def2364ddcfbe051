/**
 * A dump of everybody on an instance with very many logins, as `lictor usage dump` writes it to a file: how long it
 * takes, and what memory the client and the server need for it. Beside it, what Postgres and its driver need to
 * hand over the same table as it lies there.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readMemory } from './accounting.ts';
import { TOKEN } from './api.ts';
import { collectGarbage } from './garbage.ts';
import type { Figure } from './goals.ts';
import type { Options } from './options.ts';
import type { Rig } from './rig.ts';
import { type Loaded, loadTables } from './sizes.ts';
import { spreadOf } from './statistics.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const MEMORY_MB_MAX = 400;
/** What a dump may add to the server's memory: it is read in pieces, however long it is. */
const GROWTH_MB_MAX = 100;
/** How often memory is looked at while a dump is written, in milliseconds. */
const LOOK_INTERVAL_MS = 20;
/** How long a loaded server is left alone before it is measured, in milliseconds: by then it has packed its logins. */
const REST_MS = 75_000;
const MEGABYTE = 2 ** 20;

/** What one dump came to. */
interface Written {
  readonly seconds: number;
  readonly clientMb: number;
  readonly serverMb: number;
  readonly grownMb: number;
  readonly faults: readonly string[];
}

/** Measures dumps of the largest of the sizes. */
export async function measureDump(
  rig: Rig,
  options: Options,
  say: (words: string) => void,
): Promise<Figure[]> {
  const [loaded] = await loadTables(rig, options.sizes.slice(-1), say, 'dump');
  await pause(REST_MS);
  await collectGarbage(loaded!.site.servers[0]!);
  const all: Written[] = [];
  const limits: number[] = [];
  for (let round = 1; round <= options.rounds; round += 1) {
    rig.signal.throwIfAborted();
    limits.push(await copySeconds(loaded!));
    const written = await writeDump(rig, loaded!, path.join(rig.directory, `dump-${round}`));
    all.push(written);
    say(
      `  ${round}  ${loaded!.rows} logins dumped in ${written.seconds.toFixed(1)} s; copied as they lie in ${limits.at(-1)!.toFixed(1)} s`,
    );
  }
  return figuresOf(loaded!.rows, all, limits);
}

function figuresOf(rows: number, all: readonly Written[], limits: readonly number[]): Figure[] {
  const faults = all.flatMap((each) => each.faults);
  const figure = (name: string, values: readonly number[], unit: string, bound: number | null): Figure => ({
    name,
    value: spreadOf(values),
    unit,
    goal: bound === null ? null : { is: 'at most', bound },
    faults,
  });
  const of = (member: Exclude<keyof Written, 'faults'>) => all.map((each) => each[member]);
  return [
    figure(`dump of ${rows} logins as text, to a file`, of('seconds'), 's', null),
    figure(
      '… against a plain copy of the table',
      all.map(({ seconds }, round) => seconds / limits[round]!),
      '×',
      null,
    ),
    figure('… memory of the client at its highest', of('clientMb'), 'MB', MEMORY_MB_MAX),
    figure('… what it added to the memory of the server', of('grownMb'), 'MB', GROWTH_MB_MAX),
    figure('… memory of the server at its highest meanwhile', of('serverMb'), 'MB', MEMORY_MB_MAX),
  ];
}

/** The limit: the rows as they lie, over the same driver, and thrown away. */
async function copySeconds({ site, rows }: Loaded): Promise<number> {
  const from = performance.now();
  let lines = 0;
  const stream = await site.sql`copy (select * from logins where released_at is null) to stdout`.readable();
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1;
  }
  if (lines < rows) throw new Error(`${lines} of ${rows} logins were copied.`);
  return (performance.now() - from) / 1000;
}

/** Has the command write a dump, and watches both processes. */
async function writeDump(rig: Rig, { site, rows }: Loaded, file: string): Promise<Written> {
  const server = site.servers[0]!;
  const before = (await readMemory(server.pid)).resident;
  const from = performance.now();
  const client = spawn(
    process.execPath,
    ['src/cli.ts', 'usage', 'dump', 'in-use', '--instance', 'base', '--out', file],
    {
      cwd: ROOT,
      env: { PATH: process.env.PATH ?? '', LICTOR_URL: server.url, LICTOR_TOKEN: TOKEN },
      stdio: ['ignore', 'ignore', 'pipe'],
      signal: rig.signal,
    },
  );
  const { serverPeak, clientPeak, said } = await watch(client, server.pid);
  const seconds = (performance.now() - from) / 1000;
  const faults = client.exitCode === 0 ? await faultsIn(file, rows) : [`the command failed: ${said}`];
  return {
    seconds,
    clientMb: clientPeak / MEGABYTE,
    serverMb: serverPeak / MEGABYTE,
    grownMb: (serverPeak - before) / MEGABYTE,
    faults,
  };
}

async function watch(
  client: ChildProcess,
  serverPid: number,
): Promise<{ serverPeak: number; clientPeak: number; said: string }> {
  let said = '';
  client.stderr!.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-1_000);
  });
  let isOver = false;
  const over = new Promise<void>((resolve) => {
    client.once('close', () => {
      isOver = true;
      resolve();
    });
  });
  let [serverPeak, clientPeak] = [0, 0];
  while (!isOver) {
    serverPeak = Math.max(serverPeak, (await readMemory(serverPid)).resident);
    const { peak } = await readMemory(client.pid!).catch(() => ({ peak: 0 }));
    clientPeak = Math.max(clientPeak, peak);
    await Promise.race([over, pause(LOOK_INTERVAL_MS)]);
  }
  return { serverPeak, clientPeak, said };
}

/** Every login is there, once and in order. */
async function faultsIn(file: string, rows: number): Promise<string[]> {
  const faults: string[] = [];
  const users = new Set<string>();
  let [number, previous] = [0, ''];
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const found = /^ *(\d+)\) {2}User ID = (\S+), Connections = 1, /.exec(line);
    if (!found) continue;
    if (Number(found[1]) !== number) faults.push(`slot ${found[1]} comes where ${number} should`);
    users.add(found[2]!);
    previous = line;
    number += 1;
    if (faults.length > 3) break;
  }
  if (users.size !== rows)
    faults.push(`${users.size} of ${rows} users are in the dump; it ends "${previous}"`);
  return faults;
}
