/**
 * What is wrong with what an installation consists of: its keys, instances, licence servers and tokens. Pure: the
 * facts come with the instant they are judged at.
 */

import type { Instance } from '../instances.ts';
import type { KeyStatus } from '../keys/keys.ts';
import type { ServerDisagreement } from '../licenseservers.ts';
import type { TokenFacts } from './diagnosisfacts.ts';
import { count, type Finding, found, nameSome, ok, timeWords } from './findings.ts';

const DAY_MS = 86_400_000;
/** A key that ends within this time is told of; within a week it is troubled (domain notes 8). */
const KEY_ENDS_NOTE_MS = 30 * DAY_MS;
const TOKEN_ENDS_WARNING_MS = 7 * DAY_MS;
const TOKEN_ENDS_NOTE_MS = 30 * DAY_MS;
/** A token nobody used for so long may well be forgotten. */
const TOKEN_UNUSED_MS = 90 * DAY_MS;
/** The share of a key's units from which on it is nearly used up. */
const UNITS_WARNING = 0.9;
/** Administrators who can do everything for ever; more are more than anybody watches. */
const ADMINISTRATORS_MAX = 3;

/** A key with what uses it. */
export interface KeyFacts {
  readonly id: string;
  readonly status: KeyStatus;
  /** Its last valid instant, ms since 1970; null when it has none. */
  readonly validThroughMs: number | null;
  readonly trust: 'verified' | 'unverified' | 'evaluation';
  /** Active instances registered with it. */
  readonly instances: number;
  readonly unitsUsed: number;
  readonly unitsEnforced: number;
  /** Whether combined use is over its limit now (L-6). */
  readonly isOver: boolean;
}

/** Judges the keys. */
export function judgeKeys(keys: readonly KeyFacts[], nowMs: number): Finding[] {
  if (keys.length === 0) {
    return [
      found(
        'keys.installed',
        'warning',
        'No key is installed: every instance runs on the default licence, with one unit.',
        'Install one: lictor keys install FILE.',
      ),
    ];
  }
  const findings = keys.flatMap((key) => judgeKey(key, nowMs));
  const idle = keys.filter(({ instances, trust }) => instances === 0 && trust !== 'evaluation');
  if (idle.length > 0) {
    findings.push(
      found(
        'keys.used',
        'note',
        `${count(idle.length, 'key')} ${idle.length === 1 ? 'is' : 'are'} registered with no active instance: ${nameSome(idle.map(({ id }) => id))}.`,
        'Register an instance with it, or remove it: lictor keys remove ID.',
      ),
    );
  }
  if (findings.length > 0) return findings;
  return [ok('keys.valid', `${count(keys.length, 'key')} installed, valid, and in use.`)];
}

function judgeKey(key: KeyFacts, nowMs: number): Finding[] {
  const { id, status, validThroughMs, trust, instances, unitsUsed, unitsEnforced, isOver } = key;
  const findings: Finding[] = [];
  const renew = 'Order a renewal, install it, and activate it on the instances.';
  const users =
    instances === 0 ? '' : ` ${count(instances, 'instance')} ${instances === 1 ? 'uses' : 'use'} it.`;
  if (status.status === 'invalid') {
    findings.push(
      found(
        'keys.valid',
        instances > 0 ? 'fault' : 'note',
        `${status.reason}${users}`,
        instances > 0 ? renew : `Remove it if it is not needed any more: lictor keys remove ${id}.`,
      ),
    );
  } else if (status.status === 'troubled') {
    findings.push(found('keys.valid', instances > 0 ? 'warning' : 'note', `${status.reason}${users}`, renew));
  } else if (validThroughMs !== null && validThroughMs - nowMs < KEY_ENDS_NOTE_MS) {
    const left = timeWords(validThroughMs - nowMs);
    findings.push(found('keys.valid', 'note', `The key ${id} ends in ${left}.${users}`, renew));
  }
  if (trust === 'unverified') {
    findings.push(
      found(
        'keys.trust',
        'note',
        `Nobody here can verify the key ${id}; its terms are as an administrator stated them.`,
        'Have them checked against the contract; LICTOR_ALLOW_UNVERIFIED_KEYS need stay on only to install more.',
      ),
    );
  }
  if (isOver) {
    findings.push(
      found(
        'keys.units',
        'warning',
        `Combined use of the key ${id} is over its limit: ${unitsUsed} of ${unitsEnforced} units.`,
        `See who holds them (lictor usage users --key ${id}), or get a larger key.`,
      ),
    );
  } else if (unitsUsed >= UNITS_WARNING * unitsEnforced && unitsEnforced > 1) {
    findings.push(
      found(
        'keys.units',
        unitsUsed >= unitsEnforced ? 'warning' : 'note',
        `${unitsUsed} of ${unitsEnforced} units of the key ${id} are in use.`,
        `See who holds them (lictor usage users --key ${id}), or get a larger key.`,
      ),
    );
  }
  return findings;
}

