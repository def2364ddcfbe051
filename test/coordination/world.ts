import type { Coordinator } from '../../src/coordination/coordinator.ts';

/** One empty store with the coordinators on it. */
export interface CoordinationWorld {
  /** For how long its coordinators hold a turn at most. */
  readonly turnLifetimeMs: number;
  /** Opens one more coordinator on the store, healthy. */
  open(): Promise<Coordinator>;
  /** Lets the store's own time pass. */
  elapse(ms: number): Promise<void>;
  /** Closes the coordinators and the store. */
  close(): Promise<void>;
}
