/** The third part: the active licence server is killed, and the other one takes over (F-12, F-13, F-81, F-82). */

import { hostOf, logIn, untilAll, untilUnits } from './hosts.ts';
import { check, done, heading, tell } from './screen.ts';
import { activeServer, PATIENCE_MS, type Site, startLicenseServer } from './site.ts';
import { eventually } from './stage.ts';
import type { Started } from './starting.ts';

/**
 * Kills the active licence server, lets the other take over, and brings the first one back.
 * @param units - in use before.
 * @returns the units in use after.
 */
export async function demonstrateFailover(
  site: Site,
  { hosts, primary }: Started,
  units: number,
): Promise<number> {
  const { client, stage } = site;
  heading('Kill the active licence server');
  const before = (await client.licenseServers.list()).active!;
  await stage.kill(primary);
  const killedMs = performance.now();
  done('PRIMARY is killed');
  await logIn(hostOf(hosts, 'database-server'), 'erin');
  done('erin logs in on database-server meanwhile: the host decides by itself');
  await eventually(
    async () => ((await activeServer(site)) === 'SECONDARY' ? true : null),
    PATIENCE_MS,
    'SECONDARY takes over',
  );
  const after = (await client.licenseServers.list()).active!;
  const seconds = ((performance.now() - killedMs) / 1_000).toFixed(1);
  check(
    after.token > before.token,
    `SECONDARY has taken over, by a higher token: ${before.token}, then ${after.token}; it took ${seconds} seconds`,
  );
  await untilAll(
    hosts,
    ({ isOffline, talksTo }) =>
      !isOffline && (!talksTo.endsWith('UDP') || talksTo.includes(site.secondary.place)),
    'all hosts have found SECONDARY',
  );
  for (const host of hosts.values()) {
    const shown = await host.showServer();
    check(shown.startsWith('SECONDARY '), `ShowServer on ${host.name}: ${shown}`, shown);
  }
  await untilUnits(site, units + 1, `Nothing was lost: ${units + 1} units in use, erin among them`);

  heading('Bring it back');
  tell('The one that returns is an ordinary member. At no instant two are active.');
  await startLicenseServer(site, site.primary);
  await eventually(
    async () => ((await client.licenseServers.read('PRIMARY')).state === 'standby' ? true : null),
    PATIENCE_MS,
    'PRIMARY stands by',
  );
  const last = (await client.licenseServers.list()).active;
  check(
    last?.name === 'SECONDARY' && last.token === after.token,
    'PRIMARY stands by; SECONDARY stays the active one',
    last,
  );
  return units + 1;
}
