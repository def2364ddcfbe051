/** `lictor instances`: the registered instances. */

import { type Command, Option } from 'commander';
import type {
  ConfigureInstanceAnswer,
  ConfigureInstanceBody,
  ListInstancesAnswer,
} from '../../client/openapi.ts';
import { confirmed, yesOption } from '../confirming.ts';
import { CliFault, EXIT } from '../faults.ts';
import { statusStyle } from '../keyfields.ts';
import { writeList } from '../listing.ts';
import { collect, examples, limitOption, stated, truth, wholeNumber } from '../options.ts';
import { answerFields, answerWords, type Column, counted, type Field, jsonText } from '../output.ts';
import type { World } from '../world.ts';

type ListedInstance = ListInstancesAnswer['items'][number];

const COLUMNS: readonly Column<ListedInstance>[] = [
  { title: 'INSTANCE', value: ({ name }) => name },
  { title: 'KEY', value: ({ key }) => key },
  {
    title: 'STATE',
    value: ({ state }) => state,
    style: ({ state }) => (state === 'active' ? 'green' : 'yellow'),
  },
  {
    title: 'LICENCE',
    value: ({ licence }) => licence.status,
    style: ({ licence }) => statusStyle(licence.status),
  },
  { title: 'PRODUCT', value: ({ product }) => product },
  { title: 'VERSION', value: ({ version }) => version },
  { title: 'INCARNATION', value: ({ incarnation }) => incarnation, align: 'right' },
  { title: 'REGISTERED', value: ({ registeredAt }) => registeredAt },
];

/**
 * Adds the commands.
 *
 * @param program - what they are added to.
 * @param world - the world that they run in.
 */
export function register(program: Command, world: World): void {
  const instances = program.command('instances').description('The registered instances.');
  examples(
    instances
      .command('list')
      .description('List the registered instances.')
      .option('--key <key>', 'only those of a key')
      .addOption(limitOption())
      .action(async ({ key, limit }: { key?: string; limit?: number }) => {
        const client = await world.client();
        await writeList(world, (page) => client.instances.list({ key, ...page }), {
          columns: COLUMNS,
          noun: 'instance',
          limit,
        });
      }),
    ['lictor instances list', 'lictor instances list --key 100200301 --json'],
  );
  examples(
    instances
      .command('show <instance>')
      .description('Show an instance: its key, its settings and what it holds.')
      .action(async (name: string) => {
        const answer = await (await world.client()).instances.read(name);
        const { logins, connections, users, units } = answer.holds;
        await answerFields(world, answer, [
          ...instanceFields(answer),
          ['Holds', `${units} units, ${users} users, ${connections} connections, ${logins} logins`],
          ['As of', answer.asOf],
        ]);
      }),
    ['lictor instances show hospital'],
  );
  registerRegister(instances, world);
  registerConfigure(instances, world);
  registerRemove(instances, world);
  registerQuestions(instances, world);
}

/** What an instance is, as labels and values. */
function instanceFields(
  instance: Omit<ConfigureInstanceAnswer, 'version'> & { readonly version?: unknown },
): Field[] {
  const { licence, settings, licenseServers } = instance;
  return [
    ['Instance', instance.name],
    ['Key', instance.key ?? 'none'],
    ['License ID', instance.licenseId],
    ['Registers with', instance.statedKey === '' ? 'none' : instance.statedKey],
    ['Key that waits for a restart', instance.pendingKey, 'yellow'],
    ['Units until the restart', instance.usableUnits, 'yellow'],
    ['Key before', instance.previousKey],
    ['Licence', `${licence.status}: ${licence.reason}`, statusStyle(licence.status)],
    ['State', instance.state, instance.state === 'active' ? 'green' : 'yellow'],
    ['Product', instance.product],
    ['Version', typeof instance.version === 'string' ? instance.version : undefined],
    ['Incarnation', instance.incarnation],
    ['Registered', instance.registeredAt],
    ['Licence servers', licenseServers?.join(', ')],
    ...Object.entries(settings).map(([name, value]): Field => {
      const text = Array.isArray(value) ? value.join(', ') : (value as string | number | boolean);
      return [`Setting ${optionOf(name)}`, text];
    }),
    ['Revision', instance.revision],
  ];
}

