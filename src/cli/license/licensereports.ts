/** The reports and queries of the legacy class, for `lictor license` (notes 2.6, 2.7). */

import type { RunQueryAnswer, RunQueryQuery } from '../../client/openapi.ts';
import { QUERIES, type QueryShape } from '../../domain/texts/queries.ts';
import { download } from '../downloading.ts';
import { stated } from '../options.ts';
import { jsonText } from '../output.ts';
import { Progress } from '../progress.ts';
import type { LegacyCall, LegacyMethod } from './licensecall.ts';
import { keyOf } from './licensecounters.ts';
import { intoFile } from './licensefiles.ts';

const PAGE_LIMIT = 500;

/** A dump: the legacy name of its file, and what the legacy product says once it is written. */
interface DumpFile {
  readonly name: string;
  said(entries: number, path: string): string;
}

const localFile = (name: string): DumpFile => ({
  name,
  said: (entries, path) => `${entries} entries dumped to ${path}`,
});
const serverFile = (name: string): DumpFile => ({
  name,
  said: (_, path) => `License server database dumped to: ${path}`,
});

/** Counts the entries of a local dump as its text comes: its lines, but for those above the entries. */
class EntryCounter {
  #rest = '';
  #count = 0;
  #isBelow = false;

  /** @returns how many entries the piece has completed. */
  add(piece: string): number {
    const before = this.#count;
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (this.#isBelow) this.#count += 1;
      // A blank line ends what stands above the entries in every form of the dumps.
      else if (line === '') this.#isBelow = true;
    }
    return this.#count - before;
  }

  get count(): number {
    return this.#count;
  }
}

/**
 * Writes a text of the server as it comes.
 *
 * @param path - of the report.
 * @param query - what it is asked with; what is undefined is left out.
 * @param file - for a dump, the legacy file of it.
 */
async function report(
  call: LegacyCall,
  path: string,
  query: Readonly<Record<string, string | undefined>>,
  file?: DumpFile,
): Promise<null> {
  const { world } = call;
  const search = new URLSearchParams(stated(query) as Record<string, string>);
  const { pieces } = await download(
    world,
    search.size === 0 ? path : `${path}?${search}`,
    call.ending.signal,
  );
  const target = file === undefined ? undefined : targetOf(call, file);
  if (target !== undefined) return writeFile(call, pieces, file!, target);
  if (world.json) {
    let text = '';
    for await (const piece of pieces) text += piece;
    await world.print(jsonText({ method: call.method.name, text }));
    return null;
  }
  for await (const piece of pieces) await world.print(piece);
  return null;
}

/** The file of a dump; in a directory it has its legacy name. */
function targetOf(call: LegacyCall, file: DumpFile): string | undefined {
  const stated = call.argument(0);
  if (stated === undefined) return undefined;
  if (stated === '.' || stated === '..') return `${stated}/${file.name}`;
  return /[/\\]$/.test(stated) ? stated + file.name : stated;
}

async function writeFile(
  call: LegacyCall,
  pieces: AsyncIterable<string>,
  file: DumpFile,
  path: string,
): Promise<null> {
  const { world } = call;
  const entries = new EntryCounter();
  await intoFile(call, path, async () => {
    const progress = new Progress(world, 'entries');
    try {
      for await (const piece of pieces) {
        await world.print(piece);
        await progress.add(entries.add(piece));
      }
    } finally {
      await progress.end();
    }
  });
  const words = file.said(entries.count, path);
  await world.print(world.json ? jsonText({ method: call.method.name, file: path }) : `${words}\n`);
  return null;
}

const onInstance = async (call: LegacyCall, rest: string): Promise<string> =>
  `/v1/instances/${encodeURIComponent(await call.instance())}/${rest}`;

/** @throws CliFault for a form that the report does not have. */
function formOf(call: LegacyCall, forms: readonly string[]): string | undefined {
  const { form } = call.options;
  if (form === undefined || forms.includes(form)) return form;
  throw call.misused(`--form must be ${forms.join(' or ')}.`);
}

