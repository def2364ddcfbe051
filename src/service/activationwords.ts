/**
 * What the journal says of activated keys, in words.
 */

import type { Activated, Moved } from '../domain/events.ts';
import { defaultPoolOf } from '../domain/instances.ts';
import type { ActivationCause } from '../domain/keys/activation.ts';

/** Who or what brought a key, to stand after "because". */
const CAUSES: Readonly<Record<ActivationCause, string>> = {
  activated: 'an administrator activated it',
  registered: 'the instance registered with it',
  served: 'it is served under the LicenseID of the instance',
  restarted: 'the instance was started',
  'rolled-back': 'an administrator went back to it',
};

/** Says what an event means, in a sentence or two. */
export function activationWords(event: Activated | Moved): string {
  if (event.type === 'moved') return movedWords(event);
  const { instance, from, to, outcome, cause, reason } = event.activation;
  const key = to === null ? 'no key' : `key ${to}`;
  const former = from === null ? 'no key' : `key ${from}`;
  switch (outcome) {
    case 'active':
    case 'partly-active':
      if (to === null || to === from) return reason;
      return `Instance ${instance} works under ${key} in place of ${former}, because ${CAUSES[cause]}. ${reason}`;
    case 'pending':
      return `Instance ${instance} stays with ${former} until its next start, which brings ${key}, because ${CAUSES[cause]}. ${reason}`;
    case 'cancelled':
    case 'dropped':
      return reason;
  }
}

function movedWords({ instance, from, to, logins, used }: Moved): string {
  const prefix = defaultPoolOf('');
  const former = from.startsWith(prefix) ? 'the default licence' : `key ${from}`;
  const inUse = used.find(([pool]) => pool === to)?.[1] ?? 0;
  const many = logins === 1 ? '1 login' : `${logins} logins`;
  return `${many} of ${instance} went over from ${former} to key ${to}; nobody lost a unit. ${inUse} units of it were in use afterwards.`;
}
