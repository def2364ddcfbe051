/**
 * Application licences of an instance (F-70…F-74): loading them, and taking and giving back units for who is in.
 * The server counts them, whoever decides the logins. What a login of the server's has taken goes with it there; for
 * one that the instance let in itself the units are held in the name of its user, and given back when it goes out.
 */

import { randomUUID } from 'node:crypto';
import { DEFAULT_FEATURE, FEATURES_PER_CALL_MAX } from '../domain/applications/applications.ts';
import { LocalLogin } from '../domain/local/localtable.ts';
import type { Problem } from '../domain/operations.ts';
import { LocalTakes } from './application-takes.ts';
import {
  type FeatureNamed,
  type LoadProblem,
  loadProblemOf,
  malformed,
  NOBODYS,
  namesOf,
  notHeld,
  notReleased,
  type UnitsHeld,
  type UnitsVerdict,
  verdictOf,
  type Wanted,
} from './application-verdicts.ts';
import type { Client } from './client.ts';
import { CentralLogin } from './instance-central.ts';
import type { InstanceLogin } from './instance-logins.ts';
import type { AskOptions } from './instance-options.ts';
import type {
  ListApplicationsAnswer,
  ListHoldersAnswer,
  ListHoldersQuery,
  LoadApplicationsAnswer,
  ReadApplicationAnswer,
  ReadApplicationFeatureAnswer,
  ReadInstanceLoginAnswer,
  ReturnApplicationsBody,
  TakeApplicationsBody,
} from './openapi.ts';
import { each } from './pages.ts';
import { ApiError } from './problems.ts';
import type { CallOptions, SendOptions } from './transport.ts';

const ASK_TIMEOUT_MS = 10_000;
/** How many returns that the server has not heard of are kept; the others go with their user's last connection. */
const RETURNS_KEPT_MAX = 10_000;
/** Answers by which a return is settled. Anything else, such as a token that has run out, may be otherwise later. */
const GONE_STATUSES: ReadonlySet<number> = new Set([400, 404, 409, 410, 422]);
/** How long it is tried to find out what became of a take without an answer. */
const FIND_OUT: SendOptions = { timeoutMs: 30_000, attemptsMax: 20, isBackground: true };

/** What of the instance the units depend on. */
export interface ApplicationsOptions {
  readonly client: Pick<Client, 'applications'>;
  readonly name: string;
  /** Why nothing is taken any more; null while the instance goes on. */
  readonly ended: () => Problem | null;
  /** Tells the server who is in. */
  readonly report: () => Promise<void>;
  /** How long to wait for the server, of so many milliseconds. */
  readonly patienceMs: (timeoutMs: number) => number;
}

/** What loading came to: the sections, or what is wrong with the file, with every fault. */
export type LoadVerdict =
  | { readonly is: 'granted'; readonly applications: LoadApplicationsAnswer['items'] }
  | LoadProblem;

/** How an application licence is loaded. */
export interface LoadOptions extends CallOptions {
  /** The one section of the file to load; left out, all of them are, or none. */
  readonly application?: string | undefined;
}

/** The application licences of an instance: `instance.applications`. */
export class InstanceApplications {
  readonly #options: ApplicationsOptions;
  /** Of logins that the server does not know by themselves. */
  readonly #takes = new LocalTakes();
  /** Returns that the server is still to be told of, by their IDs. */
  readonly #returns = new Map<string, ReturnApplicationsBody>();

  /** Made by the instance. */
  constructor(options: ApplicationsOptions) {
    this.#options = options;
  }

  /** How many returns wait to be told. */
  get returnsWaiting(): number {
    return this.#returns.size;
  }

  /**
   * Loads an application licence: the content of an `.ini` file as text or bytes, or keywords and values, for which
   * `application` must be named.
   * @returns what is loaded, or the problem with every fault of the file, its line, and what to do.
   * @throws ApiError when the token does not permit it; UnreachableError.
   */
  async load(
    content: string | Uint8Array | Readonly<Record<string, string | number>>,
    options: LoadOptions = {},
  ): Promise<LoadVerdict> {
    const { applications } = this.#options.client;
    const { name } = this.#options;
    const { application, ...call } = options;
    const body =
      typeof content === 'string'
        ? { file: content }
        : content instanceof Uint8Array
          ? { fileBase64: Buffer.from(content).toString('base64') }
          : { entries: content };
    try {
      if (application === undefined) {
        if ('entries' in body) return { ...NAMELESS, faults: [] };
        const { items } = await applications.loadAll(name, body, call);
        return { is: 'granted', applications: items };
      }
      const loaded = await applications.load(name, application, body, call);
      return { is: 'granted', applications: [loaded] };
    } catch (error) {
      return loadProblemOf(error);
    }
  }