const DUMP_WORDS =
  'Printed, unless File is given (or --out); a file that is there is replaced. A directory ends with a slash, and the file in it has the legacy name. It is written here, not on the host of the server.';

const SHOWN: readonly LegacyMethod[] = [
  {
    name: 'CKEY',
    group: 'Reports',
    takes: [],
    words: 'the key, and what is available of it',
    differences:
      'The authorization key is shown only to who may install keys. --generation cache or iris chooses the first line.',
    nearest: 'lictor instances key INSTANCE --text',
    run: async (call) => report(call, await onInstance(call, 'key'), { generation: call.options.generation }),
  },
  {
    name: 'ShowCounts',
    group: 'Reports',
    takes: [],
    words: 'what this instance uses, and the most it has',
    differences: '--form older prints the six lines of older versions, newer (when left out) the nine.',
    nearest: 'lictor usage instance INSTANCE --text',
    run: async (call) =>
      report(call, await onInstance(call, 'counts'), { form: formOf(call, ['older', 'newer']) }),
  },
  {
    name: 'ShowSummary',
    group: 'Reports',
    takes: [],
    words: 'what all instances of the key use together, and this one by itself',
    differences: '--generation iris leaves out the line of the enforced units.',
    nearest: 'lictor usage summary --instance INSTANCE --text',
    run: async (call) =>
      report(call, '/v1/usage/summary', {
        instance: await call.instance(),
        generation: call.options.generation,
      }),
  },
  {
    name: 'ShowServer',
    group: 'Reports',
    takes: [],
    words: 'address and port of the active license server',
    nearest: 'lictor servers active --text',
    former: ['ShowManager'],
    run: async (call) => report(call, '/v1/license-servers/active', { instance: await call.instance() }),
  },
];

type LocalDump = readonly [name: string, words: string, file: string, path: string, nearest: string];

const LOCAL_DUMPS: readonly LocalDump[] = [
  ['DumpLocalAll', 'every entry of the licence table, also the free ones', 'all.dmp', 'all', 'all'],
  ['DumpLocalInUse', 'every entry of the licence table that is in use', 'inuse.dmp', 'in-use', 'in-use'],
  ['DumpLocalPID', 'use of the licence table by process', 'piduse.dmp', 'processes', 'processes'],
];

const localDump = ([name, words, file, path, nearest]: LocalDump): LegacyMethod => ({
  name,
  group: 'Reports',
  takes: ['[File]'],
  words: `${words} (${file})`,
  differences: `${DUMP_WORDS} --form c5 or table chooses the layout. Of an instance that decides for itself it is headed "as reported at"; "instance.reports" of the SDK answers live.`,
  nearest: `lictor usage dump ${nearest} --instance INSTANCE`,
  run: async (call) =>
    report(
      call,
      await onInstance(call, `dumps/${path}`),
      { form: formOf(call, ['c5', 'table']) },
      localFile(file),
    ),
});

const SERVER_DUMPS: readonly LegacyMethod[] = [
  {
    name: 'DumpServer',
    group: 'Reports',
    takes: ['[File]'],
    words: "the license server's data on this instance (dumpserver.txt)",
    differences: DUMP_WORDS,
    nearest: 'lictor usage servers --instance INSTANCE --text',
    run: async (call) =>
      report(call, '/v1/usage/servers', { instance: await call.instance() }, serverFile('dumpserver.txt')),
  },
  {
    name: 'DumpServers',
    group: 'Reports',
    takes: ['[File]'],
    words: "the license server's data on all instances (dumpservers.txt)",
    differences: DUMP_WORDS,
    nearest: 'lictor usage dump servers',
    run: (call) => report(call, '/v1/usage/servers', {}, serverFile('dumpservers.txt')),
  },
  {
    name: 'DumpKey',
    group: 'Reports',
    takes: ['[File]'],
    words: 'the key of this instance and who uses it where (dumpkey.txt)',
    differences: DUMP_WORDS,
    nearest: 'lictor usage dump keys --key KEY',
    run: async (call) =>
      report(call, '/v1/usage/keys', { key: await keyOf(call) }, serverFile('dumpkey.txt')),
  },
  {
    name: 'DumpKeys',
    group: 'Reports',
    takes: ['[File]'],
    words: 'all keys and who uses them where (dumpkeys.txt)',
    differences: `${DUMP_WORDS} Caché 5 names its file dumpkey.txt too.`,
    nearest: 'lictor usage dump keys',
    run: (call) => report(call, '/v1/usage/keys', {}, serverFile('dumpkeys.txt')),
  },
];

