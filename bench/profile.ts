/**
 * Where the server's CPU time goes under load: a V8 profile of logins on one key, summed up by function and by
 * package.
 */

import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { measure } from './measure.ts';
import type { Options } from './options.ts';
import type { Rig } from './rig.ts';
import { hotTarget, UNITS_PLENTY } from './throughput.ts';

const FUNCTIONS_SHOWN = 25;
const PROFILE_SECONDS = 8;
const SAMPLING_INTERVAL_US = 500;

/** The part of a V8 profile that is read here. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Microseconds of self time by a name. */
type Shares = ReadonlyMap<string, number>;

/**
 * Profiles the server at each number of clients and says what it found.
 * @param say - told of each line.
 */
export async function profileServer(rig: Rig, options: Options, say: (words: string) => void): Promise<void> {
  for (const clients of options.clients) {
    const directory = path.join(rig.directory, `profile-${clients}`);
    await mkdir(directory);
    const site = await rig.site(`profile${clients}`);
    await site.start([
      '--cpu-prof',
      `--cpu-prof-dir=${directory}`,
      `--cpu-prof-interval=${SAMPLING_INTERVAL_US}`,
    ]);
    await site.api.register('hot', await site.api.installKey(0, UNITS_PLENTY));
    const timing = { clients, round: 1, seconds: PROFILE_SECONDS, warmUpSeconds: 0, signal: rig.signal };
    const sample = await measure(hotTarget(site, 'hot'), timing);
    await site.stop();
    const [file] = await readdir(directory);
    const profile = JSON.parse(await readFile(path.join(directory, file!), 'utf8')) as CpuProfile;
    say(`\n${clients} clients: ${Math.round(sample.perSecond)} logins/s while profiled`);
    describe(selfTimes(profile, byFunction), FUNCTIONS_SHOWN, say);
    say('\nby package or folder:');
    describe(selfTimes(profile, byPlace), FUNCTIONS_SHOWN, say);
  }
}

type Frame = CpuProfile['nodes'][number]['callFrame'];

function selfTimes(profile: CpuProfile, nameOf: (frame: Frame) => string): Shares {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const shares = new Map<string, number>();
  for (let index = 0; index < profile.samples.length; index += 1) {
    const name = names.get(profile.samples[index]!)!;
    shares.set(name, (shares.get(name) ?? 0) + profile.timeDeltas[index]!);
  }
  return shares;
}

function byFunction({ functionName, url, lineNumber }: Frame): string {
  const place = url === '' ? '' : `  ${shorten(url)}:${lineNumber + 1}`;
  return `${functionName || '(anonymous)'}${place}`;
}

/** The package, or the folder of this project, that a function is in. */
function byPlace({ functionName, url }: Frame): string {
  if (url === '') return functionName.startsWith('(') ? functionName : '(native)';
  const short = shorten(url);
  if (short.startsWith('src/')) return path.dirname(short);
  if (short.startsWith('node:')) return short.split('/')[0]!;
  return short
    .split('/')
    .slice(0, short.startsWith('@') ? 2 : 1)
    .join('/');
}

/** A path that says the package, or the place in this project, and nothing of the machine. */
function shorten(url: string): string {
  const inPackage = url.lastIndexOf('/node_modules/');
  if (inPackage >= 0) return url.slice(inPackage + '/node_modules/'.length);
  const inSource = url.lastIndexOf('/src/');
  return inSource >= 0 ? url.slice(inSource + 1) : url;
}

function describe(shares: Shares, shown: number, say: (words: string) => void): void {
  const idle = shares.get('(idle)') ?? 0;
  const total = [...shares.values()].reduce((sum, share) => sum + share, 0);
  const busy = total - idle;
  say(`busy ${((100 * busy) / total).toFixed(0)} % of the time; per cent of the busy time:`);
  const sorted = [...shares].filter(([name]) => name !== '(idle)').sort(([, one], [, other]) => other - one);
  for (const [name, share] of sorted.slice(0, shown)) {
    say(`  ${((100 * share) / busy).toFixed(1).padStart(5)}  ${name}`);
  }
}
