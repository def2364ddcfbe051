import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/wait.ts';
import { type ListeningApp, startListening } from './world.ts';

let app: ListeningApp;

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

beforeAll(async () => {
  app = await startListening();
  const { id } = await app.installKey({ AuthorizedUnits: 200 }, '[ISC.Lab]\nRobots=2\n');
  await app.register('hospital', id);
  await app.register('clinic', id);
});

afterAll(() => app?.close());

const lictor: ListeningApp['lictor'] = (...args) => app.lictor(...args);
const jsonOf = async (args: string) => JSON.parse((await lictor(`${args} --json`)).stdout);

describe('loading', () => {
  test('every section of a file, listed with what comes with the key', async () => {
    const { exit, stdout } = await lictor(
      `applications load ${fixture('applications-bestlab.ini')} --instance hospital`,
    );
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^BestLabApplication +loaded +unsigned /m);
    const list = await lictor('applications list --instance hospital');
    expect(list.stdout).toMatch(/^BestLabApplication +loaded +hospital +Lab Users +50 +0 +50 +0 +50$/m);
    expect(list.stdout).toMatch(/^ISC\.Lab +vendor +\S+ +Robots +2 +0 /m);
    const loaded = await jsonOf('applications list --instance hospital --types U');
    expect(loaded.items.map(({ kind }: { kind: string }) => kind)).toEqual(loaded.items.map(() => 'loaded'));
    expect((await lictor('applications show BestLabApplication --instance hospital')).stdout).toMatch(
      /Loaded: +\d{4}-/,
    );
  });

  test('a file with faults is refused with every line, and nothing is loaded', async () => {
    const bad = await lictor(`applications load ${fixture('applications-bad.ini')} --instance clinic`);
    expect(bad).toMatchObject({ exit: 1, stdout: '', stderr: expect.stringMatching(/[Ll]ine \d+/) });
    expect((await jsonOf('applications list --instance clinic --types U')).items).toEqual([]);
  });

  test('one section of several', async () => {
    const two = fixture('applications-two-sections.ini');
    const { items } = await jsonOf(`applications load ${two} --instance clinic`);
    expect(items.length).toBe(2);
    const [first] = items;
    await lictor(`applications remove ${first.name} --instance clinic --yes`);
    const again = await jsonOf(`applications load ${two} --instance clinic --application ${first.name}`);
    expect(again.items).toMatchObject([{ name: first.name, outcome: 'loaded' }]);
  });
});

describe('units', () => {
  test('the 51st is refused with who holds them; logout gives back (F-70)', async () => {
    const logins: string[] = [];
    for (let number = 1; number <= 51; number += 1)
      logins.push(await app.login('hospital', `user-${number}`));
    for (let number = 1; number <= 50; number += 1) {
      const taken = await lictor(
        `applications take "BestLabApplication/Lab Users" --instance hospital --login ${logins[number - 1]}`,
      );
      expect([number, taken.exit]).toEqual([number, 0]);
    }
    const args = `"BestLabApplication/Lab Users" --instance hospital --login ${logins[50]}`;
    const refused = await lictor(`applications take ${args}`);
    expect(refused).toMatchObject({
      exit: 75,
      stdout: '',
      stderr: expect.stringContaining('lictor applications holders'),
    });
    const why = await lictor(`applications explain ${args}`);
    expect(why.stdout).toMatch(/It would be: +refused\n/);
    expect(why.stdout).toMatch(/Held by: +user-\d+, .* and 30 others\n/);
    const listed = () =>
      jsonOf('applications holders BestLabApplication --instance hospital --feature "Lab Users"');
    await until(async () => (await listed()).items.length === 50, 10_000, 'the holders are listed');
    await lictor(`logins logout ${logins[0]}`);
    expect((await lictor(`applications take ${args}`)).exit).toBe(0);
    const recount = await lictor('applications recount BestLabApplication --instance hospital');
    expect(recount.exit).toBe(0);
    expect(recount.stdout).toMatch(/^Lab Users +50 +50 +0$/m);
  });

  test('several features all or none, and back one by one or all', async () => {
    const login = await app.login('clinic', 'zoe');
    const taken = await jsonOf(
      `applications take ISC.Lab/Robots ISC.Lab/Robots --instance clinic --login ${login}`,
    );
    expect(taken.features).toMatchObject([{ count: 2, used: 1 }]);
    const none = await lictor(`applications take ISC.Lab/Robots Nothing --instance clinic --login ${login}`);
    expect(none).toMatchObject({ exit: 1, stderr: expect.stringContaining('lictor applications list') });
    const one = await lictor(`applications return ISC.Lab/Robots --instance clinic --login ${login}`);
    expect(one.stdout).toMatch(/^ISC\.Lab +Robots +1 +1 +2 +yes$/m);
    const rest = await jsonOf(`applications return --instance clinic --login ${login}`);
    expect(rest.features).toMatchObject([{ count: 0, used: 0, released: true }]);
  });

  test('who holds them must be said, and in one way', async () => {
    for (const who of ['', '--user a --login b']) {
      const { exit, stderr } = await lictor(
        `applications take BestLabApplication --instance hospital ${who}`,
      );
      expect(exit).toBe(2);
      expect(stderr).toContain('Give either --user or --login.');
    }
  });

  test('an application that is licensed by the number of instances', async () => {
    const { exit, stdout } = await lictor(
      'applications instance-login ISC.Lab --instance hospital --feature Robots',
    );
    expect([exit, /Permitted: +yes\n/.test(stdout)]).toEqual([0, true]);
  });
});

describe('marks of an instance', () => {
  test('now, at most and at least; reset; and how long logins lasted', async () => {
    const counts = await jsonOf('usage instance hospital');
    expect(counts.users.peak).toBeGreaterThanOrEqual(51);
    expect((await lictor('usage instance hospital')).stdout).toMatch(
      /Units in use: +\d+ of 200, at most 5\d\n/,
    );
    expect((await lictor('usage instance hospital --text')).stdout).toMatch(/\d/);
    const { before } = await jsonOf('usage reset --instance hospital --counter users --counter connections');
    expect(before).toMatchObject({ users: counts.users.peak, connections: counts.connections.peak });
    expect((await jsonOf('usage instance hospital')).users.peak).toBe(counts.users.now);
    expect(await lictor('usage reset')).toMatchObject({ exit: 2 });
    expect(await lictor('usage reset --instance hospital --counter nothing')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('There is users'),
    });
    const durations = await lictor('usage durations hospital');
    expect(durations.stdout).toMatch(/^up to 1 min +\d+$/m);
    await lictor('usage durations hospital --clear');
    const cleared = await jsonOf('usage durations hospital');
    expect(cleared.durations.every(({ count }: { count: number }) => count === 0)).toBe(true);
  });
});