  /**
   * Takes a unit of each feature for a login, all or none. A unit is the user's: who has it already takes it again
   * for nothing.
   * @param login - one that is in and has a user.
   * @param wanted - an application, which means its `Concurrent Users`, or features of applications.
   * @returns what is held now; the refusal with who holds how many; or what is wrong with the request. Never throws
   * for these.
   * @throws ApiError when the token does not permit it; the reason of the signal.
   */
  async take(login: InstanceLogin, wanted: Wanted, options: AskOptions = {}): Promise<UnitsVerdict> {
    const features = namesOf(wanted);
    if ('is' in features) return features;
    const holder = this.#holderOf(login);
    if ('is' in holder) return holder;
    const body: TakeApplicationsBody = { ...holder, features, id: randomUUID() };
    const verdict = await this.#takeAs(body, options);
    if (verdict.is !== 'granted' || !(login instanceof LocalLogin)) return verdict;
    if (login.isHeld && login.userId === verdict.userId) {
      this.#takes.add(login, verdict.userId, features);
      return this.#asOwn(login, verdict);
    }
    // It went out, or became another user, while the server decided.
    this.#giveBackLater({ ...holder, features, id: randomUUID() });
    await this.flush(this.#call(options)).catch(() => {});
    return notHeld();
  }

  async #takeAs(body: TakeApplicationsBody, options: AskOptions): Promise<UnitsVerdict> {
    const { name, report, ended, client } = this.#options;
    const deadlineMs = performance.now() + (options.timeoutMs ?? ASK_TIMEOUT_MS);
    const ask = async () => {
      options.signal?.throwIfAborted();
      const why = ended();
      if (why !== null) return why;
      const leftMs = Math.max(1, deadlineMs - performance.now());
      const onUncertain = () => void this.#findOut(body);
      const call: SendOptions = { ...this.#call({ ...options, timeoutMs: leftMs }), onUncertain };
      return verdictOf(client.applications.take(name, body, call), name);
    };
    const first = await ask();
    const isUnheard = first.is === 'problem' && first.code === 'holder-missing' && body.userId !== undefined;
    const isSilent = first.is === 'refused' && first.code === 'instance-silent';
    if (!isUnheard && !isSilent) return first;
    // The server has not heard of this user yet, or not of the instance for long: it is told, and asked once more.
    await report();
    return ask();
  }

  /** A take without an answer is asked for under its ID again, and what it came to is given back. */
  async #findOut(body: TakeApplicationsBody): Promise<void> {
    const { name, client } = this.#options;
    try {
      await client.applications.take(name, body, FIND_OUT);
    } catch {
      // What was not granted, or cannot be asked for, goes with the login or its user.
      return;
    }
    this.#giveBackLater({ ...body, id: randomUUID() });
    await this.flush(FIND_OUT).catch(() => {});
  }

  /**
   * Gives back one take of each feature, or everything that the login has taken. What it does not hold is no fault:
   * `released` is false then. What the server cannot be told now (`server-unreachable`) is told with the next report.
   * @param wanted - as for `take`; left out, everything.
   * @returns what is held afterwards, or what is wrong.
   * @throws as `take`.
   */
  async return(login: InstanceLogin, wanted?: Wanted, options: AskOptions = {}): Promise<UnitsVerdict> {
    const features = wanted === undefined ? undefined : namesOf(wanted);
    if (features !== undefined && 'is' in features) return features;
    const holder = this.#holderOf(login);
    if ('is' in holder) return holder;
    if (login instanceof LocalLogin) return this.#returnOwn(login, features, options);
    return this.#giveBack({ ...holder, ...(features === undefined ? {} : { features }) }, options);
  }

