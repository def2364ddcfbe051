/**
 * Keys that are served by ID (notes 3.4): what is served, serving an installed key by hand, and asking at once
 * whether there is a newer one for an instance.
 */

import { LicenseError } from '../domain/errors.ts';
import type { InstalledKey } from '../domain/keys/keyring.ts';
import { servedKeys } from '../domain/keys/servedkeys.ts';
import type { Answer } from '../domain/operations.ts';
import type { DatabaseClock } from './clock.ts';
import type { FileFault, KeyDirectory, ServedFile } from './keydirectory.ts';
import { type AsOf, byCodeUnits } from './keys.ts';
import type { Lane } from './lane.ts';

export interface ServedKeysOptions {
  readonly lane: Pick<Lane, 'submit' | 'read'>;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
  /** Null where no directory is configured. */
  readonly directory: Pick<KeyDirectory, 'files' | 'fault' | 'lookedAtMs'> | null;
}

/** A key that is served, a file that is to be served, or both. */
export interface ServedKeyView {
  /** Null for a file that gives none. */
  readonly licenseId: string | null;
  /** The key that is served; null when none is. */
  readonly key: InstalledKey | null;
  /** How many instances are registered by this LicenseID. */
  readonly instances: number;
  /** The file of the directory that states it. */
  readonly file: string | null;
  /** The key in the file, where it is not the one that is served. */
  readonly fileKey: string | null;
  /** What keeps the file from being served. */
  readonly fault: FileFault | null;
}

/** The directory of served keys, as the replica that answers sees it. */
export interface DirectoryView {
  readonly lookedAtMs: number;
  readonly files: number;
  readonly fault: string | null;
}

/** Where a page begins: after this LicenseID and file. */
export type ServedPosition = readonly [licenseId: string, file: string];

/** Lists and serves keys by LicenseID. */
export class ServedKeys {
  readonly #options: ServedKeysOptions;

  constructor(options: ServedKeysOptions) {
    this.#options = options;
  }

  /**
   * Lists what is served, and what is at fault: by LicenseID and file, files without a LicenseID first.
   * @param mayShow - whether the asker may see what concerns a key; null is what concerns none.
   */
  async list(
    mayShow: (keyId: string | null) => boolean,
    { after, limit }: { readonly after: ServedPosition | null; readonly limit: number },
  ): Promise<{
    readonly items: readonly ServedKeyView[];
    readonly hasMore: boolean;
    readonly asOf: AsOf;
    readonly directory: DirectoryView | null;
  }> {
    const { lane, clock, directory } = this.#options;
    const { served, instances, version } = await lane.read((table) => {
      const counts = new Map<string, number>();
      for (const { licenseId } of table.instances.values())
        if (licenseId !== undefined) counts.set(licenseId, (counts.get(licenseId) ?? 0) + 1);
      return { served: servedKeys(table), instances: counts, version: table.version };
    });
    const views = viewsOf(served, instances, directory?.files ?? [])
      .filter(({ key, fileKey }) => mayShow(key?.id ?? fileKey))
      .sort(inOrder)
      .filter((view) => after === null || compare(positionOf(view), after) > 0);
    return {
      items: views.slice(0, limit),
      hasMore: views.length > limit,
      asOf: { atMs: clock.nowMs(), version },
      directory: directory && {
        lookedAtMs: directory.lookedAtMs,
        files: directory.files.length,
        fault: directory.fault,
      },
    };
  }

  /** Serves an installed key under the LicenseID that it states. Repeating it does no harm. */
  serve(licenseId: string, key: string, actor: string): Promise<Answer> {
    return this.#options.lane.submit({ op: 'serve-key', key, licenseId, actor });
  }

  /** Gives an instance the key that is served for it, if that is a newer one (`CheckNewKey`). */
  check(name: string, actor: string): Promise<Answer> {
    return this.#options.lane.submit({ op: 'check-key', name, actor });
  }

  /** The key that is served under a LicenseID; null when none is. */
  servedUnder(licenseId: string): Promise<string | null> {
    return this.#options.lane.read((table) => servedKeys(table).get(licenseId)?.id ?? null);
  }

  /**
   * What is served under one LicenseID.
   * @throws LicenseError `not-found` when nothing is, nor a file of the directory states it.
   */
  async get(licenseId: string): Promise<ServedKeyView> {
    const { lane, directory } = this.#options;
    const { served, instances } = await lane.read((table) => ({
      served: servedKeys(table),
      instances: [...table.instances.values()].filter((instance) => instance.licenseId === licenseId).length,
    }));
    const views = viewsOf(served, new Map([[licenseId, instances]]), directory?.files ?? []);
    const view = views.find((one) => one.licenseId === licenseId);
    if (view) return view;
    const detail = `No key is served under the LicenseID "${licenseId}". GET /v1/served-keys lists those that are.`;
    throw new LicenseError('not-found', detail);
  }
}

/** One view for each key that is served, and one for each file that is not of it. */
function viewsOf(
  served: ReadonlyMap<string, InstalledKey>,
  instances: ReadonlyMap<string, number>,
  files: readonly ServedFile[],
): ServedKeyView[] {
  const views: ServedKeyView[] = [];
  const stated = new Set<string>();
  for (const { name, key: found, fault } of files) {
    const licenseId = found?.licenseId ?? null;
    const key = licenseId === null ? null : (served.get(licenseId) ?? null);
    if (licenseId !== null) stated.add(licenseId);
    views.push({
      licenseId,
      key,
      instances: licenseId === null ? 0 : (instances.get(licenseId) ?? 0),
      file: name,
      fileKey: found !== null && found.id !== key?.id ? found.id : null,
      fault,
    });
  }
  for (const [licenseId, key] of served) {
    if (stated.has(licenseId)) continue;
    const count = instances.get(licenseId) ?? 0;
    views.push({ licenseId, key, instances: count, file: null, fileKey: null, fault: null });
  }
  return views;
}

/** Where a view stands in the list. */
export function positionOf({ licenseId, file }: ServedKeyView): ServedPosition {
  return [licenseId ?? '', file ?? ''];
}

function inOrder(left: ServedKeyView, right: ServedKeyView): number {
  return compare(positionOf(left), positionOf(right));
}

function compare(left: ServedPosition, right: ServedPosition): number {
  return byCodeUnits(left[0], right[0]) || byCodeUnits(left[1], right[1]);
}
