/**
 * The plan of `lictor apply`: what must be done so that the server has what is declared, computed from what it has.
 * Pure: it reads nothing and changes nothing.
 */

import ipaddr from 'ipaddr.js';
import type {
  ChangeKeyBody,
  ConfigureInstanceBody,
  CreateTokenBody,
  InstallKeyBody,
} from '../../client/openapi.ts';
import { LICENSE_SERVER_PORT_DEFAULT, readServerAddress } from '../../domain/licenseservers.ts';
import { type DeclaredSection, type Inputs, keyIdOf, type ReadKeyFile } from './applyinputs.ts';
import { planRemovals } from './applyremovals.ts';
import type { ApplyContent, DeclaredInstance, DeclaredToken } from './applyschema.ts';

/** The kinds of things, in the order in which they are set up. */
export const KINDS = ['key', 'license-server', 'instance', 'application', 'token'] as const;

/** A kind of thing. */
export type Kind = (typeof KINDS)[number];

/** What becomes of one member. */
export interface Detail {
  readonly field: string;
  /** What it is; null when it is nothing yet. */
  readonly from: string | null;
  /** What it is to be; null when it goes. */
  readonly to: string | null;
  /** What else is worth knowing. */
  readonly note?: string;
}

/** How a change is made. */
export type Step =
  | {
      readonly do: 'key';
      readonly id: string;
      readonly install: InstallKeyBody | null;
      readonly change: ChangeKeyBody | null;
      /** That the change is made on; null for what is just installed. */
      readonly revision: string | null;
      readonly serveAs: string | null;
    }
  | { readonly do: 'server'; readonly address: string; readonly port: number }
  | { readonly do: 'register'; readonly key: string | null; readonly settings: ConfigureInstanceBody }
  | {
      readonly do: 'instance';
      readonly activate: { readonly key: string; readonly outcome: string } | null;
      readonly settings: ConfigureInstanceBody | null;
      readonly revision: string;
    }
  | { readonly do: 'applications'; readonly instance: string; readonly section: DeclaredSection }
  | {
      readonly do: 'token';
      readonly body: CreateTokenBody;
      /** Where its text is written, as declared; null when the command line says where. */
      readonly file: string | null;
      /** Those of the same name that it takes the place of. */
      readonly revokes: readonly string[];
    }
  | { readonly do: 'remove'; readonly id: string; readonly instance?: string };

/** One thing that is to be set up, changed or removed. */
export interface Change {
  readonly kind: Kind;
  /** `replace`: it cannot be changed, so that another one takes its place. */
  readonly action: 'add' | 'change' | 'replace' | 'remove';
  readonly name: string;
  readonly details: readonly Detail[];
  readonly step: Step;
}

/** What is to be done, in order. */
export interface Plan {
  readonly changes: readonly Change[];
  /** How many things are as they are declared. */
  readonly unchanged: number;
  /** What a person should know besides. */
  readonly notices: readonly string[];
}

/** What a plan is made for. */
export interface PlanOptions {
  /** Whether what is not declared is removed, of the kinds that are. */
  readonly prune: boolean;
  /** The ID of the token that asks, which is never removed; null when it is not known. */
  readonly ownToken: string | null;
  /** ms since 1970. */
  readonly nowMs: number;
}

/**
 * Plans.
 *
 * @param content - the declaration.
 * @param inputs - what it names, and what the server has.
 * @param options - see there.
 */
export function makePlan(content: ApplyContent, inputs: Inputs, options: PlanOptions): Plan {
  const draft: Draft = { changes: [], unchanged: 0, notices: [] };
  for (const key of inputs.keys) planKey(draft, key, inputs);
  for (const [name, server] of Object.entries(content.licenseServers ?? {})) {
    planServer(draft, name.toUpperCase(), server, inputs);
  }
  for (const [name, instance] of Object.entries(content.instances ?? {})) {
    planInstance(draft, name, instance, inputs);
  }
  for (const section of inputs.sections) planSection(draft, section, inputs);
  for (const [name, token] of Object.entries(content.tokens ?? {})) {
    planToken(draft, name, token, inputs, options.nowMs);
  }
  if (options.prune) planRemovals(draft, content, inputs, options.ownToken);
  return draft;
}

