/**
 * Reaping: the leader takes back what silent logins and instances held. Nobody is reaped while signs of life
 * cannot be known: a store that was away, came back empty, was replaced or rolled back, a new leader, or a gap
 * in the leader's contact with the store starts a fresh grace period for all.
 */

import { randomUUID } from 'node:crypto';
import type { Sql } from 'postgres';
import type { Coordinator, EpochReading, MarkResult } from '../coordination/coordinator.ts';
import type { JournalEvent } from '../domain/events.ts';
import type { Login } from '../domain/holdings/login.ts';
import type { Answer } from '../domain/operations.ts';
import { SYSTEM_ACTOR } from '../domain/releases.ts';
import type { Table } from '../domain/table.ts';
import type { Logger } from '../storage/database.ts';
import { writeEpoch } from '../storage/leadership.ts';
import { metrics } from '../telemetry/metrics.ts';
import type { DatabaseClock } from './clock.ts';
import { instanceMember, loginMember } from './heartbeats.ts';
import type { Lane } from './lane.ts';
import type { Leadership } from './leadership.ts';
import { every, type Repeating } from './repeating.ts';
import { DeadlineWheel } from './wheel.ts';

export interface ReapingOptions {
  readonly shard: number;
  readonly sql: Sql;
  readonly lane: Lane;
  readonly coordinator: Coordinator;
  readonly clock: DatabaseClock;
  readonly leadership: Leadership;
  readonly logger: Logger;
  readonly intervalMs: number;
  /** How long after its deadline something is reaped, for clocks that disagree a little, in milliseconds. */
  readonly marginMs: number;
}

/** Somebody who must give signs of life. */
type Watched = {
  readonly member: string;
  /** The last deadline that is known of it, ms since 1970. */
  deadlineMs: number;
} & (
  | { readonly what: 'login'; readonly login: Login }
  | { readonly what: 'instance'; readonly name: string; readonly incarnation: number }
);

/** The leader knows the signs of life only as long as it has looked at the store this lately, in milliseconds. */
const CONTACT_GAP_MAX_MS = 5_000;
/** How far ahead a deadline may lie before it is looked at, in milliseconds. */
const LOOK_AHEAD_MAX_MS = 60_000;
/** How many are marked in one step of the store. */
const MARKS_PER_STEP_MAX = 1_000;

export class Reaping {
  readonly #options: ReapingOptions;
  readonly #wheel = new DeadlineWheel<Watched>();
  #repeating: Repeating | null = null;
  #watching = false;
  #epoch: { readonly epoch: string; readonly runId: string; readonly token: number } | null = null;
  #epochAtMs = 0;
  #contactAt = Number.NEGATIVE_INFINITY;

  constructor(options: ReapingOptions) {
    this.#options = options;
    options.lane.onRow((row, table) => {
      if (row === null) this.#watching = false;
      else if (this.#watching) this.#note(row.events, table, row.at);
    });
  }

  start(): void {
    const { intervalMs, logger } = this.#options;
    this.#repeating = every(
      intervalMs,
      () => this.#tick(),
      (error) => logger.warn({ err: error }, 'Reaping failed this time and is tried again.'),
    );
  }

  async close(): Promise<void> {
    await this.#repeating?.close();
  }

