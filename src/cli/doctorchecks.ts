/**
 * What the command line can see of a deployment from where it runs: whether each address answers, over what, with
 * which certificate, which version, and by which clock. What the server sees of itself is its own diagnosis.
 */

import { connect } from 'node:tls';
import type { Client } from '../client/client.ts';
import type { ReadDiagnosisAnswer } from '../client/openapi.ts';
import { ApiError, UnreachableError } from '../client/problems.ts';
import { count, type Finding, found, ok, timeWords } from '../domain/findings/findings.ts';
import { judgeClock } from '../domain/findings/storefindings.ts';
import type { World } from './world.ts';

const ROUND_TRIP_WARNING_MS = 500;
const CERTIFICATE_NOTE_MS = 30 * 86_400_000;
const CERTIFICATE_WARNING_MS = 14 * 86_400_000;
const HANDSHAKE_TIMEOUT_MS = 5_000;

/** What was found, and what the server said. */
export interface Looked {
  readonly findings: readonly Finding[];
  /** Whether at least one address answered. */
  readonly isReached: boolean;
  /** The server's own diagnosis; null when it could not be had. */
  readonly diagnosis: ReadDiagnosisAnswer | null;
  /** Why not, when the server refused it. */
  readonly refusal: ApiError | null;
}

/**
 * Looks at a deployment from here.
 *
 * @param world - the world of the command.
 * @param ownVersion - of this command line.
 */
export async function lookFromHere(world: World, ownVersion: string): Promise<Looked> {
  const connection = await world.connection();
  const reached: string[] = [];
  const findings: Finding[] = [];
  for (const url of connection.urls) {
    const client = await world.parts.connect({ ...connection, urls: [url] });
    const { isReached, found: own } = await lookAt(url, client);
    client.close();
    findings.push(...own, ...(await lookAtTransport(url, world.parts.nowMs())));
    if (isReached) reached.push(url);
  }
  if (reached.length === 0) return { findings, isReached: false, diagnosis: null, refusal: null };
  const client = await world.client();
  const sentAtMs = world.parts.nowMs();
  const beganMs = performance.now();
  try {
    const diagnosis = await client.server.diagnosis();
    const roundTripMs = performance.now() - beganMs;
    findings.push(
      judgeVersion(ownVersion, diagnosis.version),
      judgeClock(
        'here.clock',
        ['this host', 'the database'],
        sentAtMs + roundTripMs / 2 - Date.parse(diagnosis.at),
        roundTripMs / 2,
        'The times that this command line shows and takes ("90d") are off by that; grants are not.',
      ),
    );
    return { findings, isReached: true, diagnosis, refusal: null };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    findings.push(refused(error));
    return { findings, isReached: true, diagnosis: null, refusal: error };
  }
}

/** Whether an address answers, and what the replica behind it says of itself. */
async function lookAt(url: string, client: Client): Promise<{ isReached: boolean; found: Finding[] }> {
  const check = 'here.reachable';
  const beganMs = performance.now();
  try {
    const { status, replica, checks } = await client.server.readiness({ attemptsMax: 1 });
    const tookMs = performance.now() - beganMs;
    const says = `${url} answers in ${timeWords(tookMs)}: ${replica} is ${status}.`;
    if (status === 'not-ready') {
      const words = Object.values(checks)
        .filter((each) => each.status === 'not-ready')
        .map((each) => each.words);
      return { isReached: true, found: [found(check, 'fault', `${says} ${words.join(' ')}`, READY_MEND)] };
    }
    if (tookMs <= ROUND_TRIP_WARNING_MS) return { isReached: true, found: [ok(check, says)] };
    const mend =
      'Look at the network and at what stands in front of Lictor; every login from here waits as long.';
    return { isReached: true, found: [found(check, 'warning', says, mend)] };
  } catch (error) {
    if (!(error instanceof UnreachableError || error instanceof ApiError)) throw error;
    const mend = `See that Lictor runs there, and that a proxy or a firewall lets requests through to ${url}/readyz.`;
    return { isReached: false, found: [found(check, 'fault', error.message, mend)] };
  }
}

const READY_MEND = 'docs/operations.md says what each of these means, and what to do.';

/** Whether what is sent can be read on the way, and how long the certificate is good for. */
async function lookAtTransport(url: string, nowMs: number): Promise<Finding[]> {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const check = 'here.encryption';
  if (protocol === 'http:') {
    if (/^(localhost|127\.[\d.]+|::1)$/.test(host)) return [ok(check, `${url} is on this host.`)];
    return [
      found(
        check,
        'warning',
        `${url} is not encrypted: whoever is on the way can read the access token.`,
        'Put TLS in front of Lictor, and say https.',
      ),
    ];
  }
  const validToMs = await certificateEnd(host, port === '' ? 443 : Number(port));
  // An address that does not answer is told already.
  if (validToMs === null) return [];
  const leftMs = validToMs - nowMs;
  const says = `The certificate of ${url} is good for another ${timeWords(Math.max(0, leftMs))}.`;
  if (leftMs >= CERTIFICATE_NOTE_MS) return [ok(check, says)];
  const level = leftMs <= 0 ? 'fault' : leftMs < CERTIFICATE_WARNING_MS ? 'warning' : 'note';
  return [found(check, level, says, 'Renew it, and see that what renews it by itself still runs.')];
}

/** When the certificate of a server ends, ms since 1970; null when there is no handshake. */
function certificateEnd(host: string, port: number): Promise<number | null> {
  return new Promise((resolve) => {
    // Whether it is trusted is told by the requests; here only its end is looked at.
    const options = { host, port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] };
    const socket = connect(
      /[a-z]/i.test(host) && !host.includes(':') ? { ...options, servername: host } : options,
    );
    const done = (end: number | null) => {
      socket.destroy();
      resolve(end);
    };
    socket.setTimeout(HANDSHAKE_TIMEOUT_MS, () => done(null));
    socket.once('error', () => done(null));
    socket.once('secureConnect', () => {
      const end = Date.parse(socket.getPeerCertificate().valid_to);
      done(Number.isNaN(end) ? null : end);
    });
  });
}

function judgeVersion(own: string, server: string): Finding {
  const check = 'here.version';
  if (own === server) return ok(check, `Command line and server are both version ${own}.`);
  const isFar = own.split('.', 1)[0] !== server.split('.', 1)[0];
  return found(
    check,
    isFar ? 'warning' : 'note',
    `The server is version ${server}, and this command line ${own}.`,
    'Use the command line of the version that the server runs; what the other does not know is refused.',
  );
}

function refused(error: ApiError): Finding {
  return found(
    'here.permission',
    'warning',
    `The server did not tell its own diagnosis: ${error.message}`,
    error.status === 403
      ? "Use an administrator's or an operator's token that is restricted to nothing."
      : 'Use a token that is valid; "lictor tokens create" makes one.',
  );
}

/**
 * What was found, in one line.
 *
 * @param findings - all of them.
 * @returns such as `1 fault, 2 notes; 20 checks are as they should be.`
 */
export function summary(findings: readonly Finding[]): string {
  const number = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  const amiss = (['fault', 'warning', 'note'] as const)
    .filter((level) => number(level) > 0)
    .map((level) => count(number(level), level));
  const fine = number('ok');
  const rest = `${count(fine, 'check')} ${fine === 1 ? 'is' : 'are'} as ${fine === 1 ? 'it' : 'they'} should be.`;
  return amiss.length === 0 ? rest : `${amiss.join(', ')}; ${rest}`;
}
