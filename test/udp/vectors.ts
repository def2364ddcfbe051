/** The test vectors of `docs/udp-protocol.md`: what each says, and how it is made. */
import { readFileSync } from 'node:fs';
import { type DigestedRow, TableDigest } from '../../src/domain/local/digest.ts';
import {
  writeFault,
  writeProgress,
  writeRedirect,
  writeReport,
  writeStatus,
  writeWelcome,
} from '../../src/udp/answers.ts';
import {
  type AnswerType,
  deriveKeys,
  type RequestType,
  writeAnswer,
  writeRequest,
} from '../../src/udp/packets.ts';
import { writeHeartbeat, writeQuery, writeStart, writeUpdate } from '../../src/udp/requests.ts';

export const SECRET = 'correct-horse-battery-staple-0123456789';
export const NAME = 'app-a';
export const KEYS = deriveKeys(SECRET, NAME);
export const LIFE = Buffer.from('0001020304050607', 'hex');
export const PROOF = Buffer.from('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', 'hex');
const INCARNATION = 3;

/** The table that the vectors speak of. */
export const ROWS: readonly DigestedRow[] = [
  { id: 'alice', connections: 2, webSessions: 1, transitioned: false },
  { id: 'zoë', connections: 26, webSessions: 0, transitioned: true },
];

export const STANDING = {
  limit: 10,
  connectionsPerUnitMax: 25,
  unitLimit: 0,
  connectionLimit: 4,
  nextUpdateAfterSeconds: 15,
  atMs: 1_800_000_000_123,
};

export const WELCOME = {
  ...STANDING,
  enforcement: 'local',
  graceSeconds: 60,
  key: '100200301-1f2e3d4c',
  fault: '',
  notices: ['Instances have different servers.'],
} as const;

export const NAK = {
  ...STANDING,
  sequence: 1,
  acknowledged: false,
  reason: 'over-limit',
  inUse: 12,
  overLimitUnits: 2,
  transitioned: ['zoë'],
};

/** The digest of some rows. */
export function digestOf(rows: readonly DigestedRow[]): TableDigest {
  const digest = new TableDigest();
  for (const row of rows) digest.add(row);
  return digest;
}

function request(type: RequestType, number: number, body: Buffer): Buffer {
  const [incarnation, proof] = number === 1 ? [0, Buffer.alloc(16)] : [INCARNATION, PROOF];
  return writeRequest({ type, life: LIFE, number, incarnation, proof, name: NAME, body }, KEYS);
}

function answer(type: AnswerType, number: number, body: Buffer): Buffer {
  const incarnation = number === 1 ? 0 : INCARNATION;
  return writeAnswer({ type, life: LIFE, number, incarnation, body }, KEYS);
}

const start = writeStart({
  key: { by: 'order-number', value: '100200301' },
  product: 'demo',
  version: '1.0',
  licenseServers: ['127.0.0.1:4001'],
});
const digest = digestOf(ROWS);
const full = { sequence: 1, since: 0, parts: 1, part: 0, digest, rows: ROWS };
const changed: readonly DigestedRow[] = [
  { id: 'alice', connections: 0, webSessions: 0, transitioned: false },
];
const change = { sequence: 2, since: 1, parts: 2, part: 1, digest: digestOf([ROWS[1]!]), rows: changed };

/** The datagrams by the names that the document gives them. */
export const VECTORS: Readonly<Record<string, Buffer>> = {
  START: request('start', 1, start),
  CHALLENGE: answer('challenge', 1, PROOF),
  WELCOME: answer('welcome', 2, writeWelcome(WELCOME)),
  INVALID: answer(
    'invalid',
    2,
    writeFault({ code: 'key-not-found', reason: 'No single installed key has the order number "1".' }),
  ),
  FULL: request('full', 3, writeUpdate(full)),
  NAK: answer('nak', 3, writeStatus(NAK).octets),
  CHANGE: request('change', 4, writeUpdate(change)),
  PROGRESS: answer('progress', 4, writeProgress({ sequence: 2, parts: 2, received: Buffer.from([0x40]) })),
  HEARTBEAT: request('heartbeat', 5, writeHeartbeat({ sequence: 1, digest })),
  REDIRECT: answer('redirect', 5, writeRedirect({ name: 'SECOND', address: '192.0.2.7', port: 4001 })),
  QUERY: request('query', 6, writeQuery({ what: 'server', port: 0, report: 0, part: 0 })),
  REPORT: answer(
    'report',
    6,
    writeReport({
      what: 'server',
      report: 77,
      part: 0,
      parts: 1,
      octets: Buffer.from('# server\taddress\tport\tstate\nFIRST\t127.0.0.1\t4001\tactive\n'),
    }),
  ),
  SHUTDOWN: request('shutdown', 7, Buffer.alloc(0)),
  GOODBYE: answer('goodbye', 7, Buffer.alloc(0)),
};

/** The vectors as they stand in the document. */
export function documentedVectors(): Map<string, string> {
  const page = readFileSync(new URL('../../docs/udp-protocol.md', import.meta.url), 'utf8');
  const found = page.matchAll(/^\*\*([A-Z]+)\*\*[^\n]*\n+```\n([0-9a-f\s]+)```/gm);
  return new Map([...found].map(([, name, hex]) => [name!, hex!.replace(/\s/g, '')]));
}
