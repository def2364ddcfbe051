/** `docs/compatibility.md`, held against the description of the API, the client and the commands. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { KEY_HELP } from '../../src/cli/key/keyhelp.ts';
import { HELP, METHODS, readCall } from '../../src/cli/license/licensemethods.ts';
import { COMMANDS, findCommand } from '../../src/cli/registry.ts';
import { fill, makeProgram } from '../../src/cli/run.ts';
import { World } from '../../src/cli/world.ts';
import { InstanceApplications } from '../../src/client/applications.ts';
import { CALLS } from '../../src/client/calls.ts';
import * as exported from '../../src/client/index.ts';
import { InstanceReports } from '../../src/client/reports.ts';
import { QUERIES, queryNamed } from '../../src/domain/texts/queries.ts';
import { makeWorld, recordingSink, runIn, wordsOf } from './world.ts';

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const PAGE = 'docs/compatibility.md';

/** Every method of the class that public sources name (notes 2.1 to 2.5, 2.7, 6.2). */
const METHOD_LIST = `
  Login DeferUserIdentification UserNameLicensing GetUserId ConnectionCount LicenseCount
  PublicWebAppUser PublicWebAppUserCount PublicWebAppUsersMax
  MaxConnections SetConnectionLimit GetConnectionLimit SetUserLimit GetUserLimit
  LUAvailable LUConsumed LUMinAvailable LUMaxConsumed InstanceConnections InstanceConnectionsMax
  CSPUsers MaxCSPUsers CSPGrace MaxCSPGrace ProcAvailable ProcConsumed ProcMaxConsumed ProcMinAvailable
  LUMaxConsumedReset DistributedMaxReset ReadDurationValues ReadDurationCounts ClearDurationCounts
  KeyLicenseCapacity KeyCustomerName KeyAuthorizationKey KeyMachineID KeyOrderNumber KeyExpirationDate
  KeyLicenseUnits KeyEnforcedUnits KeyCoresLicensed KeyCoresEnforced KeyCPUsLicensed KeyCPUsEnforced
  KeyProduct KeyLicenseType KeyServer KeyPlatform KeyFeatures KeyVersion KeyFileType
  GetKeyStatus GetKeyInvalidReason GetFeature MaxECPServers NetworkEnabled MaxBufferPool MaxDB
  Decode DecodeAuth ActiveServerCount
  Upgrade IsValidKey CheckKeyForUpgrade IsPendingActivation CheckNewKey SaveLicenseKey
  CKEY ShowCounts ShowSummary ShowServer ShowManager DumpLocalAll DumpLocalInUse DumpLocalPID
  DumpServer DumpServers DumpKey DumpKeys Help
  LoadAppLicenseFile TakeApplicationLicense ReturnApplicationLicense GetAppLicense GetAppLicenseValue
  GetAppLicenseUsed GetAppLicenseMaxUsed GetAppLicenseFree GetAppLicenseMinimum GetAppNames IsAppLicensed
  GetProcessAppsTaken CheckAppLicenseUsed ApplicationServerLogin ReturnAllCSPApps
`
  .trim()
  .split(/\s+/);

/** Every query of the class (notes 2.6). */
const QUERY_LIST = `
  Counts Summary ProcessList UserList UserListAll ApplicationUserList TrakCareUserList Key Decode LicenseManager
  LoginDuration ActiveServerList LicenseServerKeyList ConnectionList AllKeyConnectionList ConnectionAppList
`
  .trim()
  .split(/\s+/);

/** Every page and link of the portal about licensing, and what can be done there (S1, S3; F-15, F-20, F-65). */
const PORTAL_LIST = [
  'License Key',
  'License Key: Print',
  'Activate License Key: browse, both keys side by side',
  'Activate License Key: Print',
  'Activate License Key: Activate',
  'License Servers',
  'License Servers: Add',
  'License Servers: Edit',
  'License Servers: Delete',
  'License Usage: Summary',
  'License Usage: Usage by Process',
  'License Usage: Usage by User',
  'License Usage: Distributed License Usage',
  'Advanced Memory Settings: gmheap',
  'Console Log',
  'System Monitor Log, Health Monitor, Application Monitor',
  'Configuration Manager (Caché 5): License Wizard',
  'Configuration Manager (Caché 5): Licenses, Advanced',
];

/** The admin API of IRIS about licensing (notes 2.8). */
const ADMIN_API_LIST = [
  'GET /license/key',
  'POST /license/key/validate',
  'PUT /license/key',
  'GET /license/servers',
  'GET /license/server?name=',
  'PUT /license/server?name=',
  'DELETE /license/server?name=',
  'GET /monitor/license-usage',
];

