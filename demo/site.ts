/**
 * What an administrator prepares before the first instance starts: Lictor itself, the key that three instances
 * will share, and the roster of licence servers. All of it as the documentation says it.
 */

import { readFile } from 'node:fs/promises';
import { type Client, createClient } from '../src/client/index.ts';
import { check, done, Untrue } from './screen.ts';
import { eventually, freePorts, makeSecret, type Stage } from './stage.ts';

/** The units of the key. */
export const UNITS = 10;
/** How long a licence server stays active without a sign of life, in milliseconds; shorter than usual. */
const LEASE_MS = 3_000;
/** How often instances report, in seconds; much more often than usual. */
const UPDATE_INTERVAL_SECONDS = 1;
/** How long anything may take that happens by itself. */
export const PATIENCE_MS = 20_000;
const HOST = '127.0.0.1';

/** One of the two licence servers. */
export interface ServerPlace {
  readonly name: 'PRIMARY' | 'SECONDARY';
  readonly port: number;
  /** As instances are configured with it. */
  readonly place: string;
}

/** What everything else is built on. */
export interface Site {
  readonly stage: Stage;
  readonly client: Client;
  readonly url: string;
  readonly key: string;
  /** The token of the licence servers. */
  readonly token: string;
  readonly secretsFile: string;
  readonly secrets: ReadonlyMap<string, string>;
  readonly primary: ServerPlace;
  readonly secondary: ServerPlace;
}

/** Starts Lictor with its embedded Postgres, installs a signed key, and enters two licence servers. */
export async function prepare(stage: Stage, instances: readonly string[]): Promise<Site> {
  const signer = await makeKeyFile(stage);
  const adminToken = makeSecret();
  const { line } = await stage.lictor(
    ['serve'],
    {
      PORT: '0',
      LICTOR_DATA_DIR: `${stage.folder}/data`,
      LICTOR_ADMIN_TOKEN: adminToken,
      LICTOR_TRUSTED_KEYS: signer.trusted,
      LICTOR_LICENSE_SERVER_LEASE_MS: String(LEASE_MS),
      LICTOR_UPDATE_INTERVAL_SECONDS: String(UPDATE_INTERVAL_SECONDS),
      LICTOR_EVALUATION: 'false',
    },
    '"Lictor listens."',
  );
  const url = String(line.url);
  const client = createClient({ url, token: adminToken });
  await eventually(
    async () => ((await client.server.readiness()).status === 'not-ready' ? null : true),
    PATIENCE_MS,
    'Lictor is ready',
  );
  done(`Lictor runs at ${url}, with a Postgres of its own in ${stage.folder}`);
  const key = await installKey(client, await readFile(signer.file, 'utf8'));
  const { token } = await client.tokens.create({ name: 'licence servers', role: 'operator' });
  const [primaryPort, secondaryPort] = (await freePorts(2)) as [number, number];
  const primary = placeOf('PRIMARY', primaryPort);
  const secondary = placeOf('SECONDARY', secondaryPort);
  for (const { name, port } of [primary, secondary]) {
    await client.licenseServers.put(name, { address: HOST, port });
  }
  const { items } = await client.licenseServers.list();
  check(
    items.length === 2 && items.every(({ state }) => state === 'down'),
    `Two licence servers are entered: PRIMARY at ${primary.place}, SECONDARY at ${secondary.place}`,
    items,
  );
  const secrets = new Map(instances.map((name) => [name, makeSecret()]));
  const lines = [...secrets].map(([name, secret]) => `${name} ${secret}\n`);
  const secretsFile = await stage.file('secrets', lines.join(''));
  return { stage, client, url, key, token, secretsFile, secrets, primary, secondary };
}

function placeOf(name: ServerPlace['name'], port: number): ServerPlace {
  return { name, port, place: `${HOST}:${port}` };
}

/** Signs a key file with `lictor key`, as whoever issues keys does. */
async function makeKeyFile(stage: Stage): Promise<{ readonly file: string; readonly trusted: string }> {
  const order = await stage.file(
    'order.ini',
    `[ConfigFile]
FileType=Lictor License 1

[License]
CustomerName=Three Hosts
OrderNumber=261000001
ExpirationDate=12/31/2099
Product=Demonstration
LicenseType=Concurrent User
Server=Multi
AuthorizedUnits=${UNITS}
`,
  );
  const pem = `${stage.folder}/signer.pem`;
  const generated = await stage.run(['key', 'generate', '--id', 'demo', '--out', pem]);
  const trusted = /demo:[A-Za-z0-9+/=_-]{20,}/.exec(generated)?.[0];
  if (trusted === undefined) throw new Untrue(`lictor key generate said: ${generated}`);
  const file = `${stage.folder}/lictor.key`;
  await stage.run(['key', 'sign', order, '--signing-key', pem, '--out', file]);
  return { file, trusted };
}

async function installKey(client: Client, file: string): Promise<string> {
  const { id } = await client.keys.install({ file });
  await client.keys.change(id, { enforcement: 'local' }, '*');
  const key = await client.keys.read(id);
  check(
    key.enforcement === 'local' && key.server === 'multi' && key.unitsEnforced === UNITS,
    `The multi-server key ${id} is installed: ${UNITS} units, enforced locally, signature verified`,
    key,
  );
  return id;
}

/** Starts the process of a licence server. */
export async function startLicenseServer(site: Site, { name, port }: ServerPlace) {
  const started = await site.stage.lictor(
    ['udp', '--server', name],
    {
      LICTOR_URL: site.url,
      LICTOR_TOKEN: site.token,
      LICTOR_UDP_SECRETS_FILE: site.secretsFile,
      LICTOR_UDP_HOSTS: HOST,
      LICTOR_UDP_PORTS: String(port),
    },
    '"The UDP sidecar receives."',
  );
  return started.process;
}

/** What `ShowServer` shows (F-16): the name of the active licence server; null while there is none. */
export async function activeServer(site: Site): Promise<string | null> {
  return (await site.client.licenseServers.list()).active?.name ?? null;
}
