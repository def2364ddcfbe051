/**
 * The updates of instances that decide for themselves. One that states changes goes through the lane; one that
 * states nothing new is answered from the replica's copy and costs the journal nothing, like a heartbeat.
 */

import type { Span } from '@opentelemetry/api';
import { isAllHeard, viewUpdate } from '../domain/local/updates.ts';
import type { Answer, CloseInstance, Report, StateLease, UpdateView } from '../domain/operations.ts';
import type { Table } from '../domain/table.ts';
import { termsOf } from '../domain/terms.ts';
import { metrics, type UpdateOutcome } from '../telemetry/metrics.ts';
import type { DatabaseClock } from './clock.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { Lane } from './lane.ts';

/** What the updates' service needs. */
export interface UpdatesOptions {
  readonly lane: Pick<Lane, 'submit' | 'read'>;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
  readonly heartbeats: Pick<Heartbeats, 'beatInstance' | 'forgetInstance'>;
  /** IDs of signing keys and of single keys that are no longer trusted. */
  readonly revoked: ReadonlySet<string>;
}

/** Takes updates, which are signs of life as well. */
export class Updates {
  readonly #options: UpdatesOptions;

  constructor(options: UpdatesOptions) {
    this.#options = options;
  }

  /**
   * Takes an update.
   * @param report - validated; each user ID stands in it once.
   * @returns `updated`, or what stands against it.
   */
  async take(report: Omit<Report, 'op'>, span?: Span): Promise<Answer> {
    const operation: Report = { op: 'report', ...report };
    const answer = (await this.#answerUnchanged(operation, span)) ?? (await this.#submit(operation, span));
    if (answer.is === 'updated') metrics.updated(outcomeOf(answer.update));
    return answer;
  }

  /**
   * Takes what an instance under a leased key states of its rights.
   * @param request - validated; each user ID stands in it once.
   * @returns `leased`, or what stands against it.
   */
  state(request: Omit<StateLease, 'op'>, span?: Span): Promise<Answer> {
    return this.#options.lane.submit({ op: 'lease', ...request }, span);
  }

  /** Ends a life of an instance in good order. Repeating it does no harm. */
  async close(request: Omit<CloseInstance, 'op'>, span?: Span): Promise<Answer> {
    const { lane, heartbeats } = this.#options;
    const answer = await lane.submit({ op: 'close-instance', ...request }, span);
    if (answer.is === 'done') await heartbeats.forgetInstance(request.name, request.incarnation);
    return answer;
  }

  /** @returns null when the lane has to see to it: the update is not what this replica's copy has heard last. */
  async #answerUnchanged(operation: Report, span: Span | undefined): Promise<Answer | null> {
    if (operation.sequence !== operation.since) return null;
    const { lane } = this.#options;
    const update = await lane.read((table) => this.#viewOf(table, operation), false);
    if (update === null) return null;
    const alive = await this.#beat(operation, update.instance.settings.graceSeconds, span);
    if (alive === null || alive.is === 'alive') return { is: 'updated', update };
    return alive.is === 'problem' && alive.code === 'instance-silent' ? null : alive;
  }

  #viewOf(table: Table, operation: Report) {
    if (!isAllHeard(table, operation)) return null;
    const { clock, revoked } = this.#options;
    const instance = table.instances.get(operation.name)!;
    const nowMs = Math.floor(clock.nowMs());
    return viewUpdate(table, instance, termsOf(table, instance, nowMs, revoked), false, nowMs);
  }

  async #submit(operation: Report, span: Span | undefined): Promise<Answer> {
    const answer = await this.#options.lane.submit(operation, span);
    // What was overtaken, or lies behind a gap, may have been under way for long and proves no life.
    if (answer.is === 'updated' && answer.update.sequence === operation.sequence) {
      await this.#beat(operation, answer.update.instance.settings.graceSeconds, span);
    }
    return answer;
  }

  /** Gives the sign of life. @returns null when the instance is not watched. */
  async #beat(
    { name, incarnation, actor }: Report,
    graceSeconds: number,
    span: Span | undefined,
  ): Promise<Answer | null> {
    if (graceSeconds === 0) return null;
    return this.#options.heartbeats.beatInstance(name, incarnation, actor, span);
  }
}

function outcomeOf({ resend, acknowledged }: UpdateView): UpdateOutcome {
  if (resend) return 'resend';
  return acknowledged ? 'acknowledged' : 'not-acknowledged';
}
