/** `lictor profile`: where servers are and who asks them, kept in a file. */

import path from 'node:path';
import type { Command } from 'commander';
import { CliFault, EXIT } from '../faults.ts';
import { examples, stated } from '../options.ts';
import { answerFields, answerWords, type Column, jsonText, writeTable } from '../output.ts';
import {
  type Profile,
  type Profiles,
  profilePath,
  readProfiles,
  requireProfileName,
  writeProfiles,
} from '../profile.ts';
import type { World } from '../world.ts';

/** A profile as it is shown: without its token. */
interface Shown {
  readonly name: string;
  readonly current: boolean;
  readonly url: string;
  readonly token: string;
  readonly ca?: string;
  readonly instance?: string;
}

const COLUMNS: readonly Column<Shown>[] = [
  { title: '', value: ({ current }) => (current ? '*' : ' ') },
  { title: 'PROFILE', value: ({ name }) => name },
  { title: 'URL', value: ({ url }) => url },
  { title: 'TOKEN', value: ({ token }) => token },
];

/**
 * Adds the commands.
 *
 * @param program - what they are added to.
 * @param world - the world that they run in.
 */
export function register(program: Command, world: World): void {
  const profile = program
    .command('profile')
    .description('Profiles: where servers are and who asks them, in a file that its owner alone can read.');
  examples(
    profile
      .command('list')
      .description('List the profiles; their tokens are not shown.')
      .action(() => list(world)),
    ['lictor profile list'],
  );
  examples(
    profile
      .command('show [profile]')
      .description('Show a profile, the current one when none is named; its token is not shown.')
      .action((name: string | undefined) => show(world, name)),
    ['lictor profile show', 'lictor profile show production --json'],
  );
  examples(
    profile
      .command('set <name>')
      .description(
        'Make or change a profile: --url, --ca and --instance go into it, and the path of --token-file. With --token-stdin ' +
          'the token itself does, from a terminal or a pipe. The first profile becomes the current one.',
      )
      .option('--token-stdin', 'read the token from standard input and keep it in the profile file')
      .option(
        '--instance <instance>',
        'the instance that "lictor license" is about when nothing else is said',
      )
      .action((name: string, options: SetOptions) => set(world, name, options)),
    [
      'lictor profile set production --url https://licences.example.com --token-file ~/.lictor-token',
      'lictor profile set local --url http://127.0.0.1:8080 --token-stdin < admin-token',
    ],
  );
  examples(
    profile
      .command('use <profile>')
      .description('Make a profile the current one, which is used when nothing else is said.')
      .action((name: string) => use(world, name)),
    ['lictor profile use production'],
  );
  examples(
    profile
      .command('remove <profile>')
      .description('Remove a profile.')
      .action((name: string) => remove(world, name)),
    ['lictor profile remove local'],
  );
}

interface SetOptions {
  readonly tokenStdin?: boolean;
  readonly instance?: string;
}

function shown(name: string, profile: Profile, current: string | null): Shown {
  const { url, token, tokenFile, ca, instance } = profile;
  const words = token === undefined ? (tokenFile ?? 'none') : 'kept in the profile';
  return { name, current: name === current, url, token: words, ...stated({ ca, instance }) };
}

function find({ profiles }: Profiles, name: string): Profile {
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile !== undefined) return profile;
  throw new CliFault(EXIT.usage, `There is no profile "${name}".`, '"lictor profile list" shows them.');
}

async function list(world: World): Promise<void> {
  const { current, profiles } = await readProfiles(world.parts);
  const items = Object.entries(profiles).map(([name, profile]) => shown(name, profile, current));
  if (world.json) return world.print(jsonText({ items, file: profilePath(world.parts) }));
  if ((await writeTable(world, COLUMNS, items)) === 0) {
    await world.note('There is no profile. "lictor profile set" makes one.');
  }
}

