/** The methods of the legacy class about application licences, for `lictor license` (notes 6.2). */

import type { ReadApplicationAnswer } from '../../client/openapi.ts';
import { ApiError } from '../../client/problems.ts';
import { EXIT, tell } from '../faults.ts';
import { stated } from '../options.ts';
import {
  type Answered,
  type LegacyCall,
  type LegacyMethod,
  type Printed,
  STATUS_OK,
  statusText,
  truthValue,
} from './licensecall.ts';

const DEFAULT_KEYWORD = 'Concurrent Users';
/** "Cannot allocate a license". */
const CANNOT_ALLOCATE = 5915;
const PAGE_LIMIT = 500;

async function sectionOf(call: LegacyCall): Promise<ReadApplicationAnswer> {
  const application = call.required(0);
  const instance = await call.instance();
  return (await call.client()).applications.read(instance, application);
}

type Feature = ReadApplicationAnswer['features'][number];
type FeatureFact = readonly [name: string, words: string, pick: (feature: Feature) => Printed | undefined];

const FEATURE_FACTS: readonly FeatureFact[] = [
  ['GetAppLicenseValue', 'the value of a keyword', ({ value }) => value],
  ['GetAppLicenseUsed', 'units of a keyword in use', ({ used }) => used],
  ['GetAppLicenseMaxUsed', 'the most units in use at one time since it was loaded', ({ maxUsed }) => maxUsed],
  ['GetAppLicenseFree', 'units of a keyword that are free', ({ free }) => free],
  ['GetAppLicenseMinimum', 'the fewest units that were free', ({ minimum }) => minimum],
];

const featureMethod = ([name, words, pick]: FeatureFact): LegacyMethod => ({
  name,
  group: 'Application licences',
  takes: ['App', 'Keyword'],
  words,
  differences:
    'Empty for a keyword that there is not; an unknown App fails. Counts of a value that is text are empty.',
  nearest: 'lictor applications show APPLICATION --instance INSTANCE',
  async run(call) {
    const { features } = await sectionOf(call);
    const keyword = call.required(1);
    const found = features.find(({ feature }) => feature === keyword);
    return { value: (found === undefined ? undefined : pick(found)) ?? '' };
  },
});

async function load(call: LegacyCall): Promise<Answered> {
  const file = call.required(0);
  const application = call.argument(1);
  const instance = await call.instance();
  let bytes: Uint8Array;
  try {
    bytes = await call.world.read(file);
  } catch (error) {
    return { value: 1, exit: EXIT.failed, note: tell(error)?.message ?? `${file} cannot be read.` };
  }
  const body = { fileBase64: Buffer.from(bytes).toString('base64') };
  const { applications } = await call.client();
  try {
    if (application === undefined) await applications.loadAll(instance, body);
    else await applications.load(instance, application, body);
    return { value: 0 };
  } catch (error) {
    const code = error instanceof ApiError ? legacyCodeOf(error) : null;
    if (code === null) throw error;
    return { value: code, exit: EXIT.failed, note: tell(error)!.message };
  }
}

/** The number for which the original has a fault of the file; null for what is not about the file. */
function legacyCodeOf({ code, problem }: ApiError): number | null {
  if (code === 'application-limit-reached') return 4;
  if (code !== 'application-file-invalid') return null;
  const { faults } = problem as { faults?: readonly { readonly legacyCode?: number }[] };
  return faults?.[0]?.legacyCode ?? 1;
}

/** Who takes and returns: the login of `--login`, or the user of `--user`. */
function holderOf(call: LegacyCall): { readonly login: string } | { readonly userId: string } {
  const { user, login } = call.options;
  if (user !== undefined && login === undefined) return { userId: user };
  if (user === undefined && login !== undefined) return { login };
  throw call.misused('say who the process or session is: either --login or --user.');
}

