/**
 * The Postgres of a run: the embedded binaries with durable settings, made for this run and removed after it;
 * and a second one whose disk is made slower, for the guard.
 */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres, { type Sql } from 'postgres';
import { findPostgresBinaries, findServerUser } from '../src/storage/postgres-binaries.ts';
import {
  initialiseDataDirectory,
  SERVER_ROLE,
  startServer,
  stopServer,
} from '../src/storage/postgres-server.ts';

/** As durable as a real one, with memory and WAL enough that no checkpoint falls into a measurement. */
const SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_sync_method: 'fdatasync',
  shared_buffers: '1GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
  max_connections: '200',
  timezone: 'UTC',
};

const SLOW_DISK_SOURCE = fileURLToPath(new URL('slow-disk.c', import.meta.url));

/** A running Postgres. */
export interface BenchPostgres {
  readonly pid: number;
  /** Makes an empty database and returns where it is. */
  createDatabase(name: string): Promise<string>;
  stop(): Promise<void>;
}

/**
 * Starts a Postgres on a fresh folder.
 * @param directory - a folder that does not exist yet.
 * @param preload - a library to preload into it, by path.
 */
export async function startPostgres(directory: string, preload?: string): Promise<BenchPostgres> {
  const user = findServerUser();
  const binaries = await findPostgresBinaries(user);
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const dataDirectory = path.join(directory, 'data');
  const password = randomBytes(12).toString('hex');
  const cluster = { binaries, user, dataDirectory, onLine: () => {} };
  await initialiseDataDirectory(cluster, password);
  const program =
    preload === undefined ? binaries.postgres : await wrap(directory, binaries.postgres, preload);
  const server = await startServer({
    ...cluster,
    binaries: { ...binaries, postgres: program },
    settings: SETTINGS,
  });
  const at = (database: string) =>
    `postgres://${SERVER_ROLE}:${password}@127.0.0.1:${server.port}/${database}`;
  return {
    pid: server.pid,
    async createDatabase(name) {
      const sql = connect(at('postgres'));
      try {
        await sql`create database ${sql(name)}`;
      } finally {
        await sql.end();
      }
      return at(name);
    },
    stop: () => stopServer(server.pid),
  };
}

/** A handle of the benchmark's own, beside those of the servers. */
export function connect(url: string): Sql {
  return postgres(url, {
    max: 1,
    onnotice: () => {},
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  }) as unknown as Sql;
}

/** The server is started with a clean environment, so that the preloading is done by a script of one line. */
async function wrap(directory: string, program: string, preload: string): Promise<string> {
  const script = path.join(directory, 'postgres');
  await writeFile(script, `#!/bin/sh\nLD_PRELOAD='${preload}' exec '${program}' "$@"\n`);
  await chmod(script, 0o755);
  return script;
}

/**
 * Compiles the library that delays every flush to disk.
 * @returns its path; null when there is no C compiler.
 */
export async function compileSlowDisk(directory: string): Promise<string | null> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const library = path.join(directory, 'slow-disk.so');
  for (const compiler of ['cc', 'gcc', 'clang']) {
    const args = ['-shared', '-fPIC', '-O1', '-o', library, SLOW_DISK_SOURCE, '-ldl'];
    const compiled = spawnSync(compiler, args, { encoding: 'utf8' });
    if (compiled.error !== undefined) continue;
    if (compiled.status !== 0)
      throw new Error(`${compiler} could not compile slow-disk.c: ${compiled.stderr}`);
    await chmod(library, 0o755);
    return library;
  }
  return null;
}
