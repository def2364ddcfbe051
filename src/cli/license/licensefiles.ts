/** Files that `lictor license` writes: whole, or not at all. */

import { CliFault, EXIT } from '../faults.ts';
import type { LegacyCall } from './licensecall.ts';

/**
 * Sends what is printed to a file, which appears when it is complete; one that is there is replaced.
 *
 * @param call - its `ending` is aborted by a signal of the system.
 * @param path - of the file.
 * @param act - prints.
 * @throws CliFault when it was interrupted.
 */
export async function intoFile(call: LegacyCall, path: string, act: () => Promise<void>): Promise<void> {
  const { world, ending } = call;
  const file = await world.parts.files.open(path, {});
  const stop = world.parts.onSignal(['SIGINT', 'SIGTERM'], () => {
    ending.abort();
    void world.close();
  });
  world.redirect(file);
  try {
    await act();
    await file.finish();
  } catch (error) {
    // What is there in part would be taken for the whole.
    await file.discard();
    if (ending.signal.aborted) {
      throw new CliFault(EXIT.interrupted, 'It was interrupted, and nothing was written.');
    }
    throw error;
  } finally {
    stop();
    world.redirect(null);
  }
}