/** @returns null for an error that is no answer of the method's. */
function refusalOf(error: unknown): Answered | null {
  if (!(error instanceof ApiError)) return null;
  const { exit, message } = tell(error)!;
  const cannot = ['application-units-exhausted', 'feature-not-licensed', 'feature-not-counted'];
  if (cannot.includes(error.code)) {
    return { value: statusText('Cannot allocate a license', CANNOT_ALLOCATE), exit, note: message };
  }
  if (error.code === 'application-not-found' || error.code === 'holder-missing') {
    return { value: statusText(message), exit };
  }
  return null;
}

async function take(call: LegacyCall): Promise<Answered> {
  const application = call.required(0);
  const feature = call.argument(1) ?? DEFAULT_KEYWORD;
  const body = { ...holderOf(call), features: [{ application, feature }] };
  const instance = await call.instance();
  try {
    const { features } = await (await call.client()).applications.take(instance, body);
    return { value: STATUS_OK, output: { Count: features[0]?.count ?? 0 } };
  } catch (error) {
    const refused = refusalOf(error);
    if (refused === null) throw error;
    return refused;
  }
}

async function giveBack(call: LegacyCall): Promise<Answered> {
  const application = call.required(0);
  const feature = call.argument(1) ?? DEFAULT_KEYWORD;
  const body = { ...holderOf(call), features: [{ application, feature }] };
  const instance = await call.instance();
  try {
    const { features } = await (await call.client()).applications.return(instance, body);
    return { value: STATUS_OK, output: { Released: truthValue(features[0]?.released === true) } };
  } catch (error) {
    const refused = refusalOf(error);
    if (refused === null) throw error;
    return refused;
  }
}

