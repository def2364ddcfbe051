/** `lictor apply`: faults with their lines, a plan, doing it, and doing it again. */
import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { readApplyFile } from '../../src/cli/apply/applyfile.ts';
import { ApplySettings, applyJsonSchema, applyReference } from '../../src/cli/apply/applyschema.ts';
import { processWorld } from '../../src/cli/process.ts';
import { runCli } from '../../src/cli/run.ts';
import type { Sink } from '../../src/cli/world.ts';
import { Settings } from '../../src/http/settings.ts';
import { type StartedApp, startApp } from '../support/app.ts';
import { ADMIN_TOKEN } from '../support/http.ts';
import { signedKeyFile } from '../support/keyfiles.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FIXTURE = path.join(ROOT, 'test/fixtures/apply/site.yaml');

const BOMB = ['a', 'b', 'c', 'd', 'e']
  .map((name, index) => `${'bcdef'[index]}: &${'bcdef'[index]} [${`*${name},`.repeat(9)}*${name}]`)
  .join('\n');

describe('the form of the file', () => {
  /** The faults of a text, as "line: where words". */
  function faultsOf(text: string): string[] {
    const reading = readApplyFile(Buffer.from(text));
    return reading.ok ? [] : reading.faults.map(({ line, at, words }) => `${line}: ${at} ${words}`);
  }

  test('the fixture is in order, and so is the same as JSON', async () => {
    const reading = readApplyFile(await readFile(FIXTURE));
    if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
    expect(reading.content.instances!['hospital-b']!.settings).toMatchObject({
      unitLimit: 5,
      graceSeconds: 120,
    });
    expect(readApplyFile(Buffer.from(JSON.stringify(reading.content)))).toMatchObject({ ok: true });
  });

  test('every fault is told at once, with its line', () => {
    const text = `lictor: 1
keys:
  one:
    files: one.key
    enforcement: centrl
instances:
  a b:
    key: one
  app:
    settings:
      unitlimit: 5
      graceSeconds: 5
      connectionLimit: "3"
    applications:
      - file: lab.ini
        name: Lab
licenseServers:
  primary: {address: 10.0.1, port: 80}
  PRIMARY: {address: 192.0.2.1}
tokens:
  ops:
    role: boss
    keys: []
    expiresAt: 2027-13-45
colours: {}
`;
    expect(faultsOf(text)).toEqual([
      '3: keys.one is missing "file"',
      '4: keys.one.files is not known here; did you mean "file"?',
      '5: keys.one.enforcement must be one of central, local, leased',
      '7: instances.a b is no name here: use letters, digits, dot, underscore and hyphen, at most 63, and must begin with a letter or digit',
      '11: instances.app.settings.unitlimit is not known here; did you mean "unitLimit"?',
      '12: instances.app.settings.graceSeconds must be 0, or at least 10',
      '13: instances.app.settings.connectionLimit must be a whole number',
      '15: instances.app.applications.0 must have either "file", or "name" and "entries"',
      '18: licenseServers.primary.port must be at least 1024',
      '18: licenseServers.primary.address must be an IPv4 address in four decimal parts, an IPv6 address, or a host name',
      '19: licenseServers.PRIMARY is the same name as "primary", whatever the case',
      '22: tokens.ops.role must be one of administrator, operator, viewer, instance',
      '23: tokens.ops.keys must have an entry; leave it out otherwise',
      '24: tokens.ops.expiresAt is no date that there is',
      '25: colours is not known here; known are lictor, keys, instances, licenseServers, tokens',
    ]);
  });

  test.each([
    ['', 'must be a map that begins with "lictor: 1"'],
    ['- x', 'must be a map'],
    ['lictor: 2', 'lictor must be 1'],
    ['keys: {}', 'is missing "lictor"'],
    ['lictor: 1\ntokens:\n', 'tokens must be a map of names'],
    ['lictor: 1\nkeys: {a: {file: x}, a: {file: y}}', 'is not YAML: Map keys must be unique'],
    ['lictor: 1\n  keys: [', 'is not YAML'],
    // Aliases of aliases, which would come to a million texts.
    [
      `a: &a [${'x,'.repeat(9)}x]
${BOMB}`,
      'cannot be read',
    ],
    [`lictor: 1 #${'x'.repeat(1_048_576)}`, 'has more than 1048576 bytes'],
  ])('%j', (text, words) => {
    expect(faultsOf(text).join('\n')).toContain(words);
  });

  test('what is not UTF-8 is said to be so', () => {
    expect(readApplyFile(Buffer.from([0xff, 0xfe]))).toMatchObject({
      ok: false,
      faults: [{ words: 'is not UTF-8' }],
    });
  });

  test('the settings are those of the API, with the same bounds', () => {
    const bare = ({ properties }: { properties: object }) =>
      JSON.parse(JSON.stringify(properties), (name, value) => (name === 'description' ? undefined : value));
    const own = bare(ApplySettings);
    const api = bare(Settings);
    // The API bounds a network's length only.
    expect(own).toEqual(api);
  });

  test('the schema and the reference are those of this version; "node test/support/write-apply.ts" writes them', async () => {
    const schema = JSON.parse(await readFile(path.join(ROOT, 'docs/apply.schema.json'), 'utf8'));
    expect(schema).toEqual(applyJsonSchema());
    const page = await readFile(path.join(ROOT, 'docs/apply.md'), 'utf8');
    expect(page).toContain(applyReference());
    expect(page).toContain((await readFile(FIXTURE, 'utf8')).split('\n').slice(1).join('\n').trim());
  });
});

