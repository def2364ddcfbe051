/**
 * `npm run bench`: measures the server on this machine, everything in one run and interleaved, holds the
 * figures against the goals, and checks by guards that they mean what they say.
 */

import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { findPostgresBinaries, findServerUser } from '../src/storage/postgres-binaries.ts';
import { measureColdStart } from './cold.ts';
import { checkSlowDisk } from './disk.ts';
import { measureDump } from './dump.ts';
import { type Figure, type Guard, isMet, pairFigures, ratioFigures } from './goals.ts';
import { checkGuards } from './guards.ts';
import { measureLocal } from './local.ts';
import type { Sample } from './measure.ts';
import { type Options, type Part, readOptions, USAGE } from './options.ts';
import { profileServer } from './profile.ts';
import { describeResults, describeSample, writeResults } from './report.ts';
import { Rig } from './rig.ts';
import { loadTables, measureRestarts, measureSizes, sizeFigures } from './sizes.ts';
import { measureSteady } from './steady.ts';
import { measureThroughput, prepareThroughput } from './throughput.ts';
import { measureUdp } from './udp.ts';
import { measureUpdates } from './updates.ts';
import { provideWrk } from './wrk.ts';

const MAIN_PARTS: readonly Part[] = [
  'hot',
  'keys',
  'refusals',
  'heartbeats',
  'logout',
  'pair',
  'disk',
  'steady',
  'guards',
];

/** What a run has found so far. */
interface Findings {
  readonly samples: Sample[];
  readonly figures: Figure[];
  readonly guards: Guard[];
}

async function runParts(rig: Rig, options: Options, findings: Findings): Promise<void> {
  const { parts } = options;
  const isAsked = (...some: Part[]) => some.some((part) => parts.has(part));
  if (isAsked(...MAIN_PARTS)) {
    await keepGoing(rig, findings, 'throughput', () => runMainParts(rig, options, findings));
  }
  if (isAsked('local')) {
    await keepGoing(rig, findings, 'local', async () => {
      say('Decisions of instances that decide for themselves:');
      findings.figures.push(...(await measureLocal(rig, options)));
    });
  }
  if (isAsked('udp')) {
    await keepGoing(rig, findings, 'udp', async () => {
      say('Datagrams, round by round:');
      findings.figures.push(...(await measureUdp(rig.directory, { ...options, signal: rig.signal }, say)));
    });
  }
  if (isAsked('updates')) {
    await keepGoing(rig, findings, 'updates', async () => {
      say(`Updates of instances that decide for themselves, for ${options.steadySeconds} s each:`);
      findings.figures.push(...(await measureUpdates(rig, options)));
    });
  }
  if (isAsked('sizes', 'restart')) {
    await keepGoing(rig, findings, 'sizes', () => runSizes(rig, options, findings));
  }
  if (isAsked('dump')) {
    await keepGoing(rig, findings, 'dump', async () => {
      say('A dump of a table:');
      findings.figures.push(...(await measureDump(rig, options, say)));
    });
  }
  if (isAsked('cold')) {
    await keepGoing(rig, findings, 'cold', async () => {
      say('Cold start of the embedded default:');
      findings.figures.push(await measureColdStart(rig));
    });
  }
}

/** A part that fails is told among the guards, and takes nothing of what others found with it. */
async function keepGoing(
  rig: Rig,
  { guards }: Findings,
  name: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    rig.signal.throwIfAborted();
    process.stderr.write(`${(error as Error).stack}\n`);
    guards.push({
      name: `the part "${name}" comes to its end`,
      verdict: 'fails',
      words: (error as Error).message.split('\n', 1)[0]!,
    });
  }
}