async function takenByProcess(call: LegacyCall): Promise<Answered> {
  const pid = call.argument(0);
  const application = call.required(1);
  const instance = await call.instance();
  const logins = pid === undefined ? [call.login()] : await loginsOf(call, instance, pid);
  const { applications } = await call.client();
  const keywords = new Set<string>();
  for (const login of logins) {
    let cursor: string | undefined;
    do {
      const query = { login, limit: PAGE_LIMIT, ...stated({ cursor }) };
      const page = await applications.holders(instance, application, query);
      for (const { feature } of page.items) keywords.add(feature);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
  }
  return {
    value: [...keywords].sort(),
    ...(logins.length === 0 ? { note: `No process ${pid} is known on ${instance}.` } : {}),
  };
}

async function loginsOf(call: LegacyCall, instance: string, pid: string): Promise<string[]> {
  const client = await call.client();
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.logins.list({ instance, limit: PAGE_LIMIT, ...stated({ cursor }) });
    for (const { id, processId } of page.items) if (String(processId) === pid) found.push(id);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return found;
}

const UNITS: readonly LegacyMethod[] = [
  {
    name: 'LoadAppLicenseFile',
    group: 'Application licences',
    takes: ['File', '[App]'],
    words: 'loads a section of a file: 0, or 1, 2, 4, 5, 6 for what is wrong with it',
    differences: 'Without App every section is loaded, all or none. Exit status 1 with what is not 0.',
    nearest: 'lictor applications load FILE --instance INSTANCE --application NAME',
    run: load,
  },
  {
    name: 'TakeApplicationLicense',
    group: 'Application licences',
    takes: ['App', '[Keyword]'],
    gives: ['Count'],
    words: 'takes a unit for the login of --login or the user of --user',
    differences: `Keyword is "${DEFAULT_KEYWORD}" when left out. Prints 1, or ERROR #5915 with exit status 75 when none is free; Count is how often the user has it. The session is the login of --login.`,
    nearest: 'lictor applications take APPLICATION/KEYWORD --instance INSTANCE --user USER',
    run: take,
  },
  {
    name: 'ReturnApplicationLicense',
    group: 'Application licences',
    takes: ['App', '[Keyword]'],
    gives: ['Released'],
    words: 'gives a unit back; Released is 0 when it was not held',
    nearest: 'lictor applications return APPLICATION/KEYWORD --instance INSTANCE --user USER',
    run: giveBack,
  },
  {
    name: 'GetAppLicense',
    group: 'Application licences',
    takes: ['App', '[GetValues]'],
    words: 'the keywords of an application, with 1 as keyword=value',
    differences: 'One a line, where the legacy text has NUL between them.',
    nearest: 'lictor applications show APPLICATION --instance INSTANCE',
    async run(call) {
      const isValued = call.number(1, 1) === 1;
      const { features } = await sectionOf(call);
      return { value: features.map(({ feature, value }) => (isValued ? `${feature}=${value}` : feature)) };
    },
  },
  ...FEATURE_FACTS.map(featureMethod),
];

const OTHERS: readonly LegacyMethod[] = [
  {
    name: 'GetAppNames',
    group: 'Application licences',
    takes: ['[Types]'],
    words: 'the applications: I of the vendor, P protected, U unprotected, in any combination',
    nearest: 'lictor applications list --instance INSTANCE --types TYPES',
    async run(call) {
      const types = call.argument(0)?.toUpperCase();
      const instance = await call.instance();
      const { items } = await (await call.client()).applications.list(instance, stated({ types }));
      return { value: items.map(({ name }) => name) };
    },
  },
  {
    name: 'IsAppLicensed',
    group: 'Application licences',
    takes: ['App', '[Keyword]'],
    words: '1 when there is the application, or the keyword of it',
    nearest: 'lictor applications show APPLICATION --instance INSTANCE',
    async run(call) {
      const keyword = call.argument(1);
      try {
        const { features } = await sectionOf(call);
        return {
          value: truthValue(keyword === undefined || features.some(({ feature }) => feature === keyword)),
        };
      } catch (error) {
        if (error instanceof ApiError && error.code === 'application-not-found') return { value: 0 };
        throw error;
      }
    },
  },
  {
    name: 'GetProcessAppsTaken',
    group: 'Application licences',
    takes: ['[PID]', 'App'],
    words: 'the keywords that a process holds, one a line; with --login that of a login',
    differences: 'What was taken for a user by --user is nobody’s process’s.',
    nearest: 'lictor applications holders APPLICATION --instance INSTANCE --login LOGIN',
    run: takenByProcess,
  },
  {
    name: 'CheckAppLicenseUsed',
    group: 'Application licences',
    takes: ['App', 'Keyword'],
    words: 'counts anew who holds a keyword: counted,before,recovered',
    nearest: 'lictor applications recount APPLICATION --instance INSTANCE --feature KEYWORD',
    async run(call) {
      const [application, feature] = [call.required(0), call.required(1)];
      const instance = await call.instance();
      const client = await call.client();
      const { items } = await client.applications.recount(instance, application, { feature });
      const [item] = items;
      return { value: item === undefined ? '' : `${item.counted},${item.before},${item.recovered}` };
    },
  },
  {
    name: 'ApplicationServerLogin',
    group: 'Application licences',
    takes: ['App', 'Keyword'],
    gives: ['Status'],
    words: '1 when no more instances use the key than a keyword licenses: a limit on instances, not on users',
    nearest: 'lictor applications instance-login APPLICATION --instance INSTANCE --feature KEYWORD',
    async run(call) {
      const [application, feature] = [call.required(0), call.required(1)];
      const instance = await call.instance();
      const client = await call.client();
      try {
        const answer = await client.applications.instanceLogin(instance, application, { feature });
        return { value: truthValue(answer.permitted), output: { Status: STATUS_OK } };
      } catch (error) {
        const refused = refusalOf(error);
        if (refused === null) throw error;
        return { ...refused, value: 0, output: { Status: refused.value as Printed } };
      }
    },
  },
  {
    name: 'ReturnAllCSPApps',
    group: 'Application licences',
    takes: ['[Session]'],
    words: 'gives back everything that the login of a session has taken',
    differences:
      'Session is the ID of its login, as --login. It is not needed: everything goes with the login in the same step.',
    nearest: 'lictor applications return --instance INSTANCE --login LOGIN',
    async run(call) {
      const login = call.argument(0) ?? call.login();
      const instance = await call.instance();
      const { features } = await (await call.client()).applications.return(instance, { login });
      return { value: STATUS_OK, note: `Gave back ${features.length} features.` };
    },
  },
];

/** The methods about application licences. */
export const APPLICATION_METHODS: readonly LegacyMethod[] = [...UNITS, ...OTHERS];
