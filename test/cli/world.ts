/** Running `lictor …` in a test: as a real process, or in this one with streams of the test's own. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { processWorld } from '../../src/cli/process.ts';
import { runCli } from '../../src/cli/run.ts';
import type { Sink, Source, WorldParts } from '../../src/cli/world.ts';
import type { Environment } from '../../src/config-environment.ts';
import { Fold } from '../../src/service/fold.ts';
import { Leadership } from '../../src/service/leadership.ts';
import { type AppFields, type StartedApp, startApp } from '../support/app.ts';
import { createRecordingLogger } from '../support/http.ts';

/** The program itself. */
export const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const PROCESS_TIMEOUT_MS = 20_000;

/** What a command came to. */
export interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a test wants of the world besides; everything has a default. */
export interface WorldFields {
  readonly env?: Environment;
  /** What comes in at standard input. */
  readonly stdin?: string;
  /** Lines that a person types, one for each question; with it standard input and error are terminals. */
  readonly answers?: readonly string[];
  /** Whether standard output is a terminal. */
  readonly isTerminal?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly nowMs?: number;
  readonly parts?: Partial<WorldParts>;
}

/** A stream that keeps what is written. */
export interface RecordingSink extends Sink {
  readonly text: string;
  /** Takes on another size, as a terminal whose window is drawn. */
  resize(columns: number, rows: number): void;
}

/** Makes a stream that keeps what is written. */
export function recordingSink(isTerminal = false, columns = 100, rows = 24): RecordingSink {
  let text = '';
  const size = { columns, rows };
  const listeners = new Set<() => void>();
  return {
    isTerminal,
    get columns() {
      return size.columns;
    },
    get rows() {
      return size.rows;
    },
    get text() {
      return text;
    },
    async write(more) {
      text += more;
    },
    onResize(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    resize(newColumns, newRows) {
      size.columns = newColumns;
      size.rows = newRows;
      for (const listener of listeners) listener();
    },
  };
}

/** Runs a command in this process. */
export async function runIn(args: readonly string[], fields: WorldFields = {}): Promise<Ran> {
  const stdout = recordingSink(fields.isTerminal, fields.columns, fields.rows);
  const stderr = recordingSink(fields.answers !== undefined);
  const exit = await runCli(args, makeWorld(stdout, stderr, fields));
  return { exit, stdout: stdout.text, stderr: stderr.text };
}

/** The parts of a world with real files and real connections. */
export function makeWorld(stdout: Sink, stderr: Sink, fields: WorldFields = {}): WorldParts {
  const { answers, env = {}, nowMs } = fields;
  const left = [...(answers ?? [])];
  const stdin: Source = {
    isTerminal: answers !== undefined,
    readAll: async () => Buffer.from(fields.stdin ?? ''),
    async ask(question) {
      await stderr.write(question);
      return left.shift() ?? null;
    },
    onKey: () => () => {},
  };
  return {
    ...processWorld(),
    env,
    stdout,
    stderr,
    stdin,
    home: '/nowhere',
    ...(nowMs === undefined ? {} : { nowMs: () => nowMs }),
    ...fields.parts,
  };
}

/** A process that may still run. */
export interface Running {
  readonly pid: number;
  /** What it has written so far. */
  readonly stdout: string;
  readonly stderr: string;
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<Ran>;
}

/** Starts `node src/cli.ts …` with an environment of its own and nothing at standard input. */
export function startProcess(args: readonly string[], env: Environment, stdin = ''): Running {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { PATH: process.env.PATH ?? '', HOME: '/nowhere', ...env },
    stdio: 'pipe',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  const deadline = AbortSignal.timeout(PROCESS_TIMEOUT_MS);
  const onDeadline = () => void child.kill('SIGKILL');
  deadline.addEventListener('abort', onDeadline);
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      deadline.removeEventListener('abort', onDeadline);
      resolve({ exit: code ?? (signal === 'SIGKILL' ? 137 : 1), stdout, stderr });
    });
  });
  return {
    pid: child.pid!,
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    signal: (name) => void child.kill(name),
    ended,
  };
}

/** Runs `node src/cli.ts …` to its end. */
export function runProcess(args: readonly string[], env: Environment, stdin?: string): Promise<Ran> {
  return startProcess(args, env, stdin).ended;
}

/** The application on a real port, with the environment by which a command finds it. */
export interface ListeningApp extends StartedApp {
  readonly url: string;
  /** The environment of a command that asks as this role. */
  as(role: keyof StartedApp['tokens']): Environment;
  /** A folder for the files of the test. */
  readonly folder: string;
  /** Writes a file into the folder, and answers its path. */
  file(name: string, content: string | Uint8Array, mode?: number): Promise<string>;
  /** Runs a command in this process, as the administrator. */
  lictor(args: string, fields?: WorldFields): Promise<Ran>;
}

/** Folds what is decided into the tables that lists are read from, as the leader does. */
function startFold({ sql, lane }: StartedApp): () => Promise<void> {
  const logger = createRecordingLogger();
  const leadership = new Leadership({
    shard: 0,
    sql,
    holder: 'the-test',
    leaseMs: 60_000,
    renewMs: 1_000,
    mayLead: () => true,
    logger,
  });
  const fold = new Fold({ shard: 0, sql, lane, leadership, logger, intervalMs: 10 });
  leadership.start();
  fold.start();
  return async () => {
    await fold.close();
    await leadership.close();
  };
}

/** Starts the application and listens on loopback. */
export async function startListening(fields?: AppFields): Promise<ListeningApp> {
  const app = await startApp(fields);
  const endFold = startFold(app);
  const url = await app.app.listen({ host: '127.0.0.1', port: 0 });
  const folder = await mkdtemp(path.join(tmpdir(), 'lictor-cli-'));
  const as = (role: keyof StartedApp['tokens']): Environment => ({
    LICTOR_URL: url,
    LICTOR_TOKEN: app.tokens[role],
  });
  return {
    ...app,
    url,
    as,
    folder,
    async file(name, content, mode = 0o600) {
      const file = path.join(folder, name);
      await writeFile(file, content, { mode });
      return file;
    },
    lictor: (args, worldFields = {}) =>
      runIn(wordsOf(args), { ...worldFields, env: { ...as('administrator'), ...worldFields.env } }),
    async close() {
      await endFold();
      await app.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Splits a command line as a shell does, as far as double quotes. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}
