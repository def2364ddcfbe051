/**
 * The configuration: environment variables → one frozen, checked object. All faults are reported at once, each
 * with its variable and how to mend it; a misspelt `LICTOR_` variable is a fault as well, never silence.
 */
import { readFileSync } from 'node:fs';
import { CHILD_VARIABLES, CLI_VARIABLES, type Environment } from './config-environment.ts';
import type { Setting } from './config-settings.ts';
import { SETTINGS } from './config-table.ts';
import { UDP_SETTINGS } from './config-udp.ts';

/** How much longer the leader's lease must be than two renewals, so that one lost renewal costs no leadership. */
const LEASE_MARGIN_MS = 1_000;

type Settings = typeof SETTINGS;
type ValueOf<S> = S extends Setting<infer T> ? T : never;

/** The whole configuration. Names end in their units; null means "not configured". */
export type Config = {
  readonly [Name in keyof Settings]: Name extends 'evaluation' ? boolean : ValueOf<Settings[Name]>;
};
type DraftOf<Table> = { -readonly [Name in keyof Table]: ValueOf<Table[Name]> };
type Draft = DraftOf<Settings>;

/** The configuration of the UDP sidecar, of which the required parts are there. */
export type UdpConfig = Readonly<
  Omit<DraftOf<typeof UDP_SETTINGS>, 'secretsFile' | 'healthPort'> & {
    secretsFile: string;
    /** Null: there is none. */
    healthPort: number | null;
  }
>;

export { type Environment, processEnvironment } from './config-environment.ts';

/** A configuration that cannot be used, with everything that is wrong with it. */
export class ConfigError extends Error {
  readonly faults: readonly string[];