  async #tick(): Promise<void> {
    const { leadership, lane } = this.#options;
    if (!leadership.leads || lane.status.state !== 'serving') {
      this.#watching = false;
      this.#wheel.clear();
      return;
    }
    if (!(await this.#knowSigns())) return;
    if (!this.#watching) await this.#watchAll();
    await this.#reapDue();
  }

  /** @returns whether signs of life can be known now; begins a new epoch where the old one says nothing. */
  async #knowSigns(): Promise<boolean> {
    const { coordinator, clock, leadership } = this.#options;
    const reading = await coordinator.readEpoch();
    if (reading === null) return false;
    const gap = clock.mark() - this.#contactAt > CONTACT_GAP_MAX_MS;
    if (gap || !this.#isKnown(reading) || this.#epoch!.token !== leadership.token) await this.#beginEpoch();
    else this.#contactAt = clock.mark();
    return this.#epoch !== null;
  }

  #isKnown(reading: EpochReading): boolean {
    return this.#epoch !== null && reading.epoch === this.#epoch.epoch && reading.runId === this.#epoch.runId;
  }

  async #beginEpoch(): Promise<void> {
    const { coordinator, clock, leadership, sql, shard, logger } = this.#options;
    this.#epoch = null;
    const token = leadership.token;
    const reading = await coordinator.writeEpoch(randomUUID());
    if (reading?.epoch == null) return;
    const epoch = { epoch: reading.epoch, runId: reading.runId };
    if (!(await writeEpoch(sql, shard, token, epoch))) return;
    this.#epoch = { ...epoch, token };
    this.#epochAtMs = clock.nowMs();
    this.#contactAt = clock.mark();
    logger.info(epoch, 'A new epoch of the signs of life begins, with a grace period for all.');
  }

