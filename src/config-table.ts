/** Every setting there is: its variable, default, form and meaning. `config.ts` reads them. */
import {
  isTimeZone,
  list,
  oneOf,
  type Parsed,
  parseHosts,
  parseNetworks,
  parseSectionNames,
  type Setting,
  secret,
  text,
  truth,
  url,
  wholeNumber,
} from './config-settings.ts';
import { ADMIN_TOKEN_LENGTH_MIN } from './domain/access.ts';
import { SHARED_BY_DEFAULT } from './domain/applications/applications.ts';
import { parseRevoked, parseTrustedKeys, type TrustedKeys } from './domain/keys/signatures.ts';

const MIB = 1_048_576;
const MINUTE_MS = 60_000;

/** Every setting by its name in `Config`, in the order of the documentation. */
export const SETTINGS = {
  host: text(
    'HOST',
    '127.0.0.1',
    'an address or host name',
    'The address to listen on. The container image sets 0.0.0.0.',
  ),
  port: wholeNumber('PORT', 8_080, [0, 65_535], 'The TCP port to listen on; 0 takes any free one.'),
  logLevel: oneOf(
    'LOG_LEVEL',
    'info',
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    'The least severe log lines that are written.',
  ),
  trustedProxies: list(
    'LICTOR_TRUSTED_PROXIES',
    [],
    'addresses or networks (CIDR), separated by commas',
    'The proxies whose `X-Forwarded-For` is believed.',
    parseNetworks,
  ),
  shutdownTimeoutMs: wholeNumber(
    'LICTOR_SHUTDOWN_TIMEOUT_MS',
    10_000,
    [100, 10 * MINUTE_MS],
    'How long a shutdown may take before connections are cut.',
  ),
  bodyBytesMax: wholeNumber(
    'LICTOR_BODY_BYTES_MAX',
    MIB,
    [1_024, 64 * MIB],
    'The largest request body, in bytes.',
  ),

  databaseUrl: url(
    'DATABASE_URL',
    ['postgres', 'postgresql'],
    'The Postgres to use. Left out, Lictor runs the embedded one in its data folder. `?sslmode=verify-full` demands TLS and a valid certificate.',
  ),
  dataDirectory: text('LICTOR_DATA_DIR', './data', 'a path', 'The folder for the embedded Postgres.'),
  databaseConnectionsMax: wholeNumber(
    'LICTOR_DATABASE_CONNECTIONS_MAX',
    4,
    [2, 100],
    'Connections of a replica to Postgres, beside the one of its lane.',
  ),
  allowUnsafeDurability: truth(
    'LICTOR_ALLOW_UNSAFE_DURABILITY',
    false,
    'Serve although a setting of the database (fsync, full_page_writes, synchronous_commit) lets a crash lose acknowledged grants.',
  ),

  redisUrl: url(
    'REDIS_URL',
    ['redis', 'rediss'],
    'The Redis that replicas share. Without it and without Sentinels, one replica coordinates in its memory.',
  ),
  redisSentinels: list<readonly { readonly host: string; readonly port: number }[]>(
    'LICTOR_REDIS_SENTINELS',
    [],
    '`host:port`, separated by commas',
    'The Sentinels that know the Redis master; used in place of `REDIS_URL`.',
    parseHosts,
  ),
  redisSentinelName: text(
    'LICTOR_REDIS_SENTINEL_NAME',
    null,
    'a name',
    'The name under which the Sentinels know the master.',
  ),
  redisUsername: text('LICTOR_REDIS_USERNAME', null, 'a name', 'The user at the Redis that Sentinels name.'),
  redisPassword: secret(
    text('LICTOR_REDIS_PASSWORD', null, 'a password', 'The password at the Redis that Sentinels name.'),
  ),
  redisSentinelPassword: secret(
    text('LICTOR_REDIS_SENTINEL_PASSWORD', null, 'a password', 'The password at the Sentinels themselves.'),
  ),
  redisPrefix: text(
    'LICTOR_REDIS_PREFIX',
    'lictor:',
    '1 to 64 characters without blanks and braces',
    'What every key and channel in Redis begins with; give each site its own.',
    (value) => /^[^\s{}]{1,64}$/.test(value),
  ),
  redisTimeoutMs: wholeNumber(
    'LICTOR_REDIS_TIMEOUT_MS',
    200,
    [10, 10_000],
    'How long to wait for an answer of Redis before going on without it.',
  ),
  redisCaFile: text(
    'LICTOR_REDIS_CA_FILE',
    null,
    'a path',
    'The certificate authority (PEM) to check the certificate of Redis with. With Sentinels it switches TLS on.',
  ),

  adminToken: secret(
    text(
      'LICTOR_ADMIN_TOKEN',
      null,
      `a text of at least ${ADMIN_TOKEN_LENGTH_MIN} visible characters`,
      "The first administrator's access token.",
      (value) => value.length >= ADMIN_TOKEN_LENGTH_MIN && /^[\x21-\x7e]+$/.test(value),
    ),
  ),
  metricsPublic: truth(
    'LICTOR_METRICS_PUBLIC',
    true,
    'Whether `/metrics` needs no token. Without one it needs a token that permits `metrics.read`.',
  ),
  tokenCacheMs: wholeNumber(
    'LICTOR_TOKEN_CACHE_MS',
    5_000,
    [0, 10 * MINUTE_MS],
    'How long a checked access token is believed without asking the database; a revocation takes as long to reach every replica.',
  ),
  authFailuresPerMinuteMax: wholeNumber(
    'LICTOR_AUTH_FAILURES_PER_MINUTE_MAX',
    60,
    [1, 1_000_000],
    'Failed authentications from one address in a minute before it is answered 429.',
  ),
  trustedKeys: secret(
    list<TrustedKeys>(
      'LICTOR_TRUSTED_KEYS',
      new Map(),
      '`id:publickey`, separated by commas or line ends',
      'The public keys whose signatures on key files are trusted.',
      (value) => readTrustedKeys(value),
    ),
  ),
  revokedKeys: secret(
    list<ReadonlySet<string>>(
      'LICTOR_REVOKED_KEYS',
      new Set(),
      'IDs, separated by commas or line ends',
      'Signing keys and keys that are no longer trusted.',
      (value) => readRevokedKeys(value),
    ),
  ),
  applicationsShared: list(
    'LICTOR_APPLICATIONS_SHARED',
    SHARED_BY_DEFAULT,
    'names of sections, separated by commas, `*` at the end standing for any rest',
    'The application sections that are counted across all instances of a key; others are counted on each instance.',
    parseSectionNames,
  ),
  applicationsSigned: truth(
    'LICTOR_APPLICATIONS_SIGNED',
    false,
    'Load only application sections that carry a signature of a trusted signing key.',
  ),
  allowUnverifiedKeys: truth(
    'LICTOR_ALLOW_UNVERIFIED_KEYS',
    false,
    'Accept key files without a signature, on terms that an administrator states.',
  ),
  evaluation: truth(
    'LICTOR_EVALUATION',
    null,
    'Whether an instance that names no key runs on the built-in evaluation key.',
    '`true` with the embedded Postgres, else `false`',
  ),
  timeZone: text(
    'LICTOR_TIME_ZONE',
    'UTC',
    'a name of the IANA time zone database',
    'The zone in which days begin, for dates in key files and in reports.',
    isTimeZone,
  ),

  batchOperationsMax: wholeNumber(
    'LICTOR_BATCH_OPERATIONS_MAX',
    512,
    [1, 10_000],
    'Operations decided and appended at once.',
  ),
  batchBytesMax: wholeNumber(
    'LICTOR_BATCH_BYTES_MAX',
    MIB,
    [1_024, 64 * MIB],
    'Bytes of operations decided and appended at once.',
  ),
  queueLengthMax: wholeNumber(
    'LICTOR_QUEUE_LENGTH_MAX',
    20_000,
    [1, 1_000_000],
    'Operations that may wait; one more is answered 503.',
  ),
  queueWaitMs: wholeNumber(
    'LICTOR_QUEUE_WAIT_MS',
    5_000,
    [10, 5 * MINUTE_MS],
    'How long an operation may wait before it is answered 503.',
  ),
  headPollMs: wholeNumber(
    'LICTOR_HEAD_POLL_MS',
    500,
    [10, MINUTE_MS],
    "How often a replica looks for other replicas' rows when nobody tells it of them.",
  ),
  foldIntervalMs: wholeNumber(
    'LICTOR_FOLD_INTERVAL_MS',
    250,
    [10, MINUTE_MS],
    'How often the leader folds the journal into the distributed table.',
  ),
  journalKeepDays: wholeNumber(
    'LICTOR_JOURNAL_KEEP_DAYS',
    0,
    [0, 36_500],
    'Days that folded journal rows are kept; 0 keeps them for ever.',
  ),

  leaderLeaseMs: wholeNumber(
    'LICTOR_LEADER_LEASE_MS',
    10_000,
    [1_000, 10 * MINUTE_MS],
    'How long a replica leads without renewing.',
  ),
  leaderRenewMs: wholeNumber(
    'LICTOR_LEADER_RENEW_MS',
    2_500,
    [100, 5 * MINUTE_MS],
    'How often the leader renews.',
  ),
  reapIntervalMs: wholeNumber(
    'LICTOR_REAP_INTERVAL_MS',
    1_000,
    [10, 10 * MINUTE_MS],
    'How often the leader looks for the silent.',
  ),
  reapMarginMs: wholeNumber(
    'LICTOR_REAP_MARGIN_MS',
    1_000,
    [0, 10 * MINUTE_MS],
    'How long past its deadline somebody silent is left alone.',
  ),
  instanceGraceSeconds: wholeNumber(
    'LICTOR_INSTANCE_GRACE_SECONDS',
    60,
    [5, 604_800],
    'How long an instance may be silent before what it held is taken back, unless it asked for another time.',
  ),
  leaseTermSeconds: wholeNumber(
    'LICTOR_LEASE_TERM_SECONDS',
    60,
    [10, 600],
    'How long an instance under a leased key may go on without an answer before everything on it is lost; after so long, and about 2 seconds, its units are free.',
  ),
  updateIntervalSeconds: wholeNumber(
    'LICTOR_UPDATE_INTERVAL_SECONDS',
    15,
    [1, 3_600],
    'How often instances that decide for themselves should report. Until a report has come, nobody else knows of what it says.',
  ),
  keyDirectory: text(
    'LICTOR_KEY_DIRECTORY',
    null,
    'a path',
    'A directory whose files `*.key` are installed and served by the LicenseID that each states; it is watched. Left out, keys are served by hand.',
  ),
  keyDirectoryPollSeconds: wholeNumber(
    'LICTOR_KEY_DIRECTORY_POLL_SECONDS',
    5,
    [1, 3_600],
    'How often the directory of served keys is looked at.',
  ),
  servedKeyCheckSeconds: wholeNumber(
    'LICTOR_SERVED_KEY_CHECK_SECONDS',
    300,
    [1, 86_400],
    'How often it is seen to it that every instance has the key that is served for it, beside as soon as another one is.',
  ),
  licenseServerLeaseMs: wholeNumber(
    'LICTOR_LICENSE_SERVER_LEASE_MS',
    10_000,
    [3_000, 10 * MINUTE_MS],
    'How long a licence server of the roster stays the active one without a sign of life.',
  ),
} satisfies Record<string, Setting<unknown>>;

function readTrustedKeys(value: string): Parsed<TrustedKeys> {
  const result = parseTrustedKeys(value);
  return result.ok ? { value: result.keys } : describeFaults(result.faults);
}

function readRevokedKeys(value: string): Parsed<ReadonlySet<string>> {
  const result = parseRevoked(value);
  return result.ok ? { value: result.ids } : describeFaults(result.faults);
}

function describeFaults(faults: readonly string[]): { readonly fault: string } {
  return { fault: `cannot be used: ${faults.join(' ').replace(/\.$/, '')}` };
}
