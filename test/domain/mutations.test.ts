import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { APPLICATION_LIMITS, parseApplicationFile } from '../../src/domain/applications/applicationfiles.ts';
import { readApplicationFile } from '../../src/domain/applications/applicationsignatures.ts';
import { KEY_FILE_LIMITS, type KeyFault, parseKeyFile } from '../../src/domain/keys/keyfiles.ts';
import { keyId, keyStatus, type LicenseKey, readKey } from '../../src/domain/keys/keys.ts';
import { splitLines } from '../../src/domain/keys/keytext.ts';
import { TRUSTED } from '../support/keyfiles.ts';
import {
  type Kind,
  MUTATIONS,
  MUTATIONS_FILE,
  type Mutation,
  makeMutations,
  originals,
  readMutations,
  writeMutations,
} from '../support/mutations.ts';

const TEXT = readFileSync(MUTATIONS_FILE, 'utf8');
const mutations = readMutations(TEXT);
const trusting = { trusted: TRUSTED, revoked: new Set<string>() };
const conditions = { ...trusting, allowUnverified: false, timeZone: 'UTC' };

/** Every fault names a line that the file has, and says in words what is wrong and what to do. */
function expectClear({ content }: Mutation, faults: readonly KeyFault[], faultsMax: number): void {
  expect(faults.length).toBeGreaterThan(0);
  expect(faults.length).toBeLessThanOrEqual(faultsMax + 1);
  const lines = splitLines(content.toString('latin1')).length;
  for (const { line, code, message, mend } of faults) {
    expect([line >= 1 && line <= lines, line, lines]).toEqual([true, line, lines]);
    expect(code).toMatch(/^[a-z0-9-]+$/);
    for (const words of [message, mend]) expect(words).toMatch(/^[^\p{Cc}]{10,600}$/u);
  }
}

/** The key of a file, if it gives one. */
function keyIn(content: Uint8Array): LicenseKey | null {
  const parsed = parseKeyFile(content);
  const verdict = parsed.ok ? readKey(parsed.file, conditions) : null;
  return verdict?.ok ? verdict.key : null;
}

/** The signed sections of a file, as text. */
function signedSections(content: Uint8Array): string[] {
  const verdict = readApplicationFile(content, trusting);
  const sections = verdict.ok ? verdict.sections : [];
  return sections
    .filter(({ signature }) => signature === 'verified')
    .map((section) => JSON.stringify(section));
}

describe('5,000 spoilt keys and application licences', () => {
  test('are kept as a text, and are what the generator makes', () => {
    expect(mutations).toHaveLength(MUTATIONS);
    expect(writeMutations(makeMutations()) === TEXT).toBe(true);
    expect(writeMutations(mutations) === TEXT).toBe(true);
    expect(TEXT.length).toBeLessThan(3_000_000);
  });

  test('are of both kinds, spoilt in every way, and most of them are unlike all others', () => {
    const ways = new Set(mutations.map(({ how }) => how));
    expect(ways.size).toBeGreaterThan(30);
    const kinds = (kind: Kind) => mutations.filter((one) => one.kind === kind).length;
    expect(Math.min(kinds('key'), kinds('application'))).toBeGreaterThan(2_000);
    expect(new Set(mutations.map(({ content }) => content.toString('latin1'))).size).toBeGreaterThan(3_500);
  });

  test('each is read as a key: accepted, or refused with the line and what to do', () => {
    const tally = { accepted: 0, refused: 0 };
    for (const mutation of mutations) {
      const parsed = parseKeyFile(mutation.content);
      if (!parsed.ok) {
        expectClear(mutation, parsed.faults, KEY_FILE_LIMITS.faultsMax);
        tally.refused += 1;
        continue;
      }
      const verdict = readKey(parsed.file, conditions);
      if (verdict.ok) {
        expect(verdict.key.unitsEnforced).toBeGreaterThanOrEqual(verdict.key.unitsAuthorised);
        expect(keyStatus(verdict.key, Date.UTC(2026, 11, 1), conditions.revoked).reason).not.toBe('');
        tally.accepted += 1;
      } else {
        expect(verdict.reason).toMatch(/^[^\p{Cc}]{20,}$/u);
        tally.refused += 1;
      }
    }
    expect(tally.accepted).toBeGreaterThan(150);
    expect(tally.refused).toBeGreaterThan(3_000);
  });

  test('each is read as an application licence: accepted, or refused with the line and what to do (F-71)', () => {
    const tally = { accepted: 0, refused: 0 };
    for (const mutation of mutations) {
      const verdict = readApplicationFile(mutation.content, trusting);
      if (verdict.ok) {
        expect(verdict.sections.every(({ name, entries }) => name !== '' && entries.length > 0)).toBe(true);
        tally.accepted += 1;
      } else {
        expectClear(mutation, verdict.faults, APPLICATION_LIMITS.faultsMax);
        tally.refused += 1;
      }
      // Whether the signatures hold or not, the form alone is in order or clearly not.
      const parsed = parseApplicationFile(mutation.content, 'Radiology');
      if (!parsed.ok) expectClear(mutation, parsed.faults, APPLICATION_LIMITS.faultsMax);
    }
    expect(tally.accepted).toBeGreaterThan(500);
    expect(tally.refused).toBeGreaterThan(3_000);
  });

  test('none that was changed after it was signed passes for what it was not (F-24, F-73)', () => {
    const keys = new Set(originals('key').map((content) => keyIn(content)?.id));
    const sections = new Set(originals('application').flatMap(signedSections));
    const changed = mutations.filter(({ how }) => how !== 'signed anew');
    const verified = { keys: 0, sections: 0 };
    for (const { content } of changed) {
      const key = keyIn(content);
      if (key !== null) {
        expect(keys).toContain(key.id);
        verified.keys += 1;
      }
      for (const section of signedSections(content)) {
        expect(sections).toContain(section);
        verified.sections += 1;
      }
    }
    expect(Math.min(verified.keys, verified.sections)).toBeGreaterThan(80);
  });

  test('the same content is the same key, however it was written', () => {
    const [original] = originals('key');
    const id = keyIn(original!)?.id;
    const same = mutations.filter(({ content }) => keyIn(content)?.id === id);
    expect(same.length).toBeGreaterThan(50);
    for (const { content } of same) {
      const parsed = parseKeyFile(content);
      expect(parsed.ok && keyId(parsed.file)).toBe(id);
    }
  });
});
