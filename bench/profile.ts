/**
 * Where the CPU time goes under load: V8 profiles of the server under logins on one key and of the bare route,
 * side by side in microseconds per request, and the time of each session of Postgres.
 *
 * A profile samples by the clock: on a busy machine, time in which the process waits for a core counts for
 * whatever it was at, most often a write that has just woken somebody else.
 */

import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { readSessions } from './accounting.ts';
import { TOKEN } from './api.ts';
import { measure, type Sample, type Target } from './measure.ts';
import type { Options } from './options.ts';
import { type Listening, startProgram } from './processes.ts';
import type { Rig, Site } from './rig.ts';
import { hotTarget, UNITS_PLENTY } from './throughput.ts';

const FUNCTIONS_SHOWN = 25;
const PLACES_SHOWN = 20;
const WARM_UP_SECONDS = 2;
const PROFILE_SECONDS = 8;
const SAMPLING_INTERVAL_US = 500;

type Say = (words: string) => void;

/** The part of a V8 profile that is read here. */
interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** From each sample to the one after it, and from the start to the first, in microseconds. */
  readonly timeDeltas: readonly number[];
  /** By the machine's monotonic clock, in microseconds. */
  readonly startTime: number;
}

/** A measurement with the time it took place in, by the machine's monotonic clock in microseconds. */
interface Loaded {
  readonly sample: Sample;
  readonly fromUs: number;
  readonly toUs: number;
}

interface ProfileNode {
  readonly id: number;
  readonly children?: readonly number[];
  readonly callFrame: Frame;
}

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** Time by a name, in microseconds per request. */
type Costs = ReadonlyMap<string, number>;

/**
 * Profiles the server at each number of clients and says what it found.
 * @param say - told of each line.
 */
export async function profileServer(rig: Rig, options: Options, say: Say): Promise<void> {
  for (const clients of options.clients) {
    const bareDirectory = await makeDirectory(rig, `bare-${clients}`);
    const bareServer = await startProgram([...profiling(bareDirectory), 'bench/bare.ts'], {});
    const bare = await load(bareTarget(bareServer), clients, rig.signal);
    await bareServer.stop();
    const site = await rig.site(`profile${clients}`);
    const directory = await makeDirectory(rig, `profile-${clients}`);
    await site.start(profiling(directory));
    await site.api.register('hot', await site.api.installKey(0, UNITS_PLENTY));
    const sessionsBefore = await sessionTimes(site);
    const hot = await load(hotTarget(site, 'hot'), clients, rig.signal);
    const sessionsAfter = await sessionTimes(site);
    await site.stop();
    say(`\n${clients} clients, while profiled: bare ${perSecond(bare)}, logins ${perSecond(hot)}`);
    const [of, limit] = [await readProfile(directory), await readProfile(bareDirectory)];
    say('\nby function, µs of the server per login:');
    describe(costs(of, hot, byFunction), null, FUNCTIONS_SHOWN, say);
    say('\nby package or folder, µs per login (bare route):');
    describe(costs(of, hot, byPlace), costs(limit, bare, byPlace), PLACES_SHOWN, say);
    say('\nby work, with all that is called for it, µs per login (bare route):');
    describe(costs(of, hot, byWork(of)), costs(limit, bare, byWork(limit)), PLACES_SHOWN, say);
    say('\nsessions of Postgres, µs per login:');
    const sessions = [...sessionsAfter].map(([name, seconds]) => {
      return [name, ((seconds - (sessionsBefore.get(name) ?? 0)) * 1e6) / hot.sample.requests] as const;
    });
    describe(new Map(sessions), null, PLACES_SHOWN, say);
  }
}

async function makeDirectory(rig: Rig, name: string): Promise<string> {
  const directory = path.join(rig.directory, name);
  await mkdir(directory);
  return directory;
}

