/** CHANGE, FULL and HEARTBEAT: what an instance holds, passed on as numbered updates over HTTP. */

import { type DigestedRow, digestText } from '../domain/local/digest.ts';
import { type StatusBody, writeFault, writeStatus } from './answers.ts';
import type { Acquaintance, Exchange, WholeAnswer } from './exchange.ts';
import type { Lictor, Update, UpdateAnswer } from './lictor.ts';
import type { HeartbeatBody } from './requests.ts';
import type { WholeUpdate } from './staging.ts';
import { refuseEnforcement } from './starting.ts';

/** The most rows that one request over HTTP carries; Lictor takes 5,000. */
const REQUEST_ROWS_MAX = 4_000;
/** The most octets of user IDs in it, which leaves room for the rest of its JSON below the smallest usual limit. */
const REQUEST_OCTETS_MAX = 600_000;
/** What a row costs in JSON beside its ID. */
const ROW_OCTETS = 64;

/** One request of an update. */
interface Share {
  /** The number of the last part in it. */
  readonly sequence: number;
  readonly rows: readonly DigestedRow[];
}

/**
 * Passes a whole update on and answers with what became of it.
 * @param remembered - where the answer is kept for parts that come again; null for an update of one part.
 * @throws what the client throws.
 */
export async function update(
  lictor: Lictor,
  exchange: Exchange,
  whole: WholeUpdate,
  remembered: WholeAnswer | null,
): Promise<void> {
  const shares = divide(whole);
  if (!whole.isFull && shares.length > 1) {
    const reason = `The change is too large for one step. Send a full report when more than ${REQUEST_ROWS_MAX} rows have changed.`;
    exchange.answer('refused', writeFault({ code: 'body-too-large', reason }));
    return;
  }
  const digest = digestText(whole.digest);
  const fullFrom = whole.isFull ? { fullFrom: shares[0]!.sequence } : {};
  let since = whole.isFull ? 0 : whole.since;
  for (const [index, { sequence, rows }] of shares.entries()) {
    const isLast = index === shares.length - 1;
    const answer = await send(lictor, exchange, {
      sequence,
      since,
      ...fullFrom,
      users: rows,
      ...(isLast ? { digest } : { more: true }),
    });
    if (isLast || answer.resend !== undefined) {
      answerUpdate(exchange, answer, remembered);
      return;
    }
    since = sequence;
  }
}

/**
 * Passes a sign of life on: an update without rows.
 * @throws what the client throws.
 */
export async function heartbeat(lictor: Lictor, exchange: Exchange, body: HeartbeatBody): Promise<void> {
  const { sequence, digest } = body;
  const answer = await send(lictor, exchange, {
    sequence,
    since: sequence,
    users: [],
    digest: digestText(digest),
  });
  answerUpdate(exchange, answer, null);
}

async function send(
  lictor: Lictor,
  { frame, life, acquaintance }: Exchange,
  update: Omit<Update, 'incarnation'>,
): Promise<UpdateAnswer> {
  const { settingsRevision } = acquaintance;
  const answer = await lictor.update(frame.name, {
    incarnation: frame.incarnation,
    ...update,
    ...(settingsRevision === undefined ? {} : { settingsRevision }),
  });
  acquaintance.incarnation = Math.max(acquaintance.incarnation, frame.incarnation);
  acquaintance.windows.keep(life);
  if (answer.settings !== undefined) {
    acquaintance.settings = answer.settings;
    acquaintance.settingsRevision = answer.settingsRevision;
  }
  return answer;
}

/** Divides an update at the borders of its parts, always in the same way, so that it can be sent again. */
function divide({ parts, sequence }: WholeUpdate): Share[] {
  const shares: Share[] = [];
  let rows: DigestedRow[] = [];
  let octets = 0;
  for (const [index, part] of parts.entries()) {
    const more = part.reduce((sum, { id }) => sum + ROW_OCTETS + Buffer.byteLength(id), 0);
    if (
      rows.length > 0 &&
      (rows.length + part.length > REQUEST_ROWS_MAX || octets + more > REQUEST_OCTETS_MAX)
    ) {
      shares.push({ sequence: sequence + index - 1, rows });
      rows = [];
      octets = 0;
    }
    rows.push(...part);
    octets += more;
  }
  shares.push({ sequence: sequence + parts.length - 1, rows });
  return shares;
}

function answerUpdate(exchange: Exchange, answer: UpdateAnswer, whole: WholeAnswer | null): void {
  const { acquaintance } = exchange;
  if (answer.key !== undefined && answer.enforcement !== 'local') {
    // The key was switched meanwhile: what the instance grants by itself is counted nowhere any more.
    if (acquaintance.whole === whole) acquaintance.whole = null;
    refuseEnforcement(exchange, answer.key, answer.enforcement);
    return;
  }
  const status: StatusBody = {
    sequence: answer.sequence,
    acknowledged: answer.acknowledged,
    reason: answer.acknowledged ? '' : (answer.reason ?? 'over-limit'),
    limit: answer.limit,
    connectionsPerUnitMax: answer.connectionsPerUnitMax,
    unitLimit: acquaintance.settings.unitLimit,
    connectionLimit: acquaintance.settings.connectionLimit,
    nextUpdateAfterSeconds: Math.ceil(answer.nextUpdateAfterSeconds),
    atMs: Date.parse(answer.at),
    inUse: answer.inUse,
    overLimitUnits: answer.overLimit?.unitsMax ?? 0,
    transitioned: turnOf(acquaintance, answer.transitioned ?? []),
  };
  const { octets, told } = writeStatus(status);
  acquaintance.transitionedFrom += told;
  const type = answer.resend !== undefined ? 'resend' : answer.acknowledged ? 'ack' : 'nak';
  if (whole !== null) whole.answer = { type, octets };
  exchange.answer(type, octets);
}

/** More users than an answer holds are told in turns, each answer going on where the last one ended. */
function turnOf(acquaintance: Acquaintance, users: readonly string[]): readonly string[] {
  if (users.length === 0) return users;
  const from = acquaintance.transitionedFrom % users.length;
  acquaintance.transitionedFrom = from;
  return from === 0 ? users : [...users.slice(from), ...users.slice(0, from)];
}
