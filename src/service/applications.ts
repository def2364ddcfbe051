/**
 * Application licences as their callers see them: loading sections, taking and giving back units, and what is in
 * use (F-70…F-74).
 */

import { createHash } from 'node:crypto';
import type { Span } from '@opentelemetry/api';
import type postgres from 'postgres';
import {
  type ApplicationFault,
  applicationText,
  checkApplication,
} from '../domain/applications/applicationfiles.ts';
import { applicationNotFound, featureProblem } from '../domain/applications/applicationgrounds.ts';
import { recount } from '../domain/applications/applicationloads.ts';
import type { Holder, TakeApplication } from '../domain/applications/applicationoperations.ts';
import {
  type ApplicationEntry,
  type ApplicationSection,
  type FeatureName,
  findLicensed,
  type Licensed,
  licensedOf,
  unitsOfFeature,
  unitsOfValue,
} from '../domain/applications/applications.ts';
import { readApplicationFile } from '../domain/applications/applicationsignatures.ts';
import { findCounter } from '../domain/applications/applicationtable.ts';
import { scopeOf } from '../domain/applications/applyapplications.ts';
import { LicenseError, type ProblemExtras } from '../domain/errors.ts';
import type { Instance } from '../domain/instances.ts';
import type { TrustedKeys } from '../domain/keys/signatures.ts';
import { instanceNotFound } from '../domain/logins.ts';
import type { Answer, Problem } from '../domain/operations.ts';
import type { Table } from '../domain/table.ts';
import { type HolderPage, type HolderPosition, listHolders } from '../storage/applications.ts';
import type { DatabaseClock } from './clock.ts';
import type { AsOf } from './keys.ts';
import type { Lane } from './lane.ts';
import { whileReachable } from './reachable.ts';

export type { HoldingRecord } from '../storage/applications.ts';

/** What the service of application licences needs. */
export interface ApplicationsOptions {
  readonly lane: Pick<Lane, 'submit' | 'read' | 'explain'>;
  readonly sql: postgres.Sql;
  readonly shard: number;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
  readonly trusted: TrustedKeys;
  readonly revoked: ReadonlySet<string>;
  /** Whether a section must carry a signature to be loaded. */
  readonly applicationsSigned: boolean;
  /** Names of sections that are counted across the instances of a key. */
  readonly applicationsShared: readonly string[];
}

/** A feature with what is in use of it (`GetAppLicenseValue`, `…Used`, `…MaxUsed`, `…Free`, `…Minimum`). */
export interface FeatureUse {
  readonly feature: string;
  readonly value: string;
  /** Its units; null when the value is text, which is information (trap 19). */
  readonly units: number | null;
  readonly used: number;
  /** The most at one time since the section was loaded, or came with its key. */
  readonly maxUsed: number;
  readonly free: number;
  /** The least that was free. */
  readonly minimum: number;
}

/** A section with what is in use of it. */
export interface ApplicationState {
  readonly licensed: Licensed;
  readonly features: readonly FeatureUse[];
}

/** A recount of a feature (`CheckAppLicenseUsed`). */
export interface Recount {
  readonly feature: string;
  readonly counted: number;
  readonly before: number;
  readonly recovered: number;
}

/** Whether an instance may run, by the number of instances that a keyword licenses (`ApplicationServerLogin`). */
export interface InstanceLogin {
  readonly permitted: boolean;
  /** Active instances that are registered with the key. */
  readonly instances: number;
  readonly limit: number;
}

/** Who asks for a take or a return, and for what, after the schema has passed it. */
export interface HoldRequest {
  readonly instance: string;
  readonly id: string | null;
  readonly holder: Holder;
  readonly features: readonly FeatureName[] | null;
}

/** Thirty bits are enough against mistakes. */
const PRINT_MASK = 0x3fffffff;

export class Applications {
  readonly #options: ApplicationsOptions;

  constructor(options: ApplicationsOptions) {
    this.#options = options;
  }

  /** The key that an instance is registered with; undefined when there is no such instance. */
  keyOf(instance: string): Promise<string | null | undefined> {
    return this.#options.lane.read((table) => table.instances.get(instance)?.key);
  }

  /**
   * Reads an application licence file.
   * @param section - the one section to read; absent: all of them.
   * @throws LicenseError `application-file-invalid` with every fault.
   */
  readFile(bytes: Uint8Array, section?: string): readonly ApplicationSection[] {
    const { trusted, revoked, applicationsSigned: signatureRequired } = this.#options;
    const conditions = { trusted, revoked, signatureRequired };
    const verdict = readApplicationFile(
      bytes,
      section === undefined ? conditions : { ...conditions, section },
    );
    if (verdict.ok) return verdict.sections;
    throw invalid(verdict.faults);
  }