function profiling(directory: string): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-interval=${SAMPLING_INTERVAL_US}`];
}

function bareTarget(server: Listening): Target {
  return {
    cell: 'bare',
    urls: [server.url],
    load: { kind: 'login', token: TOKEN, instance: 'hot' },
    accounted: { node: [server.pid], postgres: [], redis: [] },
    refuses: false,
    counter: null,
    apis: [],
  };
}

async function load(target: Target, clients: number, signal: AbortSignal): Promise<Loaded> {
  const timing = { clients, round: 1, warmUpSeconds: 0, signal };
  await measure(target, { ...timing, seconds: WARM_UP_SECONDS });
  const fromUs = nowUs();
  const sample = await measure(target, { ...timing, seconds: PROFILE_SECONDS });
  return { sample, fromUs, toUs: nowUs() };
}

/** V8 takes the time of its samples from the same clock, in whatever process. */
function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

function perSecond({ sample }: Loaded): string {
  return `${Math.round(sample.perSecond)}/s at ${sample.cpuUs.node.toFixed(1)} µs of Node and ${sample.cpuUs.postgres.toFixed(1)} µs of Postgres`;
}

/** CPU time of Postgres by what its processes are for, in seconds. */
async function sessionTimes(site: Site): Promise<Map<string, number>> {
  const sessions = await site.sql<{ pid: number; name: string }[]>`
    select pid, case when backend_type = 'client backend' then application_name else backend_type end as name
    from pg_stat_activity where datname is null or datname = current_database()`;
  return readSessions(sessions);
}

async function readProfile(directory: string): Promise<CpuProfile> {
  const [file] = await readdir(directory);
  return JSON.parse(await readFile(path.join(directory, file!), 'utf8')) as CpuProfile;
}

/** Shares the CPU time of a request out to what the samples were in while the load lasted. */
function costs(profile: CpuProfile, loaded: Loaded, nameOf: (node: ProfileNode) => string): Costs {
  const { sample, fromUs, toUs } = loaded;
  const names = new Map(profile.nodes.map((node) => [node.id, nameOf(node)]));
  const times = new Map<string, number>();
  let busy = 0;
  let atUs = profile.startTime;
  for (let index = 0; index < profile.samples.length; index += 1) {
    atUs += profile.timeDeltas[index]!;
    const name = names.get(profile.samples[index]!)!;
    if (name === '(idle)' || atUs < fromUs || atUs > toUs) continue;
    times.set(name, (times.get(name) ?? 0) + profile.timeDeltas[index]!);
    busy += profile.timeDeltas[index]!;
  }
  return new Map([...times].map(([name, time]) => [name, (time / busy) * sample.cpuUs.node]));
}

function byFunction({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const place = url === '' ? '' : `  ${shorten(url)}:${lineNumber + 1}`;
  return `${functionName || '(anonymous)'}${place}`;
}

/** The package, or the folder of this project, that a function is in. */
function byPlace({ callFrame: { functionName, url } }: ProfileNode): string {
  if (url === '') return functionName.startsWith('(') ? functionName : `native ${functionName}`;
  const short = shorten(url);
  if (short.startsWith('src/')) return path.dirname(short);
  if (short.startsWith('node:')) return short.split('/')[0]!;
  return short
    .split('/')
    .slice(0, short.startsWith('@') ? 2 : 1)
    .join('/');
}

/** What a stack of calls is for: the first of these that is anywhere in it. */
const WORKS: readonly (readonly [work: string, found: RegExp])[] = [
  ['loading of modules', /node:internal\/modules|wasm:/],
  ['the fold', /src\/(service\/fold|service\/touches|storage\/folds|storage\/copy)/],
  ['heartbeats and Redis', /src\/(coordination|service\/heartbeats)|ioredis/],
  ['appending: SQL', /src\/storage|postgres\/src/],
  ['deciding', /src\/domain|src\/service\/drafting/],
  ['the lane', /src\/service\/(lane|queue|tablecopy|tally)/],
  ['validation of the body', /ajv/],
  ['parsing of the body', /secure-json-parse|src\/http\/body/],
  ['serialisation of the answer', /fast-json-stringify|src\/http\/login-shapes/],
  ['sending of the answer', /node:_http_outgoing/],
  ['gate, route and observer', /src\/http|src\/telemetry|src\/service/],
  ['Fastify', /fastify|find-my-way/],
  ['HTTP and sockets', /node:/],
];

function byWork(profile: CpuProfile): (node: ProfileNode) => string {
  const works = new Map<number, string>();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const visit = (node: ProfileNode, urls: string) => {
    const { functionName, url } = node.callFrame;
    const all = `${urls} ${shorten(url)}`;
    const plain = url === '' && functionName.startsWith('(') ? functionName : null;
    works.set(node.id, plain ?? WORKS.find(([, found]) => found.test(all))?.[0] ?? 'other');
    for (const child of node.children ?? []) visit(nodes.get(child)!, all);
  };
  visit(profile.nodes[0]!, '');
  return (node) => works.get(node.id)!;
}

/** A path that says the package, or the place in this project, and nothing of the machine. */
function shorten(url: string): string {
  const inPackage = url.lastIndexOf('/node_modules/');
  if (inPackage >= 0) return url.slice(inPackage + '/node_modules/'.length);
  const inSource = url.lastIndexOf('/src/');
  return inSource >= 0 ? url.slice(inSource + 1) : url;
}

function describe(all: Costs, beside: Costs | null, shown: number, say: Say): void {
  const sum = [...all.values()].reduce((total, cost) => total + cost, 0);
  for (const [name, cost] of [...all].sort(([, one], [, other]) => other - one).slice(0, shown)) {
    const share = `${((100 * cost) / sum).toFixed(1)} %`.padStart(7);
    const other = beside === null ? '' : ` (${(beside.get(name) ?? 0).toFixed(2)})`;
    say(`  ${cost.toFixed(2).padStart(6)}${other}  ${share}  ${name}`);
  }
}