  /** Of what the user holds, only what this login has taken is given back. */
  async #returnOwn(
    login: LocalLogin,
    features: readonly FeatureNamed[] | undefined,
    options: AskOptions,
  ): Promise<UnitsVerdict> {
    const userId = login.userId ?? '';
    const own =
      features === undefined ? this.#takes.clear(login).features : this.#takes.remove(login, features);
    const told: UnitsHeld['features'][number][] = [];
    let fault: UnitsVerdict | null = null;
    const parts = partsOf(own);
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      const verdict = await this.#giveBack({ userId, features: part }, options).catch((error: unknown) => {
        for (const features of parts) this.#giveBackLater({ userId, features, id: randomUUID() });
        throw error;
      });
      if (verdict.is === 'granted') told.push(...this.#asOwn(login, verdict).features);
      else fault = verdict;
    }
    const others = (features ?? []).filter((name) => !own.includes(name));
    return fault ?? { is: 'granted', userId, features: [...told, ...notReleased(others)] };
  }

  async #giveBack(body: ReturnApplicationsBody, options: AskOptions): Promise<UnitsVerdict> {
    const { client, name } = this.#options;
    const sent = { ...body, id: randomUUID() };
    try {
      const answer = client.applications.return(name, sent, this.#call(options));
      const verdict = await verdictOf(answer, name);
      if (verdict.is === 'refused') this.#giveBackLater(sent);
      return verdict;
    } catch (error) {
      this.#giveBackLater(sent);
      throw error;
    }
  }

  /**
   * Everything that the instance is licensed for, or one application, with what is in use of each feature: `units`,
   * `used`, `maxUsed`, `free` and `minimum`.
   * @throws ApiError; UnreachableError.
   */
  counts(
    application?: undefined,
    feature?: undefined,
    options?: CallOptions,
  ): Promise<ListApplicationsAnswer>;
  counts(application: string, feature?: undefined, options?: CallOptions): Promise<ReadApplicationAnswer>;
  counts(application: string, feature: string, options?: CallOptions): Promise<ReadApplicationFeatureAnswer>;
  counts(
    application?: string,
    feature?: string,
    options?: CallOptions,
  ): Promise<ListApplicationsAnswer | ReadApplicationAnswer | ReadApplicationFeatureAnswer> {
    const { client, name } = this.#options;
    if (application === undefined) return client.applications.list(name, {}, options);
    if (feature === undefined) return client.applications.read(name, application, options);
    return client.applications.feature(name, application, feature, options);
  }

  /**
   * Who holds units of an application, page by page: `for await (const holder of …)`. A moment old.
   * @throws ApiError; UnreachableError.
   */
  holders(
    application: string,
    query: ListHoldersQuery = {},
    options?: CallOptions,
  ): AsyncGenerator<ListHoldersAnswer['items'][number], void, undefined> {
    const { client, name } = this.#options;
    const list = (page: ListHoldersQuery = {}, call?: CallOptions) =>
      client.applications.holders(name, application, page, call);
    return each(list, query, options);
  }

  /**
   * Whether no more instances use the key than a keyword licenses (`ApplicationServerLogin`).
   * @throws ApiError; UnreachableError.
   */
  instanceLogin(
    application: string,
    feature: string = DEFAULT_FEATURE,
    options?: CallOptions,
  ): Promise<ReadInstanceLoginAnswer> {
    const { client, name } = this.#options;
    return client.applications.instanceLogin(name, application, { feature }, options);
  }

  /** What a login that the instance let in itself has taken goes back, because it is out or another user's. */
  letGo(login: LocalLogin): void {
    const { userId, features } = this.#takes.clear(login);
    for (const part of partsOf(features)) this.#giveBackLater({ userId, features: part, id: randomUUID() });
  }

  #giveBackLater(body: ReturnApplicationsBody & { readonly id: string }): void {
    if (this.#returns.size < RETURNS_KEPT_MAX) this.#returns.set(body.id, body);
  }

  /**
   * Tells the server of the returns that wait.
   * @throws UnreachableError; ApiError when the server takes nothing now: what was not told waits on, as it does
   * while the token does not permit it.
   */
  async flush(options: SendOptions): Promise<void> {
    const { client, name } = this.#options;
    for (const [id, body] of this.#returns) {
      try {
        await client.applications.return(name, body, options);
      } catch (error) {
        if (!(error instanceof ApiError) || error.status >= 500) throw error;
        // A token that may not is no reason to give a unit up, nor to tell nothing else.
        if (!GONE_STATUSES.has(error.status)) return;
        // Its holder is not there any more, and what was held went with him.
      }
      this.#returns.delete(id);
    }
  }

  #call({ signal, timeoutMs = ASK_TIMEOUT_MS }: AskOptions): SendOptions {
    return { signal, timeoutMs: this.#options.patienceMs(timeoutMs) };
  }

  #holderOf(login: InstanceLogin): { readonly login: string } | { readonly userId: string } | Problem {
    const ended = this.#options.ended();
    if (ended !== null) return ended;
    if (login?.is !== 'granted' || !login.isHeld) return notHeld();
    if (login instanceof CentralLogin) return { login: login.id };
    return login.userId === null ? NOBODYS : { userId: login.userId };
  }

  /** Of a login of its own the instance knows what it holds; the server, what its user holds on the instance. */
  #asOwn(login: LocalLogin, verdict: UnitsHeld): UnitsHeld {
    const features = verdict.features.map((one) => ({ ...one, held: this.#takes.count(login, one) }));
    return { ...verdict, features };
  }
}

const NAMELESS = malformed(
  'Keywords and values are those of one application: name it in the option application.',
);

/** As many as one call can give back. */
function partsOf(features: readonly FeatureNamed[]): FeatureNamed[][] {
  const parts: FeatureNamed[][] = [];
  for (let from = 0; from < features.length; from += FEATURES_PER_CALL_MAX) {
    parts.push(features.slice(from, from + FEATURES_PER_CALL_MAX));
  }
  return parts;
}
