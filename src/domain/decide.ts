/**
 * The one brain: what becomes of an operation on a table. The lane, the dry run and the tests all
 * call it; whatever it emits is applied to the draft's table at once.
 */

import { decideLoad, decideUnload } from './applications/applicationloads.ts';
import { decideReturn, decideTake } from './applications/applicationtakes.ts';
import type { Draft } from './draft.ts';
import { endExcesses, endOf, recordExcesses } from './excesses.ts';
import { decideActivate } from './keys/activations.ts';
import { decideChangeKey, decideInstallKey, decideRemoveKey } from './keys/keyring.ts';
import { decideCheckKey, decideServeKey } from './keys/servedkeys.ts';
import { endLease, nextLeaseEndMs, takeEndedLease } from './leases/leaseends.ts';
import { decideStatement } from './leases/leases.ts';
import { decideReport } from './local/updates.ts';
import { decideIdentify, decideLogin } from './logins.ts';
import { decideClearDurations, decideResetMarks } from './marks/markresets.ts';
import type { Answer, Operation } from './operations.ts';
import {
  decideClose,
  decideConfigure,
  decideDeregister,
  decideReapInstance,
  decideRegister,
  decideRenewInstance,
} from './registration.ts';
import {
  decideLogout,
  decideReap,
  decideReleaseInstance,
  decideReleaseUser,
  decideRenew,
  releaseLogin,
  SYSTEM_ACTOR,
} from './releases.ts';
import type { Table } from './table.ts';

/** What a decision depends on besides the table: the configuration of the replica that decides. */
export interface Policy {
  /** IDs of signing keys that are no longer trusted, and of single keys that are revoked. */
  readonly revokedKeys: ReadonlySet<string>;
  /** Whether an instance that names no key runs on the built-in evaluation key (F-2). */
  readonly evaluation: boolean;
  /** How long a lease of units may be believed in, in milliseconds. */
  readonly leaseTermMs: number;
  /** Names of application sections that are counted across the instances of a key; left out: `ISC.*` (notes 6.3). */
  readonly sharedApplications?: readonly string[];
}

/**
 * Decides one operation and applies what it decides.
 * @returns the answer for the caller; true only once the draft's row has been appended.
 */
export function decide(draft: Draft, operation: Operation, policy: Policy): Answer {
  const answer = decideOne(draft, operation, policy);
  if (draft.table.over.size > 0) endExcesses(draft, endOf(operation, answer));
  return answer;
}

function decideOne(draft: Draft, operation: Operation, policy: Policy): Answer {
  switch (operation.op) {
    case 'login':
      return decideLogin(draft, operation, policy);
    case 'logout':
      return decideLogout(draft, operation);
    case 'identify':
      return decideIdentify(draft, operation, policy);
    case 'renew':
      return decideRenew(draft, operation);
    case 'reap':
      return decideReap(draft, operation);
    case 'release-user':
      return decideReleaseUser(draft, operation);
    case 'release-instance':
      return decideReleaseInstance(draft, operation);
    case 'register':
      return decideRegister(draft, operation, policy);
    case 'configure':
      return decideConfigure(draft, operation);
    case 'deregister':
      return decideDeregister(draft, operation);
    case 'renew-instance':
      return decideRenewInstance(draft, operation);
    case 'reap-instance':
      return decideReapInstance(draft, operation);
    case 'report':
      return decideReport(draft, operation, policy);
    case 'close-instance':
      return decideClose(draft, operation);
    case 'lease':
      return decideStatement(draft, operation, policy);
    case 'install-key':
      return decideInstallKey(draft, operation);
    case 'change-key':
      return decideChangeKey(draft, operation);
    case 'remove-key':
      return decideRemoveKey(draft, operation);
    case 'reset-marks':
      return decideResetMarks(draft, operation);
    case 'clear-durations':
      return decideClearDurations(draft, operation);
    case 'activate-key':
      return decideActivate(draft, operation, policy);
    case 'serve-key':
      return decideServeKey(draft, operation, policy);
    case 'check-key':
      return decideCheckKey(draft, operation, policy);
    case 'load-application':
      return decideLoad(draft, operation);
    case 'remove-application':
      return decideUnload(draft, operation);
    case 'take-application':
      return decideTake(draft, operation, policy);
    case 'return-application':
      return decideReturn(draft, operation, policy);
  }
}

/** How many ends that fell due one batch may carry. */
export const DUE_PER_BATCH_MAX = 256;

/** When the next end falls due by time, by the database's clock in ms since 1970; infinity when none does. */
export function nextDueMs(table: Table): number {
  return Math.min(table.due.nextMs, nextLeaseEndMs(table));
}

/**
 * Emits the ends that fell due by time; they come first in a batch.
 * @returns how many there were.
 */
export function emitDue(draft: Draft): number {
  let count = 0;
  while (count < DUE_PER_BATCH_MAX) {
    const login = draft.table.due.take(draft.atMs);
    if (!login) break;
    releaseLogin(draft, login, 'due', SYSTEM_ACTOR);
    count += 1;
  }
  while (count < DUE_PER_BATCH_MAX) {
    const lease = takeEndedLease(draft);
    if (!lease) break;
    endLease(draft, lease, 'expired', SYSTEM_ACTOR);
    count += 1;
  }
  if (draft.table.over.size > 0) endExcesses(draft, 'logouts');
  return count;
}

/** Emits what a batch comes to as a whole, once everything in it is decided. */
export function emitClosing(draft: Draft): void {
  if (draft.table.over.size > 0) recordExcesses(draft);
}
