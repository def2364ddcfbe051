/** An instance of today in its own process: it decides by itself as well, by `LicenseInstance` of `lictor/client`. */

import { type Client, createClient, type InstanceLogin, LicenseInstance } from '../src/client/index.ts';
import type { InstanceOptions, InstanceState, Refused, RunningInstance } from './messages.ts';

/** An instance on the SDK. */
export class SdkInstance implements RunningInstance {
  readonly #options: InstanceOptions;
  readonly #client: Client;
  readonly #logins = new Map<string, InstanceLogin[]>();
  #instance: LicenseInstance | null = null;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.#client = createClient({ url: options.url, token: options.token });
  }

  async start(): Promise<readonly string[]> {
    const { name, key, licenseServers } = this.#options;
    this.#instance = await LicenseInstance.open({ client: this.#client, name, key, licenseServers });
    return [];
  }

  login(user: string): Refused | null {
    const verdict = this.#running.tryLogin({ user });
    if (verdict.is === 'granted') {
      this.#logins.set(user, [...(this.#logins.get(user) ?? []), verdict]);
      return null;
    }
    if (verdict.is === 'ask') throw new Error('a local key asks nobody');
    return { code: verdict.code, detail: verdict.detail };
  }

  logout(user: string): boolean {
    const login = this.#logins.get(user)?.pop();
    return login !== undefined && this.#running.release(login);
  }

  state(): InstanceState {
    const { counts, isOverLimit, isOnline } = this.#running;
    const { users, units, connections } = counts;
    return {
      users,
      units,
      connections,
      isAcknowledged: !isOverLimit,
      isOffline: !isOnline,
      talksTo: `${this.#options.url} by HTTP`,
    };
  }

  async reported(): Promise<boolean> {
    await this.#running.report();
    return this.#running.isOnline;
  }

  async showServer(): Promise<string> {
    const { active } = await this.#client.licenseServers.list();
    return active === undefined ? 'none' : `${active.name} at ${active.address}:${active.port}`;
  }

  async close(): Promise<void> {
    await this.#running.close();
    this.#client.close();
  }

  get #running(): LicenseInstance {
    if (this.#instance === null) throw new Error('the instance is not started');
    return this.#instance;
  }
}