/**
 * Every row of a query.
 *
 * @param name - of the query.
 * @param query - what it is asked with.
 */
export async function queryRows(
  call: LegacyCall,
  name: string,
  query: RunQueryQuery,
): Promise<RunQueryAnswer['rows']> {
  return (await wholeQuery(call, name, query)).rows;
}

async function wholeQuery(call: LegacyCall, name: string, query: RunQueryQuery): Promise<RunQueryAnswer> {
  const { queries } = await call.client();
  const first = await queries.run(name, { ...query, limit: PAGE_LIMIT });
  const rows = [...first.rows];
  let cursor = first.nextCursor;
  while (cursor !== undefined) {
    const page = await queries.run(name, { ...query, limit: PAGE_LIMIT, cursor });
    rows.push(...page.rows);
    cursor = page.nextCursor;
  }
  const { nextCursor, ...rest } = first;
  return { ...rest, rows };
}

/** What the queries take in the legacy class, in order, by the name of the parameter here. */
const QUERY_ARGUMENTS: Readonly<Record<string, readonly (readonly [legacy: string, parameter: string])[]>> = {
  ProcessList: [['[Filter]', 'filter']],
  UserList: [
    ['[All]', 'all'],
    ['[Filter]', 'filter'],
  ],
  ApplicationUserList: [
    ['AppName', 'application'],
    ['[ShowCounts]', 'showCounts'],
  ],
  TrakCareUserList: [['[All]', 'all']],
  Key: [['[Sections]', 'sections']],
};

/** The first sentence without its end, to stand behind a name; what is named in it keeps its capital. */
function firstWords(summary: string): string {
  const sentence = summary.split(/\.(?= |$)/, 1)[0] ?? '';
  return /^[A-Z][a-z]*\b/.test(sentence) ? sentence.charAt(0).toLowerCase() + sentence.slice(1) : sentence;
}

const queryMethod = ({ name, summary, of, columns }: QueryShape): LegacyMethod => {
  const takes = QUERY_ARGUMENTS[name] ?? [];
  return {
    name,
    group: 'Queries',
    takes: takes.map(([legacy]) => legacy),
    words: firstWords(summary),
    differences: `Columns: ${columns.join(', ')}. Printed as a table of up to 20,000 rows; --json has all.`,
    nearest: `lictor usage query ${name}${of === 'all' ? '' : ' --instance INSTANCE'}`,
    async run(call) {
      const query: Record<string, unknown> = of === 'all' ? {} : { instance: await call.instance() };
      for (const [place, [, parameter]] of takes.entries()) {
        query[parameter] = statedAs(call, place, parameter);
      }
      const asked = stated(query) as RunQueryQuery;
      if (call.world.json) {
        await call.world.print(jsonText(await wholeQuery(call, name, asked)));
        return null;
      }
      await call.world.print(await (await call.client()).queries.runText(name, asked));
      return null;
    },
  };
};

function statedAs(call: LegacyCall, place: number, parameter: string): string | number | boolean | undefined {
  if (parameter === 'application') return call.required(place);
  if (parameter === 'filter') return call.argument(place);
  if (parameter === 'sections') return call.number(place, 3);
  const number = call.number(place, 1);
  return number === undefined ? undefined : number === 1;
}

/** The reports and the queries. */
export const REPORT_METHODS: readonly LegacyMethod[] = [
  ...SHOWN,
  ...LOCAL_DUMPS.map(localDump),
  ...SERVER_DUMPS,
  ...QUERIES.map(queryMethod),
];