interface Row {
  readonly section: string;
  readonly legacy: string;
  readonly rest: string;
  readonly sdk: string;
  readonly command: string;
  readonly difference: string;
}

const text = read(PAGE);
const rows: readonly Row[] = rowsOf(text);

function rowsOf(page: string): Row[] {
  const found: Row[] = [];
  let section = '';
  for (const line of page.split('\n')) {
    section = /^## (.+)$/.exec(line)?.[1] ?? section;
    const cells = /^\| (?!legacy |---)(.*) ?\|$/.exec(line)?.[1]?.split(' | ');
    if (cells === undefined) continue;
    if (cells.length !== 5) throw new Error(`not five cells: ${line}`);
    const [legacy, rest, sdk, command, difference] = cells.map((cell) => cell.trim()) as [
      string,
      string,
      string,
      string,
      string,
    ];
    found.push({ section, legacy, rest, sdk, command, difference });
  }
  return found;
}

/** What stands in backticks. */
const spans = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, span]) => span!);

const inSection = (section: string) => rows.filter((row) => row.section === section);

/** The method of a row of the class; null for rows of something else. */
const methodOf = ({ legacy }: Row) => /^`(\w+)\(/.exec(legacy)?.[1] ?? null;

const CLASS_SECTIONS = [
  'Login and identity',
  'Limits',
  'Counters',
  'The key',
  'Activation',
  'Reports',
  'Queries',
  'Application licences',
];

const classRows = rows.filter(({ section }) => CLASS_SECTIONS.includes(section));

test('the page was read', () => {
  expect(rows.length).toBeGreaterThan(130);
  expect(new Set(rows.map(({ section }) => section)).size).toBe(12);
  for (const row of classRows) expect(methodOf(row)).not.toBeNull();
});

describe('complete', () => {
  test('every method of the class is on the page, and nothing that is not a method of it', () => {
    const named = classRows.filter(({ section }) => section !== 'Queries').map(methodOf);
    expect([...named].sort()).toEqual([...METHOD_LIST].sort());
  });

  test('every query of the class is on the page, and is one', () => {
    const named = inSection('Queries').map(methodOf);
    expect([...named].sort()).toEqual([...QUERY_LIST].sort());
    expect(QUERIES.map(({ name }) => name).sort()).toEqual([...QUERY_LIST].sort());
  });

  test('every page and link of the portal, and the admin API, are on the page', () => {
    const portal = inSection('The portal').map(({ legacy }) => legacy);
    expect(portal).toEqual(expect.arrayContaining(PORTAL_LIST));
    const api = inSection('The admin API of IRIS').flatMap(({ legacy }) => spans(legacy));
    expect(api).toEqual(expect.arrayContaining(ADMIN_API_LIST));
  });

  test('"lictor license" has every method on the page, with the arguments that stand there', () => {
    const own = new Map(METHODS.map((method) => [method.name, method]));
    const former = METHODS.flatMap((method) => method.former ?? []);
    const listed = new Set<string>([HELP, ...former, ...own.keys()]);
    expect([...new Set(classRows.map(methodOf))].sort()).toEqual([...listed].sort());
    for (const row of classRows) {
      const method = own.get(methodOf(row)!);
      const [span] = spans(row.legacy);
      const given = /\((.*)\)/
        .exec(span!)![1]!
        .split(',')
        .filter((one) => one !== '');
      if (method === undefined) continue;
      const expected = [...method.takes, ...(method.gives ?? []).map((one) => `.${one}`)];
      expect([method.name, given.map((one) => one.replace(/^\.\.\.$/, '…'))]).toEqual([
        method.name,
        expected,
      ]);
    }
  });

  test('the page says which have no counterpart, and only these have none', () => {
    const said = classRows
      .filter(({ difference }) => difference.startsWith('**No counterpart'))
      .map(methodOf);
    const absent = METHODS.filter(({ run }) => run === undefined).map(({ name }) => name);
    expect([...said].sort()).toEqual([...absent].sort());
    for (const row of classRows) {
      const isAbsent = absent.includes(methodOf(row)!);
      if (isAbsent) expect([row.legacy, row.rest, row.sdk]).toEqual([row.legacy, '–', '–']);
      else if (methodOf(row) !== HELP) {
        expect([row.legacy, spans(row.rest).length, spans(row.sdk).length]).not.toContain(0);
        expect([row.legacy, spans(row.command)[0]]).not.toContain(undefined);
      }
    }
  });
});

describe('true', () => {
  /** The names of parameters and members of every operation, by verb and path. */
  const operations = new Map<string, { readonly query: Set<string>; readonly members: Set<string> }>();

  beforeAll(() => {
    const document = parse(read('openapi.yaml'));
    for (const [path, verbs] of Object.entries<Record<string, object>>(document.paths)) {
      for (const [verb, operation] of Object.entries(verbs)) {
        const { parameters = [] } = operation as { parameters?: { name: string; in: string }[] };
        const members = new Set(parameters.map(({ name }) => name));
        collect(operation, document, members, new Set());
        const query = new Set(parameters.filter((one) => one.in === 'query').map(({ name }) => name));
        operations.set(`${verb.toUpperCase()} ${path}`, { query, members });
      }
    }
  });

  function collect(node: unknown, document: object, members: Set<string>, seen: Set<unknown>): void {
    if (typeof node !== 'object' || node === null || seen.has(node)) return;
    seen.add(node);
    for (const [name, value] of Object.entries(node)) {
      if (name === 'properties') for (const member of Object.keys(value)) members.add(member);
      if (name === '$ref') {
        const steps = String(value).slice(2).split('/');
        const target = steps.reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], document);
        // A problem has members that are no answer.
        if (!String(value).endsWith('/Problem')) collect(target, document, members, seen);
      } else collect(value, document, members, seen);
    }
  }

  /** The operation of a route as the page writes it; null when the API has none. */
  function operationOf(span: string) {
    const [route, search] = span.split('?') as [string, string?];
    const operation = operations.get(route);
    const parameter = search?.split('=')[0];
    return operation === undefined || (parameter !== undefined && !operation.query.has(parameter))
      ? null
      : operation;
  }

  const isRoute = (span: string) => /^(GET|PUT|POST|PATCH|DELETE) \//.test(span);

  test('every route is in openapi.yaml, with the members that stand beside it', () => {
    expect(operations.size).toBeGreaterThan(60);
    const wrong: string[] = [];
    for (const { legacy, rest } of rows) {
      const members = new Set<string>();
      for (const span of spans(rest).filter(isRoute)) {
        const operation = operationOf(span);
        if (operation === null) wrong.push(`${legacy}: ${span}`);
        else for (const member of operation.members) members.add(member);
      }
      for (const span of spans(rest).filter((one) => !isRoute(one))) {
        if (!members.has(span) && queryNamed(span) === undefined) wrong.push(`${legacy}: ${span}`);
      }
    }
    const elsewhere = [...rows.map(({ difference }) => difference), ...proseOf(text)].flatMap(spans);
    wrong.push(...elsewhere.filter((span) => isRoute(span) && operationOf(span) === null));
    expect(wrong).toEqual([]);
  });

  test('every call is one of the client, or a member of an instance or a session', () => {
    const all = rows.flatMap(({ sdk }) => spans(sdk));
    expect(all.length).toBeGreaterThan(130);
    expect(all.filter((span) => !isOfClient(span))).toEqual([]);
    const others = rows.flatMap(({ difference }) => spans(difference));
    const named = others.filter((span) => /^(instance|session)\.\w/.test(span));
    expect(named.filter((span) => !isOfClient(span))).toEqual([]);
  });

  test('every command is one, with the options that stand there', async () => {
    const lines = [...rows.flatMap((row) => [row.command, row.difference]), ...proseOf(text)]
      .flatMap(spans)
      .filter((span) => /^lictor [a-z]/.test(span));
    lines.push(...METHODS.map(({ nearest }) => nearest));
    lines.push(...[...text.matchAll(/^lictor .*$/gm)].map(([line]) => line));
    expect(lines.length).toBeGreaterThan(200);
    const wrong: string[] = [];
    for (const line of new Set(lines)) {
      const fault = await faultOf(line);
      if (fault !== null) wrong.push(`${line}: ${fault}`);
    }
    expect(wrong).toEqual([]);
    const cells = rows.flatMap(({ command }) => spans(command));
    expect(cells.filter((span) => !span.startsWith('lictor '))).toEqual([]);
  });

  test('the faults that this test looks for are found', async () => {
    expect(operationOf('GET /v1/nothing')).toBeNull();
    expect(operationOf('PUT /v1/keys')).toBeNull();
    expect(operationOf('GET /v1/logins?nothing=…')).toBeNull();
    expect(operationOf('GET /v1/instances/{name}/counts')?.members.has('unitsMax')).toBe(true);
    for (const span of [
      'keys.nothing',
      'instance.nothing',
      'instance.reports.nothing',
      'session.nothing',
      'Nothing',
    ]) {
      expect([span, isOfClient(span)]).toEqual([span, false]);
    }
    for (const line of [
      'lictor nothing',
      'lictor keys nothing',
      'lictor keys list --nothing',
      'lictor keys show',
      'lictor key nothing',
      'lictor key sign FILE --nothing',
      'lictor license Nothing',
    ]) {
      expect([line, await faultOf(line)]).not.toEqual([line, null]);
    }
  });
});

/** The page without its tables. */
function proseOf(page: string): string[] {
  return page.split('\n').filter((line) => !line.startsWith('|'));
}

function isOfClient(span: string): boolean {
  const [first = '', second, third] = span.split('.');
  if (second === undefined) return first in exported;
  const sources: Record<string, readonly [{ readonly prototype: object }, string]> = {
    instance: [exported.LicenseInstance, 'src/client/instance.ts'],
    session: [exported.LicensedSession, 'src/client/sessions.ts'],
    applications: [InstanceApplications, ''],
    reports: [InstanceReports, ''],
  };
  if (first === 'instance' || first === 'session') {
    const [owner, file] = sources[first]!;
    const isMember =
      second in owner.prototype || new RegExp(`^ {2}readonly ${second}:`, 'm').test(read(file));
    if (third === undefined) return isMember;
    const inner = sources[second];
    return isMember && inner !== undefined && third in inner[0].prototype;
  }
  const calls = (CALLS as Readonly<Record<string, object>>)[first];
  return third === undefined && calls !== undefined && Object.hasOwn(calls, second);
}

const programs = new Map<string, Command>();

/** What is wrong with a command line; null when there is such a command with such options. */
async function faultOf(line: string): Promise<string | null> {
  const words = wordsOf(line.replaceAll("'", '"').replace(/\s+#.*$/, '')).slice(1);
  const entry = findCommand(words[0]!);
  if (entry === undefined) return 'no command';
  if (entry.load === undefined) return faultOfOwn(words);
  let command = programs.get(entry.name);
  if (command === undefined) {
    const sink = recordingSink();
    const { program } = makeProgram(new World(makeWorld(sink, sink)));
    await fill(program, entry, new World(makeWorld(sink, sink)));
    command = program.commands[0]!;
    programs.set(entry.name, command);
  }
  let rest = words.slice(1);
  while (command.commands.length > 0) {
    const child: Command | undefined = command.commands.find((one) => one.name() === rest[0]);
    // `lictor doctor` and the like in prose name a whole group.
    if (child === undefined) return rest.length === 0 ? null : `no command ${rest[0]}`;
    command = child;
    rest = rest.slice(1);
  }
  return faultOfOptions(command, rest) ?? (entry.name === 'license' ? faultOfMethod(rest) : null);
}

function faultOfOptions(command: Command, words: readonly string[]): string | null {
  let count = 0;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index]!;
    if (!/^--\w/.test(word)) {
      count += 1;
      continue;
    }
    const option = command.options.find(({ long }) => long === word);
    if (option === undefined) return `no option ${word}`;
    if (option.required) {
      index += 1;
      const value = words[index];
      if (value === undefined) return `${word} has no value`;
      const isPlaceholder = /^[A-Z]+$/.test(value);
      if (option.argChoices && !isPlaceholder && !option.argChoices.includes(value))
        return `${word} cannot be ${value}`;
    }
  }
  const needed = command.registeredArguments.filter(({ required }) => required).length;
  const most = command.registeredArguments.some(({ variadic }) => variadic)
    ? Number.POSITIVE_INFINITY
    : command.registeredArguments.length;
  // In prose a command may be named without what it takes.
  if (words.length === 0 && command.registeredArguments.length === 0) return null;
  return count < needed || count > most ? `${count} arguments` : null;
}

function faultOfMethod(words: readonly string[]): string | null {
  const [first] = words;
  if (first === undefined || first === 'METHOD') return null;
  const { name } = readCall(first, []);
  const names = [HELP, ...METHODS.flatMap((method) => [method.name, ...(method.former ?? [])])];
  return names.includes(name) ? null : `no method ${name}`;
}

/** Commands that read their options themselves. */
function faultOfOwn([name, ...rest]: readonly string[]): string | null {
  const { expects = [] } = COMMANDS.find((one) => one.name === name)!;
  const [first] = rest;
  if (first === undefined) return null;
  if (!expects.includes(first)) return `no ${first}`;
  if (name !== 'key') return null;
  const help: string = (KEY_HELP as Readonly<Record<string, string>>)[first] ?? '';
  const unknown = rest.find((word) => word.startsWith('--') && !help.includes(word));
  return unknown === undefined ? null : `no option ${unknown}`;
}

test('"lictor license Help" names the page, which is there', async () => {
  const { stdout } = await runIn(['license', 'Help']);
  expect(stdout).toContain(PAGE);
});
