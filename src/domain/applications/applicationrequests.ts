/**
 * The IDs of takes and returns that are remembered, so that one that is sent again gets the same answer.
 */

import type { Table } from '../table.ts';
import type { HoldingsView } from './applicationoperations.ts';

/** How long the ID of a take or a return is remembered, in milliseconds. */
export const REQUESTS_KEPT_MS = 600_000;
/** How many of them are remembered at most; the oldest are forgotten first. */
export const REQUESTS_KEPT_MAX = 100_000;
/** How many features their answers may come to: 64 a call would fill the memory of a replica long before. */
export const REQUEST_FEATURES_KEPT_MAX = 400_000;

/** A take or a return that can be repeated by its ID: what it was answered. */
export interface Request {
  readonly id: string;
  /** Where it stands in the journal. */
  readonly version: number;
  readonly index: number;
  readonly print: number;
  readonly did: 'taken' | 'returned';
  readonly holdings: HoldingsView;
}

/** The requests that are remembered, from the oldest to the newest. */
export class RequestMemory {
  readonly byId = new Map<string, Request>();
  /** IDs in the order of their instants; those before `from` are forgotten. */
  order: Request[] = [];
  from = 0;
  /** The features of all that are remembered. */
  features = 0;
}

/** Under which name a request is remembered: its ID is the client's, and good on its instance. */
export function requestKey(instance: string, id: string): string {
  return `${instance}\n${id}`;
}

/** Remembers a request, and forgets the oldest beyond the bounds. */
export function rememberRequest(table: Table, request: Request): void {
  const { requests } = table;
  const key = requestKey(request.holdings.instance, request.id);
  requests.byId.set(key, request);
  requests.order.push(request);
  requests.features += request.holdings.features.length;
  table.touched?.requests.add(request);
  table.undoable(() => {
    requests.order.pop();
    requests.features -= request.holdings.features.length;
    requests.byId.delete(key);
  });
  forgetRequests(table, request.holdings.atMs);
}

function forgetRequests(table: Table, atMs: number): void {
  const { requests } = table;
  while (requests.from < requests.order.length) {
    const oldest = requests.order[requests.from]!;
    const { length } = oldest.holdings.features;
    const isFull =
      requests.order.length - requests.from > REQUESTS_KEPT_MAX ||
      requests.features > REQUEST_FEATURES_KEPT_MAX;
    if (!isFull && atMs - oldest.holdings.atMs < REQUESTS_KEPT_MS) return;
    const key = requestKey(oldest.holdings.instance, oldest.id);
    requests.from += 1;
    requests.features -= length;
    requests.byId.delete(key);
    table.touched?.requests.add(oldest);
    table.undoable(() => {
      requests.from -= 1;
      requests.features += length;
      requests.byId.set(key, oldest);
    });
  }
}

/** Lets go of what is forgotten; only while nothing can be taken back, for undoing counts on positions. */
export function compactRequests(requests: RequestMemory): void {
  if (requests.from <= 1024 || requests.from * 2 <= requests.order.length) return;
  requests.order = requests.order.slice(requests.from);
  requests.from = 0;
}
