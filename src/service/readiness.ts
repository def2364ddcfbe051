/**
 * What a replica can say of its own state: for readiness, and for the gauges.
 */

import type { Coordinator } from '../coordination/coordinator.ts';
import type { Gauges } from '../telemetry/metrics.ts';
import { type Health, type HealthCheck, worstStatus } from './health.ts';
import type { Lane } from './lane.ts';
import type { LaneStorage } from './lanestorage.ts';
import type { Leadership } from './leadership.ts';
import type { Serving } from './serving.ts';

export interface ReadinessParts {
  readonly lane: Lane;
  readonly storage: LaneStorage;
  readonly coordinator: Coordinator;
  readonly serving: Serving;
  readonly leadership: Leadership;
  readonly replica: string;
}

/** Makes the report of a replica's health, out of what its parts know already. */
export function createReadiness(parts: ReadinessParts): Health {
  const { lane, storage, coordinator, leadership, replica } = parts;
  return () => {
    const checks = {
      database: databaseCheck(parts),
      coordination: coordinationCheck(coordinator),
      lane: laneCheck(lane),
    };
    return {
      status: worstStatus(Object.values(checks)),
      checks,
      durability: storage.durability?.words ?? 'The database has not been asked yet.',
      leader: leadership.leads,
      replica,
    };
  };
}

function databaseCheck({ storage, serving }: ReadinessParts): HealthCheck {
  if (!serving.held) {
    return {
      status: 'not-ready',
      words:
        'The claim to serve this database is not held: it cannot be reached, or another replica stands against it.',
    };
  }
  return storage.connected
    ? { status: 'ready', words: 'The lane is connected.' }
    : { status: 'degraded', words: 'The connection of the lane is being made anew.' };
}

function coordinationCheck(coordinator: Coordinator): HealthCheck {
  if (coordinator.kind === 'memory') {
    return { status: 'ready', words: 'Heartbeats are kept in memory; this replica must be the only one.' };
  }
  return coordinator.healthy()
    ? { status: 'ready', words: 'Redis answers.' }
    : {
        status: 'degraded',
        words:
          'Redis does not answer: logins go on, heartbeats are written to Postgres, and nobody is reaped.',
      };
}

function laneCheck(lane: Lane): HealthCheck {
  const { state, reason } = lane.status;
  return { status: state === 'serving' ? 'ready' : 'not-ready', words: reason };
}

/** What the metrics ask a replica for when they are collected. */
export function gaugesOf(lane: Lane, leadership: Leadership, coordinator: Coordinator): Gauges {
  return {
    queueLength: () => lane.queueLength,
    leader: () => leadership.leads,
    coordinationHealthy: () => coordinator.healthy(),
    *units() {
      for (const key of lane.table.keys.values()) {
        const used = lane.table.pools.get(key.id)?.units ?? 0;
        yield { key: key.id, used, free: Math.max(0, key.unitsEnforced - used) };
      }
    },
  };
}
