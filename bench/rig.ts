/**
 * Everything that a run starts: Postgres, Redis, servers, and the bare route. It closes in the reverse order,
 * whatever ends the run.
 */

import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { startRedis, type TestRedis } from '../test/support/redis.ts';
import type { Accounted } from './accounting.ts';
import { Api, TOKEN } from './api.ts';
import { type BenchPostgres, connect, startPostgres } from './postgres.ts';
import { type Listening, startProgram } from './processes.ts';
import { spreadOf } from './statistics.ts';

const READY_TIMEOUT_MS = 60_000;
const SETTLE_TIMEOUT_MS = 60_000;
const SETTLE_POLL_MS = 25;

/** A running server with what belongs to it. */
export interface BenchServer extends Listening {
  readonly api: Api;
}

/** A database with the servers on it. */
export class Site {
  readonly url: string;
  readonly sql: Sql;
  readonly postgres: BenchPostgres;
  readonly #rig: Rig;
  readonly #name: string;
  readonly servers: BenchServer[] = [];

  constructor(rig: Rig, name: string, url: string, postgres: BenchPostgres) {
    this.#rig = rig;
    this.#name = name;
    this.url = url;
    this.postgres = postgres;
    this.sql = connect(url);
  }

  /** The first of the servers. */
  get api(): Api {
    return this.servers[0]!.api;
  }

  get urls(): string[] {
    return this.servers.map((server) => server.url);
  }

  /** The processes whose CPU time is spent for this site. */
  get accounted(): Accounted {
    return {
      node: this.servers.map((server) => server.pid),
      postgres: [this.postgres.pid],
      redis: [this.#rig.redis.pid],
    };
  }

  /**
   * Starts one more server on the database, and waits until it is ready.
   * @param nodeArgs - options of Node.
   */
  async start(nodeArgs: readonly string[] = []): Promise<BenchServer> {
    const listening = await startProgram(['--inspect-port=0', ...nodeArgs, 'src/cli.ts', 'serve'], {
      DATABASE_URL: this.url,
      REDIS_URL: this.#rig.redis.url,
      LICTOR_REDIS_PREFIX: `${this.#name}:`,
      PORT: '0',
      LICTOR_ADMIN_TOKEN: TOKEN,
      LICTOR_ALLOW_UNVERIFIED_KEYS: 'true',
    });
    const server = { ...listening, api: new Api(listening.url) };
    this.servers.push(server);
    await server.api.ready(READY_TIMEOUT_MS);
    return server;
  }

  /** Stops all servers; the database stays. */
  async stop(): Promise<void> {
    for (const server of this.servers.splice(0)) await server.stop();
  }

  /** How many rows of the journal are not folded yet. */
  async lag(): Promise<number> {
    const [row] = await this.sql<{ lag: number }[]>`
      select shards.version - folds.version as lag from shards join folds on folds.shard = shards.id`;
    return row!.lag;
  }

  /** Waits until everything is folded. */
  async settle(): Promise<void> {
    const deadline = performance.now() + SETTLE_TIMEOUT_MS;
    while ((await this.lag()) > 0) {
      if (performance.now() > deadline) {
        const words = this.servers.map((server) => server.lastLines()).join('\n');
        throw new Error(
          `The fold of ${this.#name} does not come to its end. The servers' last lines:\n${words}`,
        );
      }
      await pause(SETTLE_POLL_MS);
    }
  }

  async close(): Promise<void> {
    await this.stop();
    await this.sql.end({ timeout: 2 });
  }
}

/** The processes of a run. */
export class Rig {
  readonly directory: string;
  readonly redis: TestRedis;
  readonly postgres: BenchPostgres;
  readonly bare: Listening;
  /** Aborted when the run is to end early. */
  readonly signal: AbortSignal;
  readonly #closers: (() => Promise<void>)[];

  private constructor(
    parts: Pick<Rig, 'directory' | 'redis' | 'postgres' | 'bare' | 'signal'>,
    closers: (() => Promise<void>)[],
  ) {
    this.directory = parts.directory;
    this.redis = parts.redis;
    this.postgres = parts.postgres;
    this.bare = parts.bare;
    this.signal = parts.signal;
    this.#closers = closers;
  }

  /** Starts what every part of a run needs. */
  static async open(signal: AbortSignal): Promise<Rig> {
    const directory = await mkdtemp(path.join(tmpdir(), 'lictor-bench-'));
    await chmod(directory, 0o755);
    const closers = [() => rm(directory, { recursive: true, force: true })];
    try {
      const redis = await startRedis();
      closers.push(() => redis.stop());
      const postgres = await startPostgres(path.join(directory, 'postgres'));
      closers.push(() => postgres.stop());
      const bare = await startProgram(['bench/bare.ts'], {});
      closers.push(() => bare.stop());
      return new Rig({ directory, redis, postgres, bare, signal }, closers);
    } catch (error) {
      for (const close of closers.reverse()) await close();
      throw error;
    }
  }

  /** Has something closed at the end. */
  onClose(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  /** Makes a database of its own, without a server yet. */
  async site(name: string, postgres: BenchPostgres = this.postgres): Promise<Site> {
    const site = new Site(this, name, await postgres.createDatabase(name), postgres);
    this.onClose(() => site.close());
    return site;
  }

  /** Closes everything; what cannot be closed is said and passed over. */
  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      await close().catch((error: Error) => process.stderr.write(`${error.message}\n`));
    }
  }

  /** How long this machine's disk takes to make a small write durable, in milliseconds: median of many. */
  flushMs(): number {
    const file = openSync(path.join(this.directory, 'flush'), 'w');
    const block = Buffer.alloc(8192);
    const times: number[] = [];
    for (let number = 0; number < 200; number += 1) {
      writeSync(file, block, 0, block.length, number * block.length);
      const from = performance.now();
      fdatasyncSync(file);
      times.push(performance.now() - from);
    }
    closeSync(file);
    return spreadOf(times).median;
  }
}
