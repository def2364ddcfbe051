/** `lictor license`: the legacy names against a real server, and the texts of the seeds byte for byte. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { horologDay } from '../../src/cli/license/licensecall.ts';
import { METHOD_NAMES, METHODS, readCall } from '../../src/cli/license/licensemethods.ts';
import { StandingClock } from '../support/clock.ts';
import { signedKeyFile } from '../support/keyfiles.ts';
import { until } from '../support/wait.ts';
import { type ListeningApp, type Ran, runProcess, startListening } from './world.ts';

const golden = (name: string) =>
  readFile(new URL(`../fixtures/reports/${name}.txt`, import.meta.url), 'utf8');

/** What a command printed that went well. */
function printed({ exit, stdout, stderr }: Ran): string {
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
  return stdout;
}

describe('golden: a real process against a real server', () => {
  let app: ListeningApp;
  let clock: StandingClock;

  beforeAll(async () => {
    clock = new StandingClock();
    app = await startListening({ clock });
  });
  afterAll(() => app?.close());

  const license = async (...args: string[]) =>
    printed(await runProcess(['license', ...args], app.as('administrator')));

  test('two runs of DumpLocalAll on the situation of the seed print the text of the seed (S1, F-63)', async () => {
    await app.register('seed', (await app.installKey({ OrderNumber: 1, AuthorizedUnits: 5 })).id);
    for (const clientAddress of ['127.0.0.1', '127.0.0.1', '192.9.202.81']) {
      if (clientAddress !== '127.0.0.1') clock.advance(41_000);
      const body = { instance: 'seed', clientAddress };
      expect((await app.call('POST /v1/logins', { body })).statusCode).toBe(201);
    }
    clock.advance(49_999);
    const text = await golden('dump-local-all-c5');
    expect(await license('DumpLocalAll', '--instance', 'seed')).toBe(text);
    expect(await license('$System.License.DumpLocalAll()', '--instance', 'seed')).toBe(text);
    expect(await license('DumpLocalInUse', '--instance', 'seed')).toBe(await golden('dump-local-in-use-c5'));
    const file = path.join(app.folder, 'all.dmp');
    const said = await license('DumpLocalAll', file, '--instance', 'seed');
    expect(said).toBe(`5 entries dumped to ${file}\n`);
    expect(await readFile(file, 'utf8')).toBe(text);
    expect(await license('dumplocalinuse', `${app.folder}/`, '--instance', 'seed')).toBe(
      `2 entries dumped to ${app.folder}/inuse.dmp\n`,
    );
  });

  test('DumpLocalPID prints the table of the seed (S3, F-64)', async () => {
    await app.register('system', (await app.installKey({ OrderNumber: 2 })).id);
    for (const pid of [592, 2816, 688]) {
      await app.call('POST /v1/logins', { body: { instance: 'system', process: { pid, kind: 'system' } } });
    }
    expect(await license('DumpLocalPID', '--instance', 'system')).toBe(await golden('dump-local-pid-table'));
  });

  test('CKEY and ShowCounts of both forms print the transcripts (F-60, notes 2.7)', async () => {
    const instance = 'shown';
    const key = await app.installKey({
      OrderNumber: 3,
      AuthorizedUnits: 25,
      MaxConnections: 1,
      LicenseCapacity: '<text>',
      CustomerName: '<text>',
      ExpirationDate: '7/15/2033',
    });
    await app.register(instance, key.id, { product: 'InterSystems IRIS' });
    await app.login(instance, 'a');
    const gone = await app.login(instance, 'b');
    const web = (await app.call('POST /v1/logins', { body: { instance, webSession: 'session' } })).json();
    await app.call(`DELETE /v1/logins/${web.id}?pages=1`);
    expect(await license('CSPGrace', '--instance', instance)).toBe('1\n');
    const released = await app.call('POST /v1/releases', {
      body: { instance, login: web.id, reason: 'test' },
    });
    expect(released.json()).toMatchObject({ released: 1 });
    await app.call(`DELETE /v1/logins/${gone}`);
    await app.login(instance, 'a');
    expect(await license('ShowCounts', '--instance', instance)).toBe(await golden('show-counts-newer'));
    expect(await license('ShowCounts', '--instance', instance, '--form', 'older')).toBe(
      await golden('show-counts-older'),
    );
    const authorizationKey = /^AuthorizationKey=(.*)$/m.exec(key.text)![1]!;
    const expected = (await golden('key-iris'))
      .replace('<path>\\iris.key', `${key.id}.key`)
      .replace('<digits>', '3')
      // What has expired leaves one unit.
      .replace('7/15/2023', '7/15/2033')
      .replace('AuthorizationKey =  <text>', `AuthorizationKey =  ${authorizationKey}`);
    expect(await license('^CKEY', '--instance', instance)).toBe(expected);
  });

  test('ShowSummary of both generations prints the transcript (F-60, notes 2.7)', async () => {
    const key = await app.installKey({ OrderNumber: 4, AuthorizedUnits: 1_000, EnforcedUnits: 1_480 });
    await app.register('near', key.id);
    await app.register('far', key.id);
    const near = await Promise.all(
      [14, 15, 15, 15, 15].flatMap((connections, user) =>
        Array.from({ length: connections }, () => app.login('near', `near-${user}`)),
      ),
    );
    const far = await Promise.all(Array.from({ length: 431 }, (_, user) => app.login('far', `far-${user}`)));
    const leave = (instance: string, ids: string[]) =>
      Promise.all(
        ids.map((id) => app.ask({ op: 'logout', instance, id, reason: 'logout', actor: 'tester' })),
      );
    await leave('near', near.slice(0, 14));
    await leave('far', far.slice(0, 251));
    expect(await license('ShowSummary', '--instance', 'near')).toBe(await golden('show-summary-cache'));
    expect(await license('ShowSummary', '--instance', 'near', '--generation', 'iris')).toBe(
      await golden('show-summary-iris'),
    );
  });

  test('ShowServer says which server is active; ShowManager is its former name (F-16)', async () => {
    await app.register('asking', (await app.installKey({ OrderNumber: 5 })).id);
    expect(await license('ShowServer', '--instance', 'asking')).toBe('Not connected to license server\n');
    await app.call('PUT /v1/license-servers/PRIMARY', { body: { address: '192.0.2.1' } });
    await app.call('POST /v1/license-servers/PRIMARY/beat', { body: { holder: 'udp-1' } });
    const text = await golden('show-server');
    expect(await license('ShowServer', '--instance', 'asking')).toBe(text);
    const former = await runProcess(['license', 'ShowManager', '--instance', 'asking'], app.as('viewer'));
    expect(former).toEqual({
      exit: 0,
      stdout: text,
      stderr: 'Notice: ShowManager is the former name of ShowServer.\n',
    });
  });
});

