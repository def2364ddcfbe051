/**
 * Access tokens: who presents one is checked against a cache that is at most `cacheMs` behind the database, so
 * that a request costs no statement. A revocation is known at once on the replica it is made on and within
 * `cacheMs` on the others. While the database is away, what is cached goes on for its time.
 */

import { timingSafeEqual } from 'node:crypto';
import type postgres from 'postgres';
import { ADMIN_TOKEN_LENGTH_MIN, type Grant, mayGrant, type Principal } from '../domain/access.ts';
import { LicenseError } from '../domain/errors.ts';
import { isConnectionError } from '../storage/database.ts';
import {
  findToken,
  insertToken,
  listTokens,
  revokeToken,
  type TokenRow,
  touchTokens,
} from '../storage/tokens.ts';
import { type BoundedCache, createBoundedCache } from './bounded-cache.ts';
import { hashSecret, makeTokenText, parseTokenText } from './token-text.ts';

/** The ID by which the configured administrator's token is known; no stored token can have it. */
const ADMIN_TOKEN_ID = 'configured';

/** A token as it is stored, for those above who show it. */
export type StoredToken = TokenRow;

const CACHE_ENTRIES_MAX = 10_000;
const TOUCH_INTERVAL_MS = 60_000;
/** How often a lookup is repeated because a revocation overtook it. */
const LOOKUPS_MAX = 3;

/** What came of checking a token. */
export type TokenCheck =
  /** It is valid; the caller may remember that until `goodUntilMs`, as long as `generation` stays. */
  | { readonly principal: Principal; readonly goodUntilMs: number }
  | { readonly refused: 'token-invalid' | 'token-expired' };

/** What a new token is to be. */
export interface TokenSpec extends Grant {
  readonly name: string;
  readonly expiresAt: Date | null;
}

