/**
 * Heartbeats of logins and instances. They live in the coordination store and cost Postgres nothing; one that
 * meets a mark, a missing entry or no store is settled by the journal. What arrives while the store is
 * being asked is the next question.
 */

import type { Span } from '@opentelemetry/api';
import type { BeatStatus, Coordinator, Deadline } from '../coordination/coordinator.ts';
import type { JournalEvent } from '../domain/events.ts';
import type { Login } from '../domain/holdings/login.ts';
import type { Answer } from '../domain/operations.ts';
import { refuseIncarnation } from '../domain/registration.ts';
import { metrics } from '../telemetry/metrics.ts';
import type { DatabaseClock } from './clock.ts';
import type { Lane } from './lane.ts';

/** How many signs of life one question to the store carries at most. */
const BEATS_PER_QUESTION_MAX = 1_000;

/** The name of a leased login in the coordination store. */
export function loginMember(instance: string, id: string): string {
  return `l:${instance}/${id}`;
}

/** The name of one life of an instance in the coordination store. */
export function instanceMember(name: string, incarnation: number): string {
  return `i:${name}/${incarnation}`;
}

/** A leased login by its names in the coordination store. */
export interface LeasedLogin {
  readonly instance: string;
  readonly id: string;
}

interface PendingBeat {
  readonly deadline: Deadline;
  readonly resolve: (status: BeatStatus | null) => void;
}

export interface HeartbeatsOptions {
  readonly lane: Lane;
  readonly coordinator: Coordinator;
  readonly clock: DatabaseClock;
  /** Whether the store may be believed; a replica that has lost its claim to be alone must not. */
  readonly mayTrust?: () => boolean;
}

export class Heartbeats {
  readonly #options: HeartbeatsOptions;
  #pending: PendingBeat[] = [];
  #isAsking = false;

  constructor(options: HeartbeatsOptions) {
    this.#options = options;
    options.lane.onRow((row, _table, isOwn) => {
      if (row !== null && isOwn) this.#watch(row.events, row.at);
    });
  }

  /**
   * Renews the lease of a login.
   * @param actor - whose token it is.
   * @returns `renewed` with the new deadline, or what stands against it.
   */
  async beatLogin(instance: string, id: string, actor: string, span?: Span): Promise<Answer> {
    const { lane, clock } = this.#options;
    const login = findLeased(lane, instance, id);
    if (login) {
      const { leaseSeconds } = login;
      const deadlineMs = Math.floor(clock.nowMs()) + leaseSeconds * 1000;
      const status = await this.#ask({ member: loginMember(instance, id), deadlineMs });
      if (status === 'renewed' && findLeased(lane, instance, id) === login) {
        return { is: 'renewed', expiresAtMs: deadlineMs, leaseSeconds };
      }
    }
    return lane.submit({ op: 'renew', instance, id, actor }, span);
  }

  /** Takes the sign of life of an instance. */
  async beatInstance(name: string, incarnation: number, actor: string, span?: Span): Promise<Answer> {
    const { lane, clock } = this.#options;
    const instance = lane.table.instances.get(name);
    if (instance && refuseIncarnation(instance, incarnation) === null && instance.settings.graceSeconds > 0) {
      const deadlineMs = Math.floor(clock.nowMs()) + instance.settings.graceSeconds * 1000;
      const status = await this.#ask({ member: instanceMember(name, incarnation), deadlineMs });
      const after = lane.table.instances.get(name);
      if (status === 'renewed' && after && refuseIncarnation(after, incarnation) === null) {
        return { is: 'alive', deadlineMs, graceSeconds: instance.settings.graceSeconds };
      }
    }
    return lane.submit({ op: 'renew-instance', name, incarnation, actor }, span);
  }

  /** Forgets a login that the journal has released, so that a late heartbeat of it meets nothing. */
  forgetLogin(instance: string, id: string): Promise<void> {
    return this.forgetLogins([{ instance, id }]);
  }

  /** Forgets many logins in one question to the store. */
  async forgetLogins(logins: readonly LeasedLogin[]): Promise<void> {
    if (logins.length === 0) return;
    await this.#options.coordinator.forget(logins.map(({ instance, id }) => loginMember(instance, id)));
  }

  /** Forgets a life of an instance that the journal has ended, so that a late heartbeat of it meets nothing. */
  async forgetInstance(name: string, incarnation: number): Promise<void> {
    await this.#options.coordinator.forget([instanceMember(name, incarnation)]);
  }

  #ask(deadline: Deadline): Promise<BeatStatus | null> {
    return new Promise((resolve) => {
      this.#pending.push({ deadline, resolve });
      if (this.#isAsking) return;
      this.#isAsking = true;
      // Whatever else the event loop has read by now comes along.
      setImmediate(() => void this.#askAll());
    });
  }

  async #askAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const asked = this.#pending.splice(0, BEATS_PER_QUESTION_MAX);
      const { coordinator, mayTrust } = this.#options;
      const isTrusted = mayTrust?.() ?? true;
      const statuses = isTrusted ? await coordinator.beat(asked.map((beat) => beat.deadline)) : null;
      const counts = { renewed: 0, marked: 0, missing: 0, unavailable: 0 };
      for (let index = 0; index < asked.length; index += 1) {
        const status = statuses?.[index] ?? null;
        counts[status ?? 'unavailable'] += 1;
        asked[index]!.resolve(status);
      }
      metrics.heartbeats('renewed', counts.renewed);
      metrics.heartbeats('marked', counts.marked);
      metrics.heartbeats('missing', counts.missing);
      metrics.heartbeats('unavailable', counts.unavailable);
    }
    this.#isAsking = false;
  }

  /** Sets the deadlines that a row of this replica has just given. */
  #watch(events: readonly JournalEvent[], atMs: number): void {
    const deadlines: Deadline[] = [];
    for (const event of events) {
      if (event.type === 'granted' && event.leaseSeconds !== undefined) {
        deadlines.push({
          member: loginMember(event.instance, event.login),
          deadlineMs: atMs + event.leaseSeconds * 1000,
        });
      } else if (event.type === 'renewed') {
        deadlines.push({ member: loginMember(event.instance, event.login), deadlineMs: event.expires });
      } else if (
        (event.type === 'registered' || event.type === 'revived' || event.type === 'configured') &&
        event.instance.deadlineMs > 0
      ) {
        const { name, incarnation, deadlineMs } = event.instance;
        deadlines.push({ member: instanceMember(name, incarnation), deadlineMs });
      }
    }
    if (deadlines.length > 0) void this.#options.coordinator.watch(deadlines);
  }
}

function findLeased(lane: Lane, instance: string, id: string): Login | undefined {
  const login = lane.table.places.get(instance)?.logins.get(id);
  return login && login.leaseSeconds > 0 && login.phase !== 'grace' ? login : undefined;
}
