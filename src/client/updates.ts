/** The shapes of the reports of an instance, until their routes describe them. */

/** A row of the instance's table that changed; `connections` 0 when the user is gone. */
export interface UserRow {
  readonly id: string;
  readonly connections: number;
  readonly webSessions: number;
  readonly transitioned: boolean;
}

/** A numbered report of what changed in the table of an instance. */
export interface InstanceUpdate {
  readonly incarnation: number;
  readonly sequence: number;
  readonly since: number;
  readonly fullFrom?: number;
  readonly more?: boolean;
  readonly users: readonly UserRow[];
  readonly digest?: string;
  readonly settingsRevision?: string;
  readonly lease?: Readonly<Record<string, unknown>>;
}

/** What the server says to a report. */
export interface UpdateAnswer {
  readonly acknowledged: boolean;
  readonly reason?: string;
  readonly sequence: number;
  readonly resend?: 'full';
  readonly enforcement: 'central' | 'local' | 'leased';
  readonly key?: string;
  readonly limit: number;
  readonly inUse: number;
  readonly connectionsPerUnitMax: number;
  readonly at: string;
  readonly nextUpdateAfterSeconds: number;
  readonly transitioned?: readonly string[];
  readonly overLimit?: { readonly since: string; readonly units: number; readonly unitsMax: number };
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly settingsRevision?: string;
  readonly lease?: Readonly<Record<string, unknown>>;
}
