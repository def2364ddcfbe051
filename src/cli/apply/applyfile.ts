/**
 * Reading the file of `lictor apply`: YAML (of which JSON is a part), checked against its form, with every fault
 * and its line at once.
 */

import { Ajv, type ErrorObject } from 'ajv';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { readServerAddress } from '../../domain/licenseservers.ts';
import { APPLY_LIMITS, type ApplyContent, ApplyFile, PATTERN_WORDS } from './applyschema.ts';

/** Where something stands: the names and numbers that lead to it. */
export type Place = readonly (string | number)[];

/** One thing wrong with a file. */
export interface ApplyFault {
  readonly line: number;
  /** Where it stands, such as `instances.hospital.settings.unitLimit`; empty for the file itself. */
  readonly at: string;
  /** What is wrong, as the rest of a sentence: "must be a whole number". */
  readonly words: string;
}

/** A file that could be read, or everything that is wrong with it. */
export type ApplyReading =
  | {
      readonly ok: true;
      readonly content: ApplyContent;
      /** Where a part of it stands, for faults that are found later. */
      readonly faultAt: (place: Place, words: string) => ApplyFault;
    }
  | { readonly ok: false; readonly faults: readonly ApplyFault[] };

/**
 * Reads a file.
 *
 * @param bytes - its content.
 * @returns the content, or its faults in the order of their lines.
 */
