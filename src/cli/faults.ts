/** What a command that asks a server ends with when it fails: the exit status, one line, and what to do about it. */

import { ApiError, type ProblemCode, UnreachableError } from '../client/problems.ts';
import { TokenFileError } from '../client/tokens.ts';

/** The exit statuses; those above 2 are the ones of `sysexits.h` with the nearest meaning. */
export const EXIT = {
  done: 0,
  /** The server refused it, or it failed. */
  failed: 1,
  /** The command line, a file or the profile is not in order. */
  usage: 2,
  /** The server cannot be reached, or cannot serve now. */
  unavailable: 69,
  /** No unit is free: trying again later may help. */
  noUnits: 75,
  /** The token is missing, not valid, or does not permit it. */
  forbidden: 77,
  /** Ended by Ctrl-C, as shells count it. */
  interrupted: 130,
} as const;

/** A failure with its exit status, in words for the person at the terminal. */
export class CliFault extends Error {
  readonly exit: number;
  /** What to do about it; empty when the message says it. */
  readonly hint: string;
  /** The server's own words, where it is one of its answers that is told otherwise. */
  readonly problem: ApiError['problem'] | undefined;

  /**
   * @param exit - one of `EXIT`.
   * @param message - one sentence: what is wrong.
   * @param hint - what to do about it.
   * @param problem - what the server answered.
   */
  constructor(exit: number, message: string, hint = '', problem?: ApiError['problem']) {
    super(message);
    this.problem = problem;
    this.name = 'CliFault';
    this.exit = exit;
    this.hint = hint;
  }
}

/** A failure as it is told. */
export interface Told {
  readonly exit: number;
  readonly message: string;
  readonly hint: string;
  /** The server's own words, for programs. */
  readonly problem?: ApiError['problem'];
}

/** Refusals after which waiting for somebody to leave makes sense. */
const FOR_WANT_OF_UNITS: ReadonlySet<string> = new Set([
  'units-exhausted',
  'unit-limit-reached',
  'connection-limit-reached',
  'application-units-exhausted',
  'restart-required',
  'over-limit',
]);

const HINTS: Partial<Record<ProblemCode, string>> & Readonly<Record<string, string>> = {
  'token-missing':
    'Name the file that has your token with --token-file or LICTOR_TOKEN_FILE, or keep it with "lictor profile set".',
  'token-invalid': 'The token is unknown or revoked; an administrator makes one with "lictor tokens create".',
  'token-expired': 'An administrator makes a new one with "lictor tokens create".',
  forbidden: 'Use a token whose role and restriction permit it, for instance another --profile.',
  'key-not-found': '"lictor keys list" shows the installed keys; "lictor keys install FILE" installs one.',
  'instance-not-found':
    '"lictor instances list" shows the registered instances; "lictor instances register NAME" registers one.',
  'login-not-found': '"lictor logins list" shows who is in.',
  'license-server-not-found': '"lictor servers list" shows the roster.',
  'token-not-found': '"lictor tokens list" shows the tokens.',
  'units-exhausted': '"lictor usage users" shows who holds the units; "lictor top" shows them come and go.',
  'unit-limit-reached': 'The limit is a setting: "lictor instances configure NAME --unit-limit N".',
  'connection-limit-reached':
    'The limit is a setting: "lictor instances configure NAME --connection-limit N".',
  'application-not-found':
    '"lictor applications list --instance NAME" shows the applications; "lictor applications load" loads them.',
  'feature-not-licensed': '"lictor applications list --instance NAME" shows the features.',
  'application-units-exhausted':
    '"lictor applications holders NAME --instance NAME" shows who holds the units.',
  'precondition-failed': 'Somebody changed it meanwhile: look at it again, then repeat the command.',
  'key-in-use': '"lictor instances list --key ID" shows which instances use it.',
  'key-unverified': '--units, --type and --server state its terms, where the server accepts such keys.',
  'not-found':
    'The address must be that of the server alone, without a path; or the server is older than this command: "lictor doctor" compares their versions.',
};

/**
 * Tells an error: which exit status, which words, which hint.
 *
 * @param error - whatever a command threw.
 * @returns null for what is no failure of the command but a fault of the program.
 */
export function tell(error: unknown): Told | null {
  if (error instanceof CliFault) {
    const { exit, message, hint, problem } = error;
    return { exit, message, hint, ...(problem && { problem }) };
  }
  if (error instanceof TokenFileError) return { exit: EXIT.usage, message: error.message, hint: '' };
  if (error instanceof UnreachableError) {
    const doubt = error.outcomeUnknown ? ' It may have been carried out all the same: look first.' : '';
    return {
      exit: EXIT.unavailable,
      message: error.message,
      hint: `Check the address (--url, LICTOR_URL or the profile); "lictor doctor" looks at the way to it.${doubt}`,
    };
  }
  if (error instanceof ApiError) return tellProblem(error);
  const { code, syscall, path } = error as { code?: unknown; syscall?: unknown; path?: unknown };
  if (typeof code === 'string' && typeof syscall === 'string') {
    const where = typeof path === 'string' ? path : 'A file';
    const hint = code === 'EEXIST' ? 'Name another file, or remove that one first.' : '';
    return { exit: EXIT.usage, message: `${where} cannot be used: ${fileWords(code)}.`, hint };
  }
  return null;
}

function tellProblem(error: ApiError): Told {
  const { code, problem } = error;
  const { errors = [] } = problem;
  // The detail says a single one already.
  const told = errors.length < 2 ? [] : errors;
  const faults = told.map(({ pointer, message }) => `\n  ${pointer}: ${message}`).join('');
  const lines = faultsOf(problem).map((line) => `\n  ${line}`);
  const { decision } = problem;
  const hint = HINTS[code] ?? (typeof decision === 'string' ? `"lictor explain ${decision}" says more.` : '');
  return {
    exit: exitOf(error),
    message: `${error.message}${faults}${lines.join('')}`,
    hint,
    problem,
  };
}

function exitOf({ code, status }: ApiError): number {
  if (FOR_WANT_OF_UNITS.has(code)) return EXIT.noUnits;
  if (status === 401 || status === 403) return EXIT.forbidden;
  if (status === 503 || status === 429 || status === 502 || status === 504) return EXIT.unavailable;
  return code === 'malformed-request' ? EXIT.usage : EXIT.failed;
}

/** The faults of a file line by line, when the problem is about one. */
function faultsOf(problem: ApiError['problem']): string[] {
  const { faults } = problem as { faults?: unknown };
  // The detail says the first one already.
  if (!Array.isArray(faults) || faults.length < 2) return [];
  return faults.map((fault: { line?: number; message?: string; mend?: string }) => {
    const line = typeof fault.line === 'number' ? `line ${fault.line}: ` : '';
    return `${line}${fault.message ?? JSON.stringify(fault)}${fault.mend ? ` ${fault.mend}` : ''}`;
  });
}

/** What the system says about a file, in words. */
export function fileWords(code: string): string {
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'it is not there',
    EACCES: 'it may not be read or written',
    EPERM: 'it may not be changed',
    EISDIR: 'it is a directory',
    EEXIST: 'it exists already',
    ENOSPC: 'the disk is full',
    ENOTDIR: 'its path leads through something that is no directory',
  };
  return words[code] ?? code;
}
