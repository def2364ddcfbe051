/** What the tests of logins over HTTP share: two keys, instances under names of their own, and short calls. */
import type { LightMyRequestResponse } from 'fastify';
import { type AppFields, type Call, type StartedApp, startApp } from './app.ts';
import { readContract, underContract } from './contract.ts';

/** An application whose every answer is held against its description. */
export interface LoginsApp {
  readonly started: StartedApp;
  /** A Multi key of 100 units, two connections a unit. */
  readonly multi: string;
  /** A Multi key of two units, two connections a unit. */
  readonly small: string;
  /** Installs a key of one unit that nobody else uses. */
  keyOfOneUnit(): Promise<string>;
  /** Registers an instance under a name of its own, with `multi` unless another key or none is given. */
  registered(settings?: object, key?: string | null): Promise<string>;
  post(body: unknown, options?: Call): Promise<LightMyRequestResponse>;
  /** Logs in and expects 201. */
  logIn(body: object, options?: Call): Promise<LoginAnswer>;
}

/** What tests read of a granted login. */
export interface LoginAnswer {
  readonly id: string;
  readonly instance: string;
  readonly userId: string | null;
  readonly connections: number;
  readonly units: number;
  readonly unitsAdded: number;
  readonly transitioned: boolean;
  readonly at: string;
  readonly endsAt: string;
  readonly expiresAt: string;
}

/**
 * Starts the application. Close `started` at the end of the test file.
 * @param fields - of the application.
 */
export async function startLogins(fields: AppFields = {}): Promise<LoginsApp> {
  const started = underContract(await startApp(fields), await readContract());
  const install = async (OrderNumber: number, AuthorizedUnits: number) =>
    (await started.installKey({ OrderNumber, AuthorizedUnits, MaxConnections: 2 })).id;
  const multi = await install(3001, 100);
  const small = await install(3002, 2);
  let names = 0;
  let keys = 0;
  const expectStatus = (response: LightMyRequestResponse, status: number) => {
    if (response.statusCode !== status)
      throw new Error(`${status} was expected, not ${response.statusCode} with ${response.body}`);
    return response;
  };
  const post: LoginsApp['post'] = (body, options = {}) =>
    started.call('POST /v1/logins', { body, ...options });
  return {
    started,
    multi,
    small,
    post,
    keyOfOneUnit() {
      keys += 1;
      return install(3100 + keys, 1);
    },
    async registered(settings = {}, key = multi) {
      names += 1;
      const name = `app-${names}`;
      const body = Object.keys(settings).length === 0 ? {} : { settings };
      expectStatus(await started.register(name, key ?? undefined, body), 201);
      return name;
    },
    async logIn(body, options = {}) {
      return expectStatus(await post(body, options), 201).json();
    },
  };
}
