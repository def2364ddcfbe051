/**
 * Everything that a plan is made of: the files that the declaration names, and what the server has of the kinds that
 * it declares. Reads only; what is wrong with a file is a fault at the line that names it.
 */

import path from 'node:path';
import type { Client } from '../../client/client.ts';
import type {
  InspectKeyAnswer,
  InspectKeyBody,
  ListApplicationsAnswer,
  ListInstancesAnswer,
  ListKeysAnswer,
  ListLicenseServersAnswer,
  ListTokensAnswer,
} from '../../client/openapi.ts';
import { each } from '../../client/pages.ts';
import { ApiError } from '../../client/problems.ts';
import { parseApplicationFile } from '../../domain/applications/applicationfiles.ts';
import { fileWords } from '../faults.ts';
import type { Files } from '../world.ts';
import { type ApplyFault, type ApplyReading, inOrder, type Place } from './applyfile.ts';
import type { DeclaredKey } from './applyschema.ts';

/** A key that is declared, with what the server makes of its file. */
export interface ReadKeyFile {
  readonly name: string;
  readonly declared: DeclaredKey;
  /** What installs it. */
  readonly body: { readonly fileBase64: string; readonly stated?: DeclaredKey['stated'] };
  readonly inspected: InspectKeyAnswer;
}

/** A section of an application licence that is declared for an instance. */
export interface DeclaredSection {
  readonly instance: string;
  readonly name: string;
  readonly entries: readonly (readonly [keyword: string, value: string])[];
  readonly isSigned: boolean;
  /** The file it comes from; null when it stands in the declaration. */
  readonly file: { readonly path: string; readonly fileBase64: string } | null;
}

/** What the server has; kinds that are not declared are empty. */
export interface ServerState {
  readonly keys: ReadonlyMap<string, ListKeysAnswer['items'][number]>;
  /** Which key is served, by LicenseID. */
  readonly served: ReadonlyMap<string, string | undefined>;
  readonly instances: ReadonlyMap<string, ListInstancesAnswer['items'][number]>;
  /** The sections of the instances that declare some. */
  readonly applications: ReadonlyMap<string, readonly ListApplicationsAnswer['items'][number][]>;
  readonly licenseServers: ReadonlyMap<string, ListLicenseServersAnswer['items'][number]>;
  /** Those that are not revoked. */
  readonly tokens: readonly ListTokensAnswer['items'][number][];
}

/** What a declaration comes to once its files are read. */
export interface Inputs {
  readonly keys: readonly ReadKeyFile[];
  readonly sections: readonly DeclaredSection[];
  readonly state: ServerState;
  /** What a key would come to on an instance that works under another one, by the instance's name. */
  readonly activations: ReadonlyMap<string, NonNullable<InspectKeyAnswer['activation']>>;
}

/** Where inputs are read from. */
export interface InputSources {
  readonly client: Client;
  readonly files: Pick<Files, 'read'>;
  /** The directory of the declaration. */
  readonly directory: string;
}

type Content = Extract<ApplyReading, { ok: true }>;

/**
 * Reads everything.
 *
 * @param reading - the declaration.
 * @param sources - see there.
 * @returns the inputs, or what is wrong with the files that are named.
 * @throws whatever the client throws.
 */
export async function readInputs(
  reading: Content,
  sources: InputSources,
): Promise<
  { readonly ok: true; readonly inputs: Inputs } | { readonly ok: false; readonly faults: ApplyFault[] }
> {
  const faults: ApplyFault[] = [];
  const say = (place: Place, words: string) => void faults.push(reading.faultAt(place, words));
  const keys = await readKeys(reading, sources, say);
  const sections = await readSections(reading, sources, say);
  checkTokenFiles(reading, keys, say);
  if (faults.length > 0) return { ok: false, faults: inOrder(faults) };
  const state = await readState(reading, sources.client);
  checkReferences(reading, keys, state, say);
  if (faults.length > 0) return { ok: false, faults: inOrder(faults) };
  const activations = await inspectActivations(reading, { keys, state, client: sources.client }, say);
  if (faults.length > 0) return { ok: false, faults: inOrder(faults) };
  return { ok: true, inputs: { keys, sections, state, activations } };
}

type Say = (place: Place, words: string) => void;

