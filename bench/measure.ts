/**
 * One measurement: a warm-up, then load for some seconds, with the CPU time that it cost and a check that
 * what was answered was also done.
 */

import { type Accounted, type CpuSeconds, cpuBetween, readCpu } from './accounting.ts';
import type { Api } from './api.ts';
import { type Load, type LoadResult, sendLoad } from './wrk.ts';

/** CPU time of one operation, in microseconds. */
export type CpuPerOperation = CpuSeconds;

/** What came of one measurement. */
export interface Sample extends LoadResult {
  readonly cell: string;
  readonly clients: number;
  readonly round: number;
  /** CPU time per operation, in microseconds. */
  readonly cpuUs: CpuPerOperation;
  /** Throughput divided by that of the bare route at the same clients in the same round; null for itself. */
  ratio: number | null;
  /** What should not have happened; a sample with any of it proves nothing. */
  readonly faults: readonly string[];
}

/** What is measured. */
export interface Target {
  readonly cell: string;
  readonly urls: readonly string[];
  readonly load: Load;
  readonly accounted: Accounted;
  /** Whether every answer must be a refusal, or none. */
  readonly refuses: boolean;
  /** The counter that must have moved at least as far as there were answers; null for the bare route. */
  readonly counter: string | null;
  readonly apis: readonly Api[];
}

/** How long and how often. */
export interface Timing {
  readonly clients: number;
  readonly round: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly signal: AbortSignal;
}

/** Measures a target once. */
export async function measure(target: Target, timing: Timing): Promise<Sample> {
  const { urls, accounted } = target;
  const { clients, round, seconds, warmUpSeconds, signal } = timing;
  let { load } = target;
  if (warmUpSeconds > 0) {
    const warm = await sendLoad(urls, load, clients, warmUpSeconds, signal);
    // What is numbered goes on after what the warm-up has used up.
    load = { ...load, from: (load.from ?? 0) + warm.requests + clients };
  }
  const countedBefore = await counted(target);
  const cpuBefore = await readCpu(accounted);
  const result = await sendLoad(urls, load, clients, seconds, signal);
  const cpu = cpuBetween(cpuBefore, await readCpu(accounted));
  const done = (await counted(target)) - countedBefore;
  const perOperation = (cpuSeconds: number) => (cpuSeconds * 1e6) / Math.max(1, result.requests);
  return {
    ...result,
    cell: target.cell,
    clients,
    round,
    cpuUs: {
      node: perOperation(cpu.node),
      postgres: perOperation(cpu.postgres),
      redis: perOperation(cpu.redis),
    },
    ratio: null,
    faults: faultsOf(target, result, done),
  };
}

async function counted({ counter, apis }: Target): Promise<number> {
  if (counter === null) return 0;
  const metrics = await Promise.all(apis.map((api) => api.metrics()));
  return metrics.reduce((sum, names) => sum + (names.get(counter) ?? 0), 0);
}

function faultsOf(target: Target, result: LoadResult, done: number): string[] {
  const faults: string[] = [];
  if (result.requests === 0) faults.push('nothing was answered');
  if (result.unanswered > 0) faults.push(`${result.unanswered} requests got no answer`);
  if (!target.refuses && result.refused > 0) faults.push(`${result.refused} answers were no success`);
  if (target.refuses && result.refused < result.requests) {
    faults.push(`${result.requests - result.refused} answers were no refusal`);
  }
  if (target.counter !== null && done < result.requests) {
    faults.push(`${result.requests} answers, but ${target.counter} moved by ${done} only`);
  }
  return faults;
}