let started: StartedApp;
let url: string;
let directory: string;

beforeAll(async () => {
  started = await startApp({ allowUnverified: true });
  url = await started.app.listen({ host: '127.0.0.1', port: 0 });
}, 120_000);

beforeEach(async () => {
  await rm(directory ?? '/nonexistent', { recursive: true, force: true });
  directory = await mkdtemp(path.join(tmpdir(), 'lictor-apply-'));
});

afterAll(async () => {
  await started?.close();
  await rm(directory, { recursive: true, force: true });
}, 120_000);

interface Person {
  /** What a person at a terminal answers; without one there is no terminal. */
  readonly answer?: string;
  readonly token?: string;
}

/** Runs the command line in this process. */
async function run(args: readonly string[], { answer, token = ADMIN_TOKEN }: Person = {}) {
  const written = { stdout: '', stderr: '' };
  const asked: string[] = [];
  const sink = (name: 'stdout' | 'stderr'): Sink => ({
    isTerminal: answer !== undefined,
    columns: 100,
    rows: 24,
    write: async (text) => {
      written[name] += text;
    },
    onResize: () => () => {},
  });
  const code = await runCli(args, {
    ...processWorld(),
    env: { LICTOR_URL: url, LICTOR_TOKEN: token, NO_COLOR: '1' },
    home: directory,
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    stdin: {
      isTerminal: answer !== undefined,
      readAll: async () => new Uint8Array(),
      ask: async (question) => {
        asked.push(question);
        return answer ?? null;
      },
      onKey: () => () => {},
    },
  });
  return { code, ...written, asked };
}

/** Writes a declaration, with whatever files it names, and applies it. */
async function apply(text: string, options: readonly string[] = [], person: Person = {}) {
  const file = path.join(directory, 'site.yaml');
  await writeFile(file, `lictor: 1\n${text}`);
  return run(['apply', file, ...options], person);
}

/** Makes a signed key file beside the declaration. */
async function keyFile(name: string, fields: Parameters<typeof signedKeyFile>[0]): Promise<string> {
  const { text, id } = signedKeyFile(fields);
  await writeFile(path.join(directory, name), text);
  return id;
}

const get = async (path: string) => (await started.call(`GET ${path}`)).json();
const version = async (): Promise<number> => (await get('/v1/usage/counts')).version;
const NOTHING = /^Nothing to do: \d+ things? as declared\.\n$/;

