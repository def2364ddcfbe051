/**
 * CPU time and memory of processes, as Linux accounts for them in /proc.
 */

import { readdir, readFile } from 'node:fs/promises';

/** Ticks of the kernel's process accounting in a second; fixed on Linux for every architecture. */
const TICKS_PER_SECOND = 100;

/** CPU time that processes have used so far, in seconds. */
export interface CpuSeconds {
  readonly node: number;
  readonly postgres: number;
  readonly redis: number;
}

/** The processes whose time is counted. */
export interface Accounted {
  readonly node: readonly number[];
  /** Postmasters, whose children are counted with them. */
  readonly postgres: readonly number[];
  readonly redis: readonly number[];
}

/** Reads what the processes have used up to now. */
export async function readCpu(accounted: Accounted): Promise<CpuSeconds> {
  const node = await sum(accounted.node, (pid) => readTimes(pid).then((times) => times?.own ?? 0));
  const redis = await sum(accounted.redis, (pid) => readTimes(pid).then((times) => times?.own ?? 0));
  const postgres = await sum(accounted.postgres, readTree);
  return { node, postgres, redis };
}

/** The difference of two readings. */
export function cpuBetween(before: CpuSeconds, after: CpuSeconds): CpuSeconds {
  return {
    node: after.node - before.node,
    postgres: after.postgres - before.postgres,
    redis: after.redis - before.redis,
  };
}

async function sum(pids: readonly number[], of: (pid: number) => Promise<number>): Promise<number> {
  const values = await Promise.all(pids.map(of));
  return values.reduce((total, value) => total + value, 0);
}

/** A process, the children it has, and those that it has collected. */
async function readTree(pid: number): Promise<number> {
  const own = await readTimes(pid);
  const children = await readChildren(pid);
  const live = await Promise.all(children.map(readTimes));
  return (
    (own?.own ?? 0) + (own?.collected ?? 0) + live.reduce((total, times) => total + (times?.own ?? 0), 0)
  );
}

async function readChildren(pid: number): Promise<number[]> {
  const children: number[] = [];
  for (const task of await readdir(`/proc/${pid}/task`).catch(() => [])) {
    const text = await readFile(`/proc/${pid}/task/${task}/children`, 'utf8').catch(() => '');
    children.push(...text.split(' ').filter(Boolean).map(Number));
  }
  return children;
}

async function readTimes(pid: number): Promise<{ own: number; collected: number } | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  // The name is in brackets and may hold anything; the fields after it are numbered from 3.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const field = (number: number) => fields[number - 3] ?? 0;
  return {
    own: (field(14) + field(15)) / TICKS_PER_SECOND,
    collected: (field(16) + field(17)) / TICKS_PER_SECOND,
  };
}

/** The CPU time of named processes in seconds, added up by name. */
export async function readSessions(
  sessions: readonly { readonly pid: number; readonly name: string }[],
): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  for (const { pid, name } of sessions) {
    const times = await readTimes(pid);
    sums.set(name, (sums.get(name) ?? 0) + (times?.own ?? 0));
  }
  return sums;
}

/** The resident memory of a process now and at its highest, in bytes. */
export async function readMemory(pid: number): Promise<{ resident: number; peak: number }> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
  return { resident: kilobytes('VmRSS') * 1024, peak: kilobytes('VmHWM') * 1024 };
}
