/** A program on a terminal, which a test types at and looks at. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../../src/config-environment.ts';
import { until } from '../support/wait.ts';

const SCRIPT = fileURLToPath(new URL('./terminal.py', import.meta.url));
const PATIENCE_MS = 20_000;

/** A terminal with a program on it. */
export interface Terminal {
  /** Everything that was ever shown, with what steers the terminal. */
  readonly shown: string;
  type(text: string): void;
  resize(rows: number, columns: number): void;
  /** Waits until something is shown behind what was shown when it was last waited for. */
  sees(text: string | RegExp): Promise<void>;
  /** Settles with the exit status of the program. */
  readonly ended: Promise<number>;
  close(): Promise<void>;
}

/** Runs a program on a terminal of 24 lines and 100 columns. */
export function openTerminal(command: readonly string[], env: Environment): Terminal {
  const child = spawn('python3', [SCRIPT, '24', '100', ...command], {
    env: { PATH: process.env.PATH ?? '', TERM: 'xterm', LANG: 'C.UTF-8', HOME: '/nowhere', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  let seen = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  child.stdin.on('error', () => {});
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? -1));
  });
  const order = (value: object) => void child.stdin.write(`${JSON.stringify(value)}\n`);
  return {
    get shown() {
      return shown;
    },
    type: (text) => order({ write: text }),
    resize: (rows, columns) => order({ resize: [rows, columns] }),
    async sees(text) {
      const find = () => {
        const rest = shown.slice(seen);
        if (typeof text === 'string') return rest.includes(text) ? rest.indexOf(text) + text.length : null;
        const match = text.exec(rest);
        return match === null ? null : match.index + match[0].length;
      };
      try {
        seen += await until(find, PATIENCE_MS, `the terminal shows ${text}`);
      } catch (error) {
        throw new Error(
          `${(error as Error).message} It shows ${JSON.stringify(shown.slice(seen).slice(-600))}.`,
        );
      }
    },
    ended,
    async close() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
