/**
 * Writes the types of the SDK, `src/client/openapi.ts`, out of the description of the API: an interface for
 * every body, query and answer, and a table of the operations that the SDK's calls are made from. Only what the
 * routes' schemas use is understood; anything else is an error, so that no type is quietly wrong.
 */

import { fileURLToPath } from 'node:url';

/** Where the types are committed. */
export const CLIENT_TYPES_FILE = fileURLToPath(new URL('../client/openapi.ts', import.meta.url));

const HEADING = `/**
 * Generated from the routes by "npm run openapi"; a test fails when it is stale. The types of every body, query
 * and answer of the API, and how each operation is sent.
 */
`;

/** The part of a JSON schema that the routes use. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
}

interface Parameter {
  readonly in: string;
  readonly name: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }>
  >;
}

/** The part of an OpenAPI document that is read here. */
export interface ApiDocument {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** Whether a type is of what is sent: then a member that is undefined is as good as none. */
type Way = 'sent' | 'received';

/**
 * Writes the types of the SDK.
 *
 * @param document - the description of the API, parsed.
 * @returns the text of `src/client/openapi.ts`.
 * @throws Error when a schema uses what has no translation here.
 */
export function describeClientTypes(document: ApiDocument): string {
  const declared: string[] = [];
  const members: string[] = [];
  const rows: string[] = [];
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    declared.push(declaration(name, schema, 'received'));
  }
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const { declarations, member, row } = describeOperation(path, method, operation);
      declared.push(...declarations);
      members.push(member);
      rows.push(row);
    }
  }
  return `${HEADING}
${declared.join('\n')}
/** What each operation takes, in this order, and answers. */
export interface Operations {
${members.join('\n')}
}

/** How each operation is sent. */
export const OPERATIONS = {
${rows.join('\n')}
} as const;
`;
}

/** Everything that is written of one operation. */
interface Described {
  readonly declarations: readonly string[];
  readonly member: string;
  readonly row: string;
}

function describeOperation(path: string, method: string, operation: Operation): Described {
  const { operationId, summary, description, parameters = [] } = operation;
  const prefix = operationId.charAt(0).toUpperCase() + operationId.slice(1);
  const declarations: string[] = [];
  const input: string[] = [];
  const row = [`method: '${method.toUpperCase()}'`, `path: '${path}'`];
  for (const [, name] of path.matchAll(/\{(\w+)\}/g)) input.push(`${name}: string`);
  const body = operation.requestBody?.content['application/json']?.schema;
  if (body !== undefined) {
    declarations.push(declaration(`${prefix}Body`, body, 'sent'));
    input.push(`body: ${prefix}Body`);
    row.push('body: true');
  }
  if (parameters.some((parameter) => parameter.in === 'header' && parameter.name === 'if-match')) {
    input.push('revision: string');
    row.push('revision: true');
  }
  const query = parameters.filter((parameter) => parameter.in === 'query');
  if (query.length > 0) {
    declarations.push(declaration(`${prefix}Query`, objectOf(query), 'sent'));
    const isOptional = !query.some(({ required }) => required);
    input.push(`query${isOptional ? '?' : ''}: ${prefix}Query`);
    row.push('query: true');
  }
  const answer = answerOf(operation);
  if (answer.is === 'json') declarations.push(...answerTypes(`${prefix}Answer`, answer.schemas));
  row.push(`answer: '${answer.is}'`);
  const type = { json: `${prefix}Answer`, text: 'string', none: 'undefined' }[answer.is];
  const words = [summary, ...(description ? ['', description] : [])].join('\n');
  const member = `${comment(words, '  ')}  readonly ${operationId}: { readonly input: [${input.join(', ')}]; readonly answer: ${type} };`;
  return { declarations, member, row: `  ${operationId}: { ${row.join(', ')} },` };
}

