/**
 * The environment of this process and the variables of the command line, apart from the tables of settings, so
 * that a command which asks a server starts without reading those.
 */

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this process, for whoever reads variables that are not settings, such as `OTEL_*`. */
export function processEnvironment(): Environment {
  return process.env;
}

/** What `lictor login --run` tells the command that it runs, which may be another one of Lictor's. */
export const CHILD_VARIABLES = ['LICTOR_LOGIN', 'LICTOR_INSTANCE', 'LICTOR_USER_ID'] as const;

/** What commands that ask a server read, for the documentation. */
export const CLI_VARIABLES = [
  {
    variable: 'LICTOR_URL',
    form: 'URLs that begin with http:// or https://, separated by commas',
    words: 'Where Lictor is, as `--url` says it. Of several the first that is well is asked.',
  },
  {
    variable: 'LICTOR_TOKEN',
    form: 'an access token',
    words:
      'The access token. There is no option for it, because everybody on a machine can read command lines.',
  },
  {
    variable: 'LICTOR_TOKEN_FILE',
    form: 'a path',
    words: 'The file that has the token, as `--token-file` says it.',
  },
  {
    variable: 'LICTOR_PROFILE',
    form: 'a name',
    words: 'The profile that is used, as `--profile` says it.',
  },
  {
    variable: 'LICTOR_PROFILE_FILE',
    form: 'a path',
    words:
      'The file with the profiles; `~/.config/lictor/profile.json` without it, or below `XDG_CONFIG_HOME`. It must be readable by its owner alone.',
  },
  {
    variable: 'LICTOR_INSTANCE',
    form: 'a name',
    words: 'The instance that `lictor license` is about, as its `--instance` says it.',
  },
  {
    variable: 'LICTOR_CA_FILE',
    form: 'a path',
    words: 'A file of certificates (PEM) that are trusted besides those of the system, as `--ca` says it.',
  },
] as const satisfies readonly {
  readonly variable: string;
  readonly form: string;
  readonly words: string;
}[];