describe('every method', () => {
  let app: ListeningApp;
  let key: { readonly id: string; readonly text: string };

  beforeAll(async () => {
    app = await startListening();
    key = await app.installKey(
      {
        OrderNumber: 77,
        AuthorizedUnits: 10,
        EnforcedUnits: 12,
        AuthorizedCores: 4,
        ExpirationDate: '6/26/2027',
        Features: 'IP Address Neutral, 11, Own',
        MachineID: 'm-1',
        LicenseCapacity: 'Ten',
      },
      '\n[ISC.Lab]\nLab Users=5\n',
    );
    await app.register('ward', key.id);
  });
  afterAll(() => app?.close());

  const license = (line: string, fields = {}) => app.lictor(`license ${line}`, fields);
  /** What a method prints that goes well, without the last line end. */
  const value = async (line: string) => {
    const { exit, stdout, stderr } = await license(line);
    expect([line, exit, exit === 0 ? '' : stderr]).toEqual([line, 0, '']);
    return stdout.replace(/\n$/, '');
  };

  test('what the key says, in the forms of ObjectScript (notes 2.4)', async () => {
    const facts: Record<string, string> = {
      KeyLicenseCapacity: 'Ten',
      KeyCustomerName: 'Example Clinic',
      KeyOrderNumber: '77',
      KeyExpirationDate: '68112',
      KeyAuthorizationKey: /^AuthorizationKey=(.*)$/m.exec(key.text)![1]!,
      KeyMachineID: 'm-1',
      KeyLicenseUnits: '10',
      KeyEnforcedUnits: '12',
      KeyCoresLicensed: '4',
      KeyCoresEnforced: '4',
      KeyProduct: 'Example Server',
      KeyLicenseType: 'Concurrent User',
      KeyServer: 'Multi',
      KeyFeatures: '880',
      KeyVersion: '1',
      KeyFileType: 'Lictor License 1',
      'KeyFileType 1': 'FileType=Lictor License 1',
      GetKeyStatus: 'Valid',
      GetKeyInvalidReason: '',
      'GetFeature 7': '1',
      'GetFeature(8)': '0',
      'GetFeature Own': '1',
      ActiveServerCount: '1\nStatus=1',
      MaxConnections: '25',
    };
    for (const [line, expected] of Object.entries(facts))
      expect([line, await value(line)]).toEqual([line, expected]);
  });

  test('of an instance without a key: the default licence (F-20)', async () => {
    await app.register('bare');
    const facts: Record<string, string> = {
      KeyCustomerName: 'License missing or unreadable',
      KeyLicenseUnits: '1',
      KeyExpirationDate: '',
      KeyFileType: '',
      KeyFeatures: '0',
      GetKeyStatus: 'Invalid',
      IsPendingActivation: '0',
      CheckNewKey: '-1',
      LUAvailable: '1',
    };
    for (const [method, expected] of Object.entries(facts)) {
      expect([method, await value(`${method} --instance bare`)]).toEqual([method, expected]);
    }
    expect(await license('DumpKey --instance bare')).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('has no key'),
    });
    await app.call('DELETE /v1/instances/bare');
  });

  test('limits are set and answer what they were (notes 2.2)', async () => {
    expect(await value('GetConnectionLimit')).toBe('0');
    expect(await value('SetConnectionLimit 25')).toBe('0');
    expect(await value('SetConnectionLimit 0')).toBe('25');
    expect(await value('GetUserLimit')).toBe('12');
    expect(await value('SetUserLimit 3')).toBe('12');
    expect(await value('GetUserLimit')).toBe('3');
    expect(await value('SetUserLimit 0')).toBe('3');
    expect(await value('UserNameLicensing')).toBe('0');
    expect(await value('UserNameLicensing 1')).toBe('0');
    expect(await value('UserNameLicensing(0)')).toBe('1');
    expect(await value('DeferUserIdentification 1')).toBe('0');
    expect(await value('DeferUserIdentification 0')).toBe('1');
    const { settings } = (await app.call('GET /v1/instances/ward')).json();
    expect(settings).toMatchObject({
      unitLimit: 0,
      connectionLimit: 0,
      usernameLicensing: false,
      deferredIdentification: false,
    });
    for (const wrong of [
      'SetUserLimit',
      'SetUserLimit x',
      'UserNameLicensing 2',
      'DeferUserIdentification',
    ]) {
      expect([wrong, (await license(wrong)).exit]).toEqual([wrong, 2]);
    }
  });

  test('who a process is, what a user costs, and the counters (notes 2.1, 2.3)', async () => {
    // The unit limit that stood for a while was the least that was left.
    await license('LUMaxConsumedReset');
    const body = { instance: 'ward', user: 'alice', process: { pid: 4711 } };
    const { id } = (await app.call('POST /v1/logins', { body })).json();
    await app.call('POST /v1/logins', { body });
    expect(await value('GetUserId 4711')).toBe('alice');
    expect(await value(`GetUserId --login ${id}`)).toBe('alice');
    expect(await license('GetUserId 47')).toMatchObject({ exit: 0, stdout: '\n' });
    expect(await value('ConnectionCount alice')).toBe('2');
    expect(await value('LicenseCount alice')).toBe('1');
    expect(await value('ConnectionCount ali')).toBe('0');
    expect(await value(`Login bob --login ${id}`)).toBe('1');
    expect(await value(`GetUserId --login ${id}`)).toBe('bob');
    const counters: Record<string, string> = {
      LUAvailable: '10',
      LUConsumed: '2',
      LUMinAvailable: '10',
      LUMaxConsumed: '2',
      InstanceConnections: '2',
      InstanceConnectionsMax: '2',
      CSPUsers: '0',
      MaxCSPUsers: '0',
      CSPGrace: '0',
      MaxCSPGrace: '0',
      ProcAvailable: '',
      ProcConsumed: '2',
      ProcMaxConsumed: '2',
      ProcMinAvailable: '',
    };
    for (const [method, expected] of Object.entries(counters)) {
      expect([method, await value(method)]).toEqual([method, expected]);
    }
    await app.call(`DELETE /v1/logins/${id}`);
    expect(await value('LUMaxConsumedReset')).toBe('2');
    expect(await value('LUMaxConsumedReset Users')).toBe('1');
    expect(await value('LUMaxConsumedReset "*"')).toBe('1');
    expect((await license('LUMaxConsumedReset Nothing')).exit).toBe(2);
    expect(await value('DistributedMaxReset Users')).toBe('1');
    expect(await value('ReadDurationValues')).toBe('1\n15\n60\n900\n3600');
    expect((await value('ClearDurationCounts')).split('\n').map(Number)).toHaveLength(6);
    expect(await value('ReadDurationCounts')).toBe('0\n0\n0\n0\n0\n0');
  });

  test('Login without a unit prints 0, keeps what there was, and ends with 75', async () => {
    const one = await app.installKey({ OrderNumber: 78, AuthorizedUnits: 1 });
    await app.register('small', one.id);
    const first = await app.login('small', 'first');
    const { settings } = (await app.call('GET /v1/instances/small')).json();
    expect(settings.deferredIdentification).toBe(false);
    await app.lictor('license DeferUserIdentification 1 --instance small');
    const pending = (await app.call('POST /v1/logins', { body: { instance: 'small' } })).json();
    const refused = await license(`Login second --login ${pending.id}`);
    expect(refused).toMatchObject({ exit: 75, stdout: '0\n' });
    expect(refused.stderr).not.toBe('');
    expect(await value(`GetUserId --login ${pending.id}`)).toBe('');
    await app.call(`DELETE /v1/logins/${first}`);
    expect(await value(`Login second --login ${pending.id}`)).toBe('1');
    expect(await license('Login third')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('--login'),
    });
    await app.call('DELETE /v1/instances/small');
  });

  test('activation: what would be less, what is wrong, and the upgrade (notes 2.5)', async () => {
    await app.register(
      'theatre',
      (await app.installKey({ OrderNumber: 80, AuthorizedUnits: 10, Features: 'NLP' })).id,
    );
    const about = '--instance theatre';
    const smaller = await app.file(
      'smaller.key',
      signedKeyFile({ OrderNumber: 81, AuthorizedUnits: 4 }).text,
    );
    expect(await value(`CheckKeyForUpgrade ${smaller} ${about}`)).toBe(
      '1\nReductions("Users")="10,4"\nReductions("Feature","NLP")="1,0"\nStatus=1',
    );
    const bigger = await app.file(
      'bigger.key',
      signedKeyFile({ OrderNumber: 82, AuthorizedUnits: 40, Features: 'NLP' }).text,
    );
    expect(await value(`IsValidKey ${bigger} ${about}`)).toBe('1\nRequiresRestart=0\nRestartReason=""');
    expect(await value(`CheckKeyForUpgrade ${bigger} ${about}`)).toBe('0\nStatus=1');
    const expired = await app.file(
      'expired.key',
      signedKeyFile({ OrderNumber: 83, ExpirationDate: '1/1/2020' }).text,
    );
    expect(await license(`IsValidKey ${expired} ${about}`)).toMatchObject({
      exit: 1,
      stdout: expect.stringMatching(/^ERROR #5001: .*expired.*\nRequiresRestart=0\nRestartReason=""\n$/),
    });
    expect((await value(`CheckKeyForUpgrade ${expired} ${about}`)).startsWith('1\n')).toBe(true);
    expect(await license(`Upgrade ${expired} ${about}`)).toMatchObject({
      exit: 1,
      stdout: expect.stringMatching(/^0\|.*expired/),
    });
    const broken = await app.file('broken.key', 'no key');
    expect(await license(`Upgrade ${broken} ${about}`)).toMatchObject({
      exit: 1,
      stdout: expect.stringMatching(/^0\|\S/),
    });
    expect(await value(`Upgrade ${bigger} ${about}`)).toBe('1');
    expect(await value(`KeyLicenseUnits ${about}`)).toBe('40');
    await app.lictor('instances configure theatre --activation-profile iris');
    const pending = await license(`Upgrade ${smaller} ${about}`);
    expect(pending).toMatchObject({ exit: 1, stdout: expect.stringMatching(/^0\|\S/) });
    expect(pending.stderr).toContain('is pending');
    expect(await value(`IsPendingActivation ${about}`)).toBe('1');
    expect(await value(`KeyLicenseUnits ${about}`)).toBe('40');
    expect((await license(`Upgrade ${app.folder}/none.key ${about}`)).exit).toBe(2);
    await app.call('DELETE /v1/instances/theatre');
  });

  test('CheckNewKey: 1 when a newer key is served, 0 when not (notes 2.5)', async () => {
    await app.installKey({ OrderNumber: 90, LicenseID: 'clinic', AuthorizedUnits: 3 });
    const served = await app.installKey({ OrderNumber: 91, LicenseID: 'clinic', AuthorizedUnits: 6 });
    const asked = await app.call('PUT /v1/instances/served', { body: { licenseId: 'clinic' } });
    expect(asked.statusCode).toBeLessThan(300);
    expect(await value('CheckNewKey --instance served')).toBe('0');
    await app.call('PUT /v1/served-keys/clinic', { body: { key: served.id } });
    expect(await value('CheckNewKey --instance served')).toBe('1');
    expect(await value('CheckNewKey --instance served')).toBe('0');
    expect(await value('KeyOrderNumber --instance served')).toBe('91');
    await app.call('DELETE /v1/instances/served');
  });

  test('application licences: loaded, taken, exhausted, returned (F-70…F-74, notes 6.2)', async () => {
    const file = await app.file(
      'lab.ini',
      '[BestLab]\nLab Users=1\nExtended Lab Reports=Enabled\nServers=1\n',
    );
    expect(await value(`LoadAppLicenseFile ${file} BestLab`)).toBe('0');
    const codes: Record<string, string> = {
      [await app.file('empty.ini', '')]: '1',
      [path.join(app.folder, 'nowhere.ini')]: '1',
      [await app.file('keyword.ini', `[A]\n${'k'.repeat(2_000)}=1\n`)]: '5',
      [await app.file('name.ini', `[${'N'.repeat(60)}]\na=1\n`)]: '6',
    };
    for (const [bad, code] of Object.entries(codes)) {
      const ran = await license(`LoadAppLicenseFile ${bad}`);
      expect([bad, ran.exit, ran.stdout]).toEqual([bad, 1, `${code}\n`]);
      expect(ran.stderr).not.toBe('');
    }
    expect(await license(`LoadAppLicenseFile ${file} Other`)).toMatchObject({ exit: 1, stdout: '1\n' });
    const body = { instance: 'ward', user: 'carol', process: { pid: 811 } };
    const login = (await app.call('POST /v1/logins', { body })).json().id;
    await app.login('ward', 'dave');
    expect(await value(`TakeApplicationLicense BestLab "Lab Users" --login ${login}`)).toBe('1\nCount=1');
    const refused = await license('TakeApplicationLicense BestLab "Lab Users" .Count --user dave');
    expect(refused).toMatchObject({ exit: 75, stdout: 'ERROR #5915: Cannot allocate a license\n' });
    expect(refused.stderr).toContain('carol');
    expect(await license('TakeApplicationLicense BestLab --user dave')).toMatchObject({
      exit: 1,
      stdout: 'ERROR #5915: Cannot allocate a license\n',
    });
    expect(await license('TakeApplicationLicense Nothing --user dave')).toMatchObject({
      exit: 1,
      stdout: expect.stringMatching(/^ERROR #5001: /),
    });
    expect((await license('TakeApplicationLicense BestLab "Lab Users"')).exit).toBe(2);
    const facts: Record<string, string> = {
      'GetAppLicense BestLab': 'Lab Users\nExtended Lab Reports\nServers',
      'GetAppLicense BestLab 1': 'Lab Users=1\nExtended Lab Reports=Enabled\nServers=1',
      'GetAppLicenseValue BestLab "Extended Lab Reports"': 'Enabled',
      'GetAppLicenseUsed BestLab "Extended Lab Reports"': '',
      'GetAppLicenseUsed BestLab "Lab Users"': '1',
      'GetAppLicenseMaxUsed BestLab "Lab Users"': '1',
      'GetAppLicenseFree BestLab "Lab Users"': '0',
      'GetAppLicenseMinimum BestLab "Lab Users"': '0',
      'GetAppLicenseValue BestLab Nothing': '',
      GetAppNames: 'BestLab\nISC.Lab',
      'GetAppNames U': 'BestLab',
      'GetAppNames i': 'ISC.Lab',
      'IsAppLicensed BestLab': '1',
      'IsAppLicensed BestLab Nothing': '0',
      'IsAppLicensed Nothing': '0',
      'CheckAppLicenseUsed BestLab "Lab Users"': '1,1,0',
      'ApplicationServerLogin BestLab Servers': '1\nStatus=1',
    };
    for (const [line, expected] of Object.entries(facts))
      expect([line, await value(line)]).toEqual([line, expected]);
    // Who holds what is listed from tables that follow the decisions a moment later.
    for (const who of [`"" BestLab --login ${login}`, '811 BestLab']) {
      const taken = () => license(`GetProcessAppsTaken ${who}`);
      await until(async () => (await taken()).stdout === 'Lab Users\n', 10_000, `${who} is listed`);
    }
    expect(await license('GetProcessAppsTaken 81 BestLab')).toMatchObject({ exit: 0, stdout: '' });
    expect((await license('GetAppLicenseValue Nothing x')).exit).toBe(1);
    expect(await value(`ReturnApplicationLicense BestLab "Lab Users" --login ${login}`)).toBe(
      '1\nReleased=1',
    );
    expect(await value(`ReturnApplicationLicense BestLab "Lab Users" --login ${login}`)).toBe(
      '1\nReleased=0',
    );
    await value(`TakeApplicationLicense BestLab "Lab Users" --login ${login}`);
    expect(await value(`ReturnAllCSPApps ${login}`)).toBe('1');
    expect(await value('GetAppLicenseUsed BestLab "Lab Users"')).toBe('0');
  });

  test('queries print their columns, and with --json their rows (notes 2.6)', async () => {
    for (const { name, takes } of METHODS.filter(({ group }) => group === 'Queries')) {
      const needed = takes[0] === 'AppName' ? ' BestLab' : '';
      expect([name, (await license(`${name}${needed}`)).exit]).toEqual([name, 0]);
    }
    const answer = JSON.parse(await value('UserList "" alice --json'));
    expect(answer.rows).toEqual([expect.arrayContaining(['alice', 'User'])]);
    expect(await value('Key 2')).toMatch(/\[ISC\.Lab\]/);
  });

  test('dumps of the server, and --json of a report', async () => {
    expect(await value('DumpServers')).toMatch(/^License Server database of all servers/);
    expect(await value('DumpServer')).toMatch(/^License Server database of server ward/);
    expect(await value('DumpKey')).toContain(`Key ${key.id}\n`);
    expect(await value('DumpKeys')).toMatch(/^License Server database of all keys/);
    const file = path.join(app.folder, 'servers.txt');
    expect(await value(`DumpServers ${file}`)).toBe(`License server database dumped to: ${file}`);
    expect(JSON.parse(await value('ShowCounts --json'))).toEqual({
      method: 'ShowCounts',
      text: expect.stringContaining('Current Users active'),
    });
    expect(JSON.parse(await value('LUAvailable --json'))).toMatchObject({ method: 'LUAvailable' });
    const out = path.join(app.folder, 'counts.txt');
    expect(await value(`ShowCounts --out ${out}`)).toBe('');
    expect(await readFile(out, 'utf8')).toBe(`${await value('ShowCounts')}\n`);
    expect((await license('ShowCounts --form c5')).exit).toBe(2);
    const none = path.join(app.folder, 'none.dmp');
    for (const line of [`DumpLocalAll ${none}`, `ShowCounts --out ${none}`]) {
      expect((await license(`${line} --instance nowhere`)).exit).toBe(1);
    }
    expect(await readdir(app.folder)).not.toContainEqual(expect.stringMatching(/^none\.dmp/));
  });

  test('methods without a counterpart say why, name the nearest, and end with 2', async () => {
    const absent = METHODS.filter(({ run }) => run === undefined);
    expect(absent.length).toBeGreaterThan(5);
    for (const { name, nearest } of absent) {
      const { exit, stdout, stderr } = await license(name);
      expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
      expect(stderr).toContain(`${name} has no counterpart.`);
      expect(stderr).toContain(`The nearest is "${nearest}".`);
    }
  });

  test('which instance is meant: --instance, LICTOR_INSTANCE, the profile, or the only one', async () => {
    await app.register('other', (await app.installKey({ OrderNumber: 95 })).id);
    const unclear = await license('KeyOrderNumber');
    expect(unclear).toMatchObject({ exit: 2, stderr: expect.stringContaining('other, ward') });
    expect(await value('KeyOrderNumber --instance other')).toBe('95');
    expect(await license('KeyOrderNumber', { env: { LICTOR_INSTANCE: 'other' } })).toMatchObject({
      exit: 0,
      stdout: '95\n',
    });
    const env = { XDG_CONFIG_HOME: path.join(app.folder, 'config') };
    const words = ['profile', 'set', 'p', '--url', app.url, '--token-stdin', '--instance', 'other'];
    expect((await runProcess(words, env, app.tokens.viewer)).exit).toBe(0);
    expect(await runProcess(['license', 'KeyOrderNumber'], env)).toMatchObject({ exit: 0, stdout: '95\n' });
    const token = await app.token('instance', { instance: 'ward' });
    const own = await license('KeyOrderNumber', { env: { LICTOR_TOKEN: token } });
    expect(own).toMatchObject({ exit: 0, stdout: '77\n' });
    await app.call('DELETE /v1/instances/other');
  });
});

