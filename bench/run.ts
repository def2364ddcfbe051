/**
 * `npm run bench`: measures the server on this machine, everything in one run and interleaved, holds the
 * figures against the goals, and checks by guards that they mean what they say.
 */

import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { findPostgresBinaries, findServerUser } from '../src/storage/postgres-binaries.ts';
import { type Figure, type Guard, isMet, pairFigures, ratioFigures } from './goals.ts';
import type { Sample } from './measure.ts';
import { type Options, type Part, readOptions, USAGE } from './options.ts';
import { profileServer } from './profile.ts';
import { describeResults, describeSample, writeResults } from './report.ts';
import { Rig } from './rig.ts';
import { measureThroughput, prepareThroughput } from './throughput.ts';
import { provideWrk } from './wrk.ts';

const TABLE_PARTS: readonly Part[] = ['hot', 'keys', 'refusals', 'heartbeats', 'logout', 'pair'];

/** What a run has found so far. */
interface Findings {
  readonly samples: Sample[];
  readonly figures: Figure[];
  readonly guards: Guard[];
}

async function runParts(rig: Rig, options: Options, findings: Findings): Promise<void> {
  const { parts } = options;
  const say = (words: string) => process.stdout.write(`${words}\n`);
  const throughput = await prepareThroughput(rig, options);
  if (TABLE_PARTS.some((part) => parts.has(part))) {
    say('Throughput, round by round:');
    const samples = await measureThroughput(rig, throughput.cells, options, (sample) =>
      say(describeSample(sample)),
    );
    findings.samples.push(...samples);
    findings.figures.push(...ratioFigures(samples), ...pairFigures(samples));
  }
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
  const options = readOptions(process.argv.slice(2));
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
      await profileServer(rig, options, (words) => void process.stdout.write(`${words}\n`));
      return 0;
    }
    const machine = await describeMachine(rig);
    await runParts(rig, options, findings);
    const { signal: _, ...rest } = { signal: null, ...options };
    const results = {
      startedAt,
      finishedAt: new Date().toISOString(),
      machine,
      options: { ...rest, parts: [...options.parts] },
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
  process.stderr.write(`${(error as Error).stack}\n`);
  process.exitCode = 1;
}
