import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  disagreementNotice,
  findDisagreements,
  LICENSE_SERVER_PORT_DEFAULT,
  placeOfServer,
  type Reading,
  readServerAddress,
  readServerName,
  readServerPlace,
  type ServerStatement,
} from '../../src/domain/licenseservers.ts';

const readOrNull = (reading: Reading) => ('value' in reading ? reading.value : null);

describe('the name of a licence server (F-14)', () => {
  test.each([
    ['local', 'LOCAL'],
    ['Db-Server_1.example', 'DB-SERVER_1.EXAMPLE'],
    ['7', '7'],
    ['x'.repeat(64), 'X'.repeat(64)],
  ])('%s is kept in upper case', (text, name) => {
    expect(readServerName(text)).toEqual({ value: name });
  });

  test.each(['', 'x'.repeat(65), 'a b', 'a/b', '-a', 'a=b', 'a,b', 'straße', 'a\n'])('%j is none', (text) => {
    expect(readServerName(text)).toEqual({ fault: expect.stringMatching(/^must be 1 to 64 letters/) });
  });
});

describe('the address of a licence server (F-14)', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['127.0.0.1', '127.0.0.1'],
    ['Licences.Example', 'licences.example'],
    ['licences.example.', 'licences.example'],
    ['db_1', 'db_1'],
    ['3com.example', '3com.example'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['::1', '::1'],
    ['fe80::1:0:0:0:1', 'fe80:0:0:1::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:C000:0201', '192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('%s is kept as %s', (text, address) => {
    expect(readServerAddress(text)).toEqual({ value: address });
  });

  test.each([
    '',
    '.',
    'a..b',
    '-a.example',
    'a b',
    'a/b',
    'host:4001',
    '192.0.2',
    '192.0.2.256',
    '192.0.2.01',
    '192.0.2.1.',
    '0x7f.1',
    '1',
    'a.1',
    '0.0.0.0',
    '::',
    '2001:db8::1::2',
    'fe80::1%eth0',
    '[::1]',
    '1:2:3:4:5:6:7:8:9',
    'straße.example',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(127)}toolong`,
  ])('%j is none', (text) => {
    expect(readServerAddress(text)).toEqual({ fault: expect.stringMatching(/^must (be|have) /) });
  });

  test('what was read is read again as itself', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain(), fc.string()), (text) => {
        const address = readOrNull(readServerAddress(text));
        if (address !== null) expect(readServerAddress(address)).toEqual({ value: address });
      }),
    );
  });
});

describe('an address with its port', () => {
  test.each([
    ['192.0.2.1:4002', '192.0.2.1:4002'],
    ['LICENCES.example:4001', 'licences.example:4001'],
    ['licences.example', `licences.example:${LICENSE_SERVER_PORT_DEFAULT}`],
    ['[2001:DB8::1]:65535', '[2001:db8::1]:65535'],
    ['[::1]', '[::1]:4001'],
  ])('%s is written as %s', (text, place) => {
    expect(readServerPlace(text)).toEqual({ value: place });
  });

  test.each([
    '',
    ':4001',
    '::1',
    '[]:4001',
    '[192.0.2.1]:4001',
    '[::1',
    '::1]:4001',
    'host:',
    'host:x',
    'host:1023',
    'host:65536',
    'host:4001:4002',
    'a b:4001',
  ])('%j is none', (text) => {
    expect(readServerPlace(text)).toEqual({ fault: expect.stringMatching(/^must (be|have) /) });
  });

  test('an entry reads as the place that is written for it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 1024, max: 65535 }), (text, port) => {
        const address = readOrNull(readServerAddress(text));
        fc.pre(address !== null);
        const place = placeOfServer({ address: address!, port });
        expect(readServerPlace(place)).toEqual({ value: place });
      }),
    );
  });
});

describe('instances that share a key (F-4)', () => {
  const statement = (
    name: string,
    licenseServers: readonly string[],
    fields: Partial<ServerStatement> = {},
  ): ServerStatement => ({ name, key: 'k1', state: 'active', licenseServers, ...fields });
  const [one, other, third] = ['10.0.0.1:4001', '10.0.0.2:4001', '10.0.0.3:4001'] as const;

  test('agree when their sets are the same in any order (trap 15)', () => {
    const statements = [statement('a', [one, other]), statement('b', [other, one, one])];
    expect(findDisagreements(statements)).toEqual([]);
    expect(disagreementNotice(statements, 'a')).toBeNull();
  });

  test('disagree when one of them has another set, and each set names its instances', () => {
    const statements = [
      statement('c', [one, third]),
      statement('b', [other, one]),
      statement('a', [one, other]),
    ];
    expect(findDisagreements(statements)).toEqual([
      {
        key: 'k1',
        sets: [
          { licenseServers: [one, other], instances: ['a', 'b'] },
          { licenseServers: [one, third], instances: ['c'] },
        ],
      },
    ]);
    expect(disagreementNotice(statements, 'c')).toBe(
      `Instances of one key must have the same licence servers. Of k1 this one has ${one}, ${third}, and a, b have ${one}, ${other}.`,
    );
    expect(disagreementNotice(statements, 'a')).toMatch(/, and c has /);
    expect(disagreementNotice(statements, 'unknown')).toBeNull();
  });

  test.each([
    ['of another key', statement('b', [other], { key: 'k2' })],
    ['that is silent', statement('b', [other], { state: 'silent' })],
    ['without a key', statement('b', [other], { key: null })],
    ['that states none', statement('b', [])],
  ])('are not disturbed by one %s', (_what, stranger) => {
    expect(findDisagreements([statement('a', [one]), stranger])).toEqual([]);
  });

  test('are named up to three in a notice', () => {
    const many = ['v', 'w', 'x', 'y', 'z'].map((name) => statement(name, [other]));
    expect(disagreementNotice([statement('a', [one]), ...many], 'a')).toContain(
      ', and v, w, x and 2 more have ',
    );
  });
});
