/** Carrying a plan out: one change after the other, each on what was planned for, and the texts of new tokens kept. */

import path from 'node:path';
import type { Client } from '../../client/client.ts';
import { CliFault, EXIT } from '../faults.ts';
import type { Files, World } from '../world.ts';
import type { Change, Plan, Step } from './applyplan.ts';

/** Where the texts of new tokens go. */
export interface Secrets {
  /** Keeps the text of a token; rejects when that fails. */
  keep(name: string, text: string, file: string | null): Promise<void>;
}

/** What a file of a token may hold before it is written anew. */
const TOKEN_TEXT = /^lictor_\S+\s*$/;
const SECRET_MODE = 0o600;

/**
 * Finds out where the texts of the plan's new tokens go, before anything is done.
 *
 * @param plan - the plan.
 * @param world - streams and files.
 * @param options - `directory`: of the declaration; `secrets`: the file for those that name none.
 * @throws CliFault when a text would be lost, or would take the place of something else.
 */
export async function openSecrets(
  plan: Plan,
  world: World,
  { directory, secrets }: { readonly directory: string; readonly secrets: string | undefined },
): Promise<Secrets> {
  const { files, stdout } = world.parts;
  const made = plan.changes.flatMap(({ name, step }) =>
    step.do === 'token' ? [{ name, file: step.file }] : [],
  );
  for (const { name, file } of made) {
    if (file !== null) await requireTokenFile(files, path.resolve(directory, file), name);
  }
  const others = made.filter(({ file }) => file === null).map(({ name }) => name);
  const isShown = secrets === undefined && stdout.isTerminal && !world.json;
  if (others.length > 0 && secrets === undefined && !isShown) {
    throw new CliFault(
      EXIT.usage,
      `It is not said where the text of the new ${others.length === 1 ? 'token' : 'tokens'} ${others.join(', ')} goes.`,
      'Give --secrets FILE, or a "file" for each; the text exists in one answer only.',
    );
  }
  if (others.length > 0 && secrets !== undefined) {
    await files.write(secrets, '{}\n', { mode: SECRET_MODE, exclusive: true });
  }
  const kept: Record<string, string> = {};
  return {
    async keep(name, text, file) {
      if (file !== null) {
        await files.write(path.resolve(directory, file), `${text}\n`, { mode: SECRET_MODE });
      } else if (secrets !== undefined) {
        kept[name] = text;
        await files.write(secrets, `${JSON.stringify(kept, null, 2)}\n`, { mode: SECRET_MODE });
      } else {
        await world.print(`  token ${name}: ${text}\n`);
      }
    },
  };
}

/** A file that holds anything but a token must not be lost to a slip in a path. */
async function requireTokenFile(files: Files, file: string, name: string): Promise<void> {
  let before: Uint8Array;
  try {
    before = await files.read(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (before.length === 0 || TOKEN_TEXT.test(Buffer.from(before).toString('utf8'))) return;
  throw new CliFault(
    EXIT.usage,
    `The file ${file} of the token ${name} holds something else than a token.`,
    'Move it away, or name another file.',
  );
}

/**
 * Carries a plan out.
 *
 * @param plan - the plan.
 * @param client - of the server.
 * @param secrets - where the texts of new tokens go.
 * @throws CliFault or the client's errors at the first change that fails; those before it are made.
 */
export async function carryOut(plan: Plan, client: Client, secrets: Secrets): Promise<void> {
  let made = 0;
  for (const change of plan.changes) {
    try {
      await make(change, client, secrets);
      made += 1;
    } catch (error) {
      const { kind, name } = change;
      const rest = `${made} of ${plan.changes.length} changes were made before. Run it again to go on.`;
      (error as Error).message = `${kind} ${name}: ${(error as Error).message} ${rest}`;
      throw error;
    }
  }
}

async function make({ kind, name, step }: Change, client: Client, secrets: Secrets): Promise<void> {
  switch (step.do) {
    case 'key':
      return makeKey(step, client);
    case 'server':
      await client.licenseServers.put(name, { address: step.address, port: step.port });
      return;
    case 'register': {
      const { key, settings } = step;
      const body = {
        ...(key === null ? {} : { key }),
        ...(Object.keys(settings).length === 0 ? {} : { settings }),
      };
      await client.instances.register(name, body);
      return;
    }
    case 'instance':
      return makeInstance(name, step, client);
    case 'applications': {
      const { name: section, entries, file } = step.section;
      const body = file === null ? { entries: Object.fromEntries(entries) } : { fileBase64: file.fileBase64 };
      await client.applications.load(step.instance, section, body);
      return;
    }
    case 'token':
      return makeToken(name, step, client, secrets);
    case 'remove':
      return remove(kind, step, client);
  }
}

type StepOf<Do extends Step['do']> = Extract<Step, { readonly do: Do }>;

async function makeKey(
  { id, install, change, revision, serveAs }: StepOf<'key'>,
  client: Client,
): Promise<void> {
  let current = revision;
  if (install !== null) current = (await client.keys.install(install)).revision;
  if (change !== null) await client.keys.change(id, change, current ?? '*');
  if (serveAs !== null) await client.servedKeys.serve(serveAs, { key: id });
}

async function makeInstance(
  name: string,
  { activate, settings, revision }: StepOf<'instance'>,
  client: Client,
): Promise<void> {
  let current = revision;
  if (activate !== null) {
    const { activation } = await client.keys.inspect({ key: activate.key, instance: name });
    if (activation?.inspection === undefined || activation.outcome !== activate.outcome) {
      throw new CliFault(
        EXIT.failed,
        `What would become of the key there has changed since it was planned: ${activation?.reason ?? ''}`,
        'Look at the plan again: --dry-run.',
      );
    }
    current = (await client.instances.activate(name, { key: activate.key }, activation.inspection)).revision;
  }
  if (settings !== null) await client.instances.configure(name, settings, current);
}

/** The text is kept before the former token goes, so that whoever uses it is never without. */
async function makeToken(
  name: string,
  { body, file, revokes }: StepOf<'token'>,
  client: Client,
  secrets: Secrets,
): Promise<void> {
  const { id, token } = await client.tokens.create(body);
  try {
    await secrets.keep(name, token, file);
  } catch (error) {
    // Nobody knows its text, so it is of no use to anybody.
    await client.tokens.revoke(id);
    throw error;
  }
  for (const former of revokes) await client.tokens.revoke(former);
}

async function remove(
  kind: Change['kind'],
  { id, instance }: StepOf<'remove'>,
  client: Client,
): Promise<void> {
  switch (kind) {
    case 'token':
      await client.tokens.revoke(id);
      return;
    case 'application':
      await client.applications.remove(instance!, id);
      return;
    case 'instance':
      await client.instances.remove(id);
      return;
    case 'key':
      await client.keys.remove(id);
      return;
    case 'license-server':
      await client.licenseServers.remove(id);
  }
}
