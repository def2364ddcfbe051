/**
 * What the demonstration says to its three instances, which are processes of their own, and what they answer.
 */

/** What an instance is started with. */
export interface InstanceOptions {
  readonly name: string;
  /** The ID of the key that all three share. */
  readonly key: string;
  /** The licence servers that all three are configured with, as `address:port` (F-4). */
  readonly licenseServers: readonly string[];
  /** Whether it speaks UDP like a legacy instance, or HTTP by `lictor/client`. */
  readonly speaks: 'udp' | 'http';
  /** Where Lictor is, and the token for it; only one that speaks HTTP needs them. */
  readonly url: string;
  readonly token: string;
  /** By which its datagrams are known; only one that speaks UDP needs it. */
  readonly secret: string;
}

/** Why a login was refused. */
export interface Refused {
  readonly code: string;
  readonly detail: string;
}

/** What an instance holds, and how it stands with its licence server. */
export interface InstanceState {
  readonly users: number;
  readonly units: number;
  readonly connections: number;
  /** Whether its last update was answered ACK: new users may come in. */
  readonly isAcknowledged: boolean;
  /** Whether nobody answers it at present. */
  readonly isOffline: boolean;
  readonly talksTo: string;
}

/** An instance that runs. */
export interface RunningInstance {
  /** Registers it. @returns what an administrator should know. */
  start(): Promise<readonly string[]>;
  /** Decides by itself, without asking anybody. @returns null when the user is in. */
  login(user: string): Refused | null;
  logout(user: string): boolean;
  state(): InstanceState;
  /** Whether everything that it holds is reported. */
  reported(): Promise<boolean>;
  /** @returns the active licence server in words. */
  showServer(): Promise<string>;
  close(): Promise<void>;
}

/** A request to an instance's process. */
export type Order =
  | { readonly do: 'start'; readonly options: InstanceOptions }
  | { readonly do: 'login'; readonly users: readonly string[] }
  | { readonly do: 'logout'; readonly user: string }
  | { readonly do: 'state' | 'reported' | 'showServer' | 'close' };

/** An order with the number by which its answer is told. */
export interface NumberedOrder {
  readonly number: number;
  readonly order: Order;
}

/** The answer to an order: a value, or what went wrong. */
export interface NumberedAnswer {
  readonly number: number;
  readonly value?: unknown;
  readonly error?: string;
}
