/** The methods of the legacy class that activate keys, for `lictor license` (notes 2.5). */

import type { InspectKeyAnswer, InspectKeyBody } from '../../client/openapi.ts';
import { ApiError } from '../../client/problems.ts';
import { EXIT } from '../faults.ts';
import {
  type Answered,
  type LegacyCall,
  type LegacyMethod,
  type Printed,
  STATUS_OK,
  statusText,
  truthValue,
} from './licensecall.ts';

/** The names that a key file has in the manager's directory. */
const FILE_NAMES = ['lictor.key', 'iris.key', 'cache.key'] as const;

/** A key that is to be activated: a file, or one that is installed. */
interface Selected {
  readonly body: InspectKeyBody;
  /** What it is installed with; null when it is installed already. */
  readonly file: { readonly fileBase64: string } | null;
}

/** What inspecting a key on the instance came to. */
interface Inspected extends Selected {
  readonly instance: string;
  readonly answer: InspectKeyAnswer;
  /** Why it cannot be activated; null when it can. */
  readonly fault: string | null;
}

async function exists(call: LegacyCall, path: string): Promise<boolean> {
  try {
    await call.world.parts.files.stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** The key file of the working directory, as the legacy product takes that of the manager's directory. */
async function fileHere(call: LegacyCall): Promise<string> {
  const found: string[] = [];
  for (const name of FILE_NAMES) if (await exists(call, name)) found.push(name);
  if (found.length === 1) return found[0]!;
  throw call.misused(
    found.length === 0
      ? `there is no ${FILE_NAMES.join(', ')} in this directory, and no File is given.`
      : `there are ${found.join(' and ')} in this directory; say which is meant.`,
  );
}

/** A file, or the ID of an installed key where there is no such file. */
async function select(call: LegacyCall, source: string): Promise<Selected> {
  const isFile = source === '-' || /[/\\]|\.(key|ini|txt)$/i.test(source) || (await exists(call, source));
  if (!isFile) return { body: { key: source }, file: null };
  const file = { fileBase64: Buffer.from(await call.world.read(source)).toString('base64') };
  return { body: file, file };
}

/**
 * Inspects a key on the instance.
 *
 * @returns a text that says why there is nothing to inspect: no key, or a file that is not in order.
 */
async function inspect(call: LegacyCall, source: string): Promise<Inspected | string> {
  const instance = await call.instance();
  const selected = await select(call, source);
  try {
    const answer = await (await call.client()).keys.inspect({ ...selected.body, instance });
    const { activation, installable, reason } = answer;
    const cannotInstall = selected.file !== null && !installable && !answer.installed;
    const fault =
      activation === undefined || cannotInstall
        ? (reason ?? 'The key cannot be activated.')
        : activation.valid
          ? null
          : activation.reason;
    return { ...selected, instance, answer, fault };
  } catch (error) {
    const isOfKey =
      error instanceof ApiError && ['key-file-invalid', 'key-not-found', 'key-unusable'].includes(error.code);
    if (isOfKey) return error.message;
    throw error;
  }
}

async function upgrade(call: LegacyCall): Promise<Answered> {
  const inspected = await inspect(call, call.argument(0) ?? (await fileHere(call)));
  if (typeof inspected === 'string') return { value: `0|${inspected}`, exit: EXIT.failed };
  const { answer, instance, fault, file } = inspected;
  if (fault !== null) return { value: `0|${fault}`, exit: EXIT.failed };
  const { keys, instances } = await call.client();
  if (file !== null) await keys.install(file);
  // The token of what was inspected: whatever changed since then is refused by the server.
  const { outcome, reason, restartReason } = await instances.activate(
    instance,
    { key: answer.id },
    answer.activation!.inspection!,
  );
  if (outcome === 'pending') {
    return {
      value: `0|${restartReason ?? reason}`,
      exit: EXIT.failed,
      note: `The key ${answer.id} is pending: the next start of ${instance} makes it active.`,
    };
  }
  return { value: STATUS_OK, note: reason };
}

async function isValidKey(call: LegacyCall): Promise<Answered> {
  const inspected = await inspect(call, call.required(0));
  const fault = typeof inspected === 'string' ? inspected : inspected.fault;
  const activation = typeof inspected === 'string' ? undefined : inspected.answer.activation;
  return {
    value: fault === null ? STATUS_OK : statusText(fault),
    output: {
      RequiresRestart: truthValue(activation?.requiresRestart === true),
      RestartReason: activation?.restartReason ?? '',
    },
    ...(fault === null ? {} : { exit: EXIT.failed }),
  };
}

async function checkKeyForUpgrade(call: LegacyCall): Promise<Answered> {
  const inspected = await inspect(call, call.required(0));
  const fault = typeof inspected === 'string' ? inspected : inspected.fault;
  const activation = typeof inspected === 'string' ? undefined : inspected.answer.activation;
  const output = { ...reductionsOf(activation), Status: fault === null ? STATUS_OK : statusText(fault) };
  return { value: truthValue(fault !== null || activation?.hasReductions === true), output };
}

type Activation = NonNullable<InspectKeyAnswer['activation']>;

/** What is less, by the subscripts of the legacy array. */
function reductionsOf(activation: Activation | undefined): Record<string, Printed> {
  if (activation === undefined) return {};
  const { features, applications, cores, server, units, product, licenseType, connectionsPerUnit } =
    activation.reductions;
  const plain = {
    Cores: cores,
    Server: server,
    Users: units,
    Product: product,
    LicenseType: licenseType,
    MaxConnections: connectionsPerUnit,
  };
  const output: Record<string, Printed> = {};
  for (const [name, change] of Object.entries(plain)) {
    if (change !== undefined) output[`Reductions("${name}")`] = `${change.from},${change.to}`;
  }
  for (const feature of features) output[`Reductions("Feature","${feature}")`] = '1,0';
  for (const { application, keyword, from = '', to = '' } of applications) {
    const where = keyword === undefined ? `"${application}"` : `"${application}","${keyword}"`;
    output[`Reductions("Application",${where})`] = `${from},${to}`;
  }
  return output;
}

/** The methods that activate keys. */
export const ACTIVATION_METHODS: readonly LegacyMethod[] = [
  {
    name: 'Upgrade',
    group: 'Activation',
    takes: ['[File]'],
    words: 'activates a key: a file, or the ID of an installed key; returns 1 or 0|reason',
    differences:
      'Without File it takes lictor.key, iris.key or cache.key of the working directory, as the legacy method takes that of the manager’s directory. A key that waits for a restart is 0|reason too, and stays pending. What was shown before is what is activated. Exit status 1 with 0|reason.',
    nearest: 'lictor keys activate FILE --instance INSTANCE',
    run: upgrade,
  },
  {
    name: 'IsValidKey',
    group: 'Activation',
    takes: ['File'],
    gives: ['RequiresRestart', 'RestartReason'],
    words: 'whether a key could be activated on this instance; activates nothing',
    differences: 'Prints 1 or the error, then the two that are given back. Permit is not taken.',
    nearest: 'lictor keys activate FILE --instance INSTANCE --dry-run',
    run: isValidKey,
  },
  {
    name: 'CheckKeyForUpgrade',
    group: 'Activation',
    takes: ['File'],
    gives: ['Reductions', 'Status'],
    words: '1 when a key is less than the present one in anything, or is not valid',
    differences:
      'Reductions are printed as old,new; what else is less here has nodes of its own: MaxConnections and Application.',
    nearest: 'lictor keys activate FILE --instance INSTANCE --dry-run',
    run: checkKeyForUpgrade,
  },
  {
    name: 'IsPendingActivation',
    group: 'Activation',
    takes: [],
    words: '1 when a key waits for the next start of this instance',
    nearest: 'lictor instances show INSTANCE',
    async run(call) {
      const name = await call.instance();
      const { pendingKey } = await (await call.client()).instances.read(name);
      return { value: truthValue(pendingKey !== undefined) };
    },
  },
  {
    name: 'CheckNewKey',
    group: 'Activation',
    takes: [],
    words: 'asks now for a newer served key: -1 without a LicenseID, 1 when there was one, 0 when not',
    differences: 'The answer says what came of it; the legacy method only that the monitor was told.',
    nearest: 'lictor instances check-key INSTANCE',
    async run(call) {
      const name = await call.instance();
      const { licenseId, newer, reason } = await (await call.client()).instances.checkKey(name);
      return { value: licenseId === undefined ? -1 : truthValue(newer), note: reason };
    },
  },
  {
    name: 'SaveLicenseKey',
    group: 'Activation',
    takes: ['…'],
    words: 'writes a key file of its fields',
    differences: 'A key is a signed file here: write its fields as text and sign it, without a server.',
    nearest: 'lictor key sign FILE --signing-key PEM --out KEY',
  },
];
