/**
 * Connections to Postgres, what their settings promise, and what their errors mean. Everything that depends on
 * a SQLSTATE or on the driver's own codes is mapped here, once.
 */
import { connect, type Socket } from 'node:net';
import postgres from 'postgres';
import { ARRAY_TYPES } from './arrays.ts';

/** What the storage room tells about itself; a pino logger fits. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** How long to try to open a connection, so that a database that is away is noticed and said. */
const CONNECT_TIMEOUT_SECONDS = 10;
/** A connection of the pool that nobody used for so long is closed. */
const IDLE_TIMEOUT_SECONDS = 60;
/** Old connections are replaced, so that a pool spreads over the servers behind a changed address. */
const LIFETIME_MAX_SECONDS = 3_600;
/** The longest that one statement of the pool may take; the lane's have no limit, since none is cancelled. */
const STATEMENT_TIMEOUT_MS = 30_000;
/** A connection on which nothing comes or goes for so long is given up; longer than any statement may take. */
const SILENCE_TIMEOUT_MS = 45_000;
/** A transaction that does nothing for so long keeps dead rows of the shard's head alive, so it is ended. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000;

/** How to connect. */
export interface DatabaseOptions {
  /** A `postgres://` URL; `?sslmode=…` in it is obeyed. */
  readonly url: string;
  readonly logger: Logger;
  /** How the connections are named in `pg_stat_activity`. */
  readonly applicationName: string;
}

/**
 * Opens a pool for everything but the lane. Connections are made when they are first needed.
 * @param options.connectionsMax - how many connections there are at most.
 * @param options.isKept - whether connections are never closed for their age, because a session holds something.
 * @returns the handle of postgres.js; `bigint` columns come as numbers, times as Date.
 */
export function connectDatabase(
  options: DatabaseOptions & { readonly connectionsMax: number; readonly isKept?: boolean },
): postgres.Sql {
  const { logger, isKept = false } = options;
  return postgres(options.url, {
    ...commonOptions(options),
    max: options.connectionsMax,
    idle_timeout: isKept ? undefined : IDLE_TIMEOUT_SECONDS,
    max_lifetime: isKept ? null : LIFETIME_MAX_SECONDS,
    // The driver takes this option, and its types do not name it.
    ...({ socket: guardSockets() } as object),
    onnotice: (notice) => logNotice(logger, notice),
    connection: {
      ...sessionOptions(options),
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    },
  }) as unknown as postgres.Sql;
}

/** How to connect for the lane. */
export interface LaneDatabaseOptions extends DatabaseOptions {
  /** Told of every notice before the promise of the statement that raised it settles. */
  readonly onNotice?: (notice: postgres.Notice) => void;
  /** Told when the connection is lost: what was checked of it must be checked again on the next one. */
  readonly onClose?: () => void;
}

/**
 * Opens the one connection of the lane. Its statements have no timeout and must never be cancelled: a cancelled
 * commit may yet stand. When the connection is lost, the statement in flight fails with an error for
 * which `isConnectionError` holds. The caller then ends this handle with `end({ timeout: 0 })`, opens another,
 * and settles the open append there; it does the same when an answer does not come in time, because the
 * network went away in silence. It must not go on with the old handle: the driver would connect anew, but it
 * reports the last words of the lost session as the error of the next statement, which was never run.
 * @returns a handle with a single connection.
 */
export function connectLaneDatabase(options: LaneDatabaseOptions): postgres.Sql {
  const { logger, onNotice, onClose } = options;
  const common = commonOptions(options);
  return postgres(options.url, {
    ...common,
    onclose: () => {
      common.onclose();
      onClose?.();
    },
    max: 1,
    idle_timeout: undefined,
    max_lifetime: null,
    onnotice: (notice) => {
      onNotice?.(notice);
      logNotice(logger, notice);
    },
    connection: { ...sessionOptions(options), statement_timeout: 0, lock_timeout: 0 },
  }) as unknown as postgres.Sql;
}