/** Creates, lists, revokes and checks tokens. */
export interface Tokens {
  /** Changes with every revocation on this replica; whatever was remembered under another one is void. */
  generation(): number;
  /**
   * Checks a presented token; answers at once when it is cached.
   * @throws LicenseError `storage-unavailable` when it must be looked up and the database is away.
   */
  check(text: string): TokenCheck | Promise<TokenCheck>;
  /**
   * @returns the token's text, which is never shown again, and its row.
   * @throws LicenseError `forbidden` when the new token would reach further than the principal's.
   */
  create(principal: Principal, spec: TokenSpec): Promise<{ readonly text: string; readonly row: TokenRow }>;
  /** Lists, in the order they were made, the tokens that the principal could have made itself. */
  list(
    principal: Principal,
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<{ readonly rows: TokenRow[]; readonly next: string | null }>;
  /** @throws LicenseError `token-not-found`, also for a token beyond the principal's reach. */
  revoke(principal: Principal, id: string): Promise<void>;
  /** Writes down when tokens were last used. Runs once a minute by itself; failures are logged, not thrown. */
  flushUses(): Promise<void>;
  close(): Promise<void>;
}

/** What the tokens need. */
export interface TokensOptions {
  readonly sql: postgres.Sql;
  /** The administrator's token that the configuration states, or null. It is valid as long as it stands there. */
  readonly adminToken: string | null;
  readonly cacheMs: number;
  readonly logger: { warn(fields: object, message: string): void };
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number;
}

/** A cached lookup; `row` is null for an ID that does not exist. */
interface Known {
  readonly row: TokenRow | null;
  readonly atMs: number;
}

/** The state of one replica's tokens. */
interface State {
  readonly options: TokensOptions;
  readonly now: () => number;
  readonly adminHash: Buffer | null;
  /** Existing tokens and IDs that do not exist, apart, so that guessing cannot push out the former. */
  readonly present: BoundedCache<Known>;
  readonly absent: BoundedCache<Known>;
  readonly lookups: Map<string, Promise<Known>>;
  uses: Map<string, number>;
  generation: number;
}

const ADMINISTRATOR: Principal = {
  tokenId: ADMIN_TOKEN_ID,
  name: 'administrator',
  role: 'administrator',
  keys: null,
  instance: null,
};

/**
 * Makes the tokens' service and starts noting their use.
 *
 * @param options - see there.
 * @returns the service; close it to write down the last uses.
 * @throws RangeError when the administrator's token is too short to be safe.
 */
export function createTokens(options: TokensOptions): Tokens {
  const { adminToken } = options;
  if (adminToken !== null && adminToken.length < ADMIN_TOKEN_LENGTH_MIN) {
    throw new RangeError(
      `The administrator's token must have at least ${ADMIN_TOKEN_LENGTH_MIN} characters.`,
    );
  }
  const state: State = {
    options,
    now: options.now ?? Date.now,
    adminHash: adminToken === null ? null : hashSecret(adminToken),
    present: createBoundedCache(CACHE_ENTRIES_MAX),
    absent: createBoundedCache(CACHE_ENTRIES_MAX),
    lookups: new Map(),
    uses: new Map(),
    generation: 0,
  };
  const timer = setInterval(() => void flushUses(state), TOUCH_INTERVAL_MS);
  timer.unref();
  return {
    generation: () => state.generation,
    check: (text) => check(state, text),
    create: (principal, spec) => create(state, principal, spec),
    list: (principal, page) => list(state, principal, page),
    revoke: (principal, id) => revoke(state, principal, id),
    flushUses: () => flushUses(state),
    async close() {
      clearInterval(timer);
      await flushUses(state);
    },
  };
}

function check(state: State, text: string): TokenCheck | Promise<TokenCheck> {
  const { adminHash } = state;
  // Hashes of equal length are compared, so that the time taken tells nothing about the token's own length.
  if (adminHash !== null && timingSafeEqual(hashSecret(text), adminHash)) {
    return { principal: ADMINISTRATOR, goodUntilMs: Number.POSITIVE_INFINITY };
  }
  const presented = parseTokenText(text);
  if (presented === null) return { refused: 'token-invalid' };
  const { id, secretHash } = presented;
  const known = state.present.get(id) ?? state.absent.get(id);
  const nowMs = state.now();
  if (known !== undefined && nowMs - known.atMs < state.options.cacheMs) {
    return judge(state, known, secretHash, nowMs);
  }
  return lookUp(state, id).then((found) => judge(state, found, secretHash, state.now()));
}

function judge(state: State, { row, atMs }: Known, secretHash: Buffer, nowMs: number): TokenCheck {
  if (row === null || !timingSafeEqual(row.secretHash, secretHash) || row.revokedAt !== null) {
    return { refused: 'token-invalid' };
  }
  const expiresMs = row.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
  if (expiresMs <= nowMs) return { refused: 'token-expired' };
  state.uses.set(row.id, nowMs);
  const { id, name, role, keys, instance } = row;
  return {
    principal: { tokenId: id, name, role, keys, instance },
    goodUntilMs: Math.min(expiresMs, atMs + state.options.cacheMs),
  };
}

/** Many requests with one token that is not cached wait for one statement. */
function lookUp(state: State, id: string): Promise<Known> {
  const running = state.lookups.get(id);
  if (running !== undefined) return running;
  const lookup = readToken(state, id).finally(() => state.lookups.delete(id));
  state.lookups.set(id, lookup);
  return lookup;
}

async function readToken(state: State, id: string): Promise<Known> {
  for (let attempt = 1; ; attempt += 1) {
    const { generation } = state;
    const atMs = state.now();
    const row = await guarded(() => findToken(state.options.sql, id));
    // What was read before a revocation must not be remembered after it.
    if (generation !== state.generation && attempt < LOOKUPS_MAX) continue;
    const known: Known = { row, atMs };
    remember(state, id, generation === state.generation ? known : { row, atMs: Number.NEGATIVE_INFINITY });
    return known;
  }
}

function remember(state: State, id: string, known: Known): void {
  const [into, outOf] = known.row === null ? [state.absent, state.present] : [state.present, state.absent];
  outOf.delete(id);
  into.set(id, known);
}

async function create(state: State, principal: Principal, spec: TokenSpec) {
  if (!mayGrant(principal, spec)) {
    throw new LicenseError(
      'forbidden',
      'A token can only make tokens that reach no further than itself: name keys, or the instance, that it is restricted to.',
    );
  }
  if (spec.expiresAt !== null && spec.expiresAt.getTime() <= state.now()) {
    throw new LicenseError('malformed-request', 'expiresAt must be in the future.', {
      errors: [{ pointer: '/expiresAt', message: 'must be in the future' }],
    });
  }
  const { text, id, secretHash } = makeTokenText();
  const { name, role, keys, instance, expiresAt } = spec;
  const row = await guarded(() =>
    insertToken(state.options.sql, {
      id,
      name,
      role,
      secretHash,
      keys,
      instance,
      createdBy: principal.tokenId,
      expiresAt,
    }),
  );
  remember(state, id, { row, atMs: state.now() });
  return { text, row };
}

async function list(state: State, principal: Principal, page: { after: string | null; limit: number }) {
  const rows: TokenRow[] = [];
  let { after } = page;
  // One more than asked for tells whether there is a next page. Filtering here and not in SQL keeps the rule
  // in one place; a restricted administrator reads past what is not its own.
  while (rows.length <= page.limit) {
    const chunk = await guarded(() => listTokens(state.options.sql, after, page.limit + 1));
    rows.push(...chunk.filter((row) => mayGrant(principal, row)));
    if (chunk.length <= page.limit) break;
    after = chunk.at(-1)!.id;
  }
  const shown = rows.slice(0, page.limit);
  return { rows: shown, next: rows.length > page.limit ? shown.at(-1)!.id : null };
}

async function revoke(state: State, principal: Principal, id: string): Promise<void> {
  const row = await guarded(() => findToken(state.options.sql, id));
  if (row === null || !mayGrant(principal, row)) {
    throw new LicenseError('token-not-found', `There is no token with the ID ${id}.`);
  }
  await guarded(() => revokeToken(state.options.sql, id));
  state.present.delete(id);
  state.generation += 1;
}

async function flushUses(state: State): Promise<void> {
  const { uses } = state;
  if (uses.size === 0) return;
  state.uses = new Map();
  try {
    await touchTokens(
      state.options.sql,
      [...uses].map(([id, atMs]) => [id, new Date(atMs)] as const),
    );
  } catch (error) {
    state.options.logger.warn({ err: error }, 'When tokens were last used could not be written down.');
    // Later uses that came meanwhile are kept; the earlier ones fill the gaps.
    state.uses = new Map([...uses, ...state.uses]);
  }
}

async function guarded<T>(statement: () => Promise<T>): Promise<T> {
  try {
    return await statement();
  } catch (error) {
    if (!isConnectionError(error)) throw error;
    throw new LicenseError('storage-unavailable', 'The database cannot be reached; try again in a moment.', {
      retryAfterSeconds: 1,
    });
  }
}
