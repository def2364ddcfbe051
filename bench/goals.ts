/**
 * The goals: what the design has to reach on any machine, as ratios within one run or as absolute bounds.
 */

import type { Sample } from './measure.ts';
import { type Spread, spreadOf } from './statistics.ts';

/** A figure that is held against a goal, or only told. */
export interface Figure {
  readonly name: string;
  readonly value: Spread;
  readonly unit: string;
  /** Null when there is no goal for it. */
  readonly goal: { readonly is: 'at least' | 'at most'; readonly bound: number } | null;
  /** What keeps it from counting. */
  readonly faults: readonly string[];
  readonly words?: string;
}

/** A check that must hold for the figures to mean anything. */
export interface Guard {
  readonly name: string;
  readonly verdict: 'holds' | 'fails' | 'skipped';
  readonly words: string;
}

/** Ratios to the bare route, by cell and number of clients. */
const RATIO_GOALS: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  hot: { 64: 0.45, 256: 0.6 },
  refusals: { 64: 0.45, 256: 0.6 },
  heartbeats: { 64: 0.45, 256: 0.6 },
};
/** Two replicas on one hot key, as ratios to one replica. */
const PAIR_GOALS: Readonly<Record<number, number>> = { 64: 0.5, 256: 0.6 };

/** @returns whether a figure meets its goal; null when it has none. */
export function isMet({ value, goal, faults }: Figure): boolean | null {
  if (goal === null) return null;
  if (faults.length > 0) return false;
  return goal.is === 'at least' ? value.median >= goal.bound : value.median <= goal.bound;
}

/** Sums the samples of a cell up, as ratios. */
export function ratioFigures(samples: readonly Sample[]): Figure[] {
  return groups(samples)
    .filter(({ cell }) => cell !== 'bare')
    .map(({ cell, clients, each }) => {
      const bound = RATIO_GOALS[cell]?.[clients];
      return {
        name: `${cell}, ${clients} clients`,
        value: spreadOf(each.map((sample) => sample.ratio!)),
        unit: '× bare',
        goal: bound === undefined ? null : { is: 'at least', bound },
        faults: faultsOf(each),
      };
    });
}

/** Two replicas against one, round by round. */
export function pairFigures(samples: readonly Sample[]): Figure[] {
  return groups(samples.filter(({ cell }) => cell === 'pair')).map(({ clients, each }) => {
    const ratios = each.map((pair) => {
      const one = samples.find(
        (sample) => sample.cell === 'hot' && sample.clients === clients && sample.round === pair.round,
      );
      return pair.perSecond / one!.perSecond;
    });
    const bound = PAIR_GOALS[clients];
    return {
      name: `two replicas against one, ${clients} clients`,
      value: spreadOf(ratios),
      unit: '× one',
      goal: bound === undefined ? null : { is: 'at least', bound },
      faults: faultsOf(each),
    };
  });
}

/** All that went wrong in samples, each thing once. */
export function faultsOf(samples: readonly Sample[]): string[] {
  return [...new Set(samples.flatMap(({ faults }) => faults))];
}

/** Samples by cell and number of clients, in the order in which they first came. */
export function groups(
  samples: readonly Sample[],
): { readonly cell: string; readonly clients: number; readonly each: readonly Sample[] }[] {
  const found = new Map<string, Sample[]>();
  for (const sample of samples) {
    const name = `${sample.cell} ${sample.clients}`;
    found.set(name, [...(found.get(name) ?? []), sample]);
  }
  return [...found.values()].map((each) => ({ cell: each[0]!.cell, clients: each[0]!.clients, each }));
}