async function readKeys({ content }: Content, sources: InputSources, say: Say): Promise<ReadKeyFile[]> {
  const read: ReadKeyFile[] = [];
  const byId = new Map<string, string>();
  for (const [name, declared] of Object.entries(content.keys ?? {})) {
    const place = ['keys', name, 'file'];
    const bytes = await readFile(declared.file, sources, (words) => say(place, words));
    if (bytes === null) continue;
    const { stated } = declared;
    const body = {
      fileBase64: Buffer.from(bytes).toString('base64'),
      ...(stated === undefined ? {} : { stated }),
    };
    const inspected = await inspect(sources.client, body, (words) => say(place, words));
    if (inspected === null) continue;
    const twin = byId.get(inspected.id);
    if (twin !== undefined) say(place, `is the same key as "${twin}"`);
    byId.set(inspected.id, name);
    if (!inspected.installable) say(place, `cannot be installed: ${inspected.reason ?? inspected.code}`);
    if (declared.served === true && inspected.key?.licenseId === undefined) {
      say(['keys', name, 'served'], 'needs a key file with a LicenseID');
    }
    read.push({ name, declared, body, inspected });
  }
  return read;
}

/** What the server makes of a key file; null when it cannot be read, which is said with the lines of the file. */
async function inspect(
  client: Client,
  body: InspectKeyBody,
  say: (words: string) => void,
): Promise<InspectKeyAnswer | null> {
  try {
    return await client.keys.inspect(body);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'key-file-invalid') throw error;
    const { faults = [] } = error.problem as { faults?: readonly { line: number; message: string }[] };
    const lines = faults.map(({ line, message }) => `line ${line}: ${message}`).join(' ');
    say(`is no key file in order: ${lines === '' ? error.message : lines}`);
    return null;
  }
}

async function readSections(
  { content }: Content,
  sources: InputSources,
  say: Say,
): Promise<DeclaredSection[]> {
  const sections: DeclaredSection[] = [];
  for (const [instance, { applications = [] }] of Object.entries(content.instances ?? {})) {
    const names = new Set<string>();
    for (const [index, { file, name, entries }] of applications.entries()) {
      const place = ['instances', instance, 'applications', index];
      const found: DeclaredSection[] = [];
      if (file === undefined) {
        const texts = Object.entries(entries ?? {}).map(
          ([keyword, value]) => [keyword, String(value)] as const,
        );
        const fault = faultOfSection(name!, texts);
        if (fault !== null) say(place, fault);
        found.push({ instance, name: name!, entries: texts, isSigned: false, file: null });
      } else {
        const bytes = await readFile(file, sources, (words) => say([...place, 'file'], words));
        if (bytes === null) continue;
        const verdict = parseApplicationFile(bytes);
        if (!verdict.ok) {
          const lines = verdict.faults.map(({ line, message }) => `line ${line}: ${message}`).join(' ');
          say([...place, 'file'], `is no application licence in order: ${lines}`);
          continue;
        }
        const fileBase64 = Buffer.from(bytes).toString('base64');
        for (const section of verdict.sections) {
          found.push({
            instance,
            name: section.name,
            entries: section.entries.map(({ keyword, value }) => [keyword, value] as const),
            isSigned: section.signature !== null,
            file: { path: file, fileBase64 },
          });
        }
      }
      for (const section of found) {
        if (names.has(section.name)) say(place, `declares the section "${section.name}" a second time`);
        names.add(section.name);
        sections.push(section);
      }
    }
  }
  return sections;
}

/** What keeps keywords and values from being a section; null when nothing does. */
function faultOfSection(name: string, entries: DeclaredSection['entries']): string | null {
  const lines = [`[${name}]`, ...entries.map(([keyword, value]) => `${keyword}=${value}`)];
  const verdict = parseApplicationFile(Buffer.from(`${lines.join('\n')}\n`));
  if (!verdict.ok) return `is no section in order: ${verdict.faults[0]!.message}`;
  const [section, another] = verdict.sections;
  const isWhole =
    another === undefined && section?.name === name && section.entries.length === entries.length;
  return isWhole ? null : 'is no section in order: it would not be read as it is written';
}

async function readFile(
  name: string,
  { files, directory }: InputSources,
  say: (words: string) => void,
): Promise<Uint8Array | null> {
  try {
    return await files.read(path.resolve(directory, name));
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    say(`names ${name}, which cannot be read: ${fileWords(code)}`);
    return null;
  }
}

