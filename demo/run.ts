/**
 * `npm run demo`: the story of the three hosts (F-18, F-19). A database server and two application servers share
 * one multi-server key, with two licence servers configured. Everything that is told is checked; if something
 * is not as told, the demonstration says so and ends with exit code 1. It leaves nothing behind.
 */

import { demonstrateFailover } from './failover.ts';
import { HOSTS } from './hosts.ts';
import { demonstrateEnd, demonstrateLimit, demonstrateReports, demonstrateUse } from './limit.ts';
import { end, failed, heading, tell, title, Untrue } from './screen.ts';
import { prepare } from './site.ts';
import { Stage } from './stage.ts';
import { demonstrateStart } from './starting.ts';

async function story(stage: Stage): Promise<void> {
  title('Lictor: three hosts, one key, two licence servers');
  tell(
    'A database server and two application servers, as processes of their own on this machine. Application server A is built on lictor/client and speaks HTTP; the other two are legacy and speak UDP.',
  );
  heading('Prepare');
  const site = await prepare(stage, HOSTS);
  const started = await demonstrateStart(site);
  const inUse = await demonstrateUse(site, started.hosts);
  const after = await demonstrateFailover(site, started, inUse);
  await demonstrateLimit(site, started.hosts, after);
  await demonstrateReports(site);
  await demonstrateEnd(site, started.hosts);
  site.client.close();
}

/** @returns the exit code: 0 everything was as told, 1 something was not, 130 interrupted. */
async function main(): Promise<number> {
  const startedMs = performance.now();
  const interrupted = new Promise<number>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(130));
  });
  let stage: Stage | null = null;
  let code = 1;
  try {
    stage = await Stage.open();
    code = await Promise.race([story(stage).then(() => 0), interrupted]);
  } catch (error) {
    failed(error instanceof Untrue ? error.message : String((error as Error).stack ?? error));
  }
  await stage?.close();
  if (code === 130) failed('Interrupted; everything that ran is ended.');
  if (code === 0) {
    const seconds = Math.round((performance.now() - startedMs) / 1_000);
    end(`Everything was as told. It took ${seconds} seconds, and nothing is left of it.`);
  }
  return code;
}

// What a story that was interrupted still waits for must not keep the process.
process.exit(await main());
