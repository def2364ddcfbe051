/** The tree checks itself: arrows between rooms, lengths, names, purity, and that nothing lies about unused. */

import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parseSync } from '@swc/core';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
/** What a program wrote may be long; that it is what the program writes has a test of its own. */
const GENERATED = new Set(['src/client/openapi.ts']);

/** Which rooms a room may import from, besides itself. A file directly in `src` is a room of its own name. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  storage: ['domain'],
  coordination: ['domain'],
  telemetry: ['domain'],
  service: ['storage', 'coordination', 'domain', 'telemetry'],
  http: ['service', 'coordination', 'domain', 'telemetry'],
  client: ['domain'],
  udp: ['client', 'domain', 'telemetry'],
  config: ['domain'],
  server: ['config', 'http', 'service', 'storage', 'coordination', 'domain', 'telemetry'],
  cli: ['server', 'config', 'udp', 'service', 'storage', 'client', 'domain', 'telemetry'],
};

/** Functions by which something impure could come in, none of which the domain may name. */
const IMPURE =
  /\b(Date\.now|new Date\(\)|Math\.random|performance\.now|process\.(env|hrtime|nextTick|cwd|exit|uptime|on|std\w+)\b|setTimeout|setInterval|randomUUID|randomBytes|fetch\()/;
/** Modules of the platform that compute only. */
const PURE_MODULES = new Set(['node:crypto', 'node:zlib', 'node:buffer', 'node:util', 'node:assert']);
const SQL_WORDS =
  /^\s*(select|insert|update|delete|with|create|alter|drop|begin|commit|rollback|set|truncate|copy|listen|notify|lock|call|do|grant|vacuum|analyze)\b/i;
const VAGUE_NAMES = /(^|\/)(utils?|helpers?|common|misc|shared|lib|stuff)(\.|\/|-|$)/i;

interface Span {
  readonly start: number;
  readonly end: number;
}

/** A node of the syntax tree, of which only what is asked for here is named. */
interface SyntaxNode {
  readonly type: string;
  readonly span?: Span;
  readonly [member: string]: unknown;
}

interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly name: string;
  readonly text: string;
  readonly nodes: readonly SyntaxNode[];
  /** The first and last line of a node. */
  linesOf(node: SyntaxNode): readonly [number, number];
}

function read(name: string): SourceFile {
  // The line that names the interpreter is a comment to a parser that does not know it.
  const text = readFileSync(path.join(ROOT, name), 'utf8').replace(/^#!/, '//');
  // Positions count bytes over all files ever parsed, from the first token on; the semicolon is that token.
  const bytes = Buffer.from(`;${text}`);
  const program = parseSync(bytes.toString(), { syntax: 'typescript', target: 'es2024' });
  const lineAt = (position: number) => {
    const end = position - program.span.start;
    let line = 1;
    for (let index = bytes.indexOf(10); index !== -1 && index < end; index = bytes.indexOf(10, index + 1))
      line += 1;
    return line;
  };
  const nodes: SyntaxNode[] = [];
  collect(program, nodes);
  return { name, text, nodes, linesOf: (node) => [lineAt(node.span!.start), lineAt(node.span!.end - 1)] };
}

function collect(value: unknown, nodes: SyntaxNode[]): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, nodes);
  } else if (typeof value === 'object' && value !== null) {
    if (typeof (value as SyntaxNode).type === 'string') nodes.push(value as SyntaxNode);
    for (const member of Object.values(value)) collect(member, nodes);
  }
}

/** Every module that a file names: imports, re-exports, and dynamic imports of a literal. */
function specifiersOf(file: SourceFile): string[] {
  const found: string[] = [];
  for (const node of file.nodes) {
    if (/^(Import|ExportNamed|ExportAll)Declaration$/.test(node.type)) {
      const source = node.source as { value: string } | null;
      if (source) found.push(source.value);
    } else if (node.type === 'CallExpression' && (node.callee as SyntaxNode).type === 'Import') {
      const [first] = node.arguments as { expression: SyntaxNode }[];
      if (first?.expression.type === 'StringLiteral') found.push(String(first.expression.value));
    }
  }
  return found;
}

/** The files of the project that a file imports, relative to the root. */
function importsOf(file: SourceFile): string[] {
  return specifiersOf(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => path.posix.join(path.posix.dirname(file.name), specifier));
}

function roomOf(name: string): string {
  const [, first = ''] = name.split('/');
  return first.replace(/\.ts$/, '').replace(/^config-.*/, 'config');
}

/** Whether a node is `<object>.<property>`. */
function isMember(node: SyntaxNode, object: string, property: string): boolean {
  if (node.type !== 'MemberExpression') return false;
  const [left, right] = [node.object as SyntaxNode, node.property as SyntaxNode];
  return left.value === object && left.type === 'Identifier' && right.value === property;
}

const files = globSync('src/**/*.ts', { cwd: ROOT })
  .map((name) => name.replaceAll('\\', '/'))
  .sort();
const sources = files.map(read);

