/** The world as it is: this process's streams, files, clock and signals. */

import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { emitKeypressEvents } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { isatty, type WriteStream } from 'node:tty';
import { processEnvironment } from '../config-environment.ts';
import type { Files, OpenFile, Sink, Source, WorldParts } from './world.ts';

const COLUMNS = 80;
const ROWS = 24;

/** The world of this process. */
export function processWorld(): WorldParts {
  return {
    env: processEnvironment(),
    stdout: sinkOf(process.stdout),
    stderr: sinkOf(process.stderr),
    stdin: SOURCE,
    files: FILES,
    home: homeDirectory(),
    uid: process.getuid?.() ?? null,
    nowMs: () => Date.now(),
    async pause(ms, signal) {
      await pause(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {});
    },
    onSignal(names, listener) {
      for (const name of names) process.on(name, listener);
      return () => {
        for (const name of names) process.off(name, listener);
      };
    },
    async connect(connection) {
      const { connect } = await import('./remote.ts');
      return connect(connection, FILES);
    },
  };
}

/** A user whom the system has no entry of, as in some containers, is at home nowhere. */
function homeDirectory(): string {
  try {
    return homedir();
  } catch {
    return '/';
  }
}

function sinkOf(stream: WriteStream): Sink {
  return {
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns || COLUMNS;
    },
    get rows() {
      return stream.rows || ROWS;
    },
    async write(text) {
      if (stream.write(text)) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      stream.once('drain', resolve);
      await promise;
    },
    onResize(listener) {
      stream.on('resize', listener);
      return () => void stream.off('resize', listener);
    },
  };
}

const SOURCE: Source = {
  isTerminal: isatty(0),
  async readAll() {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  },
  async ask(question, { secret = false } = {}) {
    const { createInterface } = await import('node:readline/promises');
    const { Writable } = await import('node:stream');
    // What is typed is shown by the interface; a secret one goes nowhere.
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    const reading = createInterface({
      input: process.stdin,
      output: secret ? nowhere : process.stderr,
      terminal: process.stdin.isTTY,
    });
    if (secret) process.stderr.write(question);
    const { promise, resolve } = Promise.withResolvers<null>();
    reading.once('close', () => resolve(null));
    try {
      return await Promise.race([reading.question(secret ? '' : question), promise]);
    } finally {
      reading.close();
      if (secret) process.stderr.write('\n');
    }
  },
  onKey(listener) {
    const { stdin } = process;
    emitKeypressEvents(stdin);
    const onPress = (text: string | undefined, key: { name?: string; ctrl?: boolean }) =>
      listener(key.ctrl ? `ctrl-${key.name}` : (key.name ?? text ?? ''));
    stdin.setRawMode?.(true);
    stdin.on('keypress', onPress);
    stdin.resume();
    return () => {
      stdin.off('keypress', onPress);
      stdin.setRawMode?.(false);
      stdin.pause();
    };
  },
};

const FILES: Files = {
  async read(path) {
    try {
      return await readFile(path);
    } catch (error) {
      // Of a directory the system does not say which.
      throw Object.assign(error as Error, { path });
    }
  },
  stat: (path) => stat(path),
  async write(path, content, { mode, exclusive = false }) {
    if (exclusive) {
      await writeFile(path, content, { flag: 'wx', flush: true, ...(mode === undefined ? {} : { mode }) });
      return;
    }
    // Whole or not at all, and never for a moment with a wider mode.
    const draft = `${path}.${randomBytes(6).toString('hex')}`;
    try {
      await writeFile(draft, content, { flag: 'wx', flush: true, ...(mode === undefined ? {} : { mode }) });
      await rename(draft, path);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  },
  async open(path, { exclusive = false }) {
    if (exclusive && (await exists(path))) {
      throw Object.assign(new Error('It exists already.'), { code: 'EEXIST', syscall: 'open', path });
    }
    return openDraft(path);
  },
  async makeDirectory(path) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
};

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

async function openDraft(path: string): Promise<OpenFile> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.part`;
  const handle = await open(draft, 'wx');
  return {
    async write(text) {
      await handle.writeFile(text);
    },
    async finish() {
      await handle.sync();
      await handle.close();
      await rename(draft, path);
    },
    async discard() {
      await handle.close().catch(() => {});
      await rm(draft, { force: true });
    },
  };
}
