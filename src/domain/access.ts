/**
 * Who may do what. A token has one role, and may be restricted to some keys or to one instance; what it may
 * do is the role's list, and on what, its restriction. Nothing here knows how a token is presented or stored.
 */

/** The shortest text that is accepted as the configured administrator's token; anything shorter can be guessed. */
export const ADMIN_TOKEN_LENGTH_MIN = 20;

/** Everything that a token can permit. Each route names one of these, and the API's description shows it. */
export const ACTIONS = [
  'keys.inspect',
  'keys.read',
  'keys.install',
  'keys.change',
  'keys.remove',
  'instances.register',
  'instances.read',
  'instances.change',
  'instances.activate',
  'instances.remove',
  'instances.heartbeat',
  'instances.update',
  'logins.create',
  'logins.read',
  'logins.explain',
  'logins.renew',
  'logins.release',
  'logins.force',
  'logins.emergency',
  'usage.read',
  'usage.reset',
  'applications.read',
  'applications.use',
  'applications.load',
  'applications.change',
  'journal.read',
  'servers.read',
  'servers.serve',
  'servers.change',
  'metrics.read',
  'diagnosis.read',
  'tokens.manage',
] as const;

/** One thing that a token can permit. */
export type Action = (typeof ACTIONS)[number];

/** The roles, from the widest to the narrowest of those for people, then the one for software. */
export const ROLES = ['administrator', 'operator', 'viewer', 'instance'] as const;

/** A role of a token. */
export type Role = (typeof ROLES)[number];

const VIEWER: readonly Action[] = [
  'keys.inspect',
  'keys.read',
  'instances.read',
  'logins.read',
  'logins.explain',
  'usage.read',
  'applications.read',
  'journal.read',
  'servers.read',
  'metrics.read',
];

const OPERATOR: readonly Action[] = [
  ...VIEWER,
  'instances.register',
  'instances.change',
  'instances.remove',
  'instances.heartbeat',
  'instances.update',
  'logins.create',
  'logins.renew',
  'logins.release',
  'logins.force',
  'usage.reset',
  'applications.use',
  'applications.load',
  'applications.change',
  'servers.serve',
  'diagnosis.read',
];

// What an installation does for itself. It may not force out others' logins or read the journal, and the
// emergency login, the way in when every unit is taken (F-23), is for administrators only.
const INSTANCE: readonly Action[] = [
  'keys.inspect',
  'instances.register',
  'instances.read',
  'instances.remove',
  'instances.heartbeat',
  'instances.update',
  'logins.create',
  'logins.read',
  'logins.explain',
  'logins.renew',
  'logins.release',
  'usage.read',
  'applications.read',
  'applications.use',
  // An application loads its own licence when it starts (F-72).
  'applications.load',
  // It shows which licence server is active (F-16), and is one unless its token is restricted.
  'servers.read',
  'servers.serve',
];

/** What each role may do, on whatever its token is not restricted from. */
export const ROLE_ACTIONS: Readonly<Record<Role, ReadonlySet<Action>>> = {
  administrator: new Set(ACTIONS),
  operator: new Set(OPERATOR),
  viewer: new Set(VIEWER),
  instance: new Set(INSTANCE),
};

/** Role and restriction: what a token may do. `null` is unrestricted. */
export interface Grant {
  readonly role: Role;
  /** The keys it may touch; null is every key, and an empty list is none. */
  readonly keys: readonly string[] | null;
  /** The one instance it may touch; null is every instance. */
  readonly instance: string | null;
}

/** Who is asking: a token that was presented and found valid. */
export interface Principal extends Grant {
  readonly tokenId: string;
  /** What people call the token; it stands in the journal as the actor. */
  readonly name: string;
}

/** What an action is done to. Members that do not apply, or are not known, are left out. */
export interface Target {
  readonly keyId?: string | null | undefined;
  readonly instance?: string | null | undefined;
}

/**
 * Whether a principal may do an action. Without a target the answer is for the role alone: "may it do this
 * to anything at all"; the edge asks that before a body is read, and whoever knows the target asks again.
 * With a target every restriction must be met by it: a token restricted to keys may not touch what has no
 * key, because nothing says that it belongs to the token's keys.
 *
 * @param principal - the token's role and restriction.
 * @param action - what is to be done.
 * @param target - the key and instance it is done to, as far as known; undefined asks for the role alone.
 * @returns true when it is permitted.
 */
export function permits(principal: Grant, action: Action, target?: Target): boolean {
  if (!ROLE_ACTIONS[principal.role].has(action)) return false;
  if (target === undefined) return true;
  if (principal.instance !== null && target.instance !== principal.instance) return false;
  if (principal.keys === null) return true;
  return typeof target.keyId === 'string' && principal.keys.includes(target.keyId);
}

/**
 * Whether a principal reaches everything: lists are then not filtered and totals may be shown.
 *
 * @param principal - the token's restriction.
 * @returns true when it is restricted neither to keys nor to an instance.
 */
export function isUnrestricted(principal: Grant): boolean {
  return principal.keys === null && principal.instance === null;
}

/**
 * Whether a principal may make, see or revoke a token: only an administrator, and only tokens that reach no
 * further than its own, so that a restriction cannot be shed by making a second token.
 *
 * @param principal - who asks.
 * @param wanted - the role and restriction of the other token.
 * @returns true when every key and instance that the other token reaches is the principal's too.
 */
export function mayGrant(principal: Grant, wanted: Grant): boolean {
  if (!permits(principal, 'tokens.manage')) return false;
  if (principal.instance !== null && wanted.instance !== principal.instance) return false;
  if (principal.keys === null) return true;
  const own = principal.keys;
  return wanted.keys?.every((key) => own.includes(key)) ?? false;
}
