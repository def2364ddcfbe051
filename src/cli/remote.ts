/** The client of a connection, and the certificates that it trusts. */

import { type Client, createClient } from '../client/client.ts';
import { CliFault, EXIT } from './faults.ts';
import type { Connection } from './profile.ts';
import type { Files } from './world.ts';

/**
 * How often each address is tried: a restart of the server is bridged, and whoever mistyped an address learns of it
 * within a second.
 */
const ATTEMPTS_MAX = 5;
/** With a time of one's own it is tried for so long. */
const ATTEMPTS_IN_TIME_MAX = 10_000;

/**
 * Makes the client that a command asks the server with.
 *
 * @param connection - where the server is, and who asks.
 * @param files - reads the file of certificates.
 * @throws CliFault when the address, the token or the certificates are none.
 */
export async function connect(connection: Connection, files: Files): Promise<Client> {
  const { urls, token, tokenFile, ca, timeoutMs, source } = connection;
  if (ca !== undefined) await trust(ca, files);
  if (tokenFile !== undefined) await requireTokenFile(tokenFile, files);
  try {
    const attemptsMax = timeoutMs === undefined ? ATTEMPTS_MAX * urls.length : ATTEMPTS_IN_TIME_MAX;
    return createClient({ url: urls, token, tokenFile, timeoutMs, attemptsMax });
  } catch (error) {
    if (!(error instanceof TypeError && /^(The|Give) /.test(error.message))) throw error;
    throw new CliFault(EXIT.usage, error.message, `The address comes from ${source}.`);
  }
}

/** A file that cannot be read is told before anything is sent. */
async function requireTokenFile(file: string, files: Files): Promise<void> {
  const { mode } = await files.stat(file);
  // A mounted secret may be readable by the group that the pod runs in; by everybody it never should be.
  if ((mode & 0o007) === 0) return;
  throw new CliFault(
    EXIT.usage,
    `Everybody on this machine can read or change the token file ${file}.`,
    `chmod 600 ${file}, and make a new token if somebody may have read it.`,
  );
}

/** Trusts further certificates, beside those of the system, in this process. */
async function trust(file: string, files: Files): Promise<void> {
  const tls = await import('node:tls');
  const pem = Buffer.from(await files.read(file)).toString('utf8');
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (certificates === null) {
    throw new CliFault(EXIT.usage, `${file} holds no certificate in PEM form.`);
  }
  if (typeof tls.setDefaultCACertificates !== 'function') {
    throw new CliFault(
      EXIT.usage,
      'This version of Node.js cannot trust further certificates while it runs.',
      `Set NODE_EXTRA_CA_CERTS=${file} instead.`,
    );
  }
  try {
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), ...certificates]);
  } catch {
    throw new CliFault(EXIT.usage, `${file} holds a certificate that cannot be read.`);
  }
}
