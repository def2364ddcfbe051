/** `lictor tokens`: access tokens. */

import { type Command, Option } from 'commander';
import type { CreateTokenBody, ListTokensAnswer } from '../../client/openapi.ts';
import { confirmed, yesOption } from '../confirming.ts';
import { writeList } from '../listing.ts';
import { collect, examples, instant, limitOption, stated } from '../options.ts';
import { answerWords, type Column, fieldLines, jsonText } from '../output.ts';
import type { World } from '../world.ts';

type ListedToken = ListTokensAnswer['items'][number];

/** Whether a token can be used, by the clock of this machine. */
function stateOf({ revokedAt, expiresAt }: ListedToken, nowMs: number): string {
  if (revokedAt !== undefined) return 'revoked';
  return expiresAt !== undefined && Date.parse(expiresAt) <= nowMs ? 'expired' : 'valid';
}

function columns(nowMs: number): readonly Column<ListedToken>[] {
  return [
    { title: 'TOKEN', value: ({ id }) => id },
    { title: 'NAME', value: ({ name }) => name },
    { title: 'ROLE', value: ({ role }) => role },
    { title: 'KEYS', value: ({ keys }) => keys?.join(',') ?? 'all' },
    { title: 'INSTANCE', value: ({ instance }) => instance ?? 'all' },
    {
      title: 'STATE',
      value: (token) => stateOf(token, nowMs),
      style: (token) => (stateOf(token, nowMs) === 'valid' ? 'green' : 'dim'),
    },
    { title: 'EXPIRES', value: ({ expiresAt }) => expiresAt ?? 'never' },
    { title: 'LAST USED', value: ({ lastUsedAt }) => lastUsedAt ?? 'never' },
  ];
}

/**
 * Adds the commands.
 *
 * @param program - what they are added to.
 * @param world - the world that they run in.
 */
export function register(program: Command, world: World): void {
  const tokens = program.command('tokens').description('Access tokens: who may do what.');
  examples(
    tokens
      .command('list')
      .description('List the access tokens, also those that are revoked. Their texts are kept nowhere.')
      .addOption(limitOption())
      .action(async ({ limit }: { limit?: number }) => {
        const client = await world.client();
        await writeList(world, (page) => client.tokens.list(page), {
          columns: columns(world.parts.nowMs()),
          noun: 'token',
          limit,
        });
      }),
    ['lictor tokens list'],
  );
  registerCreate(tokens, world);
  examples(
    tokens
      .command('revoke <token>')
      .description('Revoke an access token, by its ID.')
      .addOption(yesOption())
      .action(async (id: string, { yes }: { yes?: boolean }) => {
        await confirmed(world, yes, `Revoke the token ${id}?`);
        await (await world.client()).tokens.revoke(id);
        await answerWords(world, { id, revoked: true }, `Revoked the token ${id}.`);
      }),
    ['lictor tokens revoke 6f1c2d3e-0000-4000-8000-000000000001 --yes'],
  );
}

interface CreateOptions {
  readonly role: CreateTokenBody['role'];
  readonly key?: readonly string[];
  readonly instance?: string;
  readonly expires?: string;
  readonly out?: string;
}

function registerCreate(tokens: Command, world: World): void {
  examples(
    tokens
      .command('create <name>')
      .description(
        'Make an access token. Its text is shown this once: on standard output, and nothing else is there.',
      )
      .addOption(
        new Option('--role <role>', 'what it may do')
          .choices(['administrator', 'operator', 'viewer', 'instance'])
          .makeOptionMandatory(),
      )
      .addOption(new Option('--key <key>', 'only this key; may be given several times').argParser(collect))
      .option('--instance <instance>', 'only this instance')
      .addOption(
        new Option(
          '--expires <when>',
          'until when: 2027-12-31, an instant, or a time from now as 90d',
        ).argParser(instant(() => world.parts.nowMs(), 1)),
      )
      .option('--out <file>', 'write the text to a file, for its owner alone')
      .action((name: string, options: CreateOptions) => create(world, name, options)),
    [
      'lictor tokens create ci --role operator --expires 90d --out ci-token',
      'lictor tokens create hospital --role instance --instance hospital > hospital-token',
    ],
  );
}

async function create(world: World, name: string, options: CreateOptions): Promise<void> {
  const { role, key: keys, instance, expires: expiresAt, out } = options;
  const client = await world.client();
  // The file first: a text that cannot be written would be lost, and its token remain.
  if (out !== undefined) await world.parts.files.write(out, '', { mode: 0o600, exclusive: true });
  const made = await client.tokens.create({ name, role, ...stated({ keys, instance, expiresAt }) });
  const { token, ...rest } = made;
  if (out !== undefined) await world.parts.files.write(out, `${token}\n`, { mode: 0o600 });
  if (world.json) return world.print(jsonText(out === undefined ? made : { ...rest, out }));
  const { stderr } = world.parts;
  await stderr.write(
    fieldLines(
      [
        ['Token', rest.id],
        ['Name', rest.name],
        ['Role', rest.role],
        ['Keys', rest.keys?.join(', ') ?? 'all'],
        ['Instance', rest.instance ?? 'all'],
        ['Expires', rest.expiresAt ?? 'never'],
        ['Written to', out],
      ],
      world.paint,
    ),
  );
  if (out === undefined) await world.print(`${token}\n`);
}
