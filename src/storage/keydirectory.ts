/**
 * The folder of key files that are served by ID (notes 3.4), as it lies on the disk: which files there are, and
 * their bytes. It may be a mounted secret, in which every name is a link that is turned to another file at once.
 */

import { constants } from 'node:fs';
import { lstat, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';

/** What is the name of a key file; others in the folder, and hidden ones, are somebody else's. */
const KEY_FILE_NAME = /^[^.].*\.key$/;

/** A key file of the folder, with what tells one writing of it from another. */
export interface ListedFile {
  readonly name: string;
  /** Differs whenever the file was written or replaced. */
  readonly stamp: string;
  /** When it was written or put in place last, by the clock of the file system, ms since 1970. */
  readonly changedAtMs: number;
  readonly bytes: number;
  /** False for what only has the name of one, such as a folder. */
  readonly isFile: boolean;
}

/** A name that cannot be looked at, with the error's code. */
export interface UnreadableFile {
  readonly name: string;
  readonly error: string;
}

/**
 * Lists the key files of a folder by name: `*.key`, through links.
 * @param filesMax - with more files than so many none of them is looked at.
 * @returns what there is, a file that goes away meanwhile left out; the number of files where there are too many.
 * @throws what the file system throws of the folder itself.
 */
export async function listKeyFiles(
  directory: string,
  filesMax: number,
): Promise<(ListedFile | UnreadableFile)[] | number> {
  const names = (await readdir(directory)).filter((name) => KEY_FILE_NAME.test(name)).sort();
  if (names.length > filesMax) return names.length;
  const files: (ListedFile | UnreadableFile)[] = [];
  for (const name of names) {
    try {
      const found = await stat(path.join(directory, name), { bigint: true });
      files.push({ name, ...describe(found) });
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' || (await isThere(directory, name))) files.push({ name, error: code });
    }
  }
  return files;
}

/** Whether a name is still in the folder, though what it leads to is not. */
async function isThere(directory: string, name: string): Promise<boolean> {
  return lstat(path.join(directory, name)).then(
    () => true,
    () => false,
  );
}

type Found = Awaited<ReturnType<typeof statOf>>;
const statOf = (file: string) => stat(file, { bigint: true });

function describe(found: Found): Omit<ListedFile, 'name'> {
  const { dev, ino, size, mtimeNs, ctimeNs, mtimeMs, ctimeMs } = found;
  return {
    stamp: [dev, ino, size, mtimeNs, ctimeNs].join('.'),
    changedAtMs: Math.max(Number(mtimeMs), Number(ctimeMs)),
    bytes: Number(size),
    isFile: found.isFile(),
  };
}

/**
 * Reads a key file as it was listed.
 * @returns its bytes; null when it is not the same file any more, or was written to while it was read.
 * @throws what the file system throws of it.
 */
export async function readListedFile(directory: string, file: ListedFile): Promise<Buffer | null> {
  const name = path.join(directory, file.name);
  // A pipe that took the file's place must not keep anybody waiting.
  const handle = await open(name, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (describe(await handle.stat({ bigint: true })).stamp !== file.stamp) return null;
    const bytes = Buffer.alloc(file.bytes);
    const { bytesRead } = await handle.read(bytes, 0, file.bytes, 0);
    const isSame = describe(await handle.stat({ bigint: true })).stamp === file.stamp;
    return isSame && bytesRead === file.bytes ? bytes : null;
  } finally {
    await handle.close();
  }
}