/**
 * Makes the opener of a handle's sockets, which do not wait for ever: a server that vanished without a word
 * leaves statements without an answer for as long as TCP tries. No statement of a pool may take so long, and an
 * idle connection that is closed is opened again when it is needed. The driver gets a socket that is still
 * connecting, so that it hears of every failure from the socket itself. Of several hosts each attempt takes the
 * next.
 */
function guardSockets(): (address: SocketAddress) => Socket {
  let attempts = 0;
  return ({ host, port, path }) => {
    const index = attempts % host.length;
    attempts += 1;
    const socket = path ? connect(path) : connect(port[index]!, host[index]!);
    const silent = Object.assign(new Error('The database fell silent.'), { code: 'ETIMEDOUT' });
    socket.setTimeout(SILENCE_TIMEOUT_MS, () => socket.destroy(silent));
    // The driver reads the host from the socket when it starts TLS on it.
    return Object.assign(socket, { host: host[index]!, port: port[index]! });
  };
}

/** Where to connect, as the driver tells it. */
interface SocketAddress {
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly path?: string | false;
}

function commonOptions(options: DatabaseOptions) {
  return {
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    // A pool that reconnects after an outage must not do so in the same instant as all the others.
    backoff: (retries: number) => Math.min(0.05 * 2 ** retries, 2) * (0.5 + Math.random() / 2),
    fetch_types: false,
    types: {
      ...ARRAY_TYPES,
      // Versions and counts stay far below 2^53, so a number is exact and a bigint only a nuisance.
      bigint: { to: 20, from: [20], parse: Number, serialize: String },
    },
    onclose: () =>
      options.logger.debug({ application: options.applicationName }, 'A database connection closed.'),
  };
}

function sessionOptions(options: DatabaseOptions) {
  return { application_name: options.applicationName, TimeZone: 'UTC' };
}

function logNotice(logger: Logger, notice: postgres.Notice): void {
  const fields = { code: notice.code, severity: notice.severity };
  if (notice.severity === 'WARNING') logger.warn(fields, notice.message ?? '');
  else logger.debug(fields, notice.message ?? '');
}

/**
 * Whether a notice makes a commit's outcome unknown. A commit that succeeds although its wait for a synchronous
 * standby was cut short says so by a warning only, and nothing else of the lane ever warns, so any warning
 * counts as doubt.
 */
export function isDoubtful(notice: postgres.Notice): boolean {
  return notice.severity !== 'NOTICE' && notice.severity !== 'INFO' && notice.severity !== 'DEBUG';
}

/** The settings on which durability rests, as the session that asked sees them. */
export interface DurabilitySettings {
  readonly fsync: string;
  readonly synchronous_commit: string;
  readonly full_page_writes: string;
  readonly synchronous_standby_names: string;
  readonly in_recovery: boolean;
  readonly server_version: string;
}

/** What a database promises for an acknowledged append. */
export interface Durability {
  /** Whether an acknowledged append survives a crash of this server. */
  readonly safe: boolean;
  readonly settings: DurabilitySettings;
  /** For people: what could be lost by a crash, and what by a failover. */
  readonly words: string;
}

/**
 * Asks the database how durable a commit of this session is.
 * @param sql - a handle; use the lane's, since the settings may differ by session.
 */
export async function checkDurability(sql: postgres.Sql): Promise<Durability> {
  const [settings] = await sql<DurabilitySettings[]>`
    select current_setting('fsync') as fsync,
      current_setting('synchronous_commit') as synchronous_commit,
      current_setting('full_page_writes') as full_page_writes,
      current_setting('synchronous_standby_names') as synchronous_standby_names,
      pg_is_in_recovery() as in_recovery,
      current_setting('server_version') as server_version`;
  return judgeDurability({ ...settings! });
}

/**
 * What settings promise.
 * @param settings - as `checkDurability` reads them.
 */
