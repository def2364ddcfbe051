/**
 * Updates that come in several parts wait here until they are whole: one update for each instance, in bounded
 * memory and for a bounded time. What is dropped, or lost with the process, is sent again by the instance,
 * because the next answer tells it which parts are there.
 */

import { type Digest, type DigestedRow, digestText } from '../domain/local/digest.ts';
import type { UpdateBody } from './requests.ts';

/** How long an update waits for its next part. */
const STAGE_MS = 60_000;
/** What a staged row costs beside its text, in octets; an estimate for the bound on memory. */
const ROW_COST_OCTETS = 120;

/** A whole update. */
export interface WholeUpdate {
  readonly sequence: number;
  readonly since: number;
  readonly isFull: boolean;
  readonly digest: Digest;
  /** The rows of each part. */
  readonly parts: readonly (readonly DigestedRow[])[];
}

/** What came of a part. */
export type Staged =
  | { readonly is: 'whole'; readonly update: WholeUpdate }
  /** Which parts are there: a bit for each, the first in the highest bit of the first octet. */
  | { readonly is: 'waiting'; readonly received: Buffer }
  /** There is no memory for it now. */
  | { readonly is: 'full' }
  /** It was overtaken by a part of a later update of the same life. */
  | { readonly is: 'late' };

interface Stage {
  readonly print: string;
  readonly incarnation: number;
  readonly sequence: number;
  readonly parts: (readonly DigestedRow[] | undefined)[];
  readonly received: Buffer;
  missing: number;
  octets: number;
  untilMs: number;
}

/** Tells the parts of one update from those of another. */
export function printOf(incarnation: number, isFull: boolean, update: UpdateBody): string {
  const { sequence, since, parts, digest } = update;
  return `${incarnation} ${isFull} ${sequence} ${since} ${parts} ${digestText(digest)}`;
}

/** Whether a part belongs to an update that is older than the one that is staged. */
function isOvertaken(incarnation: number, sequence: number, present: Stage): boolean {
  return (
    incarnation < present.incarnation || (incarnation === present.incarnation && sequence < present.sequence)
  );
}

/** The updates that are not whole yet, by instance. */
export class Staging {
  readonly #octetsMax: number;
  readonly #stages = new Map<string, Stage>();
  #octets = 0;

  /** @param octetsMax - the memory of all stages together, in octets. */
  constructor(octetsMax: number) {
    this.#octetsMax = octetsMax;
  }

  /** Octets that are held now. */
  get octets(): number {
    return this.#octets;
  }

  /**
   * Takes a part.
   * @param instance - its name.
   * @param incarnation - that it was sent under.
   * @param isFull - whether it belongs to a full report.
   * @param update - the part.
   * @param nowMs - a clock that does not go back.
   */
  take(instance: string, incarnation: number, isFull: boolean, update: UpdateBody, nowMs: number): Staged {
    const { sequence, since, digest, parts, part, rows } = update;
    if (parts === 1) return { is: 'whole', update: { sequence, since, isFull, digest, parts: [rows] } };
    const print = printOf(incarnation, isFull, update);
    const present = this.#stages.get(instance);
    if (present !== undefined && isOvertaken(incarnation, sequence, present)) return { is: 'late' };
    const stage =
      present?.print === print ? present : this.#open(instance, incarnation, print, update, nowMs);
    if (stage === null) return { is: 'full' };
    if (stage.parts[part] === undefined) {
      const cost = rows.reduce((sum, row) => sum + ROW_COST_OCTETS + 2 * row.id.length, ROW_COST_OCTETS);
      if (!this.#makeRoom(cost, instance, stage.octets + cost)) return { is: 'full' };
      stage.parts[part] = rows;
      stage.received[part >> 3]! |= 0x80 >> (part & 7);
      stage.missing -= 1;
      stage.octets += cost;
      this.#octets += cost;
    }
    stage.untilMs = nowMs + STAGE_MS;
    if (stage.missing > 0) return { is: 'waiting', received: stage.received };
    this.drop(instance);
    return {
      is: 'whole',
      update: { sequence, since, isFull, digest, parts: stage.parts as (readonly DigestedRow[])[] },
    };
  }

  /** Opens a stage; an instance has one, so another update's goes. */
  #open(
    instance: string,
    incarnation: number,
    print: string,
    { sequence, parts }: UpdateBody,
    nowMs: number,
  ): Stage | null {
    this.drop(instance);
    this.sweep(nowMs);
    const octets = parts * 8;
    if (!this.#makeRoom(octets, instance, octets)) return null;
    const stage: Stage = {
      print,
      incarnation,
      sequence,
      parts: new Array(parts).fill(undefined),
      received: Buffer.alloc(Math.ceil(parts / 8)),
      missing: parts,
      octets,
      untilMs: nowMs + STAGE_MS,
    };
    this.#octets += octets;
    this.#stages.set(instance, stage);
    return stage;
  }

  /**
   * Makes room, where there is none, by dropping the largest update of another instance if it is larger than
   * what room is made for: an instance that fills the memory keeps no other from reporting.
   */
  #makeRoom(octets: number, instance: string, wholeOctets: number): boolean {
    while (this.#octets + octets > this.#octetsMax) {
      let largest: string | null = null;
      let most = wholeOctets;
      for (const [name, stage] of this.#stages) {
        if (name === instance || stage.octets <= most) continue;
        largest = name;
        most = stage.octets;
      }
      if (largest === null) return false;
      this.drop(largest);
    }
    return true;
  }

  /** Drops what an instance has staged. */
  drop(instance: string): void {
    const stage = this.#stages.get(instance);
    if (stage === undefined) return;
    this.#stages.delete(instance);
    this.#octets -= stage.octets;
  }

  /** Drops what has waited too long. */
  sweep(nowMs: number): void {
    for (const [instance, stage] of this.#stages) if (stage.untilMs <= nowMs) this.drop(instance);
  }
}