describe('the fixture on an empty server', () => {
  test('is planned, done, and done again without doing anything', async () => {
    const secrets = path.join(directory, 'secrets.json');
    const before = await version();
    const planned = await run(['apply', FIXTURE, '--dry-run', '--exit-code']);
    expect([planned.code, planned.stderr, await version()]).toEqual([3, '', before]);
    expect(planned.stdout).toContain('+ add key hospital\n');
    expect(planned.stdout).toMatch(/ {4}settings\.unitLimit +20\n/);
    expect(planned.stdout).toMatch(
      /\+ add application BestLabApplication on hospital-a\n {4}file .*bestlab\.ini\n {4}Lab Users +50\n/,
    );
    expect(planned.stdout).toMatch(/9 to add; 0 things as declared\.\n$/);

    const done = await run(['apply', FIXTURE, '--secrets', secrets]);
    expect([done.code, done.stderr]).toEqual([0, '']);
    const again = await run(['apply', FIXTURE, '--dry-run', '--exit-code']);
    expect([again.code, again.stdout]).toEqual([0, expect.stringMatching(NOTHING)]);
    const after = await version();
    expect((await run(['apply', FIXTURE])).stdout).toMatch(NOTHING);
    expect(await version()).toBe(after);

    const instance = await get('/v1/instances/hospital-a');
    expect(instance.settings).toMatchObject({
      unitLimit: 20,
      graceSeconds: 120,
      trustedProxies: ['10.0.0.1/32', '192.0.2.0/24'],
    });
    const [key] = (await get('/v1/keys')).items;
    expect(instance.key).toBe(key.id);
    expect(
      (await get('/v1/license-servers')).items.map(({ name, port }: { name: string; port: number }) => [
        name,
        port,
      ]),
    ).toEqual([
      ['PRIMARY', 4001],
      ['SECONDARY', 4002],
    ]);
    expect((await stat(secrets)).mode & 0o777).toBe(0o600);
    const texts = JSON.parse(await readFile(secrets, 'utf8')) as Record<string, string>;
    expect(Object.keys(texts)).toEqual(['hospital-a', 'auditor']);
    expect((await started.call('GET /v1/keys', { token: texts.auditor! })).json().items).toHaveLength(1);
    expect((await started.call('GET /v1/journal', { token: texts['hospital-a']! })).statusCode).toBe(403);
  });

  test('as JSON for programs', async () => {
    const { code, stdout } = await run(['apply', FIXTURE, '--dry-run', '--json']);
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      {
        applied: false,
        changes: [],
        counts: { add: 0, change: 0, replace: 0, remove: 0 },
        unchanged: 9,
        notices: [],
      },
    ]);
  });

  test('what has changed is shown as it was and as it is to be, and changed', async () => {
    await cp(path.join(ROOT, 'test/fixtures'), directory, { recursive: true });
    const file = path.join(directory, 'apply/site.yaml');
    const text = (await readFile(file, 'utf8'))
      .replace('unitLimit: 20', 'unitLimit: 18')
      .replace('port: 4002', 'port: 4003')
      .replace('enforcement: central', 'enforcement: leased')
      .replace('Concurrent Users: 3', 'Concurrent Users: 4');
    await writeFile(file, text);
    const { code, stdout } = await run(['apply', file]);
    expect(code).toBe(0);
    expect(stdout).toBe(`~ change key hospital
    enforcement  central → leased
~ change license-server SECONDARY
    port  4002 → 4003
~ change instance hospital-a
    settings.unitLimit  20 → 18
~ change application NightShift on hospital-b
    Concurrent Users  3 → 4
4 to change; 5 things as declared.
Done.
`);
    expect((await run(['apply', file])).stdout).toMatch(NOTHING);
    const [key] = (await get('/v1/keys')).items;
    expect(key.enforcement).toBe('leased');
  });
});

