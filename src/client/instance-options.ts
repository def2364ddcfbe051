/**
 * What an instance is opened with, and what its calls can be given.
 */

import type { Client, ClientOptions } from './client.ts';
import type { Clock } from './instance-clock.ts';
import type { RegistrationFields } from './instance-registration.ts';

/** For how long new users are let in without the server when nobody says otherwise. */
const OFFLINE_SECONDS = 86_400;

/** What becomes of users who are new on the instance while the server is away. Whoever is in goes on. */
export interface OfflinePolicy {
  /** `allow` lets them in for `forSeconds`; `refuse` does not. */
  readonly newUsers: 'allow' | 'refuse';
  /** For how long after the server was heard last they are let in, in seconds; 86,400 when left out. */
  readonly forSeconds?: number | undefined;
}

/**
 * Completes and checks a policy.
 * @returns for how many seconds new users are let in; 0 is not at all.
 * @throws RangeError.
 */
export function readOfflinePolicy(policy: OfflinePolicy | undefined): number {
  const { newUsers = 'allow', forSeconds = OFFLINE_SECONDS } = policy ?? {};
  if (newUsers !== 'allow' && newUsers !== 'refuse') {
    throw new RangeError(`offline.newUsers must be "allow" or "refuse", not ${JSON.stringify(newUsers)}.`);
  }
  if (!(forSeconds >= 0)) throw new RangeError(`offline.forSeconds must be 0 or more, not ${forSeconds}.`);
  return newUsers === 'allow' ? forSeconds : 0;
}

/**
 * Checks what an instance is opened with, as far as the server cannot: most of all, what plain JavaScript forgets.
 * @throws TypeError; RangeError.
 */
export function checkOptions(options: LicenseInstanceOptions): void {
  const { client, name, offline, key, licenseId } = (options ?? {}) as Partial<LicenseInstanceOptions>;
  if (typeof client !== 'object' || client === null) {
    throw new TypeError(
      'Give the option client: a client, or what to make one with, such as { url, tokenFile }.',
    );
  }
  if (typeof name !== 'string' || name === '') {
    throw new TypeError('Give the option name: what this installation is called, and no other one.');
  }
  if (key !== undefined && licenseId !== undefined) {
    throw new TypeError('Give the option key or the option licenseId, not both: a key is named, or served.');
  }
  readOfflinePolicy(offline);
}

/** What an instance is opened with. */
export interface LicenseInstanceOptions extends RegistrationFields {
  /** The client that reaches Lictor, or what to make one with, which is then closed with the instance. */
  readonly client: Client | ClientOptions;
  /** The name of the instance, which no other installation may have. */
  readonly name: string;
  /**
   * A file in which the instance keeps which incarnation it was and on which terms, so that it can start while the
   * server is away. Only one process at a time can use it.
   */
  readonly stateFile?: string | undefined;
  /** What becomes of new users while the server is away; under a local key only. */
  readonly offline?: OfflinePolicy | undefined;
  /** The time; the machine's when left out. */
  readonly clock?: Clock | undefined;
  /** Whether the process goes on as long as the instance is open; otherwise it ends when nothing else is to do. */
  readonly keepsAlive?: boolean | undefined;
  /**
   * Whether the instance keeps a list of the processes that it let in, so that `reports` can tell them where it
   * decides for itself; without it only its users are kept.
   */
  readonly tracksProcesses?: boolean | undefined;
  /** Ends the opening. */
  readonly signal?: AbortSignal | undefined;
}

/** What a call that may ask the server can be given. */
export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long the server may take, in milliseconds; 10,000 when left out. */
  readonly timeoutMs?: number | undefined;
}

export interface IdentifyOptions extends AskOptions {
  /** The client's address; where users are counted as `name@address` it must be there. */
  readonly clientAddress?: string | undefined;
}