/** What shares one server and its table. */
async function runMainParts(
  rig: Rig,
  options: Options,
  { samples, figures, guards }: Findings,
): Promise<void> {
  const { parts } = options;
  const report = (sample: Sample) => say(describeSample(sample));
  const { main, cells } = await prepareThroughput(rig, options);
  if (cells.length > 0) {
    say('Throughput, round by round:');
    const measured = await measureThroughput(rig, cells, options, report);
    samples.push(...measured);
    figures.push(...ratioFigures(measured), ...pairFigures(measured));
  }
  if (parts.has('disk')) {
    say('A slow disk beside the usual one:');
    const { samples: measured, guard } = await checkSlowDisk(rig, main, options, report);
    samples.push(...measured);
    guards.push(guard);
  }
  if (parts.has('steady')) {
    say(`Logins and logouts for ${options.steadySeconds} s:`);
    const { sample, figures: found } = await measureSteady(rig, main, options);
    report(sample);
    samples.push(sample);
    figures.push(...found);
  }
  if (parts.has('guards')) {
    say('Guards on what the load has left:');
    guards.push(...(await checkGuards(main, rig.signal)));
  }
}

async function runSizes(rig: Rig, options: Options, { samples, figures, guards }: Findings): Promise<void> {
  const sizes = options.parts.has('sizes') ? options.sizes : options.sizes.slice(-1);
  say('Tables of several sizes:');
  const loaded = await loadTables(rig, sizes, say);
  if (options.parts.has('sizes')) {
    const measured = await measureSizes(rig, loaded, options, (sample) => say(describeSample(sample)));
    samples.push(...measured);
    figures.push(...(await sizeFigures(loaded, measured)));
  }
  if (options.parts.has('restart')) {
    const found = await measureRestarts(loaded.at(-1)!, say);
    figures.push(...found.figures);
    guards.push(...found.guards);
  }
}

function say(words: string): void {
  process.stdout.write(`${words}\n`);
}

async function describeMachine(rig: Rig): Promise<Record<string, string | number>> {
  const binaries = await findPostgresBinaries(findServerUser());
  const words = (program: string) => execFileSync(program, ['--version'], { encoding: 'utf8' }).trim();
  return {
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${process.platform} ${release()}`,
    node: process.versions.node,
    postgres: /[\d.]+/.exec(words(binaries.postgres))?.[0] ?? '',
    redis: /v=([\d.]+)/.exec(words('redis-server'))?.[1] ?? '',
    fdatasyncMs: Number(rig.flushMs().toFixed(3)),
  };
}

/** @returns the exit code: 0 done, 1 failed or a guard does not hold, 2 misused. Missed goals are no failure. */
async function main(): Promise<number> {
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major < 22 || process.platform !== 'linux') {
    throw new Error('The benchmarks need Linux and Node.js 22.18 or later; run them by "npm run bench".');
  }
  let options: Options | null;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (options === null) {
    process.stdout.write(USAGE);
    return 0;
  }
  provideWrk();
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());
  const startedAt = new Date().toISOString();
  const findings: Findings = { samples: [], figures: [], guards: [] };
  const rig = await Rig.open(interrupt.signal);
  try {
    if (options.profile) {
      await profileServer(rig, options, say);
      return 0;
    }
    const machine = await describeMachine(rig);
    await runParts(rig, options, findings);
    const results = {
      startedAt,
      finishedAt: new Date().toISOString(),
      machine,
      options: { ...options, parts: [...options.parts] },
      ...findings,
    };
    process.stdout.write(describeResults(results));
    const missed = findings.figures.filter((figure) => isMet(figure) === false).length;
    const failing = findings.guards.filter(({ verdict }) => verdict === 'fails').length;
    const file = await writeResults(results);
    process.stdout.write(
      `\n${findings.figures.length} figures, ${missed} goals missed, ${failing} guards fail. Written to ${file}\n`,
    );
    return failing > 0 || findings.samples.some(({ faults }) => faults.length > 0) ? 1 : 0;
  } finally {
    await rig.close();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  const { name, stack } = error as Error;
  process.stderr.write(name === 'AbortError' ? 'Interrupted; everything is closed.\n' : `${stack}\n`);
  process.exitCode = 1;
}