  /** Builds the wheel from the whole table. */
  async #watchAll(): Promise<void> {
    await this.#options.lane.read((table) => {
      this.#wheel.clear();
      for (const place of table.places.values()) {
        for (const login of place.logins.open()) {
          if (login.leaseSeconds > 0) this.#add(watchedLogin(login), login.expiresAtMs);
        }
      }
      for (const { name, incarnation, deadlineMs } of table.instances.values()) {
        if (deadlineMs > 0) this.#add(watchedInstance(name, incarnation), deadlineMs);
      }
      this.#watching = true;
    }, false);
  }

  #note(events: readonly JournalEvent[], table: Table, atMs: number): void {
    for (const event of events) {
      if (event.type === 'granted' && event.leaseSeconds !== undefined) {
        const login = table.places.get(event.instance)?.logins.get(event.login);
        if (login) this.#add(watchedLogin(login), atMs + event.leaseSeconds * 1000);
      } else if (event.type === 'renewed') {
        const login = table.places.get(event.instance)?.logins.get(event.login);
        if (login) this.#add(watchedLogin(login), event.expires);
      } else if (event.type === 'registered' || event.type === 'configured' || event.type === 'revived') {
        const { name, incarnation, deadlineMs } = event.instance;
        if (deadlineMs > 0) this.#add(watchedInstance(name, incarnation), deadlineMs);
      }
    }
  }

  /** Far deadlines are looked at before they come, so that what has gone meanwhile is not kept until then. */
  #add(watched: Watched, deadlineMs: number): void {
    const { clock, marginMs } = this.#options;
    watched.deadlineMs = deadlineMs;
    this.#wheel.add(watched, Math.min(deadlineMs + marginMs, clock.nowMs() + LOOK_AHEAD_MAX_MS));
  }

  async #reapDue(): Promise<void> {
    const { clock, marginMs, leadership, coordinator, lane } = this.#options;
    const nowMs = clock.nowMs();
    const gone: string[] = [];
    const due: Watched[] = [];
    // Whoever was renewed by the journal is here once for each time; one look at him is enough.
    const seen = new Set<string>();
    // Between two batches, so that nobody counts as gone by a logout that is not appended yet.
    await lane.read((table) => {
      for (const watched of this.#wheel.take(nowMs)) {
        if (seen.has(watched.member)) continue;
        const graceMs = graceOf(watched, table);
        if (graceMs !== null) seen.add(watched.member);
        if (graceMs === null) gone.push(watched.member);
        else if (watched.deadlineMs > nowMs - marginMs) this.#add(watched, watched.deadlineMs);
        else if (this.#epochAtMs + graceMs > nowMs - marginMs) this.#add(watched, this.#epochAtMs + graceMs);
        else due.push(watched);
      }
    }, false);
    if (gone.length > 0) await coordinator.forget(gone);
    for (let from = 0; from < due.length; from += MARKS_PER_STEP_MAX) {
      const step = due.slice(from, from + MARKS_PER_STEP_MAX);
      if (!leadership.leads || !(await this.#reapStep(step, Math.floor(nowMs - marginMs)))) {
        for (const watched of due.slice(from)) this.#add(watched, nowMs);
        return;
      }
    }
  }

  /** Marks and reaps some. @returns false when the store says nothing reliable: they are looked at again. */
  async #reapStep(step: readonly Watched[], dueMs: number): Promise<boolean> {
    const { coordinator } = this.#options;
    const members = step.map((watched) => watched.member);
    const results = await coordinator.mark(members, dueMs, this.#epoch!);
    if (results === 'epoch-changed') this.#epoch = null;
    if (results === null || results === 'epoch-changed') return false;
    await Promise.all(step.map((watched, index) => this.#reapOne(watched, results[index]!, dueMs)));
    return true;
  }

  async #reapOne(watched: Watched, result: MarkResult, observedMs: number): Promise<void> {
    const { lane, coordinator, logger } = this.#options;
    if (!result.marked) {
      this.#add(watched, result.deadlineMs ?? observedMs);
      return;
    }
    // The store has lost it, and with it the deadline of a heartbeat that may have been answered: it is given
    // the time of another grace, within which a sign of life will come if there is anybody. The journal gives
    // it, because the mark may be an earlier one whose reap is still under way, and must not stand after this.
    const isLost = result.deadlineMs === null;
    let answer: Answer;
    try {
      answer = await lane.submit(isLost ? renewOperation(watched) : reapOperation(watched, observedMs));
    } catch (error) {
      logger.warn(
        { err: error, member: watched.member },
        'A silent member could not be reaped and is looked at again.',
      );
      this.#add(watched, observedMs);
      return;
    }
    if (answer.is === 'alive' || answer.is === 'renewed') {
      const deadlineMs = answer.is === 'alive' ? answer.deadlineMs : answer.expiresAtMs;
      await coordinator.watch([{ member: watched.member, deadlineMs }]);
      this.#add(watched, deadlineMs);
      return;
    }
    await coordinator.forget([watched.member]);
    if (answer.is === 'ended') metrics.reaped(watched.what, 1);
  }
}

function renewOperation(watched: Watched) {
  if (watched.what === 'login') {
    const { place, id } = watched.login;
    return { op: 'renew', instance: place.instance, id, actor: SYSTEM_ACTOR } as const;
  }
  const { name, incarnation } = watched;
  return { op: 'renew-instance', name, incarnation, actor: SYSTEM_ACTOR } as const;
}

function reapOperation(watched: Watched, observedMs: number) {
  if (watched.what === 'login') {
    const { place, id } = watched.login;
    return { op: 'reap', instance: place.instance, id, observedMs, actor: SYSTEM_ACTOR } as const;
  }
  const { name, incarnation } = watched;
  return { op: 'reap-instance', name, incarnation, observedMs, actor: SYSTEM_ACTOR } as const;
}

function watchedLogin(login: Login): Watched {
  return { what: 'login', login, member: loginMember(login.place.instance, login.id), deadlineMs: 0 };
}

function watchedInstance(name: string, incarnation: number): Watched {
  return { what: 'instance', name, incarnation, member: instanceMember(name, incarnation), deadlineMs: 0 };
}

/** @returns how long it may be silent, in milliseconds; null when it is not there any more. */
function graceOf(watched: Watched, table: Table): number | null {
  if (watched.what === 'login') {
    const { login } = watched;
    return login.place.logins.get(login.id) === login ? login.leaseSeconds * 1000 : null;
  }
  const instance = table.instances.get(watched.name);
  const isThere = instance?.state === 'active' && instance.incarnation === watched.incarnation;
  return isThere && instance.settings.graceSeconds > 0 ? instance.settings.graceSeconds * 1000 : null;
}