export function judgeDurability(settings: DurabilitySettings): Durability {
  const faults: string[] = [];
  if (settings.in_recovery) faults.push('it is a standby in recovery and accepts no writes');
  if (settings.fsync === 'off')
    faults.push('fsync is off, so a crash of the machine can lose or corrupt any data');
  if (settings.full_page_writes === 'off') {
    faults.push('full_page_writes is off, so a crash of the machine can tear pages');
  }
  if (settings.synchronous_commit === 'off') {
    faults.push(
      'synchronous_commit is off, so a crash can lose what was acknowledged in the last moments before it',
    );
  }
  if (faults.length > 0) {
    return { safe: false, settings, words: `This database is not durable: ${faults.join('; ')}.` };
  }
  const crash = 'An acknowledged grant survives a crash of this database server. ';
  return { safe: true, settings, words: crash + describeFailover(settings) };
}

function describeFailover({
  synchronous_standby_names: names,
  synchronous_commit: commit,
}: DurabilitySettings): string {
  if (names === '') {
    return (
      'There is no synchronous standby: a failover to another server can lose what was acknowledged within the ' +
      'replication delay before it.'
    );
  }
  if (commit === 'local') {
    return (
      'Commits do not wait for the synchronous standby (synchronous_commit is local): a failover can lose what was ' +
      'acknowledged within the replication delay before it.'
    );
  }
  if (commit === 'remote_write') {
    return (
      'A synchronous standby has received every acknowledged grant but need not have flushed it (synchronous_commit is ' +
      "remote_write): a failover loses nothing unless the standby's machine crashes at the same time."
    );
  }
  return 'A failover to a synchronous standby loses nothing acknowledged, as long as the old primary is fenced.';
}

/** Codes of the driver and the operating system that mean that there is no connection, or no longer one. */
const CONNECTION_CODES: ReadonlySet<string> = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/**
 * Of those, the ones that a statement can only meet before it was sent. An unreachable host is not among them,
 * since a connection that stands can meet that too.
 */
const NEVER_SENT_CODES: ReadonlySet<string> = new Set([
  'CONNECT_TIMEOUT',
  'CONNECTION_ENDED',
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** SQLSTATEs by which the server says that it ends the session. */
const SESSION_END_STATES: ReadonlySet<string> = new Set([
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
  '53300', // too_many_connections
]);

/** The code of an error of the driver, the server or the operating system; an empty string when it has none. */
function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/**
 * Whether the connection is at fault: it could not be made, was lost, or is being ended by the server. Says
 * nothing about the outcome of a statement; ask `provesNothingCommitted` for that.
 */
export function isConnectionError(error: unknown): boolean {
  const code = codeOf(error);
  return CONNECTION_CODES.has(code) || code.startsWith('08') || SESSION_END_STATES.has(code);
}

/**
 * Whether an error of an autocommit statement proves that nothing of it was committed. An error that the server
 * answers with does, since it comes instead of the commit; so does one from before the statement was sent. A
 * lost connection proves nothing, nor does a FATAL error, with which a session ends: the driver may hand it to
 * the statement after the one it was meant for. Neither do 08007 and 40003, by which a server or proxy says
 * that it does not know.
 */
export function provesNothingCommitted(error: unknown): boolean {
  if (NEVER_SENT_CODES.has(codeOf(error))) return true;
  if (!(error instanceof postgres.PostgresError)) return false;
  const { code, severity } = error;
  return severity === 'ERROR' && code !== '40003' && !code.startsWith('08') && !SESSION_END_STATES.has(code);
}

/**
 * Whether the server refused the content of a statement, so that it will refuse it again: a data exception, a
 * constraint, or a limit of its own on a value's size.
 */
export function isPoison(error: unknown): boolean {
  const code = codeOf(error);
  return code.startsWith('22') || code.startsWith('23') || code.startsWith('54');
}

/** Whether a row was refused because another one has its values already, by the name of the constraint. */
export function violatesUnique(error: unknown, constraint: string): boolean {
  return (
    error instanceof postgres.PostgresError && error.code === '23505' && error.constraint_name === constraint
  );
}
