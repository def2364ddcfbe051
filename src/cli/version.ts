/** The version of this Lictor, as its package says. */

import { readFileSync } from 'node:fs';

const PACKAGE_FILE = new URL('../../package.json', import.meta.url);

export const version: string = (JSON.parse(readFileSync(PACKAGE_FILE, 'utf8')) as { version: string })
  .version;