describe('names and help', () => {
  test('a call is read as it was copied', () => {
    const cases: [string, string[], string, string[]][] = [
      ['ShowSummary', [], 'ShowSummary', []],
      ['$SYSTEM.License.GetFeature(7)', [], 'GetFeature', ['7']],
      ['$System.License.CKEY', [], 'CKEY', []],
      ['.License.CKEY()', [], 'CKEY', []],
      ['##class(%SYSTEM.License).Upgrade()', [], 'Upgrade', []],
      ['%SYSTEM.License.Upgrade', ['a.key'], 'Upgrade', ['a.key']],
      ['Do $System.License.DumpLocalAll()', [], 'DumpLocalAll', []],
      ['Set RC=$SYSTEM.License.UserNameLicensing(1)', [], 'UserNameLicensing', ['1']],
      [
        'TakeApplicationLicense("Best,Lab","a ""b""",.Count)',
        [],
        'TakeApplicationLicense',
        ['Best,Lab', 'a "b"'],
      ],
      ['UserList(,"alice")', [], 'UserList', ['', 'alice']],
      ['^CKEY', [], 'CKEY', []],
      ['what ever', [], 'what ever', []],
    ];
    for (const [text, rest, name, args] of cases)
      expect([text, readCall(text, rest)]).toEqual([text, { name, args }]);
  });

  test('$HOROLOG days: 68112 is 2027-06-26 (notes 2.4)', () => {
    expect(horologDay('2027-06-26')).toBe(68_112);
    expect(horologDay('1840-12-31')).toBe(0);
  });

  test('Help lists every method, describes each, and an unknown one leads to others', async () => {
    const { runIn } = await import('./world.ts');
    const list = await runIn(['license', 'help']);
    expect(list.exit).toBe(0);
    expect(list.stdout).toContain('(formerly ShowManager)');
    for (const { name, words } of METHODS) {
      expect(list.stdout).toContain(`  ${name}(`);
      expect(list.stdout).toContain(words);
      const one = await runIn(['license', 'Help', name.toUpperCase()]);
      expect([name, one.exit]).toEqual([name, 0]);
      expect(one.stdout).toMatch(new RegExp(`^${name}\\(`));
    }
    expect(new Set(METHOD_NAMES.map((name) => name.toLowerCase())).size).toBe(METHOD_NAMES.length);
    const unknown = await runIn(['license', 'DumpLocal']);
    expect(unknown).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('DumpLocalAll, DumpLocalInUse'),
    });
    expect((await runIn(['license'])).stderr).toContain('lictor license Help');
    expect((await runIn(['license', 'ShowCounts', 'more'])).exit).toBe(2);
    const json = JSON.parse((await runIn(['license', 'Help', '--json'])).stdout);
    expect(json.methods).toHaveLength(METHODS.length);
  });
});
