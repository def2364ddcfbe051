/**
 * Activating keys: what would become of one on an instance, doing it, going back, and the history.
 */

import type { Sql } from 'postgres';
import { LicenseError, type ProblemCode } from '../domain/errors.ts';
import type { Instance } from '../domain/instances.ts';
import type { Activation, ActivationVerdict } from '../domain/keys/activation.ts';
import { currentKey, inspectActivation } from '../domain/keys/activations.ts';
import { keyNotFound, refuseOtherStatement } from '../domain/keys/keyring.ts';
import type { KeyVerdict, LicenseKey } from '../domain/keys/keys.ts';
import { instanceNotFound } from '../domain/logins.ts';
import type { ActivateKey, Answer } from '../domain/operations.ts';
import type { Table } from '../domain/table.ts';
import { termsOf } from '../domain/terms.ts';
import { type ActivationPosition, listActivations } from '../storage/activations.ts';
import type { DatabaseClock } from './clock.ts';
import type { Inspection } from './keys.ts';
import type { Lane } from './lane.ts';
import { whileReachable } from './reachable.ts';

/** What the service needs. */
export interface ActivationsOptions {
  readonly sql: Sql;
  readonly shard: number;
  readonly lane: Pick<Lane, 'submit' | 'read'>;
  readonly clock: Pick<DatabaseClock, 'nowMs'>;
  /** IDs of signing keys and of single keys that are no longer trusted. */
  readonly revoked: ReadonlySet<string>;
}

/** What would become of a key on an instance, or why it cannot be activated there. */
export interface InspectedActivation {
  readonly instance: string;
  readonly current: LicenseKey | null;
  /** The key that was looked at; null when the file gives none. */
  readonly selected: LicenseKey | null;
  readonly result:
    | { readonly ok: true; readonly verdict: ActivationVerdict; readonly token: string }
    | { readonly ok: false; readonly code: ProblemCode; readonly reason: string };
  /** Units that the instance uses now. */
  readonly unitsInUse: number;
  /** Units of the selected key that are in use now, over all instances. */
  readonly selectedInUse: number;
}

/** What came of an activation, as things stand now. */
export interface ActivationView {
  readonly instance: Instance;
  readonly verdict: ActivationVerdict;
  readonly activation: Activation | null;
  readonly unitsEnforced: number;
  readonly unitsInUse: number;
}

/** Inspects, activates, goes back, and lists. */
export class Activations {
  readonly #options: ActivationsOptions;

  constructor(options: ActivationsOptions) {
    this.#options = options;
  }

  /**
   * What would become of a key on an instance; changes nothing.
   * @param inspection - of the key file; a key that is installed already is taken as it is installed.
   * @throws LicenseError `instance-not-found`.
   */
  inspect(
    name: string,
    { id, verdict, isInstalled }: Pick<Inspection, 'id' | 'verdict' | 'isInstalled'>,
  ): Promise<InspectedActivation> {
    return this.#options.lane.read((table) => {
      const instance = requireInstance(table, name);
      const installed = isInstalled ? table.keys.get(id) : undefined;
      const selected = installed ?? (verdict.ok ? verdict.key : null);
      const current = currentKey(table, instance);
      const unitsInUse = table.places.get(name)?.units ?? 0;
      const other = installed && verdict.ok ? refuseOtherStatement(installed, verdict.key) : null;
      const result = other
        ? ({ ok: false, code: other.code, reason: other.detail } as const)
        : this.#resultOf(table, instance, selected, verdict);
      const selectedInUse = selected === null ? 0 : (table.pools.get(selected.id)?.units ?? 0);
      return { instance: name, current, selected, result, unitsInUse, selectedInUse };
    });
  }

  #resultOf(
    table: Table,
    instance: Instance,
    selected: LicenseKey | null,
    verdict: KeyVerdict,
  ): InspectedActivation['result'] {
    const { clock, revoked } = this.#options;
    if (selected === null) {
      const { code, reason } = verdict as Extract<KeyVerdict, { ok: false }>;
      return { ok: false, code, reason };
    }
    const policy = { revokedKeys: revoked };
    const inspected = inspectActivation(table, instance, selected, policy, clock.nowMs());
    if (inspected.ok) return inspected;
    const { code, detail } = inspected.problem;
    return { ok: false, code, reason: detail };
  }

  /**
   * An installed key.
   * @throws LicenseError `key-not-found`.
   */
  async key(id: string): Promise<LicenseKey> {
    const key = await this.#options.lane.read((table) => table.keys.get(id));
    if (!key) throw new LicenseError('key-not-found', keyNotFound(id).detail);
    return key;
  }

  /** Activates a key on what was inspected, or goes back to the previous one. */
  activate(operation: Omit<ActivateKey, 'op'>): Promise<Answer> {
    return this.#options.lane.submit({ op: 'activate-key', ...operation });
  }

  /** What came of an activation, with the use of the key as it is now. */
  view(answer: Extract<Answer, { readonly is: 'activation' }>): Promise<ActivationView> {
    const { instance, verdict, activation } = answer;
    const { lane, clock, revoked } = this.#options;
    return lane.read((table) => {
      const { limit } = termsOf(table, instance, clock.nowMs(), revoked);
      const unitsInUse = table.pools.get(instance.key ?? '')?.units ?? 0;
      return { instance, verdict, activation, unitsEnforced: limit, unitsInUse };
    });
  }

  /**
   * The history of the keys of an instance, the latest first. It outlives the instance.
   * @param after - the last one of the page before; null begins at the latest.
   * @throws LicenseError `instance-not-found` for a name that has no history either.
   */
  async list(
    instance: string,
    after: ActivationPosition | null,
    limit: number,
  ): Promise<{ readonly items: Activation[]; readonly hasMore: boolean }> {
    const { sql, shard } = this.#options;
    const found = await whileReachable(() => listActivations(sql, shard, instance, after, limit + 1));
    if (found.length === 0 && after === null)
      await this.#options.lane.read((table) => requireInstance(table, instance));
    return { items: found.slice(0, limit), hasMore: found.length > limit };
  }
}

function requireInstance(table: Table, name: string): Instance {
  const instance = table.instances.get(name);
  if (instance) return instance;
  throw new LicenseError('instance-not-found', instanceNotFound(name).detail);
}
