/** How a command that goes on until it is told to end learns of that. */

/** Settles with the signal that asks for an end. A second one ends the process at once. */
export function untilAsked(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        process.once(name, () => process.exit(1));
        resolve(name);
      });
    }
  });
}