  /**
   * Reads a section that is stated as keywords and values. What a file could not say is refused.
   * @throws LicenseError `application-file-invalid` with every fault.
   */
  readEntries(name: string, entries: readonly ApplicationEntry[]): readonly ApplicationSection[] {
    const faults = checkApplication(name, entries);
    if (faults.length > 0) throw invalid(faults);
    return this.readFile(Buffer.from(applicationText(name, entries), 'utf8'), name);
  }

  /** Loads sections, all or none. */
  load(instance: string, sections: readonly ApplicationSection[], actor: string): Promise<Answer> {
    return this.#options.lane.submit({ op: 'load-application', instance, sections, actor });
  }

  /** Takes a loaded section away. */
  remove(instance: string, name: string, actor: string): Promise<Answer> {
    return this.#options.lane.submit({ op: 'remove-application', instance, name, actor });
  }

  /** Takes a unit of each feature, all or none. */
  take(request: HoldRequest & { readonly features: readonly FeatureName[] }, actor: string, span?: Span) {
    return this.#options.lane.submit(takeOf(request, actor), span);
  }

  /** Tells what a take would come to now, and changes nothing. */
  explain(request: HoldRequest & { readonly features: readonly FeatureName[] }, actor: string) {
    return this.#options.lane.explain(takeOf(request, actor));
  }

  /** Gives back one take of each feature, or everything. */
  giveBack(request: HoldRequest, actor: string, span?: Span): Promise<Answer> {
    const { instance, holder, features, id } = request;
    const print = printOf('return', request);
    const what = { instance, holder, features, id, print };
    return this.#options.lane.submit({ op: 'return-application', ...what, actor }, span);
  }

  /**
   * All sections that an instance has, by name, with what is in use of them.
   * @throws LicenseError `instance-not-found`.
   */
  list(instance: string): Promise<{ readonly items: readonly ApplicationState[]; readonly asOf: AsOf }> {
    return this.#read(instance, (table, record) =>
      licensedOf(table, record, this.#options.applicationsShared).map((licensed) =>
        stateOf(table, record, licensed),
      ),
    ).then(({ value, asOf }) => ({ items: value, asOf }));
  }

  /**
   * One section with what is in use of it.
   * @throws LicenseError `instance-not-found`, `application-not-found`.
   */
  get(instance: string, name: string): Promise<{ readonly state: ApplicationState; readonly asOf: AsOf }> {
    return this.#read(instance, (table, record) =>
      stateOf(table, record, this.#find(table, record, name)),
    ).then(({ value, asOf }) => ({ state: value, asOf }));
  }

  /**
   * One feature with what is in use of it; also one that is text.
   * @throws LicenseError `feature-not-licensed` besides those of `get`.
   */
  async feature(instance: string, name: string, feature: string) {
    const { state, asOf } = await this.get(instance, name);
    const use = state.features.find((one) => one.feature === feature);
    if (!use) throw errorOf(featureProblem(state.licensed, feature, false));
    return { use, asOf };
  }

  /**
   * Counts anew who holds units of a section's features.
   * @param feature - only this one; undefined for all that are counted.
   */
  recount(instance: string, name: string, feature: string | undefined): Promise<readonly Recount[]> {
    return this.#read(instance, (table, record) => {
      const licensed = this.#find(table, record, name);
      const isWanted = (keyword: string) => feature === undefined || keyword === feature;
      const names = licensed.entries.flatMap(([keyword, value]) =>
        isWanted(keyword) && unitsOfValue(value) !== null ? [keyword] : [],
      );
      if (feature !== undefined && names.length === 0) {
        const isText = unitsOfFeature(licensed, feature) === null;
        throw errorOf(featureProblem(licensed, feature, isText));
      }
      const scope = scopeOf(instance, licensed.sharedBy);
      const counters = names.flatMap((one) => findCounter(table, scope, name, one) ?? []);
      const found = recount(table, counters, licensed.sharedBy === null ? instance : null);
      return names.map((one) => {
        const counter = counters.find((each) => each.feature === one);
        const before = counter?.users.size ?? 0;
        const counted = counter ? (found.get(counter) ?? 0) : 0;
        return { feature: one, counted, before, recovered: before - counted };
      });
    }).then(({ value }) => value);
  }

  /**
   * Whether no more instances are registered with the key than a keyword licenses (notes 6.2).
   * @throws LicenseError `feature-not-licensed`, `feature-not-counted` besides those of `get`.
   */
  instanceLogin(instance: string, name: string, feature: string): Promise<InstanceLogin> {
    return this.#read(instance, (table, record) => {
      const licensed = this.#find(table, record, name);
      const limit = unitsOfFeature(licensed, feature);
      if (typeof limit !== 'number') throw errorOf(featureProblem(licensed, feature, limit === null));
      const instances = [...table.instances.values()].filter(
        ({ key, state, name: other }) =>
          state === 'active' && (key === null ? other === instance : key === record.key),
      ).length;
      return { permitted: instances <= limit, instances, limit };
    }).then(({ value }) => value);
  }

  /**
   * Who holds units of a section, as of the fold; also of one that is not there any more.
   * @param which.instance - only on this instance, also where it is counted across a key; null for all of them.
   */
  async holders(
    instance: string,
    name: string,
    which: {
      readonly instance: string | null;
      readonly feature: string | null;
      readonly userId: string | null;
      readonly login: string | null;
    },
    after: HolderPosition | null,
    limit: number,
  ): Promise<HolderPage> {
    const { value: sharedBy } = await this.#read(
      instance,
      (table, record) =>
        findLicensed(table, record, name, this.#options.applicationsShared)?.sharedBy ?? null,
    );
    const filter = { ...which, application: name, key: sharedBy ?? '' };
    const within = sharedBy === null ? { ...filter, instance } : filter;
    const { sql, shard } = this.#options;
    return whileReachable(() => listHolders(sql, shard, within, after, limit));
  }

  /** Reads the table as it is now, with the record of an instance. */
  #read<Value>(
    name: string,
    run: (table: Table, instance: Instance) => Value,
  ): Promise<{ readonly value: Value; readonly asOf: AsOf }> {
    const { lane, clock } = this.#options;
    return lane.read((table) => {
      const instance = table.instances.get(name);
      if (!instance) throw errorOf(instanceNotFound(name));
      const asOf = { atMs: Math.max(clock.nowMs(), table.atMs), version: table.version };
      return { value: run(table, instance), asOf };
    });
  }

  #find(table: Table, instance: Instance, name: string): Licensed {
    const licensed = findLicensed(table, instance, name, this.#options.applicationsShared);
    if (licensed) return licensed;
    throw errorOf(applicationNotFound(instance.name, name));
  }
}

