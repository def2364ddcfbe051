/**
 * The end of an instance in good order: the last changes are told, and what it held is given back.
 */

import type { Client } from './client.ts';
import type { Clock } from './instance-clock.ts';
import type { InstanceCore } from './instance-core.ts';

/** How long the end may take, and the part of it that the last call has in any case. */
const CLOSE_TIMEOUT_MS = 5_000;
const CLOSE_CALL_TIMEOUT_MS = 1_000;

/** What is to end. */
export interface Closing {
  readonly name: string;
  readonly core: InstanceCore;
  readonly client: Pick<Client, 'instances'>;
  readonly clock: Clock;
}

/**
 * Ends a life whose core lets nobody in any more.
 * @returns whether the server was told; when it is away it takes back what the instance held after its grace.
 */
export async function closeLife({ name, core, client, clock }: Closing): Promise<boolean> {
  const { link, registrar } = core;
  const startedMs = clock.monotonicMs();
  const cancel = clock.after(CLOSE_TIMEOUT_MS, () => link.giveUp());
  if (!link.isOffline && core.hasToTell) await link.report();
  await link.stop(link.isOffline);
  cancel();
  const { incarnation } = registrar;
  const leftMs = CLOSE_TIMEOUT_MS - (clock.monotonicMs() - startedMs);
  const timeoutMs = link.isOffline ? CLOSE_CALL_TIMEOUT_MS : Math.max(CLOSE_CALL_TIMEOUT_MS, leftMs);
  let isTold = false;
  try {
    if (incarnation !== null && !core.isReplaced) {
      await client.instances.close(name, { incarnation }, { timeoutMs });
      isTold = true;
    }
  } catch {
    // The server takes it back by itself.
  }
  core.loseAll();
  await registrar.close();
  return isTold;
}
