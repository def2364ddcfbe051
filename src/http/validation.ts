/**
 * Validation of what comes in: Ajv without removal of unknown members (a misspelt field is an error, never
 * silence), with coercion only where HTTP knows nothing but text; and its findings in words.
 */

import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify';

/** One finding, for the member `errors` of a problem body. */
export interface ValidationFinding {
  /** A JSON Pointer into the body, or `?name` for a query parameter and the parameter's name for a path's. */
  readonly pointer: string;
  readonly message: string;
}

/** With `verbose`, Ajv adds the schema around the failing keyword and the data it met. */
interface VerboseError extends FastifySchemaValidationError {
  readonly parentSchema?: {
    readonly description?: string;
    readonly properties?: Readonly<Record<string, unknown>>;
    readonly oneOf?: readonly {
      readonly properties?: Readonly<Record<string, { readonly const?: unknown }>>;
    }[];
  };
  readonly data?: unknown;
}

const FINDINGS_MAX = 10;
const SUGGESTION_DISTANCE_MAX = 2;

/**
 * Makes the validator compiler of the application.
 *
 * @returns a compiler that coerces path and query only.
 */
export function createValidatorCompiler(): FastifySchemaCompiler<object> {
  const options = {
    removeAdditional: false,
    useDefaults: true,
    // All errors of a large array would cost more to list than the request may; the first one is enough.
    allErrors: false,
    verbose: true,
    strictTypes: false,
    strictTuples: false,
    // A member that says which shape an object has: findings are then of that shape alone.
    discriminator: true,
  } as const;
  const exact = new Ajv({ ...options, coerceTypes: false });
  const coercing = new Ajv({ ...options, coerceTypes: 'array' });
  for (const ajv of [exact, coercing]) addFormats.default(ajv);
  return ({ schema, httpPart }) => (httpPart === 'body' ? exact : coercing).compile(schema);
}

/**
 * Says what is wrong with a request. Ajv stops at the first fault; when that is a missing member, the members
 * it does not know are named as well, because the one is often the other misspelt.
 *
 * @param errors - Ajv's errors.
 * @param part - `body`, `querystring`, `params` or `headers`.
 * @returns at least one finding.
 */
export function describeValidation(
  errors: readonly FastifySchemaValidationError[],
  part: string | undefined,
): ValidationFinding[] {
  const findings: ValidationFinding[] = [];
  for (const error of errors as readonly VerboseError[]) findings.push(...describeError(error, part));
  const seen = new Set<string>();
  return findings
    .filter(({ pointer }) => !seen.has(pointer) && seen.add(pointer) !== undefined)
    .slice(0, FINDINGS_MAX);
}

function describeError(error: VerboseError, part: string | undefined): ValidationFinding[] {
  const known = Object.keys(error.parentSchema?.properties ?? {});
  const at = (name?: string) => pointerTo(part, error.instancePath, name);
  const unknownMember = (name: string): ValidationFinding => {
    const near = nearest(name, known);
    const hint = near === null ? '' : `; did you mean "${near}"?`;
    return { pointer: at(name), message: `is not a known ${wordFor(part)}${hint}` };
  };
  switch (error.keyword) {
    case 'additionalProperties':
      return [unknownMember(String(error.params.additionalProperty))];
    case 'required': {
      const members = known.length === 0 ? [] : Object.keys(error.data ?? {});
      const unknown = members.filter((name) => !known.includes(name));
      const missing = { pointer: at(String(error.params.missingProperty)), message: 'is required' };
      return [...unknown.map(unknownMember), missing];
    }
    case 'enum':
      return [
        { pointer: at(), message: `must be one of ${(error.params.allowedValues as unknown[]).join(', ')}` },
      ];
    case 'discriminator': {
      const tag = String(error.params.tag);
      const values = error.parentSchema?.oneOf?.map(({ properties }) => properties?.[tag]?.const) ?? [];
      return [{ pointer: at(tag), message: `must be one of ${values.join(', ')}` }];
    }
    case 'const':
      return [{ pointer: at(), message: `must be ${JSON.stringify(error.params.allowedValue)}` }];
    case 'pattern':
      return [{ pointer: at(), message: `must match ${String(error.params.pattern)}${meaningOf(error)}` }];
    default:
      return [{ pointer: at(), message: error.message ?? 'is not valid' }];
  }
}

/** What a pattern means, where the schema says it in words. */
function meaningOf({ parentSchema }: VerboseError): string {
  const { description } = parentSchema ?? {};
  return description === undefined ? '' : ` (${description.replace(/\.$/, '')})`;
}

function wordFor(part: string | undefined): string {
  return part === 'querystring' ? 'parameter' : 'field';
}

function pointerTo(part: string | undefined, instancePath: string, name?: string): string {
  const pointer = name === undefined ? instancePath : `${instancePath}/${escapePointer(name)}`;
  if (part === 'querystring') return `?${pointer.slice(1)}`;
  return part === 'params' || part === 'headers' ? pointer.slice(1) : pointer;
}

/** RFC 6901, section 3. */
function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** The known name that is closest to an unknown one, when it is close enough to be meant. */
function nearest(name: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.min(SUGGESTION_DISTANCE_MAX, Math.floor(name.length / 2)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** The number of letters to insert, delete, replace or swap with a neighbour, as far as it is below `bound`. */
function editDistance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) >= bound) return bound;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, before[j - 2]! + 1);
      }
      current.push(cost);
    }
    before = previous;
    previous = current;
  }
  return previous[b.length]!;
}