/** The option that changes a setting. */
function optionOf(setting: string): string {
  return setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The options of the settings, which registering and configuring have in common. */
function addSettings(command: Command): Command {
  const options = [
    new Option('--identity-form <form>', 'what a user ID is').choices(['name', 'name@address']),
    new Option('--username-licensing <truth>', 'whether user names are licensed').argParser(truth),
    new Option('--deferred-identification <truth>', 'whether processes may be identified later').argParser(
      truth,
    ),
    new Option('--throttle-profile <profile>', 'how what is not identified is slowed').choices([
      'caché5',
      'caché',
    ]),
    new Option('--throttle-pause-seconds <seconds>', 'by how long a pause').argParser(
      wholeNumber(0, 1_000_000),
    ),
    new Option('--unit-limit <number>', 'units at most on this instance; 0 is no limit').argParser(
      wholeNumber(0, 1_000_000_000),
    ),
    new Option(
      '--connection-limit <number>',
      'connections at most of a user on this instance; 0 is no limit',
    ).argParser(wholeNumber(0, 1_000_000_000)),
    new Option(
      '--trusted-proxy <address>',
      'an address or network whose word on clients is taken; several times, or "none"',
    ).argParser(collect),
    new Option('--activation-profile <profile>', 'what a new key gives the running instance').choices([
      'unlimited',
      'caché5',
      'caché',
      'iris',
    ]),
    new Option('--grace-seconds <seconds>', 'how long it may be silent').argParser(
      wholeNumber(0, 1_000_000_000),
    ),
  ];
  for (const option of options) command.addOption(option.helpGroup('Settings:'));
  return command;
}

type SettingOptions = Omit<ConfigureInstanceBody, 'trustedProxies'> & {
  readonly trustedProxy?: readonly string[];
};

function settingsOf(options: SettingOptions): ConfigureInstanceBody {
  const { trustedProxy } = options;
  return stated({
    identityForm: options.identityForm,
    usernameLicensing: options.usernameLicensing,
    deferredIdentification: options.deferredIdentification,
    throttleProfile: options.throttleProfile,
    throttlePauseSeconds: options.throttlePauseSeconds,
    unitLimit: options.unitLimit,
    connectionLimit: options.connectionLimit,
    trustedProxies: trustedProxy?.filter((address) => address !== 'none'),
    graceSeconds: options.graceSeconds,
    activationProfile: options.activationProfile,
  });
}

function registerRegister(instances: Command, world: World): void {
  const command = instances
    .command('register <name>')
    .description(
      'Register an instance, or register it anew: with an incarnation it is the same life of it, without one ' +
        'a restart, which releases what it held.',
    )
    .option('--key <key>', 'the key that it takes; none is the default licence')
    .option('--license-id <id>', 'in place of a key, the LicenseID under which one is served')
    .addOption(
      new Option('--incarnation <number>', 'the life of it that goes on').argParser(
        wholeNumber(1, Number.MAX_SAFE_INTEGER),
      ),
    )
    .option('--product <product>', 'what it is')
    .option('--instance-version <version>', 'its version, which its key has to fit')
    .addOption(
      new Option(
        '--license-server <address>',
        'a licence server it is configured with; several times',
      ).argParser(collect),
    );
  examples(
    addSettings(command).action(async (name: string, options: RegisterOptions) => {
      const settings = settingsOf(options);
      const body = stated({
        key: options.key,
        licenseId: options.licenseId,
        incarnation: options.incarnation,
        product: options.product,
        version: options.instanceVersion,
        licenseServers: options.licenseServer,
        settings: Object.keys(settings).length === 0 ? undefined : settings,
      });
      const answer = await (await world.client()).instances.register(name, body);
      for (const notice of answer.notices ?? []) await world.note(`Notice: ${notice}`);
      await answerFields(world, answer, [['Outcome', answer.outcome], ...instanceFields(answer)]);
    }),
    [
      'lictor instances register hospital --key 100200301',
      'lictor instances register lab --key 100200301 --unit-limit 5 --instance-version 2024.1',
    ],
  );
}

type RegisterOptions = SettingOptions & {
  readonly key?: string;
  readonly licenseId?: string;
  readonly incarnation?: number;
  readonly product?: string;
  readonly instanceVersion?: string;
  readonly licenseServer?: readonly string[];
};

function registerConfigure(instances: Command, world: World): void {
  const command = instances
    .command('configure <instance>')
    .description('Change settings of an instance; those that are not named stay.');
  examples(
    addSettings(command).action(async (name: string, options: SettingOptions) => {
      const body = settingsOf(options);
      if (Object.keys(body).length === 0) {
        throw new CliFault(
          EXIT.usage,
          'Nothing is to be changed.',
          'Name a setting, such as --unit-limit 10.',
        );
      }
      const client = await world.client();
      const { revision } = await client.instances.read(name);
      const answer = await client.instances.configure(name, body, revision);
      await answerFields(world, answer, instanceFields(answer));
    }),
    [
      'lictor instances configure hospital --unit-limit 10',
      'lictor instances configure hospital --username-licensing true --trusted-proxy 10.0.0.0/8',
    ],
  );
}

function registerRemove(instances: Command, world: World): void {
  examples(
    instances
      .command('deregister <instance>')
      .description('Deregister an instance. Everything it holds is released.')
      .addOption(yesOption())
      .action(async (name: string, { yes }: { yes?: boolean }) => {
        const client = await world.client();
        // To the API a misspelt one is gone already; a person must be told.
        const { holds } = await client.instances.read(name);
        const what = `${counted(holds.units, 'unit')} of ${counted(holds.users, 'user')}`;
        await confirmed(world, yes, `Deregister ${name} and release its ${what}?`);
        await client.instances.remove(name);
        await answerWords(world, { name, removed: true }, `Deregistered ${name}.`);
      }),
    ['lictor instances deregister hospital --yes'],
  );
  examples(
    instances
      .command('release <instance>')
      .description(
        'End all logins of an instance, with a reason that stands in the journal. It stays registered.',
      )
      .requiredOption('--reason <words>', 'why')
      .addOption(yesOption())
      .action(async (name: string, { reason, yes }: { reason: string; yes?: boolean }) => {
        await confirmed(world, yes, `End all logins of ${name}?`);
        const answer = await (await world.client()).releases.create({ instance: name, reason });
        if (answer.notice !== undefined) await world.note(`Notice: ${answer.notice}`);
        await answerFields(world, answer, [
          ['Released', answer.released],
          ['Decision', answer.decision],
          ['Connections still held', answer.connectionsHeld],
        ]);
      }),
    ['lictor instances release hospital --reason "maintenance" --yes'],
  );
}

function registerQuestions(instances: Command, world: World): void {
  examples(
    instances
      .command('check-key <instance>')
      .description('Ask now whether a newer key is served for an instance, which is given it then.')
      .action(async (name: string) => {
        const answer = await (await world.client()).instances.checkKey(name);
        await answerFields(world, answer, [
          ['Newer', answer.newer, answer.newer ? 'green' : undefined],
          ['Why', answer.reason],
          ['License ID', answer.licenseId],
          ['Served key', answer.servedKey],
          ['Key', answer.key],
          ['Outcome', answer.activation?.outcome],
          ['Units at once', answer.activation?.usableUnits],
        ]);
      }),
    ['lictor instances check-key hospital'],
  );
  examples(
    instances
      .command('key <instance>')
      .description('The key of an instance, and what is left of it.')
      .option('--text', 'as the legacy CKEY lays it out')
      .action(async (name: string, { text }: { text?: boolean }) => {
        const { reports } = await world.client();
        if (text === true) {
          const report = await reports.keyText(name);
          return world.print(world.json ? jsonText({ text: report }) : report);
        }
        const answer = await reports.key(name);
        const { unitsAvailable, unitsAvailableMin, unitsAvailableMax } = answer;
        await answerFields(world, answer, [
          ['Instance', answer.instance],
          ...answer.fields.map(({ field, value }): Field => [field, value]),
          ['State', `${answer.status}: ${answer.reason}`, statusStyle(answer.status)],
          [
            'Units available',
            `${unitsAvailable} of ${unitsAvailableMax}, at least ${unitsAvailableMin ?? '?'}`,
          ],
          ['As of', answer.asOf],
        ]);
      }),
    ['lictor instances key hospital', 'lictor instances key hospital --text'],
  );
  examples(
    instances
      .command('feature <instance> <feature>')
      .description('Whether the key of an instance permits a feature. Exit status 0 if so, 1 if not.')
      .action(async (name: string, feature: string) => {
        const answer = await (await world.client()).instances.feature(name, feature);
        if (!answer.enabled) world.exit = EXIT.failed;
        await answerFields(world, answer, [
          ['Feature', answer.number === undefined ? answer.feature : `${answer.feature} (${answer.number})`],
          ['Permitted', answer.enabled, answer.enabled ? 'green' : 'red'],
          ['Why', answer.reason],
        ]);
      }),
    ['lictor instances feature hospital Mirroring'],
  );
}
