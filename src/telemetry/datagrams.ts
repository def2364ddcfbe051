/**
 * What the UDP sidecar counts. Its process declares these beside the others; a server has none of them.
 */

import type { Meter } from '@opentelemetry/api';
import { makeTally, type Tally } from './tallies.ts';

/** Why a datagram was dropped without an answer. */
const DROP_REASONS = [
  'oversized',
  'malformed',
  'version',
  'unknown-instance',
  'forged',
  'replayed',
  'address-rate',
  'instance-rate',
  'busy',
  'memory',
  'late',
  'standby',
  'lictor-away',
  'failed',
] as const;

/** A reason of that list. */
export type DropReason = (typeof DROP_REASONS)[number];

/** The most kinds of datagrams that are told apart; there are fewer. */
const TYPES_MAX = 32;

const received = makeTally('type', [], TYPES_MAX);
const answered = makeTally('type', [], TYPES_MAX);
const dropped = makeTally('reason', DROP_REASONS);

const COUNTERS: readonly (readonly [name: string, description: string, tally: Tally])[] = [
  ['lictor.udp.requests', 'Requests that were authentic and well-formed, by type', received],
  ['lictor.udp.answers', 'Answers that were sent, by type', answered],
  ['lictor.udp.dropped', 'Datagrams that were dropped without an answer, by reason', dropped],
];

/** What the sidecar's gauges are read from. */
export interface DatagramGauges {
  /** Octets of updates that are not whole yet. */
  stagedOctets(): number;
  /** Whether this sidecar is the active licence server. */
  active(): boolean;
  /** Instances that have a secret. */
  instances(): number;
}

/** The methods by which the sidecar counts. */
export const datagrams = {
  received: (type: string): void => received.add(type, 1),
  answered: (type: string): void => answered.add(type, 1),
  dropped: (reason: DropReason): void => dropped.add(reason, 1),
} as const;

/**
 * Declares the sidecar's counters and gauges on a meter; they are read when somebody collects.
 *
 * @param meter - the meter of the SDK that was started.
 * @param gauges - who answers for the gauges.
 */
export function declareDatagramInstruments(meter: Meter, gauges: DatagramGauges): void {
  for (const [name, description, tally] of COUNTERS) {
    meter.createObservableCounter(name, { description }).addCallback((result) => {
      for (const [value, count] of tally.entries()) result.observe(count, { [tally.label]: value });
    });
  }
  const gauge = (name: string, description: string, read: () => number) =>
    meter.createObservableGauge(name, { description }).addCallback((result) => result.observe(read()));
  gauge('lictor.udp.staged_bytes', 'Memory of updates that are not whole yet', gauges.stagedOctets);
  gauge('lictor.udp.active', '1 when this sidecar is the active licence server', () =>
    gauges.active() ? 1 : 0,
  );
  gauge('lictor.udp.instances', 'Instances that have a secret', gauges.instances);
}