describe('keys and instances', () => {
  test('a bigger key is activated on a running instance; nobody inside notices (F-20)', async () => {
    const small = await keyFile('small.key', { OrderNumber: 9101, AuthorizedUnits: 5 });
    const big = await keyFile('big.key', { OrderNumber: 9102, AuthorizedUnits: 25 });
    const declare = (key: string) =>
      `keys: {small: {file: small.key}, big: {file: big.key}}\ninstances: {ward: {key: ${key}, settings: {graceSeconds: 0}}}\n`;
    expect((await apply(declare('small'))).code).toBe(0);
    const login = await started.login('ward', 'alice');
    const before = await get('/v1/instances/ward');
    expect(before.key).toBe(small);
    const changed = await apply(declare('big'));
    expect([changed.code, changed.stdout]).toEqual([0, expect.stringContaining(`${small} → ${big}: `)]);
    const after = await get('/v1/instances/ward');
    expect([after.key, after.incarnation]).toEqual([big, before.incarnation]);
    expect((await get(`/v1/logins/${login}`)).held).toBe(true);
    expect((await apply(declare('big'))).stdout).toMatch(NOTHING);
  });

  test('files that are not there or not in order, and references to nothing, are told with their lines', async () => {
    await writeFile(path.join(directory, 'bad.key'), '[License]\nOrderNumber=x\n');
    await cp(path.join(ROOT, 'test/fixtures/applications-bad.ini'), path.join(directory, 'bad.ini'));
    const { code, stdout, stderr } = await apply(`keys:
  one: {file: missing.key}
  two: {file: bad.key}
instances:
  x: {applications: [{file: bad.ini}]}
`);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(
      /is not in order; nothing was done\.\n {2}line 3: keys\.one\.file names missing\.key, which cannot be read: it is not there\.\n {2}line 4: keys\.two\.file is no key file in order: line \d/,
    );
    expect(stderr).toMatch(
      /\n {2}line 6: instances\.x\.applications\.0\.file is no application licence in order: line \d/,
    );
    const references = await apply(
      'instances:\n  x:\n    key: nowhere\ntokens:\n  t:\n    role: viewer\n    keys: [nothing]\n',
    );
    expect(references.stderr).toMatch(
      /line 4: instances\.x\.key is neither .*\n {2}line 8: tokens\.t\.keys\.0 is neither/,
    );
  });

  test('what fails in the middle says what was done, and the next run goes on', async () => {
    const id = await keyFile('single.key', { OrderNumber: 9103, Server: 'Single' });
    const declare = (second: string) =>
      `keys: {single: {file: single.key}}\ninstances: {first: {key: single}, second: {${second}}}\n`;
    const failed = await apply(declare('key: single'));
    expect([failed.code, failed.stderr]).toEqual([
      1,
      expect.stringMatching(/instance second: .* 2 of 3 changes were made before\. Run it again to go on\./),
    ]);
    expect((await get('/v1/instances/first')).key).toBe(id);
    const mended = await apply(declare(''));
    expect([mended.code, mended.stdout]).toEqual([
      0,
      '+ add instance second\n1 to add; 2 things as declared.\nDone.\n',
    ]);
  });
});

