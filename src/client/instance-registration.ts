/**
 * How an instance begins a life at the server, and keeps what it knows of it in its state file.
 */

import { randomUUID } from 'node:crypto';
import type { InstanceSettings } from '../domain/instances.ts';
import type { Client } from './client.ts';
import type { Clock } from './instance-clock.ts';
import type { InstanceState, StateFile } from './instance-state.ts';
import { type InstanceTerms, type RegistrationAnswer, termsOfRegistration } from './instance-terms.ts';
import type { RegisterInstanceBody } from './openapi.ts';
import type { CallOptions } from './transport.ts';

/** The file is written that seldom only to say when the server was heard. */
const HEARD_WRITE_MS = 60_000;

/** What an instance registers with. */
export interface RegistrationFields {
  /** The ID of its key; left out for none, or the built-in one of an evaluation installation (F-2). */
  readonly key?: string | undefined;
  /**
   * In place of a key, the LicenseID under which the server serves one, now or later. The instance follows by
   * itself when another one is, and tells of it by the event `terms`.
   */
  readonly licenseId?: string | undefined;
  readonly product?: string | undefined;
  readonly version?: string | undefined;
  /** Where it runs, an address or a host name: for the reports of the server. */
  readonly address?: string | undefined;
  /** Taken when a life begins; those left out keep their values. */
  readonly settings?: Partial<InstanceSettings> | undefined;
  /** Every licence server it is configured with, as `address:port` (F-4). */
  readonly licenseServers?: readonly string[] | undefined;
}

/** A life that has begun. */
export interface Registered {
  readonly incarnation: number;
  readonly terms: InstanceTerms;
  readonly notices: readonly string[];
}

export class Registrar {
  readonly #client: Pick<Client, 'instances'>;
  readonly #name: string;
  readonly #fields: RegistrationFields;
  readonly #clock: Clock;
  readonly #file: StateFile | null;
  /** The incarnation of the life before the one that is to begin; null when there was none. */
  #former: number | null;
  /** Of a registration whose answer is not known, so that it is repeated under the same ID. */
  #registrationId: string | null;
  #incarnation: number | null = null;
  #terms: InstanceTerms | null;
  #heardAtMs: number;
  #writtenAtMs = 0;

  /**
   * @param saved - what the file held at the start; null when there is none.
   */
  constructor(
    client: Pick<Client, 'instances'>,
    name: string,
    fields: RegistrationFields,
    clock: Clock,
    file: StateFile | null,
    saved: InstanceState | null,
  ) {
    this.#client = client;
    this.#name = name;
    this.#fields = fields;
    this.#clock = clock;
    this.#file = file;
    const isOpen = saved !== null && saved.incarnation === null;
    this.#registrationId = isOpen ? saved.registrationId : null;
    this.#former = saved?.incarnation ?? saved?.formerIncarnation ?? null;
    this.#terms = saved?.terms ?? null;
    this.#heardAtMs = saved?.heardAtMs ?? 0;
  }

  /** The incarnation of the present life; null before it has begun. */
  get incarnation(): number | null {
    return this.#incarnation;
  }

  /** The terms that held last, in this life or before. */
  get terms(): InstanceTerms | null {
    return this.#terms;
  }

  /** When the server was heard last, in milliseconds since 1970; 0 when it never was. */
  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  /**
   * Begins a life.
   * @throws ApiError when the server refuses it; UnreachableError: the next attempt repeats this one.
   */
  async begin(options: CallOptions): Promise<Registered> {
    this.#registrationId ??= randomUUID();
    await this.#write();
    let answer = await this.#register({ registrationId: this.#registrationId }, options);
    const former = this.#former;
    if (former !== null && answer.incarnation <= former) {
      // The server went back to what a backup knew: it is told which incarnations it has issued before.
      this.#registrationId = randomUUID();
      const stated = { registrationId: this.#registrationId, incarnation: former };
      answer = await this.#register(stated, options);
    }
    this.#incarnation = answer.incarnation;
    this.#terms = termsOfRegistration(answer);
    this.#heardAtMs = this.#clock.wallMs();
    await this.#write();
    return { incarnation: answer.incarnation, terms: this.#terms, notices: noticesOf(answer, former) };
  }

  async #register(
    stated: { readonly registrationId: string; readonly incarnation?: number },
    options: CallOptions,
  ): Promise<RegistrationAnswer> {
    const stands = Object.entries(this.#fields).filter(([, value]) => value !== undefined);
    const body = { ...Object.fromEntries(stands), ...stated } as RegisterInstanceBody;
    return (await this.#client.instances.register(this.#name, body, options)) as RegistrationAnswer;
  }

  /** The present life has ended, or the server knows nothing of it: another one is to begin. */
  end(): void {
    this.#former = this.#incarnation ?? this.#former;
    this.#incarnation = null;
    this.#registrationId = null;
  }

  /**
   * Notes that the server was heard, and on which terms.
   * @throws Error when the state file cannot be written.
   */
  async heard(terms: InstanceTerms): Promise<void> {
    const isNew = terms !== this.#terms;
    this.#terms = terms;
    this.#heardAtMs = this.#clock.wallMs();
    await this.#file?.touch(this.#heardAtMs);
    if (isNew || Math.abs(this.#heardAtMs - this.#writtenAtMs) >= HEARD_WRITE_MS) await this.#write();
  }

  async #write(): Promise<void> {
    this.#writtenAtMs = this.#clock.wallMs();
    await this.#file?.write({
      name: this.#name,
      registrationId: this.#registrationId!,
      incarnation: this.#incarnation,
      formerIncarnation: this.#former,
      terms: this.#terms,
      heardAtMs: this.#heardAtMs,
    });
  }

  /** Gives the state file back. */
  async close(): Promise<void> {
    await this.#file?.close();
  }
}

/** What whoever runs the instance should know of its registration. */
function noticesOf(answer: RegistrationAnswer, former: number | null): string[] {
  const notices = [...(answer.notices ?? [])];
  const { incarnation } = answer;
  if (former !== null && incarnation > former + 1) {
    notices.push(
      `This instance was incarnation ${former} and is ${incarnation} now: its name was used elsewhere meanwhile. Give every installation a name of its own.`,
    );
  }
  return notices;
}
