/**
 * The contract with callers, checked on what is really sent: status, media type, shape, code and members of
 * every answer must be what `openapi.yaml` and `docs/problems.md` say.
 */
import { readFile } from 'node:fs/promises';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import { OPENAPI_FILE, PROBLEMS_FILE } from '../../src/http/openapi.ts';
import type { StartedApp } from './app.ts';

/** What is looked at of an answer. */
export interface Sent {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

interface DescribedResponse {
  readonly description: string;
  readonly content?: Readonly<Record<string, unknown>>;
}

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, DescribedResponse>>;
}

/** The description, ready to be held against answers. */
export interface Contract {
  /** Which operations were answered with which statuses so far, as `logIn 201`. */
  readonly seen: ReadonlySet<string>;
  /** Every operation of the description. */
  readonly operationIds: readonly string[];
  /**
   * Holds an answer against the description.
   * @throws Error that says what is not as described.
   */
  check(method: string, url: string, sent: Sent): void;
}

/** Reads the committed description and page of problems. */
export async function readContract(): Promise<Contract> {
  const document = parse(await readFile(OPENAPI_FILE, 'utf8')) as {
    paths: Record<string, Record<string, Operation>>;
  };
  const members = membersOf(await readFile(PROBLEMS_FILE, 'utf8'));
  const ajv = new Ajv2020({ strict: false, discriminator: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'openapi');
  const validators = new Map<string, ValidateFunction>();
  const validatorAt = (pointer: string) => {
    const known = validators.get(pointer) ?? ajv.compile({ $ref: `openapi#${pointer}` });
    validators.set(pointer, known);
    return known;
  };
  const routes = Object.keys(document.paths).map((path) => ({ path, pattern: patternOf(path) }));
  const seen = new Set<string>();
  const check = (method: string, url: string, sent: Sent): void => {
    const path = pathOf(routes, url);
    const operation = path === null ? undefined : document.paths[path]![method.toLowerCase()];
    if (path === null || !operation) throw new Error(`${method} ${url} is not described`);
    const where = `${operation.operationId} ${sent.statusCode}`;
    seen.add(where);
    const response = operation.responses[sent.statusCode];
    if (!response) throw new Error(`${where} is not described; it was answered with ${sent.body}`);
    if (!response.content) {
      if (sent.body !== '') throw new Error(`${where} has the body ${sent.body}, and none is described`);
      return;
    }
    const type = String(sent.headers['content-type']).split(';')[0]!;
    if (!(type in response.content)) throw new Error(`${where} has the media type ${type}`);
    const step = (text: string) => encodeURIComponent(text.replaceAll('~', '~0').replaceAll('/', '~1'));
    const steps = ['paths', path, method.toLowerCase(), 'responses', `${sent.statusCode}`, 'content', type];
    if (type.endsWith('json') && type !== 'application/x-ndjson') {
      const validate = validatorAt(`/${[...steps, 'schema'].map(step).join('/')}`);
      if (!validate(JSON.parse(sent.body))) {
        throw new Error(`${where}: ${ajv.errorsText(validate.errors)} in ${sent.body}`);
      }
    }
    if (sent.statusCode >= 400) checkProblem(where, response, sent, members);
  };
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
  return { seen, check, operationIds: operations.map(({ operationId }) => operationId) };
}

/**
 * The same application, every answer of which is held against the description before a test sees it.
 * @param started - the application.
 * @param contract - of `readContract`.
 */
export function underContract(started: StartedApp, contract: Contract): StartedApp {
  return {
    ...started,
    async call(request, options) {
      const response = await started.call(request, options);
      const [method, url] = request.split(' ') as [string, string];
      contract.check(method, url, response);
      return response;
    },
  };
}

/** A problem says the same in head and body, one of the codes its status is described with, and no secrets. */
function checkProblem(
  where: string,
  { description }: DescribedResponse,
  { statusCode, headers, body }: Sent,
  members: ReadonlySet<string>,
): void {
  const problem = JSON.parse(body) as Record<string, unknown>;
  if (!description.includes(`\`${problem.code}\``)) {
    throw new Error(`${where} is not described with the code ${problem.code}`);
  }
  if (problem.status !== statusCode) throw new Error(`${where} says the status ${problem.status}`);
  if (problem.requestId !== headers['x-request-id']) throw new Error(`${where} has two request IDs`);
  const after = problem.retryAfterSeconds as number | undefined;
  const header = after === undefined ? undefined : String(Math.max(1, Math.ceil(after)));
  if (headers['retry-after']?.toString() !== header) {
    throw new Error(`${where} says Retry-After ${headers['retry-after']} and ${after}`);
  }
  for (const name of Object.keys(problem)) {
    if (!members.has(name)) throw new Error(`${where} has the member ${name}, which is not documented`);
  }
}

/** The members that the page of problems names. */
function membersOf(page: string): ReadonlySet<string> {
  const table = page.slice(page.indexOf('## Members'), page.indexOf('## Codes'));
  return new Set([...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!));
}

function patternOf(path: string): RegExp {
  const parts = path.split(/\{\w+\}/).map((text) => text.replace(/[.*+?^$()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^/]+')}$`);
}

/** The described path that fits, one without parameters first. */
function pathOf(
  routes: readonly { readonly path: string; readonly pattern: RegExp }[],
  url: string,
): string | null {
  const bare = url.split('?', 1)[0]!;
  const fitting = routes.filter(({ pattern }) => pattern.test(bare)).map(({ path }) => path);
  // A step that is written out comes before one that stands for any.
  const open = (path: string) => path.split('{').length;
  return fitting.sort((left, right) => open(left) - open(right))[0] ?? null;
}
