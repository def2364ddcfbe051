/**
 * Serving keys by ID, the leader's part (notes 3.4): what the directory holds is installed and served, and
 * instances that ask by LicenseID follow, every few minutes and as soon as another key is served. Every replica
 * looks at its directory, so that each can tell what is wrong with it; only the leader acts.
 */

import type { Instance } from '../domain/instances.ts';
import type { InstalledKey } from '../domain/keys/keyring.ts';
import type { LicenseKey } from '../domain/keys/keys.ts';
import { isBehind, servedKeyOf, servedKeys } from '../domain/keys/servedkeys.ts';
import type { Answer } from '../domain/operations.ts';
import { SYSTEM_ACTOR } from '../domain/releases.ts';
import type { Table } from '../domain/table.ts';
import type { Logger } from '../storage/database.ts';
import type { DatabaseClock } from './clock.ts';
import type { KeyDirectory, ServedFile } from './keydirectory.ts';
import type { Keys } from './keys.ts';
import type { Lane } from './lane.ts';
import type { Leadership } from './leadership.ts';
import { every, type Repeating } from './repeating.ts';

export interface KeyServingOptions {
  readonly lane: Pick<Lane, 'submit' | 'read' | 'status'>;
  readonly keys: Pick<Keys, 'install'>;
  readonly clock: Pick<DatabaseClock, 'mark'>;
  readonly leadership: Pick<Leadership, 'leads' | 'token'>;
  /** Null where no directory is configured; keys are served by hand then. */
  readonly directory: KeyDirectory | null;
  readonly logger: Logger;
  /** How often the directory is looked at, in milliseconds. */
  readonly lookIntervalMs: number;
  /** How often every instance that asks by LicenseID is gone through, in milliseconds. */
  readonly checkIntervalMs: number;
}

/** How often it is seen whether instances are to be gone through, in milliseconds. */
const TICK_MS = 500;
/** How many instances are given a key at once. */
const CHECKS_AT_ONCE = 50;

export class KeyServing {
  readonly #options: KeyServingOptions;
  #looking: Repeating | null = null;
  #checking: Repeating | null = null;
  /** When the instances were gone through last, by a clock that nobody sets, and under which leadership. */
  #checkedAt = Number.NEGATIVE_INFINITY;
  #token = 0;
  /** When a key was served last by then, ms since 1970. */
  #servedAtMs = 0;
  /** What was complained of last, by file or instance. */
  readonly #complaints = new Map<string, string>();

  constructor(options: KeyServingOptions) {
    this.#options = options;
  }

  start(): void {
    const { directory, lookIntervalMs, logger } = this.#options;
    if (directory !== null) {
      const failed = (error: unknown) =>
        logger.warn({ err: error }, 'Keys could not be served this time, which is tried again.');
      this.#looking = every(lookIntervalMs, () => this.#look(directory), failed);
    }
    this.#checking = every(
      Math.min(TICK_MS, this.#options.checkIntervalMs),
      () => this.#tick(),
      (error) =>
        logger.warn({ err: error }, 'Instances could not be given their keys, which is tried again.'),
    );
  }

  async close(): Promise<void> {
    await this.#looking?.close();
    await this.#checking?.close();
  }

