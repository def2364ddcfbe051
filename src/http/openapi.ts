/**
 * Writes `openapi.yaml` out of the routes, the types of the SDK out of that, and `docs/problems.md` out of the
 * catalogue, or with `--check` says whether they are stale.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { buildApp } from './app.ts';
import { CLIENT_TYPES_FILE, describeClientTypes } from './client-types.ts';
import { describeProblems } from './problem-advice.ts';
import { listRoutes, type Services } from './routes.ts';

/** Where the description is committed. */
export const OPENAPI_FILE = fileURLToPath(new URL('../../openapi.yaml', import.meta.url));

/** Where the catalogue of problems is committed. */
export const PROBLEMS_FILE = fileURLToPath(new URL('../../docs/problems.md', import.meta.url));

const PACKAGE_FILE = fileURLToPath(new URL('../../package.json', import.meta.url));
const HEADING = '# Generated from the routes by "npm run openapi"; a test fails when it is stale.\n';

/**
 * Makes the description of the whole API. Nothing is called, so nothing is needed behind the routes.
 *
 * @returns the text of `openapi.yaml`.
 */
export async function describeApi(): Promise<string> {
  const { version } = JSON.parse(await readFile(PACKAGE_FILE, 'utf8')) as { version: string };
  const app = buildApp({
    options: {
      version,
      bodyBytesMax: 1_048_576,
      trustedProxies: [],
      requestTimeoutMs: 0,
      keepAliveTimeoutMs: 0,
      docs: false,
    },
    logger: null,
    authenticate: (_request, done) => done(new Error('the description answers no requests'), null),
    routes: listRoutes({ metricsPublic: true } as Services),
  });
  await app.ready();
  // Through JSON, because YAML would show the same object twice as an anchor.
  const text = stringify(JSON.parse(JSON.stringify(app.swagger())), {
    aliasDuplicateObjects: false,
    lineWidth: 110,
  });
  await app.close();
  return HEADING + text;
}

/** @returns the exit code. */
async function main(isCheck: boolean): Promise<number> {
  const description = await describeApi();
  const pages: [file: string, fresh: string][] = [
    [OPENAPI_FILE, description],
    [CLIENT_TYPES_FILE, describeClientTypes(parse(description))],
    [PROBLEMS_FILE, describeProblems()],
  ];
  let exitCode = 0;
  for (const [file, fresh] of pages) {
    const committed = await readFile(file, 'utf8').catch(() => '');
    if (committed === fresh) continue;
    if (isCheck) {
      process.stderr.write(`${file} is stale; run "npm run openapi".\n`);
      exitCode = 1;
    } else {
      await writeFile(file, fresh);
    }
  }
  return exitCode;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.includes('--check'));
}
