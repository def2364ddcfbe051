import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readProgress, readReport, readStatus, readWelcome, writeStatus } from '../../src/udp/answers.ts';
import {
  DATAGRAM_OCTETS_MAX,
  deriveKeys,
  isMadeBy,
  type RequestFrame,
  readAnswer,
  readRequest,
  writeRequest,
} from '../../src/udp/packets.ts';
import {
  readHeartbeat,
  readQuery,
  readStart,
  readUpdate,
  type UpdateBody,
  writeStart,
  writeUpdate,
} from '../../src/udp/requests.ts';
import { documentedVectors, KEYS, LIFE, NAK, NAME, PROOF, ROWS, VECTORS, WELCOME } from './vectors.ts';

const REQUESTS = ['START', 'FULL', 'CHANGE', 'HEARTBEAT', 'QUERY', 'SHUTDOWN'];

describe('the vectors of docs/udp-protocol.md', () => {
  const documented = documentedVectors();

  test('are all there, and are what this code makes', () => {
    expect([...documented.keys()].sort()).toEqual(Object.keys(VECTORS).sort());
    for (const [name, octets] of Object.entries(VECTORS)) {
      expect([name, documented.get(name)]).toEqual([name, octets.toString('hex')]);
    }
  });

  test('are what the Python client makes and reads, by the document alone', () => {
    const program = fileURLToPath(new URL('./check_vectors.py', import.meta.url));
    const found = JSON.parse(execFileSync('python3', [program], { encoding: 'utf8' })) as Record<
      string,
      { kind: number; life: string; number: number; body: unknown; forged: unknown } | string
    >;
    expect(Object.keys(found).sort()).toEqual(Object.keys(VECTORS).sort());
    for (const name of REQUESTS) expect([name, found[name]]).toEqual([name, documented.get(name)]);
    for (const [name, answer] of Object.entries(found)) {
      if (typeof answer === 'string') continue;
      expect(answer).toMatchObject({ kind: VECTORS[name]![3], life: LIFE.toString('hex'), forged: null });
    }
    const bodyOf = (name: string) => (found[name] as { body: unknown }).body;
    expect(bodyOf('CHALLENGE')).toBe(PROOF.toString('hex'));
    expect(bodyOf('WELCOME')).toMatchObject({ limit: 10, per_unit: 25, grace: 60, key: WELCOME.key });
    expect(bodyOf('NAK')).toMatchObject({ acknowledged: false, in_use: 12, transitioned: ['zoë'] });
    expect(bodyOf('PROGRESS')).toEqual([2, [false, true]]);
    expect(bodyOf('REPORT')).toMatchObject({ report: 77, parts: 1 });
  });

  test('the Python client does not run in circles, whatever a server says', () => {
    const program = fileURLToPath(new URL('./check_session.py', import.meta.url));
    expect(JSON.parse(execFileSync('python3', [program], { encoding: 'utf8' }))).toEqual({
      // A FULL that is answered with RESEND waits for the interval; a HEARTBEAT (4) is followed by a FULL (3).
      resent_full: { kinds: [3, 4, 3], waits: [15, 0] },
      redirects: { waits: [0, 1], index: 0 },
      challenges: { sent: 4 },
      overtaken: { limit: 10, events: ['online', 'welcome'] },
      illegal_users: ['illegal-user', 'illegal-user', 'illegal-user', null],
    });
  });

  test('no CHALLENGE is longer than the shortest request', () => {
    const shortest = writeRequest(
      {
        type: 'shutdown',
        life: LIFE,
        number: 1,
        incarnation: 0,
        proof: PROOF,
        name: 'a',
        body: Buffer.alloc(0),
      },
      KEYS,
    );
    expect(VECTORS.CHALLENGE!.length).toBeLessThanOrEqual(shortest.length);
  });
});