describe('the tree', () => {
  test('was read', () => {
    expect(sources.length).toBeGreaterThan(20);
    expect(sources.every((file) => file.nodes.length > 0)).toBe(true);
  });

  test('every arrow between rooms points down', () => {
    const wrong = sources.flatMap((file) => {
      const room = roomOf(file.name);
      const allowed = ARROWS[room];
      if (allowed === undefined) return [`${file.name} is in no known room`];
      return importsOf(file)
        .filter((target) => roomOf(target) !== room && !allowed.includes(roomOf(target)))
        .map((target) => `${file.name} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  test('nothing in src imports from outside it', () => {
    const wrong = sources.flatMap((file) =>
      importsOf(file)
        .filter(
          (target) =>
            !target.startsWith('src/') && !target.endsWith('/package.json') && target !== 'package.json',
        )
        .map((target) => `${file.name} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test(`no file is longer than ${FILE_LINES_MAX} lines`, () => {
    const long = sources
      .filter((file) => !GENERATED.has(file.name))
      .map((file) => ({ name: file.name, lines: file.text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > FILE_LINES_MAX);
    expect(long).toEqual([]);
  });

  test(`no function is longer than ${FUNCTION_LINES_MAX} lines`, () => {
    const kinds =
      /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression|ClassMethod|PrivateMethod|Constructor|MethodProperty)$/;
    const long = sources.flatMap((file) =>
      file.nodes
        .filter((node) => kinds.test(node.type) && node.span !== undefined)
        .map((node) => file.linesOf(node))
        .filter(([first, last]) => last - first + 1 > FUNCTION_LINES_MAX)
        .map(([first, last]) => `${file.name}:${first} has ${last - first + 1} lines`),
    );
    expect(long).toEqual([]);
  });

  test('the environment is read by the configuration only', () => {
    const wrong = sources
      .filter((file) => !['src/config.ts', 'src/config-environment.ts'].includes(file.name))
      .filter(
        (file) =>
          file.nodes.some((node) => isMember(node, 'process', 'env')) ||
          /import\s*\{[^}]*\benv\b[^}]*\}\s*from\s*'node:process'/.test(file.text),
      )
      .map((file) => file.name);
    expect(wrong).toEqual([]);
  });

  test('SQL is written in storage only', () => {
    const wrong = sources
      .filter((file) => roomOf(file.name) !== 'storage')
      .flatMap((file) =>
        file.nodes
          .filter((node) => node.type === 'TaggedTemplateExpression')
          .filter((node) => {
            const [first] = (node.template as { quasis: { raw: string }[] }).quasis;
            return SQL_WORDS.test(first?.raw ?? '');
          })
          .map((node) => `${file.name}:${file.linesOf(node)[0]}`),
      );
    expect(wrong).toEqual([]);
  });

  test('the domain is pure: no I/O, no clock, no random', () => {
    const wrong = sources
      .filter((file) => roomOf(file.name) === 'domain')
      .flatMap((file) => {
        const foreign = specifiersOf(file).filter((name) => !name.startsWith('.') && !PURE_MODULES.has(name));
        // Comments may speak of what the code must not do.
        const code = file.text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
        const impure = IMPURE.exec(code)?.[0];
        return [...foreign, ...(impure === undefined ? [] : [impure])].map((what) => `${file.name}: ${what}`);
      });
    expect(wrong).toEqual([]);
  });

  test('names say what is in a file, in lower case', () => {
    const names = globSync('{src,test,bench}/**/*.{ts,lua,sql}', { cwd: ROOT });
    expect(names.filter((name) => VAGUE_NAMES.test(name))).toEqual([]);
    expect(names.filter((name) => /[A-Z_\s]/.test(name.replace('__', '')))).toEqual([]);
  });

  test('every source file is reached from an entry', () => {
    // What package.json starts, exports or runs, and the container image, are the entries.
    const starts = ['package.json', 'Dockerfile']
      .map((name) => readFileSync(path.join(ROOT, name), 'utf8'))
      .join('\n')
      // What is exported is made of the source of the same name.
      .replaceAll(/\bdist\/([\w/-]+)\.js\b/g, 'src/$1.ts');
    const reached = new Set([...starts.matchAll(/\bsrc\/[\w/.-]+\.ts\b/g)].map(([name]) => name));
    const missing = [...reached].filter((name) => !existsSync(path.join(ROOT, name)));
    expect(missing).toEqual([]);
    const byName = new Map(sources.map((file) => [file.name, file]));
    // A set can grow while it is walked, which is all that a search needs.
    for (const name of reached) {
      const file = byName.get(name);
      if (file !== undefined) for (const target of importsOf(file)) reached.add(target);
    }
    expect(files.filter((name) => !reached.has(name))).toEqual([]);
  });

  test('every Lua script is named by the code beside it', () => {
    const scripts = globSync('src/**/*.lua', { cwd: ROOT });
    const unnamed = scripts.filter((script) => {
      const name = path.basename(script, '.lua');
      return !sources.some(
        (file) =>
          roomOf(file.name) === roomOf(script) && new RegExp(`['"\`/]${name}(\\.lua)?['"\`]`).test(file.text),
      );
    });
    expect(unnamed).toEqual([]);
  });

  test('migrations are numbered without a gap, and only go forward', () => {
    const names = globSync('*', { cwd: path.join(ROOT, 'migrations') }).sort();
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !/^\d{3}\.do\.[a-z0-9-]+\.sql$/.test(name))).toEqual([]);
    expect(names.map((name) => Number(name.slice(0, 3)))).toEqual(names.map((_, index) => index + 1));
  });
});
