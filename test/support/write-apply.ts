/** Writes what is made of the form of the file that `lictor apply` reads: its JSON Schema, and its reference. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { applyJsonSchema, applyReference } from '../../src/cli/apply/applyschema.ts';

const BEGIN = '<!-- reference: written by test/support/write-apply.ts -->';
const docs = (name: string) => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));

await writeFile(docs('apply.schema.json'), `${JSON.stringify(applyJsonSchema(), null, 2)}\n`);
const page = await readFile(docs('apply.md'), 'utf8');
const before = page.slice(0, page.indexOf(BEGIN));
await writeFile(docs('apply.md'), `${before}${BEGIN}\n\n${applyReference()}`);
