/**
 * Keys: looking at a key file, installing one, and what is installed.
 */

import { createHash } from 'node:crypto';
import type postgres from 'postgres';
import { LicenseError } from '../domain/errors.ts';
import { licenseField } from '../domain/keys/keyfields.ts';
import { type KeyFault, type KeyFile, parseKeyFile } from '../domain/keys/keyfiles.ts';
import { type InstalledKey, keyNotFound } from '../domain/keys/keyring.ts';
import {
  hasFeature,
  type KeyConditions,
  type KeyStatus,
  type KeyVerdict,
  keyStatus,
  type LicenseKey,
  readKey,
  type StatedTerms,
} from '../domain/keys/keys.ts';
import { canonicalText, keyId, type TrustedKeys } from '../domain/keys/signatures.ts';
import type { Answer, ChangeKey } from '../domain/operations.ts';
import { readKeyFile } from '../storage/keys.ts';
import type { DatabaseClock } from './clock.ts';
import type { Lane } from './lane.ts';
import { whileReachable } from './reachable.ts';

/** What the keys' service needs. */
export interface KeysOptions {
  readonly lane: Pick<Lane, 'submit' | 'read'>;
  readonly sql: postgres.Sql;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
  readonly trusted: TrustedKeys;
  /** IDs of signing keys and of single keys that are no longer trusted. */
  readonly revoked: ReadonlySet<string>;
  /** Whether key files that nobody here can verify are accepted, on stated terms. */
  readonly allowUnverified: boolean;
  /** The zone in which the days of key files begin. */
  readonly timeZone: string;
}

/** A key that is installed, with its state at an instant. */
export interface KeyInState {
  readonly key: InstalledKey;
  readonly status: KeyStatus;
}

/** What a table was read as of. */
export interface AsOf {
  readonly atMs: number;
  readonly version: number;
}

/** What a key file would be if it were installed. */
export interface Inspection {
  readonly id: string;
  /** Null for the built-in key, which has none. */
  readonly file: KeyFile | null;
  /** The key it gives, or why it gives none. */
  readonly verdict: KeyVerdict;
  /** The state the key would have now; null when the file gives none. */
  readonly status: KeyStatus | null;
  /** Whether this key is installed. */
  readonly isInstalled: boolean;
}

/** Whether a key permits a feature at an instant. */
export interface FeatureState {
  readonly enabled: boolean;
  /** Why, as a sentence. */
  readonly reason: string;
}

/** Inspects, installs, lists, changes and removes keys. */
export class Keys {
  readonly #options: KeysOptions;

  constructor(options: KeysOptions) {
    this.#options = options;
  }

