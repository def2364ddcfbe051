/** How Redis is reached: standalone or through Sentinel, with or without TLS. */

import { Redis, type RedisOptions } from 'ioredis';

/** What of TLS can be set; the names are those of `node:tls`. Certificates and keys are PEM texts. */
export interface RedisTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** One Redis by its URL (`redis:` or `rediss:`). */
export interface StandaloneAddress {
  readonly url: string;
}

/** The master of a group that Sentinels watch over. */
export interface SentinelAddress {
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  /** The name under which the Sentinels know the master. */
  readonly name: string;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
}

export type RedisAddress = StandaloneAddress | SentinelAddress;

/** The longest pause between two attempts to connect. */
const RECONNECT_PAUSE_MAX_MS = 500;
const RECONNECT_PAUSE_STEP_MS = 50;
/** A connection attempt that takes longer is given up and begun anew. */
const CONNECT_TIMEOUT_MS = 2000;
/** A connection that the other side does not close by then is destroyed. */
const DISCONNECT_TIMEOUT_MS = 250;

/** The beginnings of Redis's error replies that say that this server cannot serve now. */
const OUTAGE_REPLIES =
  /^(?:READONLY|LOADING|MASTERDOWN|BUSY|OOM|MISCONF|NOREPLICAS|NOAUTH|NOPERM|WRONGPASS|UNKILLABLE)\b/;

/**
 * Whether an error of ioredis means that the store is away. An error reply of Redis means it only when it is
 * about the server; any other error means that the command did not get through.
 */
export function isOutage(error: Error): boolean {
  return error.name !== 'ReplyError' || OUTAGE_REPLIES.test(error.message);
}

/**
 * Makes a connection that is not opened yet. It never queues a command while it is down and never sends one
 * twice: what was not answered is the caller's to decide. It tries for ever to come back.
 * @param commandTimeoutMs - bound of a Sentinel's answers; other commands are bounded by the breaker.
 */
export function createConnection(
  address: RedisAddress,
  tls: RedisTls | undefined,
  connectionName: string,
  commandTimeoutMs: number,
): Redis {
  const pauseMs = (attempts: number): number =>
    Math.min(attempts * RECONNECT_PAUSE_STEP_MS, RECONNECT_PAUSE_MAX_MS);
  const options = {
    lazyConnect: true,
    connectionName,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: pauseMs,
    // A former master that has become a replica is left, so that the new master is found.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    ...(tls && { tls: { ...tls } }),
  } satisfies RedisOptions;
  if ('url' in address) return hearingEveryError(new Redis(address.url, options));

  const { sentinels, ...group } = address;
  const redis = new Redis({
    ...options,
    ...group,
    sentinels: sentinels.map((sentinel) => ({ ...sentinel })),
    sentinelRetryStrategy: pauseMs,
    sentinelCommandTimeout: Math.max(commandTimeoutMs, RECONNECT_PAUSE_MAX_MS),
    failoverDetector: true,
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: { ...tls } }),
  });
  return hearingEveryError(redis);
}

/**
 * A TLS socket that is ended in the midst of its handshake with a server that nobody vouches for tells of two
 * errors, the second of them by what the server still sends. ioredis hears the first only, and an error that
 * nobody hears ends the process.
 */
function hearingEveryError(redis: Redis): Redis {
  return redis.on('error', () => {
    const { stream } = redis;
    if (stream && !stream.listeners('error').includes(ignore)) stream.on('error', ignore);
  });
}

function ignore(): void {}
