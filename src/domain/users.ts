/**
 * Who a user is: how the licence user ID follows from what a login says of itself and from the settings of
 * its instance (F-30, F-40…F-48; traps 6 and 24 of the domain notes).
 */

/** The longest legal licence user ID that somebody states, in characters. */
export const USER_ID_LENGTH_MAX = 64;

/** The ID under which an instance's start-up code runs (F-47). */
export const STARTUP_USER_ID = 'User Startup';

/**
 * The form of an ID that is a name: the name alone as F-30 and F-43 say it, or, as IRIS does, the name, an
 * `@` and the client's address, so that one name at two addresses is two users.
 */
export type IdentityForm = 'name' | 'name@address';

/**
 * What a login is: `user` an interactive or client process, `web` a web session, `request` one sessionless
 * REST or SOAP call, `batch` a batch process, `startup` the instance's start-up code, `system` and `server`
 * processes that cost nothing, `emergency` the administrator's login outside the pool.
 */
export type LoginKind = 'user' | 'web' | 'request' | 'batch' | 'startup' | 'system' | 'server' | 'emergency';

/** What a login says of itself, after validation. Absent members are undefined or missing. */
export interface Claims {
  readonly kind: LoginKind;
  /** The explicit licence user ID (F-43). */
  readonly user?: string | undefined;
  /** The name of the operating or database user (F-45). */
  readonly username?: string | undefined;
  /** The client's address in canonical form, found by the edge (F-41). */
  readonly clientAddress?: string | undefined;
  readonly terminal?: { readonly server: string; readonly port: string } | undefined;
  readonly webSession?: string | undefined;
  readonly processId?: number | undefined;
}

/** The settings of an instance that shape identity. */
export interface IdentitySettings {
  readonly identityForm: IdentityForm;
  readonly usernameLicensing: boolean;
  readonly deferredIdentification: boolean;
}

/** The identity of a login: a user, nobody yet (deferred), nobody at all (costs nothing), or a fault. */
export type Identity =
  | { readonly is: 'user'; readonly userId: string }
  | { readonly is: 'pending' }
  | { readonly is: 'nobody' }
  | { readonly is: 'illegal'; readonly detail: string };

/**
 * Finds the licence user ID of a new login.
 * @param claims - what it says of itself.
 * @param settings - of its instance.
 * @param loginId - the login's own ID: a sessionless request that names nobody is a user by itself.
 * @param instance - the instance's name; a process ID means something on its instance only (F-42).
 * @param parent - the ID of the process that started it with `Job`, as it was then (F-34), if any; null when
 * the parent is itself pending.
 */
export function identify(
  claims: Claims,
  settings: IdentitySettings,
  loginId: string,
  instance: string,
  parent?: string | null,
): Identity {
  const kind = claims.kind;
  if (kind === 'system' || kind === 'server' || kind === 'emergency') return { is: 'nobody' };
  if (claims.user !== undefined) return named(claims.user, claims.clientAddress, settings.identityForm);
  if (parent !== undefined) return parent === null ? { is: 'pending' } : { is: 'user', userId: parent };
  if (kind === 'startup') return { is: 'user', userId: STARTUP_USER_ID };
  if (kind === 'user' && settings.deferredIdentification) return { is: 'pending' };
  // The user name stands in for the client's address (F-45): a web session and a batch process have IDs of their own.
  if (settings.usernameLicensing && kind !== 'web' && kind !== 'batch' && claims.username) {
    return named(claims.username, claims.clientAddress, settings.identityForm);
  }
  return automatic(claims, loginId, instance);
}

/** The ID that is found without anybody stating it (F-41, F-42, F-46). */
function automatic(claims: Claims, loginId: string, instance: string): Identity {
  if (claims.kind === 'request') return { is: 'user', userId: `request:${loginId}` };
  if (claims.kind === 'web') return { is: 'user', userId: claims.webSession ?? loginId };
  if (claims.kind === 'batch') {
    if (claims.processId === undefined) {
      return illegal('A batch process is identified by its process ID (F-42): send process.pid.');
    }
    return { is: 'user', userId: `${claims.processId}@${instance}` };
  }
  if (claims.terminal) return { is: 'user', userId: `${claims.terminal.server}/${claims.terminal.port}` };
  if (claims.clientAddress) return { is: 'user', userId: claims.clientAddress };
  return illegal(
    'Nothing identifies the user: send user, username, clientAddress, terminal, webSession or process.',
  );
}

/**
 * Makes an ID of a stated name (F-43, F-45; notes 2.1): `|` is replaced by `/`; in the form `name@address`
 * it is cut at the first `@`, and `@` and the client's address follow.
 * @returns an illegal identity when it is empty or longer than 64 characters.
 */
export function named(name: string, clientAddress: string | undefined, form: IdentityForm): Identity {
  const clean = name.includes('|') ? name.replaceAll('|', '/') : name;
  if (form === 'name') return checked(clean, clean);
  const at = clean.indexOf('@');
  const bare = at < 0 ? clean : clean.slice(0, at);
  if (clientAddress === undefined) {
    return illegal('The instance counts users as name@address: send clientAddress with the user.');
  }
  return checked(bare, `${bare}@${clientAddress}`);
}

function checked(name: string, userId: string): Identity {
  if (name === '') return illegal('The user ID is empty: send at least one character before any "@".');
  if (userId.length > USER_ID_LENGTH_MAX) {
    return illegal(
      `The licence user ID has ${userId.length} characters; at most ${USER_ID_LENGTH_MAX} are legal. Send a shorter one.`,
    );
  }
  return { is: 'user', userId };
}

function illegal(detail: string): Identity {
  return { is: 'illegal', detail };
}

/**
 * Whether a text may be a licence user ID: it must come back from storage as it went in. NUL has no place in
 * its text, and half a character would make two users one.
 */
export function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** How a process that has not identified itself yet is slowed down (F-44). */
export interface Throttle {
  readonly profile: ThrottleProfile;
  /** What the instance counts: lines of code executed, or commands. */
  readonly per: 'lines' | 'commands';
  /** After so many of them the first pause comes. */
  readonly firstPauseAfter: number;
  /** Then one pause after every so many. */
  readonly thenPauseEvery: number;
  readonly pauseSeconds: number;
}

export type ThrottleProfile = 'caché5' | 'caché';

/**
 * @param profile - `caché5`: 15 s in every 1,000 lines (S1); `caché`: after the first 4,000 commands, then
 * every 1,000 (S3), which leaves the length of the pause open.
 * @param pauseSeconds - the pause of the profile `caché`.
 */
export function throttleOf(profile: ThrottleProfile, pauseSeconds: number): Throttle {
  if (profile === 'caché5') {
    return { profile, per: 'lines', firstPauseAfter: 1000, thenPauseEvery: 1000, pauseSeconds: 15 };
  }
  return { profile, per: 'commands', firstPauseAfter: 4000, thenPauseEvery: 1000, pauseSeconds };
}