/** Two tokens in one file would leave only the latter. */
function checkTokenFiles({ content }: Content, keys: readonly ReadKeyFile[], say: Say): void {
  const files = new Map(
    keys.map(({ name, declared }) => [path.normalize(declared.file), `the key "${name}"`]),
  );
  for (const [name, { file }] of Object.entries(content.tokens ?? {})) {
    if (file === undefined) continue;
    const other = files.get(path.normalize(file));
    if (other !== undefined) say(['tokens', name, 'file'], `is the file of ${other} already`);
    files.set(path.normalize(file), `the token "${name}"`);
  }
}

/** Reads what the server has of the kinds that are declared, and of those that they refer to. */
async function readState({ content }: Content, client: Client): Promise<ServerState> {
  const { keys, instances, licenseServers, tokens } = content;
  const needsKeys = keys !== undefined || instances !== undefined || tokens !== undefined;
  // Which keys may be removed depends on the instances that work under them.
  const needsInstances = instances !== undefined || keys !== undefined;
  const needsServed = Object.values(keys ?? {}).some(({ served }) => served === true);
  const applications = new Map<string, ListApplicationsAnswer['items']>();
  const registered = needsInstances ? await collect(each(client.instances.list)) : [];
  const names = new Set(registered.map(({ name }) => name));
  for (const [name, declared] of Object.entries(instances ?? {})) {
    if (declared.applications === undefined || !names.has(name)) continue;
    applications.set(name, (await client.applications.list(name)).items);
  }
  const installed = needsKeys ? await collect(each(client.keys.list)) : [];
  const served = needsServed ? await collect(each(client.servedKeys.list)) : [];
  const servers = licenseServers === undefined ? [] : (await client.licenseServers.list()).items;
  const known = tokens === undefined ? [] : await collect(each(client.tokens.list));
  return {
    keys: new Map(installed.map((key) => [key.id, key])),
    served: new Map(served.map(({ licenseId = '', key }) => [licenseId, key])),
    instances: new Map(registered.map((instance) => [instance.name, instance])),
    applications,
    licenseServers: new Map(servers.map((server) => [server.name, server])),
    tokens: known.filter(({ revokedAt }) => revokedAt === undefined),
  };
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/**
 * The ID of the key that a text refers to: a name of the declaration, or the ID of an installed key.
 *
 * @returns null when it is neither.
 */
export function keyIdOf(
  reference: string,
  keys: readonly ReadKeyFile[],
  state: Pick<ServerState, 'keys'>,
): string | null {
  const declared = keys.find(({ name }) => name === reference);
  if (declared !== undefined) return declared.inspected.id;
  return state.keys.has(reference) ? reference : null;
}

function checkReferences(
  { content }: Content,
  keys: readonly ReadKeyFile[],
  state: ServerState,
  say: Say,
): void {
  const check = (reference: string, place: Place) => {
    if (keyIdOf(reference, keys, state) !== null) return;
    const names = keys.map(({ name }) => name).join(', ');
    say(
      place,
      `is neither a name under "keys"${names === '' ? '' : ` (${names})`} nor the ID of an installed key`,
    );
  };
  for (const [name, { key }] of Object.entries(content.instances ?? {})) {
    if (key !== undefined) check(key, ['instances', name, 'key']);
  }
  for (const [name, token] of Object.entries(content.tokens ?? {})) {
    for (const [index, key] of (token.keys ?? []).entries()) check(key, ['tokens', name, 'keys', index]);
  }
}

/** Asks what the keys of instances that are to work under another one would come to (F-20, F-22). */
async function inspectActivations(
  { content }: Content,
  { keys, state, client }: { keys: readonly ReadKeyFile[]; state: ServerState; client: Client },
  say: Say,
): Promise<Inputs['activations']> {
  const activations = new Map<string, NonNullable<InspectKeyAnswer['activation']>>();
  for (const [name, { key }] of Object.entries(content.instances ?? {})) {
    const instance = state.instances.get(name);
    if (key === undefined || instance === undefined) continue;
    const id = keyIdOf(key, keys, state)!;
    if ((instance.pendingKey ?? instance.key) === id) continue;
    const declared = keys.find(({ inspected }) => inspected.id === id);
    const source = state.keys.has(id) || declared === undefined ? { key: id } : declared.body;
    const { activation } = await client.keys.inspect({ ...source, instance: name });
    if (activation === undefined) continue;
    if (!activation.valid) say(['instances', name, 'key'], `cannot be activated there: ${activation.reason}`);
    activations.set(name, activation);
  }
  return activations;
}
