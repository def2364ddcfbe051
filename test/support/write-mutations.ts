/** Writes `test/fixtures/mutations.txt` anew: `node test/support/write-mutations.ts`. */
import { writeFileSync } from 'node:fs';
import { MUTATIONS_FILE, makeMutations, writeMutations } from './mutations.ts';

writeFileSync(MUTATIONS_FILE, writeMutations(makeMutations()));