export function readApplyFile(bytes: Uint8Array): ApplyReading {
  const whole = (words: string): ApplyReading => ({ ok: false, faults: [{ line: 1, at: '', words }] });
  if (bytes.length > APPLY_LIMITS.bytesMax) return whole(`has more than ${APPLY_LIMITS.bytesMax} bytes`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return whole('is not UTF-8');
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false });
  if (document.errors.length > 0) {
    const faults = document.errors.slice(0, APPLY_LIMITS.faultsMax).map(({ pos, message }) => ({
      line: lines.linePos(pos[0]).line,
      at: '',
      words: `is not YAML: ${message.replace(/\.$/, '')}`,
    }));
    return { ok: false, faults };
  }
  const faultAt = (place: Place, words: string): ApplyFault => ({
    line: lineOf(document.contents, place, lines),
    at: place.join('.'),
    words,
  });
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return whole(`cannot be read: ${(error as Error).message}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    return whole('must be a map that begins with "lictor: 1"');
  }
  const faults = [...checkForm(content, faultAt), ...checkMeaning(content as ApplyContent, faultAt)];
  if (faults.length === 0) return { ok: true, content: content as ApplyContent, faultAt };
  return { ok: false, faults: inOrder(faults) };
}

/** Faults by line; of one place the first that was found. */
export function inOrder(faults: readonly ApplyFault[]): ApplyFault[] {
  const seen = new Set<string>();
  return faults
    .filter(({ line, at }) => !seen.has(`${line} ${at}`) && seen.add(`${line} ${at}`) !== undefined)
    .sort((left, right) => left.line - right.line)
    .slice(0, APPLY_LIMITS.faultsMax);
}

/** The line of a place, or of the nearest thing above it that stands in the file itself. */
function lineOf(contents: Node | null, place: Place, lines: LineCounter): number {
  let node: unknown = contents;
  let offset = contents?.range?.[0] ?? 0;
  for (const step of place) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else break;
    if (isAlias(node)) break;
  }
  return lines.linePos(offset).line;
}

type FaultAt = (place: Place, words: string) => ApplyFault;

function checkForm(content: object, faultAt: FaultAt): ApplyFault[] {
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: false });
  const check = ajv.compile(ApplyFile);
  if (check(content)) return [];
  return (check.errors ?? []).flatMap((error) => {
    const place = error.instancePath
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    const told = wordsOf(error);
    return told === null ? [] : [faultAt([...place, ...told.more], told.words)];
  });
}

/** What a finding of the check says to a person; null when another one says it. */
function wordsOf(error: ErrorObject): { readonly words: string; readonly more: readonly string[] } | null {
  // What each branch of a choice says is said by the choice.
  if (error.schemaPath.includes('/anyOf/')) return null;
  const { keyword, params, parentSchema = {} } = error;
  const say = (words: string, ...more: string[]) => ({ words, more });
  switch (keyword) {
    case 'required':
      return say(`is missing "${params.missingProperty}"`);
    case 'additionalProperties': {
      const name = String(params.additionalProperty);
      const [pattern] = Object.keys((parentSchema as { patternProperties?: object }).patternProperties ?? {});
      if (pattern !== undefined)
        return say(`is no name here: use ${PATTERN_WORDS[pattern] ?? pattern}`, name);
      const known = Object.keys((parentSchema as { properties?: object }).properties ?? {});
      const near = nearest(name, known);
      return say(
        near === null
          ? `is not known here; known are ${known.join(', ')}`
          : `is not known here; did you mean "${near}"?`,
        name,
      );
    }
    case 'type':
      return say(`must be ${TYPE_WORDS[String(params.type)] ?? params.type}`);
    case 'enum':
      return say(`must be one of ${(params.allowedValues as string[]).join(', ')}`);
    case 'const':
      return say(`must be ${JSON.stringify(params.allowedValue)}`);
    case 'pattern':
      return say(`must be ${PATTERN_WORDS[String(params.pattern)] ?? `of the form ${params.pattern}`}`);
    case 'minimum':
      return say(`must be at least ${params.limit}`);
    case 'maximum':
      return say(`must be at most ${params.limit}`);
    case 'minLength':
      return say('must not be empty');
    case 'maxLength':
      return say(`must have at most ${params.limit} characters`);
    case 'minItems':
      return say('must have an entry; leave it out otherwise');
    case 'maxItems':
    case 'maxProperties':
      return say(`must have at most ${params.limit} entries`);
    case 'anyOf':
      return say('must be a text, or a whole number from 0 to 999999999');
    default:
      return null;
  }
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  object: 'a map of names; write {} for an empty one',
  array: 'a list',
  string: 'a text; put quotes around what YAML takes for something else',
  integer: 'a whole number',
  boolean: 'true or false',
};

/** What the form alone cannot tell. It must bear a content of the wrong form. */
function checkMeaning(content: ApplyContent, faultAt: FaultAt): ApplyFault[] {
  const faults: ApplyFault[] = [];
  const names = new Map<string, string>();
  for (const [name, server] of entriesOf(content.licenseServers)) {
    const place = ['licenseServers', name];
    const twin = names.get(name.toUpperCase());
    if (twin !== undefined) faults.push(faultAt(place, `is the same name as "${twin}", whatever the case`));
    names.set(name.toUpperCase(), name);
    const address = typeof server?.address === 'string' ? readServerAddress(server.address) : null;
    if (address !== null && 'fault' in address) faults.push(faultAt([...place, 'address'], address.fault));
  }
  for (const [name, instance] of entriesOf(content.instances)) {
    const { graceSeconds = 0 } = instance?.settings ?? {};
    if (graceSeconds > 0 && graceSeconds < 10) {
      faults.push(faultAt(['instances', name, 'settings', 'graceSeconds'], 'must be 0, or at least 10'));
    }
    if (!Array.isArray(instance?.applications)) continue;
    for (const [index, application] of instance.applications.entries()) {
      const { file, name: section, entries } = application ?? {};
      const isFile = file !== undefined && section === undefined && entries === undefined;
      const isSection = file === undefined && section !== undefined && entries !== undefined;
      if (isFile || isSection) continue;
      faults.push(
        faultAt(
          ['instances', name, 'applications', index],
          'must have either "file", or "name" and "entries"',
        ),
      );
    }
  }
  for (const [name, token] of entriesOf(content.tokens)) {
    const { expiresAt } = token ?? {};
    if (typeof expiresAt === 'string' && Number.isNaN(Date.parse(expiresAt))) {
      faults.push(faultAt(['tokens', name, 'expiresAt'], 'is no date that there is'));
    }
  }
  return faults;
}

function entriesOf<Value>(map: Readonly<Record<string, Value>> | undefined): [string, Value][] {
  return typeof map === 'object' && map !== null ? Object.entries(map) : [];
}

/** The known name that was probably meant; null when none is near. */
function nearest(name: string, known: readonly string[]): string | null {
  const near = known
    .map((candidate) => ({ candidate, distance: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter((each) => each.distance <= Math.max(1, Math.floor(each.candidate.length / 4)))
    .sort((left, right) => left.distance - right.distance);
  return near[0]?.candidate ?? null;
}

/** How many characters must be inserted, removed or replaced to make one text of another. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
