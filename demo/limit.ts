/** The middle and the end: users come and go on all hosts, over the limit and back (F-50…F-54), and the reports. */

import { type Hosts, hostOf, logIn, logOut, untilAll, untilReported, untilUnits } from './hosts.ts';
import { check, done, heading, quote, tell } from './screen.ts';
import { type Site, UNITS } from './site.ts';

/**
 * Logs users in and out on all three hosts.
 * @returns the units in use then.
 */
export async function demonstrateUse(site: Site, hosts: Hosts): Promise<number> {
  const [database, appA, appB] = threeOf(hosts);
  heading('Users log in and out');
  tell('Each host decides by itself and at once, and reports what changed.');
  await logIn(database, 'alice', 'dba');
  await logIn(appA, 'alice', 'bob', 'carol');
  await logIn(appB, 'alice', 'alice', 'dave');
  done('database-server: alice, dba · app-server-a: alice, bob, carol · app-server-b: alice twice, dave');
  await untilUnits(site, 5, 'Lictor counts 5 units: alice is on three hosts and costs one');
  await logOut(appB, 'dave');
  await untilUnits(site, 4, 'dave logs out: 4 units');
  return 4;
}

/**
 * Drives combined use over the limit and back.
 * @param units - in use before.
 */
export async function demonstrateLimit(site: Site, hosts: Hosts, units: number): Promise<void> {
  const [database, appA, appB] = threeOf(hosts);
  heading('Over the limit');
  tell(
    `The key has ${UNITS} units and ${units} are in use. Before the hosts hear of each other, three new users come in on each.`,
  );
  await Promise.all([
    logIn(database, 'd1', 'd2', 'd3'),
    logIn(appA, 'a1', 'a2', 'a3'),
    logIn(appB, 'b1', 'b2', 'b3'),
  ]);
  const over = units + 9;
  await untilUnits(site, over, `All nine are in: ${over} units of ${UNITS} are in use`);
  await untilAll(hosts, ({ isAcknowledged }) => !isAcknowledged, 'every host gets NAK');
  done('Every host is answered NAK');
  for (const host of hosts.values()) {
    const [refused] = await host.login('zoe');
    check(
      refused?.code === 'over-limit',
      `zoe, who is new, is refused on ${host.name}: ${refused?.code}`,
      refused,
    );
  }
  await logIn(appA, 'alice');
  done('alice, who is in, opens another connection on app-server-a');
  await untilUnits(site, over, 'Nobody is thrown out, and alice still costs one unit');

  heading('And back');
  await logOut(database, 'd1', 'd2');
  await logOut(appA, 'a1', 'a2');
  await untilUnits(site, UNITS, `Four log out: ${UNITS} units of ${UNITS}`);
  await untilReported(hosts);
  await untilAll(hosts, ({ isAcknowledged }) => !isAcknowledged, 'every host still gets NAK');
  done('That is not below the limit: every host is still answered NAK');
  await logOut(appB, 'b1');
  await untilUnits(site, UNITS - 1, `One more logs out: ${UNITS - 1} units`);
  await untilAll(hosts, ({ isAcknowledged }) => isAcknowledged, 'every host gets ACK');
  done('Every host is answered ACK');
  await logIn(appB, 'zoe');
  await untilUnits(site, UNITS, `zoe comes in on app-server-b: ${UNITS} units`);
  await showLedger(site, over - UNITS);
}

/** Prints what the over-limit ledger says of it. */
async function showLedger(site: Site, unitsMax: number): Promise<void> {
  const ledger = await site.client.excesses.listText({ key: site.key });
  const [, , ...episodes] = ledger.split('\n');
  tell('From the over-limit ledger:');
  quote(episodes.join('\n'));
  const said = `over ${UNITS} units by ${unitsMax} at most`;
  check(ledger.split(said).length === 2, `It has one episode, ${said}, and how it ended`, ledger);
}

/** Prints the two reports. */
export async function demonstrateReports(site: Site): Promise<void> {
  heading('The summary, as app-server-a sees it');
  const summary = await site.client.usage.summaryText({ instance: 'app-server-a' });
  quote(summary);
  check(/Current License Units Used = +10\n/.test(summary), 'It says what Lictor counts', summary);
  heading('The dump of all servers');
  const dump = await site.client.usage.serversText();
  quote(dump);
  check(
    dump.match(/shr {2}alice/g)?.length === 2,
    'alice is on three hosts: one row has her unit, the others share it',
    dump,
  );
}

/** Ends the instances in order. */
export async function demonstrateEnd(site: Site, hosts: Hosts): Promise<void> {
  heading('Everybody goes home');
  for (const host of hosts.values()) await host.close();
  await untilUnits(site, 0, 'The hosts shut down in order and give back what they held: 0 units in use');
}

function threeOf(hosts: Hosts) {
  return [
    hostOf(hosts, 'database-server'),
    hostOf(hosts, 'app-server-a'),
    hostOf(hosts, 'app-server-b'),
  ] as const;
}