  get #mayAct(): boolean {
    const { leadership, lane } = this.#options;
    return leadership.leads && lane.status.state === 'serving';
  }

  async #look(directory: KeyDirectory): Promise<void> {
    await directory.look();
    for (const file of directory.files) {
      if (!this.#mayAct) return;
      const { key, fault } = file;
      if (key !== null && fault === null) await this.#serve(directory, file, key);
    }
  }

  async #serve(directory: KeyDirectory, file: ServedFile, key: LicenseKey): Promise<void> {
    const { lane, keys, logger } = this.#options;
    const licenseId = key.licenseId!;
    const { own, served } = await lane.read(
      (table) => ({ own: table.keys.get(key.id), served: servedKeyOf(table, licenseId) }),
      false,
    );
    if (served?.id === key.id || !isNews(file, own, served)) return;
    if (own === undefined) {
      const bytes = await directory.bytesOf(file.name);
      if (bytes === null) return;
      if (this.#complain(file.name, await keys.install(key, bytes, SYSTEM_ACTOR))) return;
    }
    const answer = await lane.submit({ op: 'serve-key', key: key.id, licenseId, actor: SYSTEM_ACTOR });
    if (this.#complain(file.name, answer)) return;
    logger.info({ file: file.name, key: key.id, licenseId }, 'A key is served from now on.');
  }

  async #tick(): Promise<void> {
    const { lane, clock, leadership, checkIntervalMs } = this.#options;
    if (!this.#mayAct) return;
    const { token } = leadership;
    const now = clock.mark();
    // Looked up here, so that rows of the journal cost nothing for it.
    const servedAtMs = await lane.read(lastServedAtMs, false);
    const isNew = servedAtMs !== this.#servedAtMs || token !== this.#token;
    if (!isNew && now - this.#checkedAt < checkIntervalMs) return;
    await this.#checkAll();
    this.#checkedAt = now;
    this.#token = token;
    this.#servedAtMs = servedAtMs;
  }

  /** Has every instance follow that is behind what is served for it. */
  async #checkAll(): Promise<void> {
    const { lane } = this.#options;
    const behind = await lane.read((table) => {
      const served = servedKeys(table);
      return [...table.instances.values()].filter((instance) => mustFollow(instance, served));
    });
    for (let from = 0; from < behind.length; from += CHECKS_AT_ONCE) {
      if (!this.#mayAct) return;
      const some = behind.slice(from, from + CHECKS_AT_ONCE);
      await Promise.all(some.map((instance) => this.#check(instance)));
    }
  }

  async #check({ name, licenseId }: Instance): Promise<void> {
    const { lane, logger } = this.#options;
    const answer = await lane.submit({ op: 'check-key', name, actor: SYSTEM_ACTOR });
    if (this.#complain(`instance ${name}`, answer) || answer.is !== 'key-checked') return;
    if (answer.activated === null) return;
    const key = answer.served?.id;
    logger.info({ instance: name, key, licenseId }, 'An instance was given the key that is served for it.');
  }

  /** Says in the log what stands in the way, once for as long as it does. @returns whether something does. */
  #complain(about: string, answer: Answer): boolean {
    if (answer.is !== 'problem') {
      this.#complaints.delete(about);
      return false;
    }
    const { detail } = answer;
    if (this.#complaints.get(about) !== detail) {
      this.#options.logger.warn({ about, reason: detail }, 'A served key cannot be used as it should be.');
      this.#complaints.set(about, detail);
    }
    return true;
  }
}

/**
 * Whether a file says something new: its key is installed and was never served, or came into the file after another
 * one was served. So whatever was served by hand meanwhile stays, until the file is written again, and a key that was
 * removed since does not come back.
 */
function isNews(file: ServedFile, own: InstalledKey | undefined, served: InstalledKey | null): boolean {
  const isUnserved = own !== undefined && own.servedAtMs === undefined;
  return isUnserved || file.changedAtMs > (served?.servedAtMs ?? 0);
}

/** One that is silent registers when it comes back, and is given the key then. */
function mustFollow(instance: Instance, served: ReadonlyMap<string, InstalledKey>): boolean {
  const { licenseId, state } = instance;
  const key = licenseId === undefined ? undefined : served.get(licenseId);
  return key !== undefined && state === 'active' && isBehind(instance, key);
}

/** When a key was served last, under whatever LicenseID, ms since 1970; 0 when none ever was. */
function lastServedAtMs(table: Table): number {
  let last = 0;
  for (const { servedAtMs } of table.keys.values())
    if (servedAtMs !== undefined && servedAtMs > last) last = servedAtMs;
  return last;
}