describe('requests', () => {
  test('are read as they were written', () => {
    for (const name of REQUESTS) {
      const frame = readRequest(VECTORS[name]!) as RequestFrame;
      expect(frame).toMatchObject({ type: name.toLowerCase(), name: NAME });
      expect(isMadeBy(VECTORS[name]!, KEYS.instance)).toBe(true);
      expect(isMadeBy(VECTORS[name]!, KEYS.server)).toBe(false);
    }
    const bodyOf = (name: string) => (readRequest(VECTORS[name]!) as RequestFrame).body;
    expect(readStart(bodyOf('START'))).toEqual({
      key: { by: 'order-number', value: '100200301' },
      product: 'demo',
      version: '1.0',
      licenseServers: ['127.0.0.1:4001'],
    });
    expect(readUpdate(bodyOf('FULL'))).toMatchObject({
      sequence: 1,
      since: 0,
      parts: 1,
      part: 0,
      rows: ROWS,
    });
    expect(readHeartbeat(bodyOf('HEARTBEAT'))).toMatchObject({
      sequence: 1,
      digest: { rows: 2, connections: 28 },
    });
    expect(readQuery(bodyOf('QUERY'))).toEqual({ what: 'server', port: 0, report: 0, part: 0 });
  });

  test('a LicenseID is 1 to 32 characters of text', () => {
    const startOf = (value: string) =>
      readStart(
        writeStart({ key: { by: 'license-id', value }, product: '', version: '', licenseServers: [] }),
      );
    expect(startOf('Klinik Süd')?.key).toEqual({ by: 'license-id', value: 'Klinik Süd' });
    expect(startOf('é'.repeat(32))?.key).toEqual({ by: 'license-id', value: 'é'.repeat(32) });
    for (const value of ['', 'x'.repeat(33), ' x', 'a\nb', 'a\0']) expect(startOf(value)).toBeNull();
    const broken = writeStart({
      key: { by: 'hash', value: 'ff'.repeat(32) },
      product: '',
      version: '',
      licenseServers: [],
    });
    broken[0] = 4;
    expect(readStart(broken)).toBeNull();
  });

  test('an answer is no request, and a request no answer', () => {
    expect(readRequest(VECTORS.WELCOME!)).toBe('malformed');
    expect(readAnswer(VECTORS.START!)).toBeNull();
  });

  test('the name is part of the keys: one secret for two instances gives neither the other’s', () => {
    expect(
      isMadeBy(VECTORS.START!, deriveKeys('correct-horse-battery-staple-0123456789', 'app-b').instance),
    ).toBe(false);
  });

  test('every bit counts: one that is turned is noticed', () => {
    const { length } = VECTORS.FULL!;
    for (let bit = 0; bit < length * 8; bit += 1) {
      const turned = Buffer.from(VECTORS.FULL!);
      turned[bit >> 3]! ^= 1 << (bit & 7);
      const frame = readRequest(turned);
      expect(typeof frame === 'string' || !isMadeBy(turned, KEYS.instance)).toBe(true);
    }
  });

  test('one that is cut, or longer than 1,200 octets, or of another version, is told apart', () => {
    for (let length = 0; length < VECTORS.START!.length; length += 1) {
      const cut = Buffer.from(VECTORS.START!.subarray(0, length));
      const frame = readRequest(cut);
      expect(typeof frame === 'string' || !isMadeBy(cut, KEYS.instance)).toBe(true);
    }
    expect(readRequest(Buffer.alloc(DATAGRAM_OCTETS_MAX + 1))).toBe('oversized');
    const newer = Buffer.from(VECTORS.START!);
    newer[2] = 2;
    expect(readRequest(newer)).toBe('version');
  });

  test('an update of any rows comes back as it was', () => {
    const row = fc.record({
      id: fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
        .filter((id) => Buffer.byteLength(id) <= 200 && id.isWellFormed()),
      connections: fc.nat(0xffff_ffff),
      webSessions: fc.nat(0xffff_ffff),
      transitioned: fc.boolean(),
    });
    const digest = fc.record({ rows: fc.nat(), connections: fc.nat(), checksum: fc.nat(0xffff_ffff) });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 5 }), digest, fc.nat(99), (rows, whole, since) => {
        const body: UpdateBody = { sequence: since + 1, since, parts: 3, part: 2, digest: whole, rows };
        expect(readUpdate(writeUpdate(body))).toEqual(body);
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ['a part beyond the last', 10, 2],
    ['no part at all', 8, 0],
    ['more rows than there are', 24, 2],
    ['a since that is not before the sequence', 4, 9],
  ])('an update with %s is malformed', (_what, at, value) => {
    const body = Buffer.from(
      writeUpdate({ sequence: 5, since: 1, parts: 2, part: 1, digest: ROWS_DIGEST, rows: [ROWS[0]!] }),
    );
    if (at === 4) body.writeUInt32BE(value, at);
    else body.writeUInt16BE(value, at);
    expect(readUpdate(body)).toBeNull();
  });

  test('octets left over, a broken text and an empty ID are malformed', () => {
    const body = writeUpdate({
      sequence: 5,
      since: 1,
      parts: 1,
      part: 0,
      digest: ROWS_DIGEST,
      rows: [ROWS[0]!],
    });
    expect(readUpdate(Buffer.concat([body, Buffer.alloc(1)]))).toBeNull();
    const broken = Buffer.from(body);
    broken[broken.length - 1] = 0xff;
    expect(readUpdate(broken)).toBeNull();
    const empty = writeUpdate({
      sequence: 5,
      since: 1,
      parts: 1,
      part: 0,
      digest: ROWS_DIGEST,
      rows: [{ ...ROWS[0]!, id: '' }],
    });
    expect(readUpdate(empty)).toBeNull();
  });

  test('a query may name no port below 1024, where other services are', () => {
    const body = Buffer.from('010000000000000000', 'hex');
    expect(readQuery(body)).not.toBeNull();
    body.writeUInt16BE(22, 1);
    expect(readQuery(body)).toBeNull();
  });
});

const ROWS_DIGEST = { rows: 1, connections: 2, checksum: 3 };

describe('answers', () => {
  const bodyOf = (name: string) => readAnswer(VECTORS[name]!)!.body;

  test('are read as they were written', () => {
    expect(readWelcome(bodyOf('WELCOME'))).toEqual(WELCOME);
    expect(readStatus(bodyOf('NAK'))).toEqual(NAK);
    expect(readProgress(bodyOf('PROGRESS'))).toMatchObject({ sequence: 2, parts: 2 });
    expect(readReport(bodyOf('REPORT'))).toMatchObject({ what: 'server', report: 77 });
  });

  test('of users that do not fit, as many are told as do (F-32)', () => {
    const transitioned = Array.from({ length: 300 }, (_, index) => `user-${index}`);
    const { octets, told } = writeStatus({ ...NAK, transitioned });
    expect(told).toBeGreaterThan(100);
    expect(readStatus(octets)!.transitioned).toEqual(transitioned.slice(0, told));
  });
});