  /**
   * Looks at a key file and stores nothing.
   * @throws LicenseError `key-file-invalid` with every fault, when the bytes are no key file.
   */
  async inspect(bytes: Uint8Array, stated: StatedTerms | undefined): Promise<Inspection> {
    const { clock, lane, revoked } = this.#options;
    const file = requireFile(bytes);
    const id = keyId(file);
    const verdict = readKey(file, this.#conditions(stated));
    // What is wrong with the request or the file is an error; whom this server trusts is a finding.
    if (!verdict.ok && verdict.code !== 'key-untrusted' && verdict.code !== 'key-unverified') {
      requireKey(verdict);
    }
    const status = verdict.ok ? keyStatus(verdict.key, clock.nowMs(), revoked) : null;
    const isKnown = await lane.read((table) => table.keys.has(id));
    const isInstalled = isKnown && (await this.#hasContent(id, bytes));
    return { id, file, verdict, status, isInstalled };
  }

  /**
   * Looks at a key that is installed.
   * @param sent.file - must not be there, nor `fileBase64` or `stated`.
   * @throws LicenseError `key-not-found`; `malformed-request` when a file is sent as well.
   */
  async inspectInstalled(id: string, sent: object): Promise<Inspection> {
    if (Object.keys(sent).length > 0) {
      const message = 'must have either key or a file, with what is stated of it';
      throw new LicenseError('malformed-request', `The body ${message}.`, {
        errors: [{ pointer: '', message }],
      });
    }
    const { key, status } = await this.get(id);
    const bytes = await whileReachable(() => readKeyFile(this.#options.sql, id));
    const file = bytes === null ? null : requireFile(bytes);
    return { id, file, verdict: { ok: true, key, notices: [] }, status, isInstalled: true };
  }

  /**
   * Reads a key file as `install` would.
   * @throws LicenseError with the reason when the file gives no key.
   */
  read(bytes: Uint8Array, stated: StatedTerms | undefined): LicenseKey {
    return requireKey(readKey(requireFile(bytes), this.#conditions(stated)));
  }

  /** Installs what `read` gave. The same content with the same statement again is already there. */
  async install(key: LicenseKey, bytes: Uint8Array, actor: string): Promise<Answer> {
    const { lane } = this.#options;
    const answer = await lane.submit({ op: 'install-key', key, file: bytes, actor });
    if (answer.is !== 'key' || answer.outcome !== 'present') return answer;
    return (await this.#hasContent(key.id, bytes)) ? answer : otherContent(key.id);
  }

  /**
   * Lists keys by ID.
   * @param mayShow - whether the asker may see a key.
   * @param page.after - the ID of the last key of the page before; null begins at the start.
   */
  list(
    mayShow: (id: string) => boolean,
    { after, limit }: { readonly after: string | null; readonly limit: number },
  ): Promise<{ readonly items: KeyInState[]; readonly hasMore: boolean; readonly asOf: AsOf }> {
    return this.#options.lane.read((table) => {
      const ids = [...table.keys.keys()]
        .filter((id) => (after === null || id > after) && mayShow(id))
        .sort(byCodeUnits);
      return {
        items: ids.slice(0, limit).map((id) => this.inState(table.keys.get(id)!)),
        hasMore: ids.length > limit,
        asOf: { atMs: this.#options.clock.nowMs(), version: table.version },
      };
    });
  }

  /** The state of a key now. */
  inState(key: InstalledKey): KeyInState {
    const { clock, revoked } = this.#options;
    return { key, status: keyStatus(key, clock.nowMs(), revoked) };
  }

  /** @throws LicenseError `key-not-found`. */
  async get(id: string): Promise<KeyInState> {
    const key = await this.#options.lane.read((table) => table.keys.get(id));
    if (!key) throw keyMissing(id);
    return this.inState(key);
  }

  /**
   * The file as it came, with the encoding it was read in.
   * @throws LicenseError `key-not-found`, or `not-found` for a key that has no file.
   */
  async file(id: string): Promise<{ readonly bytes: Uint8Array; readonly encoding: KeyFile['encoding'] }> {
    const { lane, sql } = this.#options;
    const bytes = await whileReachable(() => readKeyFile(sql, id));
    if (bytes !== null) return { bytes, encoding: requireFile(bytes).encoding };
    if (!(await lane.read((table) => table.keys.has(id)))) throw keyMissing(id);
    throw new LicenseError('not-found', `The key ${id} is built in and has no file.`);
  }

  /** Changes how a key is enforced, on the revision that the caller has seen; null is whatever stands. */
  change(
    id: string,
    changes: ChangeKey['changes'],
    ifRevision: string | null,
    actor: string,
  ): Promise<Answer> {
    return this.#options.lane.submit({ op: 'change-key', id, changes, ifRevision, actor });
  }

  /** Removes a key that nothing depends on. Repeating it does no harm. */
  remove(id: string, actor: string): Promise<Answer> {
    return this.#options.lane.submit({ op: 'remove-key', id, actor });
  }

  /**
   * Whether an installed key is of this content: an ID holds 32 bits of it, so that two contents of one order number
   * may share one, if never by chance. A built-in key has none.
   */
  async #hasContent(id: string, bytes: Uint8Array): Promise<boolean> {
    const stored = await whileReachable(() => readKeyFile(this.#options.sql, id));
    return stored === null || contentPrint(stored) === contentPrint(bytes);
  }

  #conditions(stated: StatedTerms | undefined): KeyConditions {
    const { trusted, revoked, allowUnverified, timeZone } = this.#options;
    return { trusted, revoked, allowUnverified, timeZone, stated };
  }
}

/**
 * Whether a key permits a feature now (F-8). A key that is not valid permits none.
 *
 * @param state - a key with its state.
 * @param feature - a name in any case, or a number.
 */
export function featureOf({ key, status }: KeyInState, feature: string): FeatureState {
  if (!hasFeature(key, feature)) {
    return { enabled: false, reason: `The key ${key.id} does not name this feature.` };
  }
  if (status.status === 'invalid') return { enabled: false, reason: status.reason };
  return { enabled: true, reason: `The key ${key.id} names this feature and is valid.` };
}

/** An order that is the same on every machine, whatever its locale. */
export function byCodeUnits(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function otherContent(id: string): Answer {
  return {
    is: 'problem',
    code: 'key-in-use',
    detail: `A key with the ID ${id} is installed with another content. Remove it first to install this one.`,
  };
}

/** Tells contents apart by the text that is signed and the signature, so that line ends do not matter. */
function contentPrint(bytes: Uint8Array): string {
  const file = requireFile(bytes);
  const text = `${canonicalText(file)}\n${licenseField(file, 'AuthorizationKey') ?? ''}`;
  return createHash('sha256').update(text, 'utf8').digest('base64');
}

function requireFile(bytes: Uint8Array): KeyFile {
  const parsed = parseKeyFile(bytes);
  if (parsed.ok) return parsed.file;
  const [first, ...others] = parsed.faults;
  const more = others.length === 0 ? '' : ` There ${countWords(others.length)}; \`faults\` lists all.`;
  throw new LicenseError('key-file-invalid', `Line ${first!.line}: ${first!.message} ${first!.mend}${more}`, {
    faults: parsed.faults.map(showFault),
  });
}

function requireKey(verdict: KeyVerdict): LicenseKey {
  if (verdict.ok) return verdict.key;
  const extras = verdict.code === 'key-file-invalid' ? { faults: verdict.faults.map(showFault) } : {};
  throw new LicenseError(verdict.code, verdict.reason, extras);
}

function showFault({ line, code, message, mend }: KeyFault): KeyFault {
  return { line, code, message, mend };
}

function countWords(count: number): string {
  return count === 1 ? 'is 1 more fault' : `are ${count} more faults`;
}

function keyMissing(id: string): LicenseError {
  return new LicenseError('key-not-found', keyNotFound(id).detail);
}