async function show(world: World, named: string | undefined): Promise<void> {
  const all = await readProfiles(world.parts);
  // `--profile` says the same as the argument.
  const name = named ?? world.options.profile ?? (world.parts.env.LICTOR_PROFILE || all.current);
  if (!name)
    throw new CliFault(EXIT.usage, 'There is no current profile.', '"lictor profile use" chooses one.');
  const it = shown(name, find(all, name), all.current);
  const file = profilePath(world.parts);
  await answerFields(world, { ...it, file }, [
    ['Profile', it.name],
    ['Current', it.current],
    ['URL', it.url],
    ['Token', it.token],
    ['Certificates', it.ca],
    ['Instance', it.instance],
    ['File', file],
  ]);
}

async function set(world: World, name: string, { tokenStdin, instance }: SetOptions): Promise<void> {
  requireProfileName(name);
  const { url, ca, tokenFile } = world.options;
  if (tokenStdin === true && tokenFile !== undefined) {
    throw new CliFault(EXIT.usage, 'Two tokens are given.', 'Give either --token-file or --token-stdin.');
  }
  const all = await readProfiles(world.parts);
  const before = Object.hasOwn(all.profiles, name) ? all.profiles[name] : undefined;
  const address = url ?? before?.url;
  if (address === undefined) {
    throw new CliFault(
      EXIT.usage,
      `The profile ${name} needs an address.`,
      'Give --url, such as https://licences.example.com.',
    );
  }
  requireUrls(address);
  const token = tokenStdin === true ? await readToken(world) : undefined;
  const kept =
    token !== undefined
      ? { token }
      : tokenFile !== undefined
        ? { tokenFile: path.resolve(tokenFile) }
        : // A token is for the address that it was given with.
          before?.url === address
          ? stated({ token: before.token, tokenFile: before.tokenFile })
          : {};
  const certificates = ca === undefined ? before?.ca : path.resolve(ca);
  const about = instance ?? before?.instance;
  const profile: Profile = { url: address, ...kept, ...stated({ ca: certificates, instance: about }) };
  const current = all.current ?? name;
  await writeProfiles(world.parts, { current, profiles: { ...all.profiles, [name]: profile } });
  const isOpen = /(^|[\s,])http:\/\/(?!127\.|localhost[:/]|\[::1\])/i.test(`${address}/`);
  if (isOpen) await world.note('Notice: over http:// everybody on the way can read the token. Use https://.');
  const it = shown(name, profile, current);
  await answerWords(world, it, `Wrote the profile ${name}${it.current ? ', the current one' : ''}.`);
}

/** What is no address is told here, not at the first command that uses it. */
function requireUrls(address: string): void {
  for (const url of address.split(/[\s,]+/).filter((part) => part !== '')) {
    const parsed = URL.canParse(url) ? new URL(url) : null;
    const isPlain = parsed !== null && parsed.username === '' && parsed.password === '';
    if (isPlain && /^https?:$/.test(parsed.protocol)) continue;
    throw new CliFault(
      EXIT.usage,
      'The address is no http or https URL without credentials.',
      'Write it as https://licences.example.com.',
    );
  }
}

async function readToken(world: World): Promise<string> {
  const { stdin } = world.parts;
  const text = stdin.isTerminal
    ? ((await stdin.ask('Token: ', { secret: true })) ?? '')
    : Buffer.from(await stdin.readAll()).toString('utf8');
  const token = text.trim();
  if (/^[\x21-\x7e]{1,4096}$/.test(token)) return token;
  throw new CliFault(
    EXIT.usage,
    'What was read is no token.',
    'It is one word, as "lictor tokens create" prints it.',
  );
}

async function use(world: World, name: string): Promise<void> {
  const all = await readProfiles(world.parts);
  find(all, name);
  await writeProfiles(world.parts, { ...all, current: name });
  await answerWords(world, { current: name }, `The current profile is ${name}.`);
}

async function remove(world: World, name: string): Promise<void> {
  const all = await readProfiles(world.parts);
  find(all, name);
  const { [name]: _, ...profiles } = all.profiles;
  const current = all.current === name ? null : all.current;
  await writeProfiles(world.parts, { current, profiles });
  await answerWords(world, { name, removed: true }, `Removed the profile ${name}.`);
}
