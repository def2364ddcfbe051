/** The first part: the three hosts start in the documented order, and each sees the same active server (F-18). */

import { type Hosts, hostOf, startHost } from './hosts.ts';
import { check, done, heading, tell } from './screen.ts';
import { activeServer, PATIENCE_MS, type Site, startLicenseServer } from './site.ts';
import { eventually, type InstanceProcess, type Running } from './stage.ts';

/** What runs after the start. */
export interface Started {
  readonly hosts: Hosts;
  readonly primary: Running;
}

/** Starts everything in order. */
export async function demonstrateStart(site: Site): Promise<Started> {
  const { primary, secondary } = site;
  const hosts = new Map<string, InstanceProcess>();
  heading('Start the primary: the database server and its licence server');
  tell('Every host has the same key and the same two licence servers configured. All are stopped.');
  check((await activeServer(site)) === null, 'No licence server is active');
  const first = await startLicenseServer(site, primary);
  await eventually(async () => (await activeServer(site)) ?? null, PATIENCE_MS, 'one becomes active');
  check((await activeServer(site)) === 'PRIMARY', 'PRIMARY is up first, and so it is active');
  hosts.set('database-server', (await startHost(site, 'database-server')).host);
  await showServer(hosts, 'database-server', primary.name);

  heading('Start the secondary: application server A and its licence server');
  await startLicenseServer(site, secondary);
  await eventually(
    async () => ((await stateOf(site, 'SECONDARY')) === 'standby' ? true : null),
    PATIENCE_MS,
    'SECONDARY stands by',
  );
  check((await activeServer(site)) === 'PRIMARY', 'SECONDARY sees that PRIMARY is active, and stands by');
  hosts.set('app-server-a', (await startHost(site, 'app-server-a')).host);
  await showServer(hosts, 'app-server-a', primary.name);

  heading('Start the rest: application server B, which has no licence server of its own');
  await startWrongly(site);
  const { host, notices } = await startHost(site, 'app-server-b');
  hosts.set('app-server-b', host);
  check(notices.length === 0, 'Started again with both, it agrees with the others', notices);
  await showServer(hosts, 'app-server-b', primary.name);
  const { conflicts } = await site.client.licenseServers.list();
  check(conflicts.length === 0, 'All three are configured with the same licence servers', conflicts);
  return { hosts, primary: first };
}

/** All that share a key must be configured with the same set of licence servers (F-4). */
async function startWrongly(site: Site): Promise<void> {
  tell('By mistake it is configured with one licence server only at first.');
  const { host, notices } = await startHost(site, 'app-server-b', [site.primary.place]);
  const { conflicts } = await site.client.licenseServers.list();
  const sets = conflicts.find(({ key }) => key === site.key)?.sets;
  check(
    sets?.length === 2 && sets.some(({ instances }) => instances.join() === 'app-server-b'),
    'Lictor names the key whose hosts have different licence servers, and which host has which',
    conflicts,
  );
  check(notices.length === 1, `app-server-b is told as well: “${notices[0]}”`, notices);
  await host.close();
}

async function stateOf(site: Site, name: string): Promise<string> {
  return (await site.client.licenseServers.read(name)).state;
}

async function showServer(hosts: Hosts, name: Parameters<typeof hostOf>[1], expected: string): Promise<void> {
  const host = hostOf(hosts, name);
  const shown = await host.showServer();
  check(shown.startsWith(`${expected} `), `ShowServer on ${name}: ${shown}`, shown);
  const { talksTo } = await host.state();
  done(`${name} reports to ${talksTo}`);
}
