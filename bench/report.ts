/**
 * The results: a table for people, and JSON for programs.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Figure, faultsOf, type Guard, groups, isMet } from './goals.ts';
import type { Sample } from './measure.ts';
import { type Spread, spreadOf } from './statistics.ts';

const RESULTS = fileURLToPath(new URL('results/', import.meta.url));

/** Everything that a run found. */
export interface Results {
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly options: object;
  readonly samples: readonly Sample[];
  readonly figures: readonly Figure[];
  readonly guards: readonly Guard[];
}

/** Writes the JSON beside the last one, and as the latest. */
export async function writeResults(results: Results): Promise<string> {
  await mkdir(RESULTS, { recursive: true });
  const text = `${JSON.stringify({ ...results, met: results.figures.map((figure) => [figure.name, isMet(figure)]) }, null, 2)}\n`;
  const name = `${results.startedAt.replaceAll(/[:.]/g, '-')}.json`;
  await writeFile(path.join(RESULTS, name), text);
  await writeFile(path.join(RESULTS, 'latest.json'), text);
  return path.join('bench/results', name);
}

/** One line on a sample, while the run goes on. */
export function describeSample(sample: Sample): string {
  const ratio = sample.ratio === null ? '' : `  ${sample.ratio.toFixed(2)} × bare`;
  const faults = sample.faults.length === 0 ? '' : `  FAULT: ${sample.faults.join('; ')}`;
  const name = `${sample.cell}, ${sample.clients} clients`.padEnd(26);
  return `  ${sample.round}  ${name}${thousands(sample.perSecond).padStart(9)}/s  p50 ${sample.p50Ms.toFixed(2)} ms${ratio}${faults}`;
}

/** The tables at the end of a run. */
export function describeResults(results: Results): string {
  const parts = [
    `Machine: ${Object.entries(results.machine)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}`,
  ];
  if (results.samples.length > 0) parts.push(sampleTable(results.samples));
  if (results.figures.length > 0) parts.push(figureTable(results.figures));
  if (results.guards.length > 0) parts.push(guardTable(results.guards));
  return `\n${parts.join('\n\n')}\n`;
}

function sampleTable(samples: readonly Sample[]): string {
  const rows = groups(samples).map(({ cell, clients, each }) => {
    const median = (of: (sample: Sample) => number) => spreadOf(each.map(of)).median;
    const ratios = each.map(({ ratio }) => ratio).filter((ratio) => ratio !== null);
    return [
      cell,
      String(clients),
      spread(spreadOf(each.map(({ perSecond }) => perSecond)), thousands),
      ratios.length === 0 ? '' : spread(spreadOf(ratios), (value) => value.toFixed(2)),
      median(({ p50Ms }) => p50Ms).toFixed(2),
      median(({ p99Ms }) => p99Ms).toFixed(1),
      [
        median(({ cpuUs }) => cpuUs.node),
        median(({ cpuUs }) => cpuUs.postgres),
        median(({ cpuUs }) => cpuUs.redis),
      ]
        .map((value) => value.toFixed(1))
        .join(' + '),
      faultsOf(each).length === 0 ? '' : 'FAULT',
    ];
  });
  const head = [
    'cell',
    'clients',
    'per second',
    '× bare',
    'p50 ms',
    'p99 ms',
    'CPU µs node + pg + redis',
    '',
  ];
  return table(head, rows);
}

function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, value, unit, goal, faults, words } = figure;
    const met = isMet(figure);
    const verdict =
      met === null ? '' : met ? 'met' : faults.length > 0 ? 'NOT MET' : `NOT MET by ${missedBy(figure)}`;
    return [
      name,
      `${spread(value, plain)} ${unit}`,
      goal === null ? '' : `${goal.is === 'at least' ? '≥' : '≤'} ${plain(goal.bound)}`,
      verdict,
      [...faults, ...(words === undefined ? [] : [words])].join('; '),
    ];
  });
  return table(['figure', 'median [range]', 'goal', 'verdict', ''], rows);
}

/** How far a figure is from its goal, in per cent of it. */
function missedBy({ value, goal }: Figure): string {
  const share = Math.abs(value.median - goal!.bound) / goal!.bound;
  return `${(share * 100).toFixed(0)} %`;
}

function guardTable(guards: readonly Guard[]): string {
  return table(
    ['guard', 'verdict', ''],
    guards.map(({ name, verdict, words }) => [name, verdict === 'fails' ? 'FAILS' : verdict, words]),
  );
}

function spread({ median, min, max }: Spread, write: (value: number) => string): string {
  return min === max ? write(median) : `${write(median)} [${write(min)}–${write(max)}]`;
}

function plain(value: number): string {
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return value.toFixed(2);
}

function thousands(value: number): string {
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} k` : String(Math.round(value));
}

/** Columns of even width; what stands after the last heading has no width of its own. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const last = head.length - 1;
  const widths = head.map((name, column) =>
    Math.max(...[head, ...(column === last && name === '' ? [] : rows)].map((row) => row[column]!.length)),
  );
  const render = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd();
  return [head, widths.map((width) => '─'.repeat(width)), ...rows].map(render).join('\n');
}