describe('tokens', () => {
  test('without a place for its text nothing is done; a terminal is one, once', async () => {
    const declare = 'tokens: {printed: {role: viewer}}\nlicenseServers: {THIRD: {address: 192.0.2.3}}\n';
    const nowhere = await apply(declare);
    expect([nowhere.code, nowhere.stderr]).toEqual([
      2,
      expect.stringContaining('It is not said where the text'),
    ]);
    expect((await get('/v1/license-servers')).items.map(({ name }: { name: string }) => name)).not.toContain(
      'THIRD',
    );
    const { code, stdout } = await apply(declare, [], { answer: 'n' });
    const text = / {2}token printed: (lictor_\S+)/.exec(stdout)?.[1];
    expect(code).toBe(0);
    expect((await started.call('GET /v1/keys', { token: text! })).statusCode).toBe(200);
    expect((await apply(declare)).stdout).toMatch(NOTHING);
  });

  test('one that cannot be changed is replaced, after a question; the former one ends, its file is written anew', async () => {
    const declare = (role: string) => `tokens: {ci: {role: ${role}, file: ci.token}}\n`;
    const file = path.join(directory, 'ci.token');
    expect((await apply(declare('viewer'))).code).toBe(0);
    const former = (await readFile(file, 'utf8')).trim();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const unasked = await apply(declare('operator'));
    expect([unasked.code, unasked.stderr]).toEqual([
      2,
      expect.stringContaining('no terminal on which to ask'),
    ]);
    const refused = await apply(declare('operator'), [], { answer: 'n' });
    expect([refused.code, refused.asked]).toEqual([1, ['Replace token ci? [y/N] ']]);
    expect((await started.call('GET /v1/keys', { token: former })).statusCode).toBe(200);
    const done = await apply(declare('operator'), [], { answer: 'y' });
    expect([done.code, done.stdout]).toEqual([
      0,
      expect.stringContaining('± replace token ci\n    role  viewer → operator\n'),
    ]);
    const present = (await readFile(file, 'utf8')).trim();
    expect(present).not.toBe(former);
    expect((await started.call('GET /v1/diagnosis', { token: present })).statusCode).toBe(200);
    expect((await started.call('GET /v1/keys', { token: former })).statusCode).toBe(401);
    expect((await apply(declare('operator'))).stdout).toMatch(NOTHING);
  });

  test('a file that holds something else is not written over, and neither are former secrets', async () => {
    await writeFile(path.join(directory, 'precious.txt'), 'the only copy');
    const slip = await apply('tokens: {slip: {role: viewer, file: precious.txt}}\n');
    expect([slip.code, slip.stderr]).toEqual([
      2,
      expect.stringContaining('holds something else than a token'),
    ]);
    expect(await readFile(path.join(directory, 'precious.txt'), 'utf8')).toBe('the only copy');
    const secrets = path.join(directory, 'secrets.json');
    await writeFile(secrets, '{}');
    const twice = await apply('tokens: {slip: {role: viewer}}\n', ['--secrets', secrets]);
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining('exists already')]);
  });
});

describe('--prune', () => {
  test('removes what is not declared, of the declared kinds only, after a question; what is in use stays', async () => {
    const id = await keyFile('kept.key', { OrderNumber: 9104, AuthorizedUnits: 5 });
    await keyFile('idle.key', { OrderNumber: 9105, AuthorizedUnits: 5 });
    const declare = `keys: {kept: {file: kept.key}, idle: {file: idle.key}}
instances: {stays: {key: kept, settings: {graceSeconds: 0}, applications: [{name: Lab, entries: {Users: 3}}]}}
`;
    expect((await apply(declare)).code).toBe(0);
    const own = await started.token('administrator');
    const [servers, instances] = [await get('/v1/license-servers'), await get('/v1/instances')];

    const keysOnly = await apply('keys: {}\n', ['--prune', '--dry-run']);
    expect(keysOnly.stdout).toMatch(/^- remove key /m);
    expect(keysOnly.stdout).toContain(
      `Notice: The key ${id} stays, because the instance stays works under it.`,
    );
    expect(keysOnly.stdout).not.toMatch(/remove (instance|token|license-server)/);

    const rest = 'keys: {kept: {file: kept.key}}\ninstances: {stays: {key: kept, applications: []}}\n';
    const unasked = await apply(`${rest}tokens: {}\n`, ['--prune'], { token: own });
    expect([unasked.code, (await get('/v1/instances')).items.length]).toEqual([2, instances.items.length]);
    const done = await apply(`${rest}tokens: {}\n`, ['--prune', '--yes'], { token: own });
    expect([done.code, done.stderr]).toEqual([0, '']);
    expect(done.stdout).toContain('- remove application Lab on stays\n');
    expect(done.stdout).toContain('is the one that asks, and stays.');
    expect((await get('/v1/instances')).items.map(({ name }: { name: string }) => name)).toEqual(['stays']);
    expect((await get('/v1/keys')).items.map((key: { id: string }) => key.id)).toEqual([id]);
    expect((await get('/v1/instances/stays/applications')).items).toEqual([]);
    expect((await get('/v1/license-servers')).items).toEqual(servers.items);
    expect((await started.call('GET /v1/keys', { token: own })).statusCode).toBe(200);
    expect((await apply(`${rest}tokens: {}\n`, ['--prune', '--yes'], { token: own })).stdout).toContain(
      'Nothing to do',
    );
  });
});
