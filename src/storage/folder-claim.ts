/**
 * The claim of one process on a folder, by a file that names the process. It is written whole before it gets
 * its name, and it counts only while that process lives, so that a killed owner never blocks the next one.
 */
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Who holds a folder: the number alone can be given to another process, its start cannot. */
interface Claimant {
  readonly pid: number;
  /** When the process started, in the kernel's own words; null where these cannot be had. */
  readonly startedAt: string | null;
}

/** A held claim. */
export interface FolderClaim {
  /** Gives the folder free; nothing happens when another process holds it by now. */
  release(): Promise<void>;
}

const CLAIM_FILE = 'lictor.pid';
/** How often a claim that turns out to be stale is taken away; each round another process may be faster. */
const ATTEMPTS_MAX = 5;

/**
 * Claims a folder for this process.
 * @param directory - an existing folder.
 * @throws Error naming the process and the folder when a living process holds it.
 */
export async function claimFolder(directory: string): Promise<FolderClaim> {
  const file = path.join(directory, CLAIM_FILE);
  const own = path.join(directory, `.${CLAIM_FILE}.${randomUUID()}`);
  const text = `${JSON.stringify({ pid: process.pid, startedAt: await readStart(process.pid) })}\n`;
  await writeFile(own, text, { mode: 0o644 });
  try {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      if (await linkIfAbsent(own, file)) return { release: () => release(file, text) };
      const found = await readText(file);
      if (found === null) continue;
      const holder = parseClaimant(found);
      if (holder !== null && (await lives(holder))) throw new Error(describeHolder(holder, directory));
      await takeAway(file, found);
    }
  } finally {
    await rm(own, { force: true });
  }
  throw new Error(
    `Several processes try to use the folder ${directory} at once. Start only one Lictor on it.`,
  );
}

function describeHolder(holder: Claimant, directory: string): string {
  return (
    `The Lictor process ${holder.pid} already uses the folder ${directory}. Stop it first, choose another folder ` +
    'with LICTOR_DATA_DIR, or give both processes one Postgres server with DATABASE_URL.'
  );
}

/** Removes a stale claim, and puts back what was taken if another process had just made a new one. */
async function takeAway(file: string, stale: string): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  try {
    await rename(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if ((await readText(aside)) !== stale) await linkIfAbsent(aside, file);
  await rm(aside, { force: true });
}

async function release(file: string, text: string): Promise<void> {
  if ((await readText(file)) === text) await rm(file, { force: true });
}

async function linkIfAbsent(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function readText(file: string): Promise<string | null> {
  return await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

function parseClaimant(text: string): Claimant | null {
  try {
    const { pid, startedAt } = JSON.parse(text);
    return Number.isSafeInteger(pid) && pid > 0 ? { pid, startedAt: startedAt ?? null } : null;
  } catch {
    // A file that nobody can have written whole is nobody's claim.
    return null;
  }
}

async function lives(holder: Claimant): Promise<boolean> {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // A process of another user is alive as well.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return holder.startedAt === null || holder.startedAt === (await readStart(holder.pid));
}

/** The boot, the process namespace and the tick in which a process started; null where there is no /proc. */
async function readStart(pid: number): Promise<string | null> {
  try {
    const [boot, stat] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    // The name, in brackets, may hold spaces: fields are counted from behind it. The start is the 22nd of all.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return null;
    return `${boot.trim()}:${fields[19]}`;
  } catch {
    return null;
  }
}
