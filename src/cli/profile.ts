/**
 * Where the server is and who asks it: options go before the environment, which goes before the profile file. The
 * file may hold tokens, so one that others can read is refused.
 */

import path from 'node:path';
import type { Environment } from '../config-environment.ts';
import { CliFault, EXIT, fileWords } from './faults.ts';
import type { CommonOptions, WorldParts } from './world.ts';

/** One profile, as the file holds it. */
export interface Profile {
  readonly url: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  /** The instance that `lictor license` is about when nothing else is said. */
  readonly instance?: string;
}

/** The profile file. */
export interface Profiles {
  /** The profile that is used when none is named. */
  readonly current: string | null;
  readonly profiles: Readonly<Record<string, Profile>>;
}

/** Where the server is and who asks. */
export interface Connection {
  readonly urls: readonly string[];
  readonly token?: string;
  readonly tokenFile?: string;
  /** A file of further certificates that are trusted. */
  readonly ca?: string;
  readonly timeoutMs?: number;
  /** The instance of the profile. */
  readonly instance?: string;
  /** Where the address was found, in words. */
  readonly source: string;
}

/** The mode that a file with tokens must not exceed. */
const OTHERS = 0o077;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const NO_PROFILES: Profiles = { current: null, profiles: {} };

/** What resolving needs of the world. */
type Needs = Pick<WorldParts, 'env' | 'files' | 'home' | 'uid'>;

/** The path of the profile file. */
export function profilePath({ env, home }: Pick<WorldParts, 'env' | 'home'>): string {
  if (env.LICTOR_PROFILE_FILE) return env.LICTOR_PROFILE_FILE;
  return path.join(env.XDG_CONFIG_HOME || path.join(home, '.config'), 'lictor', 'profile.json');
}

/**
 * Reads the profile file.
 *
 * @param world - files and environment.
 * @returns no profiles when there is no file.
 * @throws CliFault when others can read it, or it is not in order.
 */
export async function readProfiles(world: Needs): Promise<Profiles> {
  const file = profilePath(world);
  try {
    const { mode, uid } = await world.files.stat(file);
    if (world.uid !== null && uid !== world.uid && uid !== 0) {
      throw new CliFault(
        EXIT.usage,
        `The profile file ${file} belongs to somebody else.`,
        `chown it to you.`,
      );
    }
    if (world.uid !== null && (mode & OTHERS) !== 0) {
      const bits = (mode & 0o777).toString(8).padStart(4, '0');
      throw new CliFault(
        EXIT.usage,
        `The profile file ${file} has mode ${bits}, so others can read or change it; it may hold tokens.`,
        `chmod 600 ${file}, and make new tokens if somebody may have read it.`,
      );
    }
    return parseProfiles(file, Buffer.from(await world.files.read(file)).toString('utf8'));
  } catch (error) {
    if (error instanceof CliFault) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return NO_PROFILES;
    const words = fileWords(code ?? 'it is unreadable');
    throw new CliFault(EXIT.usage, `The profile file ${file} cannot be used: ${words}.`);
  }
}

/** Nothing of the content is told when it is not in order, because it may be a token. */
function parseProfiles(file: string, text: string): Profiles {
  const fault = (what: string) =>
    new CliFault(
      EXIT.usage,
      `The profile file ${file} ${what}.`,
      'Mend it, or make it anew with "lictor profile set".',
    );
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw fault('is not JSON');
  }
  if (!isRecord(parsed) || !isRecord(parsed.profiles)) throw fault('has no member "profiles"');
  const { current = null, profiles } = parsed;
  if (current !== null && typeof current !== 'string') throw fault('has a "current" that is no name');
  for (const [name, profile] of Object.entries(profiles)) {
    if (!NAME.test(name)) throw fault('has a profile whose name is not in order');
    if (!isRecord(profile) || typeof profile.url !== 'string')
      throw fault(`has no "url" in the profile ${name}`);
    for (const member of ['token', 'tokenFile', 'ca', 'instance']) {
      if (!['string', 'undefined'].includes(typeof profile[member])) {
        throw fault(`has a "${member}" in the profile ${name} that is no text`);
      }
    }
  }
  return { current, profiles: profiles as Readonly<Record<string, Profile>> };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Writes the profile file, for its owner alone.
 *
 * @param world - files and environment.
 * @param profiles - all profiles.
 */