function takeOf(
  request: HoldRequest & { readonly features: readonly FeatureName[] },
  actor: string,
): TakeApplication {
  const { instance, holder, features, id } = request;
  return { op: 'take-application', instance, holder, features, id, print: printOf('take', request), actor };
}

/** A number that tells two bodies apart. */
function printOf(what: 'take' | 'return', { holder, features }: HoldRequest): number {
  const named = features?.map(({ application, feature }) => [application, feature]) ?? null;
  const text = JSON.stringify([what, holder, named]);
  return createHash('sha256').update(text, 'utf8').digest().readUInt32BE(0) & PRINT_MASK;
}

function stateOf(table: Table, instance: Instance, licensed: Licensed): ApplicationState {
  const scope = scopeOf(instance.name, licensed.sharedBy);
  const features = licensed.entries.map(([feature, value]): FeatureUse => {
    const units = unitsOfValue(value);
    if (units === null) return { feature, value, units, used: 0, maxUsed: 0, free: 0, minimum: 0 };
    const counter = findCounter(table, scope, licensed.name, feature);
    const used = counter?.users.size ?? 0;
    const maxUsed = counter?.peak ?? 0;
    const free = Math.max(0, units - used);
    return { feature, value, units, used, maxUsed, free, minimum: Math.max(0, units - maxUsed) };
  });
  return { licensed, features };
}

function errorOf({ code, detail, extras }: Problem): LicenseError {
  return new LicenseError(code, detail, extras);
}

function invalid(faults: readonly ApplicationFault[]): LicenseError {
  const [first, ...others] = faults;
  const count = others.length === 1 ? 'is 1 more fault' : `are ${others.length} more faults`;
  const more = others.length === 0 ? '' : ` There ${count}; \`faults\` lists all.`;
  const extras: ProblemExtras = {
    faults: faults.map(({ line, code, message, mend, legacyCode }) => ({
      line,
      code,
      message,
      mend,
      legacyCode,
    })),
  };
  return new LicenseError(
    'application-file-invalid',
    `Line ${first!.line}: ${first!.message} ${first!.mend}${more}`,
    extras,
  );
}