/** The parameters of a query as one object. */
function objectOf(parameters: readonly Parameter[]): Schema {
  return {
    type: 'object',
    required: parameters.filter(({ required }) => required).map(({ name }) => name),
    properties: Object.fromEntries(
      parameters.map(({ name, schema, description }) => [
        name,
        description === undefined ? schema : { ...schema, description },
      ]),
    ),
  };
}

type AnswerKind =
  | { readonly is: 'json'; readonly schemas: readonly Schema[] }
  | { readonly is: 'text' | 'none' };

function answerOf({ operationId, responses }: Operation): AnswerKind {
  const contents = Object.entries(responses)
    .filter(([status]) => status.startsWith('2'))
    .map(([, { content }]) => content ?? {});
  const schemas = contents.flatMap((content) => content['application/json']?.schema ?? []);
  if (schemas.length > 0) return { is: 'json', schemas };
  if (contents.some((content) => 'text/plain' in content)) return { is: 'text' };
  if (contents.every((content) => Object.keys(content).length === 0)) return { is: 'none' };
  throw new Error(`${operationId} answers with what has no type: ${JSON.stringify(contents)}`);
}

/** Statuses that answer with the same shape share one type. */
function answerTypes(name: string, schemas: readonly Schema[]): string[] {
  const texts = new Set(schemas.map((schema) => JSON.stringify(schema)));
  const distinct = [...texts].map((text) => JSON.parse(text) as Schema);
  if (distinct.length === 1) return [declaration(name, distinct[0]!, 'received')];
  return [declaration(name, { anyOf: distinct }, 'received')];
}

function declaration(name: string, schema: Schema, way: Way): string {
  const type = typeOf(schema, way, '');
  const words = schema.description === undefined ? '' : comment(schema.description, '');
  const isObject = type.startsWith('{');
  return isObject ? `${words}export interface ${name} ${type}\n` : `${words}export type ${name} = ${type};\n`;
}

/** The type of a schema as TypeScript. */
function typeOf(schema: Schema, way: Way, indent: string): string {
  if (schema.$ref !== undefined) return schema.$ref.replace(/^#\/components\/schemas\//, '');
  if ('const' in schema) return literal(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ');
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) {
    return [...new Set(alternatives.map((one) => typeOf(one, way, indent)))].join(' | ');
  }
  if (Array.isArray(schema.type)) {
    return schema.type.map((type: string) => typeOf({ ...schema, type }, way, indent)).join(' | ');
  }
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type;
    case 'integer':
    case 'number':
      return 'number';
    case 'array':
      return `readonly (${typeOf(schema.items ?? {}, way, indent)})[]`;
    case 'object':
      return objectTypeOf(schema, way, indent);
    case undefined:
      return 'unknown';
    default:
      throw new Error(`a schema has the type ${JSON.stringify(schema.type)}, which has no translation`);
  }
}

function objectTypeOf(schema: Schema, way: Way, indent: string): string {
  const inner = `${indent}  `;
  const lines = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const isRequired = schema.required?.includes(name) ?? false;
    const type = typeOf(property, way, inner);
    const orUndefined = !isRequired && way === 'sent' ? ' | undefined' : '';
    const words = property.description === undefined ? '' : comment(property.description, inner);
    return `${words}${inner}readonly ${propertyName(name)}${isRequired ? '' : '?'}: ${type}${orUndefined};\n`;
  });
  const others = [...Object.values(schema.patternProperties ?? {}), schema.additionalProperties].filter(
    (other) => other !== undefined && other !== false,
  );
  for (const other of others) {
    const type = other === true ? 'unknown' : typeOf(other as Schema, way, inner);
    lines.push(`${inner}readonly [member: string]: ${type};\n`);
  }
  return `{\n${lines.join('')}${indent}}`;
}

function literal(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : literal(name);
}

function comment(words: string, indent: string): string {
  const lines = words.replaceAll('*/', '*\\/').split('\n');
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`;
}
