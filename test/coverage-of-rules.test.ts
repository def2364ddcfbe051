/** Every rule of the architecture, and every fact of how users are counted, is cited by the title of a test. */

import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parseSync } from '@swc/core';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const BLOCKS = new Set(['test', 'it', 'describe']);

const numbered = (letter: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${letter}-${from + index}`);

/** The rules of `docs/architecture.md`, and the facts of users, units and identities; there is no F-36…F-39. */
const CITED = [
  ...numbered('R', 1, 16),
  ...numbered('L', 1, 9),
  ...numbered('S', 1, 11),
  ...numbered('A', 1, 7),
  ...numbered('P', 1, 7),
  ...numbered('F', 30, 35),
  ...numbered('F', 40, 48),
];

interface SyntaxNode {
  readonly type: string;
  readonly [member: string]: unknown;
}

/** Whether a callee is `test`, `test.each`, `test.each(…)`, `describe.skip` and so on. */
function isBlock(callee: SyntaxNode): boolean {
  if (callee.type === 'Identifier') return BLOCKS.has(String(callee.value));
  if (callee.type === 'MemberExpression') return isBlock(callee.object as SyntaxNode);
  return callee.type === 'CallExpression' && isBlock(callee.callee as SyntaxNode);
}

/** The text of a literal, its substitutions left out. */
function textOf(node: SyntaxNode | undefined): string {
  if (node?.type === 'StringLiteral') return String(node.value);
  if (node?.type !== 'TemplateLiteral') return '';
  return (node.quasis as { raw: string }[]).map(({ raw }) => raw).join(' ');
}

/** Collects the titles of tests and of what groups them. */
function collectTitles(value: unknown, titles: string[]): void {
  if (Array.isArray(value)) {
    for (const item of value) collectTitles(item, titles);
  } else if (typeof value === 'object' && value !== null) {
    const node = value as SyntaxNode;
    if (node.type === 'CallExpression' && isBlock(node.callee as SyntaxNode)) {
      titles.push(textOf((node.arguments as { expression: SyntaxNode }[])[0]?.expression));
    }
    for (const member of Object.values(node)) collectTitles(member, titles);
  }
}

function titlesOf(name: string): string[] {
  const titles: string[] = [];
  const text = readFileSync(path.join(ROOT, name), 'utf8');
  collectTitles(parseSync(text, { syntax: 'typescript', target: 'es2024' }), titles);
  return titles.filter((title) => title !== '');
}

/** What the titles cite; this file cites everything and proves nothing. */
function findCited(): string[] {
  const files = globSync('test/**/*.ts', { cwd: ROOT });
  const others = files.filter((name) => !name.endsWith('coverage-of-rules.test.ts'));
  const titles = others.flatMap(titlesOf);
  return [...new Set(titles.flatMap((title) => title.match(/\b[APRLSF]-\d+\b/g) ?? []))];
}

const cited = findCited();

describe('the titles of the tests', () => {
  test('are found in every form that there is', () => {
    const titles: string[] = [];
    const source = `
      describe('a', () => { test("b", () => {}); test.each([['x']])('c %s', () => {}); });
      test(\`d \${1} e\`, () => {}); test.skip('f', () => {}); exercise('g'); const h = test;`;
    collectTitles(parseSync(source, { syntax: 'typescript', target: 'es2024' }), titles);
    expect(titles.filter((title) => title !== '')).toEqual(['a', 'b', 'c %s', 'd   e', 'f']);
  });

  test.each(CITED)('cite %s', (name) => {
    expect(cited).toContain(name);
  });

  test('cite every rule that the architecture states, and no other', () => {
    const page = readFileSync(path.join(ROOT, 'docs/architecture.md'), 'utf8');
    const stated = [...page.matchAll(/^- \*\*([APRLS]-\d+) /gm)].map(([, name]) => name);
    expect(stated).toEqual(CITED.filter((name) => /^[APRLS]/.test(name)));
    expect(cited.filter((name) => /^[APRLS]/.test(name) && !stated.includes(name))).toEqual([]);
  });
});
