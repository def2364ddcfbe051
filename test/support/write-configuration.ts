/** Writes `docs/configuration.md` anew from the settings: `node test/support/write-configuration.ts`. */
import { writeFileSync } from 'node:fs';
import { describeConfiguration } from '../../src/config.ts';

writeFileSync(new URL('../../docs/configuration.md', import.meta.url), describeConfiguration());
