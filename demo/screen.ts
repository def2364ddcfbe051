/** What the demonstration shows, and the checks that make it end with words when something is not as told. */

import { styleText } from 'node:util';

const INDENT = '  ';

/** Something that the demonstration tells is not so. */
export class Untrue extends Error {
  override readonly name = 'Untrue';
}

let step = 0;

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Shows what comes next, with its number. */
export function heading(text: string): void {
  step += 1;
  write('');
  write(styleText('bold', `${step}. ${text}`));
}

/** Shows the first line of all. */
export function title(text: string): void {
  write('');
  write(styleText('bold', text));
}

/** Shows a sentence that explains. */
export function tell(text: string): void {
  for (const line of wrapped(text, 96)) write(`${INDENT}${styleText('dim', line)}`);
}

/** Shows something that was done, or is the case, and was seen to be so. */
export function done(text: string): void {
  write(`${INDENT}${styleText('green', '✓')} ${text}`);
}

/** Shows a text as it came, such as a report. */
export function quote(text: string): void {
  write('');
  for (const line of text.trimEnd().split('\n')) write(`${INDENT}  ${line}`.trimEnd());
  write('');
}

/** Shows how it ended. */
export function end(text: string): void {
  write('');
  write(styleText(['green', 'bold'], text));
  write('');
}

/** Shows what is not as told, on the error output. */
export function failed(text: string): void {
  process.stderr.write(`\n${INDENT}${styleText('red', '✗', { stream: process.stderr })} ${text}\n\n`);
}

/**
 * Requires that something is so, and shows it.
 * @throws Untrue with what was expected and what is.
 */
export function check(isTrue: boolean, text: string, found?: unknown): void {
  if (!isTrue) {
    const instead = found === undefined ? '' : `\n    It is instead: ${JSON.stringify(found)}`;
    throw new Untrue(`Not so: ${text}${instead}`);
  }
  done(text);
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
