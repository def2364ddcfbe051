/**
 * Work that is done again and again: one run at a time, a pause between two, and an end that waits for the run
 * under way.
 */

export interface Repeating {
  /** Lets the present run end and starts no other. */
  close(): Promise<void>;
}

/**
 * @param intervalMs - the pause after each run, in milliseconds.
 * @param failed - told of a run that threw; the next one comes all the same.
 */
export function every(
  intervalMs: number,
  run: () => Promise<void>,
  failed: (error: unknown) => void,
): Repeating {
  let timer: NodeJS.Timeout | null = null;
  let closed = false;
  let current: Promise<void> = Promise.resolve();
  const turn = () => {
    timer = null;
    current = run()
      .catch(failed)
      .then(() => {
        if (!closed) timer = setTimeout(turn, intervalMs);
      });
  };
  turn();
  return {
    async close() {
      closed = true;
      if (timer) clearTimeout(timer);
      await current;
    },
  };
}