/** A plan in the making. */
export interface Draft {
  readonly changes: Change[];
  unchanged: number;
  readonly notices: string[];
}

function add(draft: Draft, change: Change): void {
  if (change.details.length === 0 && change.action === 'change') draft.unchanged += 1;
  else draft.changes.push(change);
}

function detail(field: string, from: unknown, to: unknown, note?: string): Detail {
  const text = (value: unknown) =>
    value === undefined || value === null
      ? null
      : Array.isArray(value)
        ? value.join(', ') || 'none'
        : String(value);
  return { field, from: text(from), to: text(to), ...(note === undefined ? {} : { note }) };
}

function differs(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) !== JSON.stringify(right);
}

function planKey(draft: Draft, { name, declared, body, inspected }: ReadKeyFile, { state }: Inputs): void {
  const { id } = inspected;
  const installed = state.keys.get(id);
  const { enforcement, connectionsPerUnitMax, served = false } = declared;
  const wanted = {
    ...(enforcement === undefined ? {} : { enforcement }),
    ...(connectionsPerUnitMax === undefined ? {} : { connectionsPerUnitMax }),
  };
  const current = installed ?? inspected.key;
  const change = Object.fromEntries(
    Object.entries(wanted).filter(([field, value]) => current?.[field as keyof typeof wanted] !== value),
  ) as ChangeKeyBody;
  const details: Detail[] = [];
  if (installed === undefined) {
    details.push(detail('file', null, declared.file), detail('id', null, id));
    details.push(detail('units', null, inspected.key?.unitsEnforced));
  }
  for (const [field, value] of Object.entries(change)) {
    details.push(detail(field, installed?.[field as keyof typeof wanted], value));
  }
  const licenseId = inspected.key?.licenseId;
  const serveAs = served && licenseId !== undefined && state.served.get(licenseId) !== id ? licenseId : null;
  if (serveAs !== null) details.push(detail('served as', null, serveAs));
  const { status } = inspected;
  if (status?.status === 'invalid') draft.notices.push(status.reason);
  add(draft, {
    kind: 'key',
    action: installed === undefined ? 'add' : 'change',
    name,
    details,
    step: {
      do: 'key',
      id,
      install: installed === undefined ? body : null,
      change: Object.keys(change).length === 0 ? null : change,
      revision: installed?.revision ?? null,
      serveAs,
    },
  });
}

function planServer(
  draft: Draft,
  name: string,
  declared: { readonly address: string; readonly port?: number | undefined },
  { state }: Inputs,
): void {
  const read = readServerAddress(declared.address);
  const address = 'value' in read ? read.value : declared.address;
  const { port = LICENSE_SERVER_PORT_DEFAULT } = declared;
  const current = state.licenseServers.get(name);
  const details = [
    ...(current?.address === address ? [] : [detail('address', current?.address, address)]),
    ...(current?.port === port ? [] : [detail('port', current?.port, port)]),
  ];
  const action = current === undefined ? 'add' : 'change';
  add(draft, { kind: 'license-server', action, name, details, step: { do: 'server', address, port } });
}

function planInstance(draft: Draft, name: string, declared: DeclaredInstance, inputs: Inputs): void {
  const { keys, state, activations } = inputs;
  const settings = canonicalSettings(declared.settings ?? {});
  const key = declared.key === undefined ? null : keyIdOf(declared.key, keys, state);
  const current = state.instances.get(name);
  if (current === undefined) {
    const details = [
      ...(key === null ? [] : [detail('key', null, key)]),
      ...Object.entries(settings).map(([field, value]) => detail(`settings.${field}`, null, value)),
    ];
    add(draft, { kind: 'instance', action: 'add', name, details, step: { do: 'register', key, settings } });
    return;
  }
  const changed = Object.fromEntries(
    Object.entries(settings).filter(([field, value]) =>
      differs(current.settings[field as keyof typeof settings], value),
    ),
  ) as ConfigureInstanceBody;
  const activation = activations.get(name);
  const activate = key === null || activation === undefined ? null : { key, outcome: activation.outcome };
  const details = [
    ...(activate === null || activation === undefined
      ? []
      : [detail('key', current.key ?? 'none', activate.key, activation.reason)]),
    ...Object.entries(changed).map(([field, value]) =>
      detail(`settings.${field}`, current.settings[field as keyof typeof settings], value),
    ),
  ];
  add(draft, {
    kind: 'instance',
    action: 'change',
    name,
    details,
    step: {
      do: 'instance',
      activate,
      settings: Object.keys(changed).length === 0 ? null : changed,
      revision: current.revision,
    },
  });
}

