/**
 * What a replica says of its own health. The composition root supplies the provider; the HTTP layer only
 * reads it.
 */

/** `ready` serves with nothing amiss; `degraded` serves, by a stated rule; `not-ready` must not be sent logins. */
export type HealthStatus = 'ready' | 'degraded' | 'not-ready';

/** One part that was looked at. */
export interface HealthCheck {
  readonly status: HealthStatus;
  /** A sentence for people: what is the case, and what it means for them. */
  readonly words: string;
}

/** The whole report, as of the moment it is made. */
export interface HealthReport {
  /** The worst of the checks. */
  readonly status: HealthStatus;
  readonly checks: {
    readonly database: HealthCheck;
    readonly coordination: HealthCheck;
    readonly lane: HealthCheck;
  };
  /** What a crash or a failover could lose, in words. */
  readonly durability: string;
  /** Whether this replica leads. */
  readonly leader: boolean;
  /** The ID of this replica. */
  readonly replica: string;
}

/** Reports the health from what is known already: it is asked often, must be cheap, and never waits. */
export type Health = () => HealthReport;

/**
 * The status that stands for several.
 * @param checks - any number of checks.
 * @returns the worst status among them; `ready` for none.
 */
export function worstStatus(checks: Iterable<HealthCheck>): HealthStatus {
  let worst: HealthStatus = 'ready';
  for (const { status } of checks) {
    if (status === 'not-ready') return 'not-ready';
    if (status === 'degraded') worst = 'degraded';
  }
  return worst;
}