/**
 * Judges the instances.
 * @param instances - all of them.
 * @param isUsable - whether an instance's key, or what stands in for it, can be used.
 */
export function judgeInstances(
  instances: readonly Instance[],
  isUsable: (instance: Instance) => boolean,
): Finding[] {
  const findings: Finding[] = [];
  const say = (
    check: string,
    level: Finding['level'],
    chosen: readonly Instance[],
    what: readonly [one: string, several: string],
    mend: string,
  ) => {
    if (chosen.length === 0) return;
    const names = nameSome(chosen.map(({ name }) => name));
    const words = `${count(chosen.length, 'instance')} ${what[chosen.length === 1 ? 0 : 1]}: ${names}.`;
    findings.push(found(check, level, words, mend));
  };
  const active = instances.filter(({ state }) => state === 'active');
  say(
    'instances.heard',
    'warning',
    instances.filter(({ state, closed }) => state === 'silent' && closed !== true),
    [
      'was silent too long, and what it held was taken back',
      'were silent too long, and what they held was taken back',
    ],
    'Look whether they run and reach Lictor; remove what is gone for good: lictor instances deregister NAME.',
  );
  say(
    'instances.key',
    'warning',
    active.filter((instance) => !isUsable(instance)),
    ['has no usable key and lets one user in', 'have no usable key and let one user in each'],
    'Activate a key on it: lictor keys activate FILE --instance NAME.',
  );
  say(
    'instances.grace',
    'note',
    active.filter(({ settings }) => settings.graceSeconds === 0),
    ['is never taken for gone', 'are never taken for gone'],
    'With graceSeconds 0 an instance that is lost keeps its units until it is removed; set one unless that is meant.',
  );
  if (findings.length > 0) return findings;
  return [ok('instances.heard', `${count(active.length, 'instance')} registered and heard of.`)];
}

/** What is judged of the roster of licence servers. */
export interface RosterFacts {
  readonly entries: readonly { readonly name: string; readonly state: 'active' | 'standby' | 'down' }[];
  readonly active: { readonly name: string } | null;
  readonly disagreements: readonly ServerDisagreement[];
  readonly notices: readonly string[];
}

/** Judges the roster of licence servers (F-4, F-12). */
export function judgeRoster({ entries, active, disagreements, notices }: RosterFacts): Finding[] {
  const findings: Finding[] = [];
  const down = entries.filter(({ state }) => state === 'down').map(({ name }) => name);
  if (entries.length > 0 && active === null) {
    findings.push(
      found(
        'license-servers.active',
        'warning',
        'No licence server is active: legacy instances go on alone, and nobody adds them up.',
        'Start lictor udp for one of them; see its log when it runs.',
      ),
    );
  }
  if (down.length > 0) {
    findings.push(
      found(
        'license-servers.heard',
        'warning',
        `${count(down.length, 'licence server')} ${down.length === 1 ? 'is' : 'are'} down: ${nameSome(down)}.`,
        'Start its process (lictor udp --server NAME), or remove the entry: lictor servers remove NAME.',
      ),
    );
  }
  for (const { key, sets } of disagreements) {
    const words = sets.map(
      ({ licenseServers, instances }) => `${nameSome(instances, 3)}: ${licenseServers.join(', ')}`,
    );
    findings.push(
      found(
        'license-servers.agreement',
        'warning',
        `The instances of the key ${key} are configured with different licence servers (${words.join('; ')}), so that they are not added up.`,
        'Give all that share a key the same set.',
      ),
    );
  }
  for (const notice of notices) {
    findings.push(
      found(
        'license-servers.roster',
        'note',
        notice,
        'Mend the roster or the configuration of the instance.',
      ),
    );
  }
  if (findings.length > 0) return findings;
  return [
    entries.length === 0
      ? ok('license-servers.active', 'There are no licence servers, which only legacy instances need.')
      : ok(
          'license-servers.active',
          `${active!.name} is active; ${count(entries.length - 1, 'other')} in standby.`,
        ),
  ];
}