/** Settings as the server keeps them: networks in their one form, each once. */
function canonicalSettings(settings: NonNullable<DeclaredInstance['settings']>): ConfigureInstanceBody {
  const { trustedProxies } = settings;
  if (trustedProxies === undefined) return settings as ConfigureInstanceBody;
  return {
    ...settings,
    trustedProxies: [...new Set(trustedProxies.map(canonicalNetwork))],
  } as ConfigureInstanceBody;
}

/** What is no network is left as it is, for the server to say so. */
function canonicalNetwork(text: string): string {
  const [address = '', prefix] = text.split('/');
  try {
    const parsed = ipaddr.process(address);
    const bits = parsed.kind() === 'ipv4' ? 32 : 128;
    const family = parsed.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
    const length = prefix === undefined ? bits : Number(prefix);
    return `${family.networkAddressFromCIDR(`${parsed}/${length}`)}/${length}`;
  } catch {
    return text;
  }
}

function planSection(draft: Draft, section: DeclaredSection, { state }: Inputs): void {
  const { instance, name, entries, isSigned, file } = section;
  const current = state.applications
    .get(instance)
    ?.find((each) => each.name === name && each.kind === 'loaded');
  const before = new Map(current?.features.map(({ feature, value }) => [feature, value]));
  const after = new Map(entries);
  const details = [...new Set([...before.keys(), ...after.keys()])]
    .filter((keyword) => before.get(keyword) !== after.get(keyword))
    .map((keyword) => detail(keyword, before.get(keyword), after.get(keyword)));
  const wasSigned = current?.signature === 'verified';
  if (current !== undefined && wasSigned !== isSigned) {
    details.push(detail('signature', current.signature, isSigned ? 'verified' : 'unsigned'));
  }
  add(draft, {
    kind: 'application',
    action: current === undefined ? 'add' : 'change',
    name: `${name} on ${instance}`,
    details: file === null || details.length === 0 ? details : [detail('file', null, file.path), ...details],
    step: { do: 'applications', instance, section },
  });
}

function planToken(draft: Draft, name: string, declared: DeclaredToken, inputs: Inputs, nowMs: number): void {
  const { role, instance, expiresAt } = declared;
  const keys = declared.keys?.map((key) => keyIdOf(key, inputs.keys, inputs.state)!).sort();
  const wanted = {
    role,
    instance,
    keys,
    expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt).toISOString(),
  };
  const named = inputs.state.tokens.filter((token) => token.name === name);
  const isOver = (at: string | undefined) => at !== undefined && Date.parse(at) <= nowMs;
  const shapeOf = (token: (typeof named)[number]) => ({
    role: token.role,
    instance: token.instance,
    keys: token.keys === undefined ? undefined : [...token.keys].sort(),
    expiresAt: token.expiresAt,
  });
  if (named.some((token) => !isOver(token.expiresAt) && !differs(shapeOf(token), wanted))) {
    draft.unchanged += 1;
    return;
  }
  const [latest] = named.slice(-1);
  const before = latest === undefined ? {} : shapeOf(latest);
  const details = (['role', 'instance', 'keys', 'expiresAt'] as const)
    .filter((field) => differs((before as typeof wanted)[field], wanted[field]))
    .map((field) => detail(field, (before as typeof wanted)[field], wanted[field]));
  if (latest !== undefined && isOver(latest.expiresAt))
    draft.notices.push(`The token "${name}" has expired.`);
  add(draft, {
    kind: 'token',
    action: latest === undefined ? 'add' : 'replace',
    name,
    details,
    step: {
      do: 'token',
      body: {
        name,
        role,
        ...(instance === undefined ? {} : { instance }),
        ...(keys === undefined ? {} : { keys }),
        ...(wanted.expiresAt === undefined ? {} : { expiresAt: wanted.expiresAt }),
      },
      file: declared.file ?? null,
      revokes: named.map(({ id }) => id),
    },
  });
}
