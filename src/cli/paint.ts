/** Colours and emphasis on a terminal. */

/** Marks a text; where there are no colours it stays as it is. */
export interface Painter {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  inverse(text: string): string;
}

const mark = (on: number, off: number) => (text: string) =>
  text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`;
const asItIs = (text: string) => text;

/** Marks by the codes that every terminal knows. */
export const painter: Painter = {
  bold: mark(1, 22),
  dim: mark(2, 22),
  red: mark(31, 39),
  green: mark(32, 39),
  yellow: mark(33, 39),
  inverse: mark(7, 27),
};

/** Leaves everything as it is. */
export const colourless: Painter = {
  bold: asItIs,
  dim: asItIs,
  red: asItIs,
  green: asItIs,
  yellow: asItIs,
  inverse: asItIs,
};

/**
 * Makes a text safe to show: characters that steer a terminal are written out. What a server says may come from
 * anybody who may log in.
 *
 * @param text - any text.
 */
export function visible(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