/** What tokens are held against. */
export interface TokenSurroundings {
  /** Whether there is such a key, and such an instance; null while nobody knows. */
  readonly hasKey: ((id: string) => boolean) | null;
  readonly hasInstance: ((name: string) => boolean) | null;
  /** Whether the configuration states an administrator's token. */
  readonly isAdminConfigured: boolean;
  readonly nowMs: number;
}

/** Judges the access tokens. */
export function judgeTokens(tokens: readonly TokenFacts[], around: TokenSurroundings): Finding[] {
  const { nowMs, isAdminConfigured } = around;
  const living = tokens.filter(({ expiresAtMs }) => expiresAtMs === null || expiresAtMs > nowMs);
  const findings = [
    ...living.flatMap((token) => judgeToken(token, around)),
    ...judgeForgotten(living, nowMs),
  ];
  const everything = living.filter(
    ({ role, keys, instance }) => role === 'administrator' && keys === null && instance === null,
  );
  if (everything.length > ADMINISTRATORS_MAX) {
    findings.push(
      found(
        'tokens.administrators',
        'note',
        `${everything.length} tokens may do everything: ${nameSome(everything.map(nameOf))}.`,
        'Give those who need less a narrower role (operator, viewer, instance), or restrict them to keys.',
      ),
    );
  }
  if (everything.length === 0 && !isAdminConfigured) {
    findings.push(
      found(
        'tokens.administrators',
        'warning',
        'No token that is valid may do everything.',
        'Set LICTOR_ADMIN_TOKEN, and make one.',
      ),
    );
  }
  const expired = tokens.length - living.length;
  if (expired > 0) {
    findings.push(
      found(
        'tokens.expired',
        'note',
        `${count(expired, 'token')} ${expired === 1 ? 'has' : 'have'} expired and can be used no more.`,
        'Revoke them, so that the list shows what counts: lictor tokens revoke ID.',
      ),
    );
  }
  if (findings.length > 0) return findings;
  return [ok('tokens.valid', `${count(living.length, 'token')} in use, none about to end.`)];
}

function nameOf({ name, id }: TokenFacts): string {
  return `${name} (${id})`;
}

function judgeToken(token: TokenFacts, { nowMs, hasKey, hasInstance }: TokenSurroundings): Finding[] {
  const { expiresAtMs, keys, instance } = token;
  const findings: Finding[] = [];
  if (expiresAtMs !== null && expiresAtMs - nowMs < TOKEN_ENDS_NOTE_MS) {
    const leftMs = expiresAtMs - nowMs;
    findings.push(
      found(
        'tokens.valid',
        leftMs < TOKEN_ENDS_WARNING_MS ? 'warning' : 'note',
        `The token ${nameOf(token)} ends in ${timeWords(leftMs)}.`,
        'Make its successor and hand it over before then: lictor tokens create.',
      ),
    );
  }
  const gone = keys?.filter((id) => hasKey?.(id) === false) ?? [];
  const isInstanceGone = instance !== null && hasInstance?.(instance) === false;
  if (gone.length > 0 || isInstanceGone) {
    const what = isInstanceGone
      ? `the instance ${instance}`
      : `${count(gone.length, 'key')} (${nameSome(gone)})`;
    findings.push(
      found(
        'tokens.targets',
        'note',
        `The token ${nameOf(token)} is restricted to ${what}, of which nothing is installed or registered.`,
        'Revoke it, unless what it is for is still to come.',
      ),
    );
  }
  return findings;
}

/** Those that were not used for long are told together. */
function judgeForgotten(tokens: readonly TokenFacts[], nowMs: number): Finding[] {
  const forgotten = tokens.filter(
    ({ lastUsedAtMs, createdAtMs }) => nowMs - (lastUsedAtMs ?? createdAtMs) > TOKEN_UNUSED_MS,
  );
  if (forgotten.length === 0) return [];
  return [
    found(
      'tokens.used',
      'note',
      `${count(forgotten.length, 'token')} ${forgotten.length === 1 ? 'was' : 'were'} not used for 90 days: ${nameSome(forgotten.map(nameOf))}.`,
      'Revoke what nobody needs: lictor tokens revoke ID.',
    ),
  ];
}