  /** @param faults - one sentence each: the variable, what is wrong, how to mend it. */
  constructor(faults: readonly string[]) {
    super(`The configuration cannot be used:\n${faults.map((fault) => `- ${fault}`).join('\n')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/**
 * Reads and checks the whole configuration. A variable that is empty counts as not set.
 * @param env - the environment variables, of the process by default.
 * @returns the frozen configuration.
 * @throws ConfigError that lists every fault.
 */
export function readConfig(env: Environment = process.env): Config {
  const faults: string[] = [];
  const values: Draft = readTable(SETTINGS, env, faults);
  // Relations between values that are themselves at fault would only confuse.
  if (faults.length === 0) faults.push(...findContradictions(values));
  if (faults.length > 0) throw new ConfigError(faults);
  return Object.freeze({ ...values, evaluation: values.evaluation ?? values.databaseUrl === null });
}

/**
 * Reads and checks the configuration of the UDP sidecar, which needs no database.
 * @param env - the environment variables, of the process by default.
 * @returns the frozen configuration.
 * @throws ConfigError that lists every fault.
 */
export function readUdpConfig(env: Environment = process.env): UdpConfig {
  const faults: string[] = [];
  const values: DraftOf<typeof UDP_SETTINGS> = readTable(UDP_SETTINGS, env, faults);
  const { urls, token, tokenFile, secretsFile, healthPort } = values;
  if (faults.length === 0) {
    if (urls.length === 0)
      faults.push('LICTOR_URL is not set. Set it to where Lictor is, such as http://127.0.0.1:8080.');
    if (token === null && tokenFile === null)
      faults.push(
        "LICTOR_TOKEN is not set. Set it to an operator's token, or LICTOR_TOKEN_FILE to the file that has it.",
      );
    if (token !== null && tokenFile !== null)
      faults.push('LICTOR_TOKEN and LICTOR_TOKEN_FILE are both set. Unset one of them.');
    if (secretsFile === null)
      faults.push(
        "LICTOR_UDP_SECRETS_FILE is not set. Set it to the file with the instances' secrets (docs/udp-protocol.md).",
      );
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return Object.freeze({
    ...values,
    secretsFile: secretsFile!,
    healthPort: healthPort === null ? null : Number(healthPort),
  });
}

/** Reads every setting of a table; what is wrong is added to the faults, also variables that nobody knows. */
function readTable<Table extends Record<string, Setting<unknown>>>(
  table: Table,
  env: Environment,
  faults: string[],
): DraftOf<Table> {
  faults.push(...findUnknown(env));
  const draft: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(table)) {
    draft[name] = setting.fallback;
    const given = readText(env, setting, faults);
    if (given === undefined) continue;
    const parsed = setting.parse(given);
    if ('value' in parsed) draft[name] = Object.freeze(parsed.value);
    else
      faults.push(`${setting.variable} ${parsed.fault}${setting.repeatable ? `, and is "${given}"` : ''}.`);
  }
  return draft as DraftOf<Table>;
}

/** The text of a setting, from its variable or its file; undefined when it is not set or cannot be read. */
function readText(env: Environment, setting: Setting<unknown>, faults: string[]): string | undefined {
  const direct = env[setting.variable] || undefined;
  if (!setting.fromFile) return direct;
  const fileVariable = `${setting.variable}_FILE`;
  const file = env[fileVariable] || undefined;
  if (file === undefined) return direct;
  if (direct !== undefined) {
    faults.push(`${setting.variable} and ${fileVariable} are both set. Unset one of them.`);
    return undefined;
  }
  try {
    const content = readFileSync(file, 'utf8').trim();
    if (content === '')
      faults.push(`${fileVariable} names ${file}, which is empty. Write the value into it.`);
    return content || undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    faults.push(
      `${fileVariable} names ${file}, which cannot be read (${code}). Mend the path or its permissions.`,
    );
    return undefined;
  }
}

/** Relations between settings that are each right. */
function findContradictions(config: Draft): string[] {
  const faults: string[] = [];
  const require = (holds: boolean, fault: string) => {
    if (!holds) faults.push(fault);
  };
  const sentinels = config.redisSentinels.length > 0;
  require(config.leaderLeaseMs >
    2 * config.leaderRenewMs +
      LEASE_MARGIN_MS, `LICTOR_LEADER_LEASE_MS must be more than twice LICTOR_LEADER_RENEW_MS plus ${LEASE_MARGIN_MS}: raise it above ${2 * config.leaderRenewMs + LEASE_MARGIN_MS}, or renew more often.`);
  require(config.redisTimeoutMs <
    config.leaderRenewMs, 'LICTOR_REDIS_TIMEOUT_MS must be less than LICTOR_LEADER_RENEW_MS, or waiting for Redis costs the leadership.');
  require(config.reapIntervalMs <
    config.instanceGraceSeconds *
      1_000, 'LICTOR_REAP_INTERVAL_MS must be less than LICTOR_INSTANCE_GRACE_SECONDS, or the silent keep their units far too long.');
  require(config.batchBytesMax >=
    config.bodyBytesMax, 'LICTOR_BATCH_BYTES_MAX must be at least LICTOR_BODY_BYTES_MAX, or a body that is accepted fits into no batch.');
  require(config.queueLengthMax >=
    config.batchOperationsMax, 'LICTOR_QUEUE_LENGTH_MAX must be at least LICTOR_BATCH_OPERATIONS_MAX, or no batch can ever be full.');
  require(config.shutdownTimeoutMs >
    config.queueWaitMs, 'LICTOR_SHUTDOWN_TIMEOUT_MS must be more than LICTOR_QUEUE_WAIT_MS, or a shutdown cuts off operations that still wait.');
  require(!sentinels ||
    config.redisUrl ===
      null, 'REDIS_URL and LICTOR_REDIS_SENTINELS are both set. Unset the one that is not to be used.');
  require(sentinels ===
    (config.redisSentinelName !==
      null), 'LICTOR_REDIS_SENTINELS and LICTOR_REDIS_SENTINEL_NAME belong together. Set both or none.');
  require(sentinels ||
    (config.redisUsername ?? config.redisPassword ?? config.redisSentinelPassword) ===
      null, 'LICTOR_REDIS_USERNAME, LICTOR_REDIS_PASSWORD and LICTOR_REDIS_SENTINEL_PASSWORD go with LICTOR_REDIS_SENTINELS only. Write user and password into REDIS_URL.');
  require(config.redisCaFile === null ||
    sentinels ||
    (config.redisUrl?.startsWith('rediss:') ??
      false), 'LICTOR_REDIS_CA_FILE needs LICTOR_REDIS_SENTINELS or a REDIS_URL that begins with rediss://.');
  return faults;
}

/** What Kubernetes puts into every pod beside a Service whose name begins with "lictor"; nobody wrote it there. */
const SERVICE_LINK =
  /^LICTOR(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;
const SERVICE_LINK_PORT = /^LICTOR(_[A-Z0-9_]+)?_PORT$/;
const SERVICE_LINK_VALUE = /^(tcp|udp|sctp):\/\//;
/** The variables of the tests and benchmarks, which may surround a server that they start. */
const TEST_VARIABLE = /^LICTOR_(TEST|BENCH|KEEP)_/;

/** Server, sidecar and command line may share one environment, so what one of them knows is known to all. */
function findUnknown(env: Environment): string[] {
  const known = new Set<string>([...CHILD_VARIABLES, ...CLI_VARIABLES.map(({ variable }) => variable)]);
  for (const setting of [...Object.values(SETTINGS), ...Object.values(UDP_SETTINGS)] as Setting<unknown>[]) {
    known.add(setting.variable);
    if (setting.fromFile) known.add(`${setting.variable}_FILE`);
  }
  const faults: string[] = [];
  for (const [name, value = ''] of Object.entries(env)) {
    if (!name.startsWith('LICTOR_') || known.has(name) || TEST_VARIABLE.test(name)) continue;
    if (SERVICE_LINK.test(name) || (SERVICE_LINK_PORT.test(name) && SERVICE_LINK_VALUE.test(value))) continue;
    const near = findNearest(name, known);
    faults.push(
      `${name} is not a setting of Lictor${near === null ? '. Unset it.' : `. Did you mean ${near}?`}`,
    );
  }
  return faults;
}

/** The known name that is nearest to a misspelt one; null when none is near. */
function findNearest(name: string, known: ReadonlySet<string>): string | null {
  let nearest: string | null = null;
  let least = 4;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (distance < least) [nearest, least] = [candidate, distance];
  }
  return nearest;
}

/** How many characters must be inserted, removed or replaced to make one text of another. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}

/**
 * The documentation of every setting, made from what reads them; `docs/configuration.md` holds it.
 * @returns a page in Markdown.
 */
export function describeConfiguration(): string {
  return `# Configuration

Lictor is configured by environment variables. It checks all of them when it starts and reports every fault at
once; a variable that begins with \`LICTOR_\` and is not listed here is a fault, since it is most likely misspelt.
An empty variable counts as not set. OpenTelemetry's own variables (\`OTEL_…\`) are obeyed as well.

${renderSettings(SETTINGS)}

¹ May come from a file instead: set the variable with \`_FILE\` at its end to the file's path.

## The UDP sidecar

\`lictor udp\` reads these and none of the above but \`LOG_LEVEL\`. Either command leaves alone what is the other's.

${renderSettings(UDP_SETTINGS)}

## The command line

Every command that asks a server reads these (docs/cli.md); an option says the same, and goes before.

${renderTable(
  ['variable', 'form', 'meaning'],
  CLI_VARIABLES.map(({ variable, form, words }) => [`\`${variable}\``, form, words]),
)}
`;
}

function renderSettings(settings: Readonly<Record<string, Setting<unknown>>>): string {
  const rows = Object.values(settings).map(({ variable, shown, form, words, fromFile }) => [
    `\`${variable}\`${fromFile ? ' ¹' : ''}`,
    shown === '' ? '–' : shown.startsWith('`') ? shown : `\`${shown}\``,
    form,
    words,
  ]);
  return renderTable(['variable', 'default', 'form', 'meaning'], rows);
}

/** A Markdown table with columns of even width, as the formatter of this project writes it. */
function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)));
  const render = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  const rule = widths.map((width) => '-'.repeat(width));
  return [head, rule, ...rows].map(render).join('\n');
}
