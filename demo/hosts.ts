/** The three hosts of the story, and what is asked of all of them at once. */

import type { InstanceState } from './messages.ts';
import { done, Untrue } from './screen.ts';
import { PATIENCE_MS, type Site } from './site.ts';
import { eventually, type InstanceProcess } from './stage.ts';

/**
 * The hosts in the order in which they start: the database server is the primary (F-18). Application server A is
 * built on `lictor/client`; the others are legacy and speak UDP.
 */
export const HOSTS = ['database-server', 'app-server-a', 'app-server-b'] as const;

/** The instances that run, by the name of their host. */
export type Hosts = ReadonlyMap<string, InstanceProcess>;

/** @returns the instance of a host. */
export function hostOf(hosts: Hosts, name: (typeof HOSTS)[number]): InstanceProcess {
  const host = hosts.get(name);
  if (host === undefined) throw new Untrue(`${name} does not run.`);
  return host;
}

/**
 * Starts the instance of a host.
 * @param licenseServers - that it is configured with.
 * @returns what it was told to be worth knowing.
 */
export async function startHost(
  site: Site,
  name: (typeof HOSTS)[number],
  licenseServers: readonly string[] = [site.primary.place, site.secondary.place],
): Promise<{ readonly host: InstanceProcess; readonly notices: readonly string[] }> {
  const host = site.stage.instance(name);
  const { url, key } = site;
  const secret = site.secrets.get(name)!;
  const speaks = name === 'app-server-a' ? 'http' : 'udp';
  const { token } = await site.client.tokens.create({ name, role: 'instance', instance: name });
  const notices = await host.start({ name, key, licenseServers, speaks, url, token, secret });
  return { host, notices };
}

/** Logs users in, each of whom must be let in. */
export async function logIn(host: InstanceProcess, ...users: readonly string[]): Promise<void> {
  const answers = await host.login(...users);
  for (const [index, refused] of answers.entries()) {
    if (refused !== null) throw new Untrue(`${host.name} refused ${users[index]}: ${refused.detail}`);
  }
}

/** Logs users out, each of whom must be in. */
export async function logOut(host: InstanceProcess, ...users: readonly string[]): Promise<void> {
  for (const user of users) {
    if (!(await host.logout(user))) throw new Untrue(`${user} is not in on ${host.name}.`);
  }
}

/** @returns what every host says of itself. */
function statesOf(hosts: Hosts): Promise<InstanceState[]> {
  return Promise.all([...hosts.values()].map((host) => host.state()));
}

/** Waits until every host is in a state. */
export function untilAll(
  hosts: Hosts,
  isThere: (state: InstanceState) => boolean,
  what: string,
): Promise<true> {
  return eventually(async () => ((await statesOf(hosts)).every(isThere) ? true : null), PATIENCE_MS, what);
}

/** Waits until everything that the hosts hold is reported. */
export function untilReported(hosts: Hosts): Promise<true> {
  return eventually(
    async () => {
      const reported = await Promise.all([...hosts.values()].map((host) => host.reported()));
      return reported.every((isReported) => isReported) ? true : null;
    },
    PATIENCE_MS,
    'every host has reported',
  );
}

/** Waits until Lictor counts so many units over all hosts, and shows it. */
export async function untilUnits(site: Site, units: number, text: string): Promise<void> {
  let found = -1;
  const ask = async () => {
    found = (await site.client.usage.summary({ key: site.key })).distributed.unitsInUse;
    return found === units ? true : null;
  };
  await eventually(ask, PATIENCE_MS, () => `${text} (Lictor counts ${found})`);
  done(text);
}