export async function writeProfiles(world: Needs, profiles: Profiles): Promise<void> {
  const file = profilePath(world);
  await world.files.makeDirectory(path.dirname(file));
  await world.files.write(file, `${JSON.stringify(profiles, null, 2)}\n`, { mode: 0o600 });
}

/** @throws CliFault when it is not the name of a profile. */
export function requireProfileName(name: string): void {
  if (NAME.test(name)) return;
  throw new CliFault(
    EXIT.usage,
    `"${name}" is not the name of a profile.`,
    'Use 1 to 64 characters: letters, digits, and . _ - after the first.',
  );
}

/**
 * Finds out where the server is and who asks. A profile that an option names goes before the environment, and the
 * current profile after it. A profile's token goes to that profile's address only.
 *
 * @param options - the command line.
 * @param world - environment and files.
 * @throws CliFault when no address is known, or two tokens are given.
 */
export async function resolveConnection(options: CommonOptions, world: Needs): Promise<Connection> {
  const { env } = world;
  const named = options.profile === undefined ? null : await findProfile(options.profile, world);
  const stated = options.url ?? named?.profile.url ?? (env.LICTOR_URL || undefined);
  // With an address of its own a command does not depend on the state of a file that it does not need.
  const found = named ?? (stated === undefined ? await findProfile(env.LICTOR_PROFILE || null, world) : null);
  const address = stated ?? found?.profile.url;
  if (address === undefined) {
    throw new CliFault(
      EXIT.usage,
      'No server is named.',
      'Give --url or LICTOR_URL, such as http://127.0.0.1:8080, or keep it with "lictor profile set".',
    );
  }
  const own = address === found?.profile.url ? found.profile : null;
  const token =
    options.tokenFile === undefined
      ? ((named === null ? null : tokenOfProfile(own)) ?? tokenOfEnvironment(env) ?? tokenOfProfile(own))
      : { tokenFile: options.tokenFile };
  const ca = options.ca ?? own?.ca ?? (env.LICTOR_CA_FILE || undefined);
  return {
    urls: address.split(/[\s,]+/).filter((url) => url !== ''),
    ...token,
    ...(ca === undefined ? {} : { ca }),
    ...(own?.instance === undefined ? {} : { instance: own.instance }),
    ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout * 1_000 }),
    source: options.url === undefined ? (own === null ? 'LICTOR_URL' : `profile ${found!.name}`) : '--url',
  };
}

/** A profile by its name, or the current one; null when none is current. */
async function findProfile(
  wanted: string | null,
  world: Needs,
): Promise<{ readonly name: string; readonly profile: Profile } | null> {
  const { current, profiles } = await readProfiles(world);
  const name = wanted ?? current;
  if (name === null) return null;
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile !== undefined) return { name, profile };
  const names = Object.keys(profiles);
  throw new CliFault(
    EXIT.usage,
    `There is no profile "${name}".`,
    names.length === 0 ? 'Make it with "lictor profile set".' : `There is ${names.join(', ')}.`,
  );
}

type TokenPart = Pick<Connection, 'token' | 'tokenFile'>;

function tokenOfProfile(profile: Profile | null): TokenPart | null {
  if (profile?.token !== undefined) return { token: profile.token };
  return profile?.tokenFile === undefined ? null : { tokenFile: profile.tokenFile };
}

function tokenOfEnvironment({
  LICTOR_TOKEN: token,
  LICTOR_TOKEN_FILE: tokenFile,
}: Environment): TokenPart | null {
  if (token && tokenFile) {
    throw new CliFault(
      EXIT.usage,
      'LICTOR_TOKEN and LICTOR_TOKEN_FILE are both set.',
      'Unset one of them, or say --token-file.',
    );
  }
  if (token) return { token };
  return tokenFile ? { tokenFile } : null;
}
