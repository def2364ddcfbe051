/**
 * Where an event stands in the journal, for what it writes and for complaints.
 */

import type { Moment } from './holdings/login.ts';
import { DivergenceError } from './table.ts';

export interface Position {
  readonly moment: Moment;
  /** Of the event in its row. */
  readonly index: number;
}

export function where(position: Position): string {
  return `journal ${position.moment.version}:${position.index}`;
}

/** @throws DivergenceError: the table and the journal say different things. */
export function complain(position: Position, what: string): never {
  throw new DivergenceError(`${where(position)}: ${what}`);
}

/** Complains unless a pool holds what the row says. */
export function verifyUsed(position: Position, pool: { id: string; units: number }, used: number): void {
  if (pool.units === used) return;
  complain(position, `pool ${pool.id} uses ${pool.units}, the row says ${used}`);
}
