/**
 * What a command touches of the world: streams, files, environment, clock, signals and the server. The process
 * gives the real ones (`process.ts`), a test its own.
 */

import type { Client } from '../client/client.ts';
import type { Environment } from '../config-environment.ts';
import { EXIT } from './faults.ts';
import { colourless, type Painter, painter } from './paint.ts';
import { type Connection, resolveConnection } from './profile.ts';

/** Something that is written to. */
export interface Sink {
  readonly isTerminal: boolean;
  /** How wide it is, in columns of a terminal. */
  readonly columns: number;
  /** How many lines it shows. */
  readonly rows: number;
  /** Settles when more can be written, so that a slow reader holds the writer up. */
  write(text: string): Promise<void>;
  /** Tells of another size, until the function that is returned is called. */
  onResize(listener: () => void): () => void;
}

/** Something that is read from. */
export interface Source {
  readonly isTerminal: boolean;
  /** Everything there is, until the end. */
  readAll(): Promise<Uint8Array>;
  /** One line that a person types; what is secret is not shown. Null at the end of input. */
  ask(question: string, options?: { readonly secret?: boolean }): Promise<string | null>;
  /** Tells of every key that is pressed, until the function that is returned is called. */
  onKey(listener: (key: string) => void): () => void;
}

/** Files, as far as commands need them. */
export interface Files {
  read(path: string): Promise<Uint8Array>;
  /** Permission bits and owner; rejects with code ENOENT when it is not there. */
  stat(path: string): Promise<{ readonly mode: number; readonly uid: number }>;
  /**
   * Writes a file whole or not at all.
   * @param options - `mode`: permission bits; `exclusive`: reject with code EEXIST when it exists.
   */
  write(
    path: string,
    content: string | Uint8Array,
    options: { readonly mode?: number; readonly exclusive?: boolean },
  ): Promise<void>;
  /** Opens a file to write it piece by piece; it appears under its name when it is complete. */
  open(path: string, options: { readonly exclusive?: boolean }): Promise<OpenFile>;
  /** Makes a directory for its owner alone, with those above it. */
  makeDirectory(path: string): Promise<void>;
}

/** A file that is being written. */
export interface OpenFile {
  write(text: string): Promise<void>;
  /** Gives the file its name. */
  finish(): Promise<void>;
  /** Leaves nothing behind. */
  discard(): Promise<void>;
}

/** The parts of a world. */
export interface WorldParts {
  readonly env: Environment;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: Source;
  readonly files: Files;
  /** The user's home directory. */
  readonly home: string;
  /** The numeric user ID; null where the system has none. */
  readonly uid: number | null;
  /** The time in milliseconds since 1970. */
  nowMs(): number;
  /** Waits, and no longer than until the signal. */
  pause(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back for each of these signals of the system, until the function that is returned is called. */
  onSignal(names: readonly NodeJS.Signals[], listener: (name: NodeJS.Signals) => void): () => void;
  /** Makes the client of a connection. */
  connect(connection: Connection): Promise<Client>;
}

/** What every command that asks a server understands. */
export interface CommonOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly profile?: string;
  readonly ca?: string;
  readonly timeout?: number;
  readonly json?: boolean;
}

/** The world of one command. */
export class World {
  readonly parts: WorldParts;
  /** The exit status with which it ends when it does not fail. */
  exit: number = EXIT.done;
  #options: CommonOptions = {};
  #client: Promise<Client> | null = null;
  #answer: Pick<OpenFile, 'write'> | null = null;

  /** @param parts - see there. */
  constructor(parts: WorldParts) {
    this.parts = parts;
  }

  /** What was said on the command line for every command. */
  get options(): CommonOptions {
    return this.#options;
  }

  /** Whether what is printed is for programs. */
  get json(): boolean {
    return this.#options.json === true;
  }

  /** Takes what the command line says; called once, before the command runs. */
  choose(options: CommonOptions): void {
    this.#options = options;
  }

  /** Where the server is and who asks it. */
  connection(): Promise<Connection> {
    return resolveConnection(this.#options, this.parts);
  }

  /**
   * The client of the server that flags, environment or profile name; the same at every call.
   *
   * @throws CliFault when there is none, or the profile is not in order.
   */
  client(): Promise<Client> {
    this.#client ??= this.connection().then((connection) => this.parts.connect(connection));
    return this.#client;
  }

  /** Ends the calls under way, so that the process can end. */
  async close(): Promise<void> {
    const client = await this.#client?.catch(() => null);
    client?.close();
  }

  /** Writes to standard output, where the answer goes and nothing else, or to where it was redirected. */
  print(text: string): Promise<void> {
    return (this.#answer ?? this.parts.stdout).write(text);
  }

  /** Sends the answer to a file; null sends it to standard output again. */
  redirect(file: Pick<OpenFile, 'write'> | null): void {
    this.#answer = file;
  }

  /** Whether a person sees the answer as it is written. */
  get showsAnswer(): boolean {
    return this.#answer === null && this.parts.stdout.isTerminal;
  }

  /** Writes a line to standard error: what is for the person, not for a program that reads the answer. */
  note(line: string): Promise<void> {
    return this.parts.stderr.write(`${line}\n`);
  }

  /** The colours of standard output; none unless it is a terminal. */
  get paint(): Painter {
    const { env } = this.parts;
    const isColoured = this.showsAnswer && !env.NO_COLOR && env.TERM !== 'dumb';
    return isColoured ? painter : colourless;
  }

  /**
   * Asks a person whether to go on.
   *
   * @param question - ends with a question mark.
   * @returns whether the answer was yes; null when nobody can be asked.
   */
  async confirm(question: string): Promise<boolean | null> {
    const { stdin, stderr } = this.parts;
    if (!stdin.isTerminal || !stderr.isTerminal) return null;
    const answer = await stdin.ask(`${question} [y/N] `);
    return /^y(es)?$/i.test(answer?.trim() ?? '');
  }

  /**
   * Reads a file.
   *
   * @param path - `-` is standard input.
   */
  read(path: string): Promise<Uint8Array> {
    return path === '-' ? this.parts.stdin.readAll() : this.parts.files.read(path);
  }
}
