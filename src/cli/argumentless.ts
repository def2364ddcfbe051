/** `lictor serve` and `lictor migrate`, which take no arguments: their settings come from the environment. */

const USAGES = {
  serve: `lictor serve - the server, until a signal ends it

  lictor serve      settings come from the environment: docs/configuration.md

Without DATABASE_URL it runs a Postgres of its own in LICTOR_DATA_DIR (./data), with an evaluation key and an
instance named "demo". It listens on HOST (127.0.0.1) and PORT (8080).
`,
  migrate: `lictor migrate - brings the database up to this version's schema, and ends

  lictor migrate    settings come from the environment: docs/configuration.md

DATABASE_URL names the database. A server does the same when it starts; this is for installations that do it apart.
`,
} as const;

/**
 * Runs a command that takes no arguments. One that is given some is not run: whoever asks for help, or misspells
 * an option, must not start a server or change a database.
 *
 * @param name - the command.
 * @param args - the command line after it.
 * @param run - runs it.
 * @returns the exit status: 0 after the help, 2 for wrong use, else that of the command.
 */
export async function withoutArguments(
  name: keyof typeof USAGES,
  args: readonly string[],
  run: () => Promise<number>,
): Promise<number> {
  if (args.length === 0) return run();
  if (args[0] === '--help' || args[0] === '-h') {
    process.stdout.write(USAGES[name]);
    return 0;
  }
  process.stderr.write(`"${args.join(' ')}" is not understood.\n\n${USAGES[name]}`);
  return 2;
}
