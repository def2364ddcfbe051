/** The real files, terminal and clock of `lictor key`. */
import { readFile, writeFile } from 'node:fs/promises';
import type { KeyCommandIo } from './keyinput.ts';

/**
 * The process's own input and output.
 *
 * @returns what `runKeyCommand` needs.
 */
export function processKeyIo(): KeyCommandIo {
  return {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    readFile: (path) => readFile(path),
    writeFile: (path, text, { mode, exclusive }) =>
      writeFile(path, text, { flag: exclusive ? 'wx' : 'w', ...(mode === undefined ? {} : { mode }) }),
    nowMs: () => Date.now(),
  };
}
