/**
 * The logins of an instance whose key the server enforces itself: each is asked for, and lives as long as the
 * instance gives signs of life.
 */

import type { Phase } from '../domain/holdings/login.ts';
import type { LocalRefusal } from '../domain/local/localdecisions.ts';
import type { Problem as LocalProblem } from '../domain/operations.ts';
import type { LoginKind } from '../domain/users.ts';
import type { Client } from './client.ts';
import type { InstanceLogin, InstanceLoginRequest, Verdict } from './instance-logins.ts';
import type { LogInAnswer, LogInBody } from './openapi.ts';
import { ApiError, UnreachableError } from './problems.ts';
import type { CallOptions } from './transport.ts';

/** How many logouts that the server has not heard of are kept; the others end with the instance. */
const LOGOUTS_KEPT_MAX = 10_000;
/** How many logouts one batch tells. */
const LOGOUTS_PER_BATCH_MAX = 500;

/** How many logins are asked for at once. */
const READS_AT_ONCE = 8;

/** A login that the server granted. */
export class CentralLogin implements InstanceLogin {
  /** Its ID at the server. */
  readonly id: string;
  readonly kind: LoginKind;
  userId: string | null = null;
  phase: Phase = 'active';
  connections = 0;
  units = 0;
  unitsAdded = 0;
  isHeld = true;

  constructor(answer: LogInAnswer) {
    this.id = answer.id;
    this.kind = answer.kind as LoginKind;
    this.take(answer);
  }

  get is(): 'granted' {
    return 'granted';
  }

  /** Takes what the server says it is now. */
  take(answer: LogInAnswer): void {
    this.userId = answer.userId;
    this.phase = answer.phase as Phase;
    this.connections = answer.connections;
    this.units = answer.units;
    this.unitsAdded = answer.unitsAdded;
  }
}

export class CentralLogins {
  readonly #client: Pick<Client, 'logins'>;
  readonly #instance: string;
  /** By ID. */
  readonly #held = new Map<string, CentralLogin>();
  /** Logouts that the server is still to be told of. */
  readonly #logouts = new Map<string, { readonly pages?: number }>();

  constructor(client: Pick<Client, 'logins'>, instance: string) {
    this.#client = client;
    this.#instance = instance;
  }

  get size(): number {
    return this.#held.size;
  }

  /** How many logouts wait to be told. */
  get logoutsWaiting(): number {
    return this.#logouts.size;
  }

  /**
   * Asks the server for a login.
   * @throws ApiError when the server says something else than yes or a refusal that an instance can be given,
   * such as that the token does not permit it; the reason of a signal.
   */
  async logIn(request: InstanceLoginRequest, options: CallOptions): Promise<Verdict> {
    const { parent, ...body } = request;
    try {
      const sent: LogInBody = { instance: this.#instance, ...body, ...inherited(parent) };
      const login = new CentralLogin(await this.#client.logins.create(withoutUndefined(sent), options));
      this.#held.set(login.id, login);
      return login;
    } catch (error) {
      return verdictOf(error, this.#instance);
    }
  }

  /**
   * Asks the server to identify a login (F-43, F-46).
   * @throws as `logIn`.
   */
  async identify(
    login: CentralLogin,
    user: string,
    clientAddress: string | undefined,
    options: CallOptions,
  ): Promise<Verdict> {
    const body = { user, ...(clientAddress === undefined ? {} : { clientAddress }) };
    try {
      login.take(await this.#client.logins.identify(login.id, body, { instance: this.#instance }, options));
      return login;
    } catch (error) {
      if (error instanceof ApiError && error.code === 'login-lost') this.#drop(login);
      return verdictOf(error, this.#instance);
    }
  }

  /**
   * Lets a login out; the server is told with the next `flush`.
   * @returns whether it was in.
   */
  release(login: CentralLogin, isOnePage: boolean): boolean {
    if (!this.#held.has(login.id)) return false;
    this.#drop(login);
    if (this.#logouts.size < LOGOUTS_KEPT_MAX) this.#logouts.set(login.id, isOnePage ? { pages: 1 } : {});
    return true;
  }

  #drop(login: CentralLogin): void {
    this.#held.delete(login.id);
    login.isHeld = false;
  }

  /**
   * Tells the server of the logouts that wait.
   * @throws ApiError; UnreachableError: what was not told waits on.
   */
  async flush(options: CallOptions): Promise<void> {
    while (this.#logouts.size > 0) {
      const told = [...this.#logouts].slice(0, LOGOUTS_PER_BATCH_MAX);
      const operations = told.map(([id, pages]) => ({
        do: 'logout' as const,
        instance: this.#instance,
        id,
        ...pages,
      }));
      await this.#client.logins.batch({ operations }, options);
      for (const [id] of told) this.#logouts.delete(id);
    }
  }

  /**
   * After a silence: which of the logins the server still holds. Each is asked for, because lists are a moment old.
   * @returns those that it does not, which are held no longer.
   * @throws ApiError; UnreachableError.
   */
  async verify(options: CallOptions): Promise<CentralLogin[]> {
    const lost: CentralLogin[] = [];
    const open = [...this.#held.values()];
    const askNext = async () => {
      for (let login = open.pop(); login !== undefined; login = open.pop()) {
        if ((await this.#isHeldThere(login, options)) || !login.isHeld) continue;
        this.#drop(login);
        lost.push(login);
      }
    };
    await Promise.all(Array.from({ length: READS_AT_ONCE }, askNext));
    return lost;
  }

  async #isHeldThere(login: CentralLogin, options: CallOptions): Promise<boolean> {
    try {
      const { held } = await this.#client.logins.read(login.id, { instance: this.#instance }, options);
      return held;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false;
      throw error;
    }
  }

  /** Everything is lost at once. @returns how many logins that were. */
  loseAll(): number {
    const { size } = this.#held;
    for (const login of this.#held.values()) login.isHeld = false;
    this.#held.clear();
    this.#logouts.clear();
    return size;
  }
}

/** Who started a job is named by its ID to the server; one that the instance itself let in, by its user. */
function inherited(parent: InstanceLogin | undefined): Partial<LogInBody> {
  if (parent === undefined) return {};
  if (parent instanceof CentralLogin) return { parent: parent.id };
  return parent.userId === null ? {} : { user: parent.userId };
}

function withoutUndefined(body: LogInBody): LogInBody {
  const stated = Object.entries(body).filter(([, value]) => value !== undefined);
  return Object.fromEntries(stated) as unknown as LogInBody;
}

/** What an application can be told of in a value; everything else is for whoever runs it. */
function verdictOf(error: unknown, instance: string): LocalRefusal | LocalProblem {
  if (error instanceof UnreachableError) return unreachable(instance, error.message);
  if (!(error instanceof ApiError)) throw error;
  const { code, message, problem, status, retryAfterSeconds = 10 } = error;
  if (error.isRefusal) {
    const { rule, limit, inUse, requested } = problem as unknown as LocalRefusal;
    return { is: 'refused', code, rule, limit, inUse, requested, detail: message, retryAfterSeconds };
  }
  if (status === 503) return unreachable(instance, message);
  if (status === 400 || status === 409 || status === 422) return { is: 'problem', code, detail: message };
  throw error;
}

function unreachable(instance: string, detail: string): LocalRefusal {
  return {
    is: 'refused',
    code: 'server-unreachable',
    rule: 'offline',
    limit: 0,
    inUse: 0,
    requested: 1,
    detail: `The server decides every login on "${instance}", and it could not be asked. ${detail}`,
    retryAfterSeconds: 10,
  };
}
