/**
 * Generated from the routes by "npm run openapi"; a test fails when it is stale. The types of every body, query
 * and answer of the API, and how each operation is sent.
 */

/** RFC 9457 problem details; the members beyond these are described at `/problems/{code}`. */
export interface Problem {
  /** Where the problem is described. */
  readonly type: string;
  /** What the problem is; the same for every occurrence. */
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** The stable code, by which programs should tell problems apart. */
  readonly code: string;
  /** What happened this time, and what to do. */
  readonly detail: string;
  /** The ID under which the log has the request. */
  readonly requestId: string;
  /** When trying again makes sense. */
  readonly retryAfterSeconds?: number;
  /** What is wrong with the request, field by field. */
  readonly errors?: readonly ({
    /** JSON Pointer into the body, or ?name for a parameter. */
    readonly pointer: string;
    readonly message: string;
  })[];
  readonly [member: string]: unknown;
}

export interface LogInBody {
  /** The name of a registered instance. */
  readonly instance: string;
  /** A UUID that the client makes; capitals do not matter. The same ID gives the same answer, so that a call can be repeated. */
  readonly id?: string | undefined;
  /** The explicit licence user ID (`Login(user)`); without it one is derived. */
  readonly user?: string | undefined;
  /** The user name; it is the ID where the instance licenses by user name. */
  readonly username?: string | undefined;
  /** The client's IP address; without it, that of the connection. */
  readonly clientAddress?: string | undefined;
  /** A terminal server and port identify the user together. */
  readonly terminal?: {
    /** The terminal server. */
    readonly server: string;
    /** The port on it. */
    readonly port: string;
  } | undefined;
  /** The ID of a web session: it takes a unit until it is identified. */
  readonly webSession?: string | undefined;
  readonly process?: {
    readonly pid?: number | undefined;
    /** `system` and `server` cost nothing; a `batch` process is a user by itself. */
    readonly kind?: 'user' | 'batch' | 'startup' | 'system' | 'server' | undefined;
  } | undefined;
  /** One REST or SOAP call without a session: a unit is held for ten seconds. */
  readonly sessionless?: boolean | undefined;
  /** The administrator's login outside the pool, one for each instance. */
  readonly emergency?: boolean | undefined;
  /** The login of the process that started this one (`Job`). */
  readonly parent?: string | undefined;
  /** It ends unless heartbeats renew it; without this it lives as long as its instance. */
  readonly leaseSeconds?: number | undefined;
}

export interface LogInAnswer {
  readonly id: string;
  readonly instance: string;
  /** The key it counts under; null on the default licence of an instance without a usable key. */
  readonly key: string | null;
  /** It counts under the built-in evaluation key. */
  readonly evaluation?: true;
  /** The licence user ID; null for what is nobody: pending, system, server and emergency logins. */
  readonly userId: string | null;
  readonly kind: string;
  /** `active`, `pending` until it is identified, or `grace`. */
  readonly phase: string;
  /** Connections of this user ID under the key, with this one. */
  readonly connections: number;
  /** The units they cost. */
  readonly units: number;
  /** The units that this login took. */
  readonly unitsAdded: number;
  /** Whether the user ID has passed the connections of one unit and costs one for each. */
  readonly transitioned: boolean;
  /** The ID of the decision in the journal. */
  readonly decision: string;
  /** When it was granted, by the clock of the database. */
  readonly at: string;
  /** When its lease ends unless it is renewed. */
  readonly expiresAt?: string;
  readonly expiresInSeconds?: number;
  /** When to send the next heartbeat. */
  readonly heartbeatAfterSeconds?: number;
  /** When it ends by itself. */
  readonly endsAt?: string;
  readonly throttle?: {
    readonly profile: string;
    /** What is counted: `lines` or `commands`. */
    readonly per: string;
    readonly firstPauseAfter: number;
    readonly thenPauseEvery: number;
    readonly pauseSeconds: number;
  };
}

export interface ListLoginsQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** The name of a registered instance. */
  readonly instance?: string | undefined;
  readonly key?: string | undefined;
  readonly user?: string | undefined;
}

export interface ListLoginsAnswer {
  readonly items: readonly ({
    readonly id: string;
    readonly instance: string;
    /** The key it counts under; null on the default licence of an instance without a usable key. */
    readonly key: string | null;
    readonly userId?: string;
    readonly kind: string;
    readonly phase: string;
    readonly processId?: number;
    readonly leaseSeconds?: number;
    /** When it was granted. */
    readonly at: string;
    /** When it ends by itself. */
    readonly endsAt?: string;
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface ExplainLoginBody {
  /** The name of a registered instance. */
  readonly instance: string;
  /** A UUID that the client makes; capitals do not matter. The same ID gives the same answer, so that a call can be repeated. */
  readonly id?: string | undefined;
  /** The explicit licence user ID (`Login(user)`); without it one is derived. */
  readonly user?: string | undefined;
  /** The user name; it is the ID where the instance licenses by user name. */
  readonly username?: string | undefined;
  /** The client's IP address; without it, that of the connection. */
  readonly clientAddress?: string | undefined;
  /** A terminal server and port identify the user together. */
  readonly terminal?: {
    /** The terminal server. */
    readonly server: string;
    /** The port on it. */
    readonly port: string;
  } | undefined;
  /** The ID of a web session: it takes a unit until it is identified. */
  readonly webSession?: string | undefined;
  readonly process?: {
    readonly pid?: number | undefined;
    /** `system` and `server` cost nothing; a `batch` process is a user by itself. */
    readonly kind?: 'user' | 'batch' | 'startup' | 'system' | 'server' | undefined;
  } | undefined;
  /** One REST or SOAP call without a session: a unit is held for ten seconds. */
  readonly sessionless?: boolean | undefined;
  /** The administrator's login outside the pool, one for each instance. */
  readonly emergency?: boolean | undefined;
  /** The login of the process that started this one (`Job`). */
  readonly parent?: string | undefined;
  /** It ends unless heartbeats renew it; without this it lives as long as its instance. */
  readonly leaseSeconds?: number | undefined;
}

export interface ExplainLoginAnswer {
  readonly verdict: 'granted' | 'refused';
  /** As it would be answered; without a decision, and without an ID when none was sent. */
  readonly login?: {
    readonly id?: string;
    readonly instance: string;
    /** The key it counts under; null on the default licence of an instance without a usable key. */
    readonly key: string | null;
    /** It counts under the built-in evaluation key. */
    readonly evaluation?: true;
    /** The licence user ID; null for what is nobody: pending, system, server and emergency logins. */
    readonly userId: string | null;
    readonly kind: string;
    /** `active`, `pending` until it is identified, or `grace`. */
    readonly phase: string;
    /** Connections of this user ID under the key, with this one. */
    readonly connections: number;
    /** The units they cost. */
    readonly units: number;
    /** The units that this login took. */
    readonly unitsAdded: number;
    /** Whether the user ID has passed the connections of one unit and costs one for each. */
    readonly transitioned: boolean;
    /** When it was granted, by the clock of the database. */
    readonly at: string;
    /** When its lease ends unless it is renewed. */
    readonly expiresAt?: string;
    readonly expiresInSeconds?: number;
    /** When to send the next heartbeat. */
    readonly heartbeatAfterSeconds?: number;
    /** When it ends by itself. */
    readonly endsAt?: string;
    readonly throttle?: {
      readonly profile: string;
      /** What is counted: `lines` or `commands`. */
      readonly per: string;
      readonly firstPauseAfter: number;
      readonly thenPauseEvery: number;
      readonly pauseSeconds: number;
    };
    /** The ID of the decision in the journal. */
    readonly decision?: string;
  };
  readonly code?: string;
  readonly rule?: string;
  readonly detail?: string;
  readonly limit?: number;
  readonly inUse?: number;
  readonly requested?: number;
  readonly retryAfterSeconds?: number;
}

export interface ReadLoginQuery {
  /** The name of a registered instance. */
  readonly instance?: string | undefined;
}

export interface ReadLoginAnswer {
  readonly id: string;
  readonly instance: string;
  /** The key it counts under; null on the default licence of an instance without a usable key. */
  readonly key: string | null;
  /** It counts under the built-in evaluation key. */
  readonly evaluation?: true;
  /** The licence user ID; null for what is nobody: pending, system, server and emergency logins. */
  readonly userId: string | null;
  readonly kind: string;
  /** `active`, `pending` until it is identified, or `grace`. */
  readonly phase: string;
  /** Connections of this user ID under the key, with this one. */
  readonly connections: number;
  /** The units they cost. */
  readonly units: number;
  /** The units that this login took. */
  readonly unitsAdded: number;
  /** Whether the user ID has passed the connections of one unit and costs one for each. */
  readonly transitioned: boolean;
  /** The ID of the decision in the journal. */
  readonly decision: string;
  /** When it was granted, by the clock of the database. */
  readonly at: string;
  /** When its lease ends unless it is renewed. */
  readonly expiresAt?: string;
  readonly expiresInSeconds?: number;
  /** When to send the next heartbeat. */
  readonly heartbeatAfterSeconds?: number;
  /** When it ends by itself. */
  readonly endsAt?: string;
  readonly throttle?: {
    readonly profile: string;
    /** What is counted: `lines` or `commands`. */
    readonly per: string;
    readonly firstPauseAfter: number;
    readonly thenPauseEvery: number;
    readonly pauseSeconds: number;
  };
  /** Whether it is in; a released one is remembered for ten minutes. */
  readonly held: boolean;
  /** Why it went. */
  readonly reason?: string;
  /** The connections of its user ID now. */
  readonly userConnections: number;
}

export interface LogOutQuery {
  /** The name of a registered instance. */
  readonly instance?: string | undefined;
  /** Of a web session: the pages it visited. With one page only, its unit lingers in grace. */
  readonly pages?: number | undefined;
}

export interface IdentifyLoginBody {
  /** The explicit licence user ID (`Login(user)`); without it one is derived. */
  readonly user: string;
  /** The client's IP address; without it, that of the connection. */
  readonly clientAddress?: string | undefined;
}

export interface IdentifyLoginQuery {
  /** The name of a registered instance. */
  readonly instance?: string | undefined;
}

export interface IdentifyLoginAnswer {
  readonly id: string;
  readonly instance: string;
  /** The key it counts under; null on the default licence of an instance without a usable key. */
  readonly key: string | null;
  /** It counts under the built-in evaluation key. */
  readonly evaluation?: true;
  /** The licence user ID; null for what is nobody: pending, system, server and emergency logins. */
  readonly userId: string | null;
  readonly kind: string;
  /** `active`, `pending` until it is identified, or `grace`. */
  readonly phase: string;
  /** Connections of this user ID under the key, with this one. */
  readonly connections: number;
  /** The units they cost. */
  readonly units: number;
  /** The units that this login took. */
  readonly unitsAdded: number;
  /** Whether the user ID has passed the connections of one unit and costs one for each. */
  readonly transitioned: boolean;
  /** The ID of the decision in the journal. */
  readonly decision: string;
  /** When it was granted, by the clock of the database. */
  readonly at: string;
  /** When its lease ends unless it is renewed. */
  readonly expiresAt?: string;
  readonly expiresInSeconds?: number;
  /** When to send the next heartbeat. */
  readonly heartbeatAfterSeconds?: number;
  /** When it ends by itself. */
  readonly endsAt?: string;
  readonly throttle?: {
    readonly profile: string;
    /** What is counted: `lines` or `commands`. */
    readonly per: string;
    readonly firstPauseAfter: number;
    readonly thenPauseEvery: number;
    readonly pauseSeconds: number;
  };
  /** Whether it is in; a released one is remembered for ten minutes. */
  readonly held: boolean;
  /** Why it went. */
  readonly reason?: string;
  /** The connections of its user ID now. */
  readonly userConnections: number;
}

export interface RenewLoginQuery {
  /** The name of a registered instance. */
  readonly instance?: string | undefined;
}

export interface RenewLoginAnswer {
  readonly status: 'renewed';
  /** The new end of the lease. */
  readonly expiresAt: string;
  readonly expiresInSeconds: number;
  readonly heartbeatAfterSeconds: number;
}

export interface BatchLoginsBody {
  readonly operations: readonly ({
    /** Log in. */
    readonly do: 'login';
    readonly login: {
      /** The name of a registered instance. */
      readonly instance: string;
      /** A UUID that the client makes; capitals do not matter. The same ID gives the same answer, so that a call can be repeated. */
      readonly id?: string | undefined;
      /** The explicit licence user ID (`Login(user)`); without it one is derived. */
      readonly user?: string | undefined;
      /** The user name; it is the ID where the instance licenses by user name. */
      readonly username?: string | undefined;
      /** The client's IP address; without it, that of the connection. */
      readonly clientAddress?: string | undefined;
      /** A terminal server and port identify the user together. */
      readonly terminal?: {
        /** The terminal server. */
        readonly server: string;
        /** The port on it. */
        readonly port: string;
      } | undefined;
      /** The ID of a web session: it takes a unit until it is identified. */
      readonly webSession?: string | undefined;
      readonly process?: {
        readonly pid?: number | undefined;
        /** `system` and `server` cost nothing; a `batch` process is a user by itself. */
        readonly kind?: 'user' | 'batch' | 'startup' | 'system' | 'server' | undefined;
      } | undefined;
      /** One REST or SOAP call without a session: a unit is held for ten seconds. */
      readonly sessionless?: boolean | undefined;
      /** The administrator's login outside the pool, one for each instance. */
      readonly emergency?: boolean | undefined;
      /** The login of the process that started this one (`Job`). */
      readonly parent?: string | undefined;
      /** It ends unless heartbeats renew it; without this it lives as long as its instance. */
      readonly leaseSeconds?: number | undefined;
    };
  } | {
    /** Log out. */
    readonly do: 'logout';
    /** The name of a registered instance. */
    readonly instance: string;
    /** A UUID that the client makes; capitals do not matter. The same ID gives the same answer, so that a call can be repeated. */
    readonly id: string;
    readonly pages?: number | undefined;
  } | {
    /** Renew a lease. */
    readonly do: 'heartbeat';
    /** The name of a registered instance. */
    readonly instance: string;
    /** A UUID that the client makes; capitals do not matter. The same ID gives the same answer, so that a call can be repeated. */
    readonly id: string;
  })[];
}

export interface BatchLoginsAnswer {
  readonly verdicts: readonly ({
    /** What the single call would have answered. */
    readonly status: number;
    readonly login?: {
      readonly id: string;
      readonly instance: string;
      /** The key it counts under; null on the default licence of an instance without a usable key. */
      readonly key: string | null;
      /** It counts under the built-in evaluation key. */
      readonly evaluation?: true;
      /** The licence user ID; null for what is nobody: pending, system, server and emergency logins. */
      readonly userId: string | null;
      readonly kind: string;
      /** `active`, `pending` until it is identified, or `grace`. */
      readonly phase: string;
      /** Connections of this user ID under the key, with this one. */
      readonly connections: number;
      /** The units they cost. */
      readonly units: number;
      /** The units that this login took. */
      readonly unitsAdded: number;
      /** Whether the user ID has passed the connections of one unit and costs one for each. */
      readonly transitioned: boolean;
      /** The ID of the decision in the journal. */
      readonly decision: string;
      /** When it was granted, by the clock of the database. */
      readonly at: string;
      /** When its lease ends unless it is renewed. */
      readonly expiresAt?: string;
      readonly expiresInSeconds?: number;
      /** When to send the next heartbeat. */
      readonly heartbeatAfterSeconds?: number;
      /** When it ends by itself. */
      readonly endsAt?: string;
      readonly throttle?: {
        readonly profile: string;
        /** What is counted: `lines` or `commands`. */
        readonly per: string;
        readonly firstPauseAfter: number;
        readonly thenPauseEvery: number;
        readonly pauseSeconds: number;
      };
    };
    readonly heartbeat?: {
      readonly status: 'renewed';
      /** The new end of the lease. */
      readonly expiresAt: string;
      readonly expiresInSeconds: number;
      readonly heartbeatAfterSeconds: number;
    };
    readonly problem?: Problem;
  })[];
}

export interface BeatInstanceBody {
  /** As the registration gave it. */
  readonly incarnation: number;
}

export interface BeatInstanceAnswer {
  readonly status: 'alive';
  /** Until when it counts as alive without another heartbeat. */
  readonly aliveUntil?: string;
  /** When to send the next one. */
  readonly heartbeatAfterSeconds?: number;
}

export interface ForceReleaseBody {
  /** The instance: with `login` one login of it, without everything it holds. */
  readonly instance?: string | undefined;
  /** The ID of the login. */
  readonly login?: string | undefined;
  /** With `user`: the key that the user is counted under. */
  readonly key?: string | undefined;
  /** The licence user ID, all of whose logins end on all instances. */
  readonly user?: string | undefined;
  /** Why; it stands in the journal. */
  readonly reason: string;
}

export interface ForceReleaseAnswer {
  /** How many logins ended. */
  readonly released: number;
  /** The decision in the journal; absent when there was nothing to end. */
  readonly decision?: string;
  /** How many connections of these are in on instances that decide for themselves. They go on, and only the instances can end them. */
  readonly connectionsHeld?: number;
  /** Where these are, and what to do about them. */
  readonly notice?: string;
}

export interface RegisterInstanceBody {
  /** The ID of the key; without it, none, or the built-in one where the configuration has it. */
  readonly key?: string | undefined;
  /** In place of a key, the LicenseID under which one is served, now or later; the instance follows when another one is. */
  readonly licenseId?: string | undefined;
  /** The incarnation that the instance holds. Left out after a start: what its former life held is released then. */
  readonly incarnation?: number | undefined;
  /** An ID that the instance makes at its start, by which a repeated registration is told from a restart. */
  readonly registrationId?: string | undefined;
  /** What it runs. */
  readonly product?: string | undefined;
  /** Its version, which the key must fit. */
  readonly version?: string | undefined;
  /** Where it runs, an IPv4 or IPv6 address or a host name: for the reports only. */
  readonly address?: string | undefined;
  /** Every licence server that the instance is configured with, in any order. All instances that share a key must be configured with the same. */
  readonly licenseServers?: readonly (string)[] | undefined;
  readonly settings?: {
    /** Whether a named user is the name alone, or the name at each client address. */
    readonly identityForm?: 'name' | 'name@address' | undefined;
    /** The user name is the licence user ID in place of the client address. */
    readonly usernameLicensing?: boolean | undefined;
    /** Nobody is identified until an explicit identification. */
    readonly deferredIdentification?: boolean | undefined;
    /** How processes that have not identified themselves are slowed down. */
    readonly throttleProfile?: 'caché5' | 'caché' | undefined;
    /** The length of a pause of the profile `caché`. */
    readonly throttlePauseSeconds?: number | undefined;
    /** The units that the instance may consume of its key; 0 is no limit. */
    readonly unitLimit?: number | undefined;
    /** The connections of one user on this instance; 0 is no limit. */
    readonly connectionLimit?: number | undefined;
    /** Addresses and networks (CIDR) whose `X-Forwarded-For` is believed. */
    readonly trustedProxies?: readonly (string)[] | undefined;
    /** How long it may be silent before what it holds is taken back: 10 to 86400, or 0 for ever. */
    readonly graceSeconds?: number | undefined;
    /** What a new key can give the running instance: everything (`unlimited`); or as the product does it, the rest after a restart. `caché5`: 7,000 units more, and no change from Power Unit; `caché`: 226,773 more, and no change from Power Unit; `iris`: the same, and no change to or from Power Unit, and no fewer units. */
    readonly activationProfile?: 'unlimited' | 'caché5' | 'caché' | 'iris' | undefined;
  } | undefined;
}

export interface RegisterInstanceAnswer {
  readonly name: string;
  /** The ID of the key it works under. */
  readonly key?: string;
  /** The ID of the key that it registers with, where that is not the one it works under; empty when it names none. */
  readonly statedKey?: string;
  /** The ID of the key that its next start brings. */
  readonly pendingKey?: string;
  /** The ID of the key that it worked under before, to go back to. */
  readonly previousKey?: string;
  /** The units that it can use of its key until its next start; absent when all. */
  readonly usableUnits?: number;
  /** The LicenseID by which it asks for the key that is served. */
  readonly licenseId?: string;
  readonly licence: {
    /** `troubled` is still valid, and soon not any more. */
    readonly status: 'valid' | 'troubled' | 'invalid';
    /** Why it is invalid, as the code of a refusal. */
    readonly code?: string;
    /** The state in words, with what to do. */
    readonly reason: string;
  };
  /** Its present life, counted from 1; send it with signs of life. */
  readonly incarnation: number;
  readonly registrationId?: string;
  readonly product?: string;
  readonly version?: string;
  /** Where it runs, as it stated it. */
  readonly address?: string;
  /** The licence servers it is configured with. */
  readonly licenseServers?: readonly (string)[];
  /** `silent`: it gave no sign of life, what was bound to it was taken back, and it must register again. */
  readonly state: 'active' | 'silent';
  readonly settings: {
    /** Whether a named user is the name alone, or the name at each client address. */
    readonly identityForm: 'name' | 'name@address';
    /** The user name is the licence user ID in place of the client address. */
    readonly usernameLicensing: boolean;
    /** Nobody is identified until an explicit identification. */
    readonly deferredIdentification: boolean;
    /** How processes that have not identified themselves are slowed down. */
    readonly throttleProfile: 'caché5' | 'caché';
    /** The length of a pause of the profile `caché`. */
    readonly throttlePauseSeconds: number;
    /** The units that the instance may consume of its key; 0 is no limit. */
    readonly unitLimit: number;
    /** The connections of one user on this instance; 0 is no limit. */
    readonly connectionLimit: number;
    /** Addresses and networks (CIDR) whose `X-Forwarded-For` is believed. */
    readonly trustedProxies: readonly (string)[];
    /** How long it may be silent before what it holds is taken back: 10 to 86400, or 0 for ever. */
    readonly graceSeconds: number;
    /** What a new key can give the running instance: everything (`unlimited`); or as the product does it, the rest after a restart. `caché5`: 7,000 units more, and no change from Power Unit; `caché`: 226,773 more, and no change from Power Unit; `iris`: the same, and no change to or from Power Unit, and no fewer units. */
    readonly activationProfile: 'unlimited' | 'caché5' | 'caché' | 'iris';
  };
  /** How often it should give a sign of life; absent when it is not watched. */
  readonly heartbeatAfterSeconds?: number;
  /** When its present life began. */
  readonly registeredAt: string;
  /** Changes with every change; the ETag without its quotes. */
  readonly revision: string;
  /** Who decides on logins: the server each of them; the instance, and the server acknowledges; or the instance within units that are leased to it. */
  readonly enforcement: 'central' | 'local' | 'leased';
  /** The units that its key enforces; 1 without a usable key. */
  readonly limit: number;
  /** The connections of one user that a unit bears, over all instances. */
  readonly connectionsPerUnitMax: number;
  /** When the next update should come; what changes before can wait until then. */
  readonly nextUpdateAfterSeconds: number;
  /** What an administrator should know, in words. */
  readonly notices?: readonly (string)[];
  /** `retry` changed nothing, also not the settings; `restart` released what the former life held; `changed` took another key, product or version within the same life. */
  readonly outcome: 'new' | 'retry' | 'restart' | 'changed';
}

export interface ReadInstanceAnswer {
  readonly name: string;
  /** The ID of the key it works under. */
  readonly key?: string;
  /** The ID of the key that it registers with, where that is not the one it works under; empty when it names none. */
  readonly statedKey?: string;
  /** The ID of the key that its next start brings. */
  readonly pendingKey?: string;
  /** The ID of the key that it worked under before, to go back to. */
  readonly previousKey?: string;
  /** The units that it can use of its key until its next start; absent when all. */
  readonly usableUnits?: number;
  /** The LicenseID by which it asks for the key that is served. */
  readonly licenseId?: string;
  readonly licence: {
    /** `troubled` is still valid, and soon not any more. */
    readonly status: 'valid' | 'troubled' | 'invalid';
    /** Why it is invalid, as the code of a refusal. */
    readonly code?: string;
    /** The state in words, with what to do. */
    readonly reason: string;
  };
  /** Its present life, counted from 1; send it with signs of life. */
  readonly incarnation: number;
  readonly registrationId?: string;
  readonly product?: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
  /** Where it runs, as it stated it. */
  readonly address?: string;
  /** The licence servers it is configured with. */
  readonly licenseServers?: readonly (string)[];
  /** `silent`: it gave no sign of life, what was bound to it was taken back, and it must register again. */
  readonly state: 'active' | 'silent';
  readonly settings: {
    /** Whether a named user is the name alone, or the name at each client address. */
    readonly identityForm: 'name' | 'name@address';
    /** The user name is the licence user ID in place of the client address. */
    readonly usernameLicensing: boolean;
    /** Nobody is identified until an explicit identification. */
    readonly deferredIdentification: boolean;
    /** How processes that have not identified themselves are slowed down. */
    readonly throttleProfile: 'caché5' | 'caché';
    /** The length of a pause of the profile `caché`. */
    readonly throttlePauseSeconds: number;
    /** The units that the instance may consume of its key; 0 is no limit. */
    readonly unitLimit: number;
    /** The connections of one user on this instance; 0 is no limit. */
    readonly connectionLimit: number;
    /** Addresses and networks (CIDR) whose `X-Forwarded-For` is believed. */
    readonly trustedProxies: readonly (string)[];
    /** How long it may be silent before what it holds is taken back: 10 to 86400, or 0 for ever. */
    readonly graceSeconds: number;
    /** What a new key can give the running instance: everything (`unlimited`); or as the product does it, the rest after a restart. `caché5`: 7,000 units more, and no change from Power Unit; `caché`: 226,773 more, and no change from Power Unit; `iris`: the same, and no change to or from Power Unit, and no fewer units. */
    readonly activationProfile: 'unlimited' | 'caché5' | 'caché' | 'iris';
  };
  /** How often it should give a sign of life; absent when it is not watched. */
  readonly heartbeatAfterSeconds?: number;
  /** When its present life began. */
  readonly registeredAt: string;
  /** Changes with every change; the ETag without its quotes. */
  readonly revision: string;
  readonly holds: {
    readonly logins: number;
    /** Logins that are somebody’s. */
    readonly connections: number;
    /** Distinct users among them. */
    readonly users: number;
    /** Units as it sees them: a user who is also elsewhere counts here too. */
    readonly units: number;
  };
  /** The instant as of which this holds. */
  readonly asOf: string;
}

export interface ConfigureInstanceBody {
  /** Whether a named user is the name alone, or the name at each client address. */
  readonly identityForm?: 'name' | 'name@address' | undefined;
  /** The user name is the licence user ID in place of the client address. */
  readonly usernameLicensing?: boolean | undefined;
  /** Nobody is identified until an explicit identification. */
  readonly deferredIdentification?: boolean | undefined;
  /** How processes that have not identified themselves are slowed down. */
  readonly throttleProfile?: 'caché5' | 'caché' | undefined;
  /** The length of a pause of the profile `caché`. */
  readonly throttlePauseSeconds?: number | undefined;
  /** The units that the instance may consume of its key; 0 is no limit. */
  readonly unitLimit?: number | undefined;
  /** The connections of one user on this instance; 0 is no limit. */
  readonly connectionLimit?: number | undefined;
  /** Addresses and networks (CIDR) whose `X-Forwarded-For` is believed. */
  readonly trustedProxies?: readonly (string)[] | undefined;
  /** How long it may be silent before what it holds is taken back: 10 to 86400, or 0 for ever. */
  readonly graceSeconds?: number | undefined;
  /** What a new key can give the running instance: everything (`unlimited`); or as the product does it, the rest after a restart. `caché5`: 7,000 units more, and no change from Power Unit; `caché`: 226,773 more, and no change from Power Unit; `iris`: the same, and no change to or from Power Unit, and no fewer units. */
  readonly activationProfile?: 'unlimited' | 'caché5' | 'caché' | 'iris' | undefined;
}

export interface ConfigureInstanceAnswer {
  readonly name: string;
  /** The ID of the key it works under. */
  readonly key?: string;
  /** The ID of the key that it registers with, where that is not the one it works under; empty when it names none. */
  readonly statedKey?: string;
  /** The ID of the key that its next start brings. */
  readonly pendingKey?: string;
  /** The ID of the key that it worked under before, to go back to. */
  readonly previousKey?: string;
  /** The units that it can use of its key until its next start; absent when all. */
  readonly usableUnits?: number;
  /** The LicenseID by which it asks for the key that is served. */
  readonly licenseId?: string;
  readonly licence: {
    /** `troubled` is still valid, and soon not any more. */
    readonly status: 'valid' | 'troubled' | 'invalid';
    /** Why it is invalid, as the code of a refusal. */
    readonly code?: string;
    /** The state in words, with what to do. */
    readonly reason: string;
  };
  /** Its present life, counted from 1; send it with signs of life. */
  readonly incarnation: number;
  readonly registrationId?: string;
  readonly product?: string;
  readonly version?: string;
  /** Where it runs, as it stated it. */
  readonly address?: string;
  /** The licence servers it is configured with. */
  readonly licenseServers?: readonly (string)[];
  /** `silent`: it gave no sign of life, what was bound to it was taken back, and it must register again. */
  readonly state: 'active' | 'silent';
  readonly settings: {
    /** Whether a named user is the name alone, or the name at each client address. */
    readonly identityForm: 'name' | 'name@address';
    /** The user name is the licence user ID in place of the client address. */
    readonly usernameLicensing: boolean;
    /** Nobody is identified until an explicit identification. */
    readonly deferredIdentification: boolean;
    /** How processes that have not identified themselves are slowed down. */
    readonly throttleProfile: 'caché5' | 'caché';
    /** The length of a pause of the profile `caché`. */
    readonly throttlePauseSeconds: number;
    /** The units that the instance may consume of its key; 0 is no limit. */
    readonly unitLimit: number;
    /** The connections of one user on this instance; 0 is no limit. */
    readonly connectionLimit: number;
    /** Addresses and networks (CIDR) whose `X-Forwarded-For` is believed. */
    readonly trustedProxies: readonly (string)[];
    /** How long it may be silent before what it holds is taken back: 10 to 86400, or 0 for ever. */
    readonly graceSeconds: number;
    /** What a new key can give the running instance: everything (`unlimited`); or as the product does it, the rest after a restart. `caché5`: 7,000 units more, and no change from Power Unit; `caché`: 226,773 more, and no change from Power Unit; `iris`: the same, and no change to or from Power Unit, and no fewer units. */
    readonly activationProfile: 'unlimited' | 'caché5' | 'caché' | 'iris';
  };
  /** How often it should give a sign of life; absent when it is not watched. */
  readonly heartbeatAfterSeconds?: number;
  /** When its present life began. */
  readonly registeredAt: string;
  /** Changes with every change; the ETag without its quotes. */
  readonly revision: string;
}

export interface ListInstancesQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** Only instances registered with this key. */
  readonly key?: string | undefined;
}

export interface ListInstancesAnswer {
  readonly items: readonly ({
    readonly name: string;
    /** The ID of the key it works under. */
    readonly key?: string;
    /** The ID of the key that it registers with, where that is not the one it works under; empty when it names none. */
    readonly statedKey?: string;
    /** The ID of the key that its next start brings. */
    readonly pendingKey?: string;
    /** The ID of the key that it worked under before, to go back to. */
    readonly previousKey?: string;
    /** The units that it can use of its key until its next start; absent when all. */
    readonly usableUnits?: number;
    /** The LicenseID by which it asks for the key that is served. */
    readonly licenseId?: string;
    readonly licence: {
      /** `troubled` is still valid, and soon not any more. */
      readonly status: 'valid' | 'troubled' | 'invalid';
      /** Why it is invalid, as the code of a refusal. */
      readonly code?: string;
      /** The state in words, with what to do. */
      readonly reason: string;
    };
    /** Its present life, counted from 1; send it with signs of life. */
    readonly incarnation: number;
    readonly registrationId?: string;
    readonly product?: string;
    readonly version?: string;
    /** Where it runs, as it stated it. */
    readonly address?: string;
    /** The licence servers it is configured with. */
    readonly licenseServers?: readonly (string)[];
    /** `silent`: it gave no sign of life, what was bound to it was taken back, and it must register again. */
    readonly state: 'active' | 'silent';
    readonly settings: {
      /** Whether a named user is the name alone, or the name at each client address. */
      readonly identityForm: 'name' | 'name@address';
      /** The user name is the licence user ID in place of the client address. */
      readonly usernameLicensing: boolean;
      /** Nobody is identified until an explicit identification. */
      readonly deferredIdentification: boolean;
      /** How processes that have not identified themselves are slowed down. */
      readonly throttleProfile: 'caché5' | 'caché';
      /** The length of a pause of the profile `caché`. */
      readonly throttlePauseSeconds: number;
      /** The units that the instance may consume of its key; 0 is no limit. */
      readonly unitLimit: number;
      /** The connections of one user on this instance; 0 is no limit. */
      readonly connectionLimit: number;
      /** Addresses and networks (CIDR) whose `X-Forwarded-For` is believed. */
      readonly trustedProxies: readonly (string)[];
      /** How long it may be silent before what it holds is taken back: 10 to 86400, or 0 for ever. */
      readonly graceSeconds: number;
      /** What a new key can give the running instance: everything (`unlimited`); or as the product does it, the rest after a restart. `caché5`: 7,000 units more, and no change from Power Unit; `caché`: 226,773 more, and no change from Power Unit; `iris`: the same, and no change to or from Power Unit, and no fewer units. */
      readonly activationProfile: 'unlimited' | 'caché5' | 'caché' | 'iris';
    };
    /** How often it should give a sign of life; absent when it is not watched. */
    readonly heartbeatAfterSeconds?: number;
    /** When its present life began. */
    readonly registeredAt: string;
    /** Changes with every change; the ETag without its quotes. */
    readonly revision: string;
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface ReadInstanceFeatureAnswer {
  /** Its name, also when it was asked for by number. */
  readonly feature: string;
  /** Its number, if it has one. */
  readonly number?: number;
  readonly enabled: boolean;
  /** Why, in words. */
  readonly reason: string;
}

export interface ActivateKeyBody {
  /** The ID of an installed key. */
  readonly key: string;
}

export interface ActivateKeyAnswer {
  readonly instance: string;
  /** The ID of the key that it works under now. */
  readonly key?: string;
  /** The ID of the key that it registers with, where that is not the one it works under; empty when it names none. */
  readonly statedKey?: string;
  /** The ID of the key that its next start brings. */
  readonly pendingKey?: string;
  /** The ID of the key that it worked under before, to go back to. */
  readonly previousKey?: string;
  /** Of a key that is partly active: the units that can be used at once. */
  readonly usableUnits?: number;
  /** `active` at once; `partly-active`: so many units at once, the others after a restart; `pending` until a restart; `unchanged`: it is active, or waits for the restart, already; `invalid`: it cannot be activated. */
  readonly outcome: 'active' | 'partly-active' | 'pending' | 'unchanged' | 'invalid';
  /** The outcome in words, with what to do. */
  readonly reason: string;
  readonly requiresRestart: boolean;
  /** Why a restart is needed, in words. */
  readonly restartReason?: string;
  /** Whether it is less in anything. */
  readonly hasReductions: boolean;
  /** What the selected key has less of, or otherwise; what is no less is left out. */
  readonly reductions: {
    /** Fewer cores. */
    readonly cores?: {
      readonly from: number;
      readonly to: number;
    };
    /** Fewer units are enforced; or, where those are no fewer, were bought. */
    readonly units?: {
      readonly from: number;
      readonly to: number;
    };
    /** A unit bears fewer connections of a user. */
    readonly connectionsPerUnit?: {
      readonly from: number;
      readonly to: number;
    };
    /** It may not be shared any more. */
    readonly server?: {
      readonly from: string;
      readonly to: string;
    };
    /** Another product. */
    readonly product?: {
      readonly from: string;
      readonly to: string;
    };
    /** Another licence type. */
    readonly licenseType?: {
      readonly from: string;
      readonly to: string;
    };
    /** Features that the selected key does not permit. */
    readonly features: readonly (string)[];
    /** Protected application sections that are lost or count less. */
    readonly applications: readonly ({
      readonly application: string;
      /** Absent when the whole section is lost. */
      readonly keyword?: string;
      readonly from?: string;
      /** Absent when it is lost. */
      readonly to?: string;
    })[];
  };
  /** The units that are enforced now; 1 without a usable key. */
  readonly unitsEnforced: number;
  /** Units of the key in use now, over all instances. */
  readonly unitsInUse: number;
  /** The decision’s ID; absent when nothing changed. */
  readonly decision?: string;
  /** Of the instance. */
  readonly revision: string;
}

export interface ReadInstanceKeyQuery {
  /** The product whose text is wanted; left out, that of the instance. */
  readonly generation?: 'cache' | 'iris' | undefined;
}

export interface ReadInstanceKeyAnswer {
  readonly instance: string;
  /** What the key says; absent without a usable one. */
  readonly key?: {
    /** By content: the order number and a part of a hash. */
    readonly id: string;
    readonly orderNumber: string;
    readonly customerName?: string;
    readonly product?: string;
    /** `concurrent-user`, `power-unit`, …, or another type as written. */
    readonly licenseType: string;
    /** Only a `multi` key may be shared between instances. */
    readonly server: 'single' | 'multi';
    /** The units that were bought. */
    readonly unitsAuthorised: number;
    /** The units beyond which logins are refused. */
    readonly unitsEnforced: number;
    /** The cores that were bought. */
    readonly cores?: number;
    /** How many connections of one user a unit bears; one more makes each cost a unit. */
    readonly connectionsPerUnitMax: number;
    readonly enforcement: 'central' | 'local' | 'leased';
    readonly features: readonly (string)[];
    readonly generation?: string;
    readonly versionFrom?: string;
    /** Inclusive by prefix: 2018 admits 2018.1.4. */
    readonly versionTo?: string;
    /** The first valid day. */
    readonly notBeforeDate?: string;
    /** The last valid day. */
    readonly expirationDate?: string;
    /** When the first valid day begins in the configured zone. */
    readonly validFrom?: string;
    /** The last valid millisecond. */
    readonly validThrough?: string;
    readonly machineId?: string;
    readonly licenseId?: string;
    /** Text of the key file for display; nothing is decided by it. */
    readonly licenseCapacity?: string;
    /** `verified` by a signature; `unverified`: nobody here can check it, its terms are as an administrator stated them; `evaluation`: the built-in key. */
    readonly trust: 'verified' | 'unverified' | 'evaluation';
    readonly signingKeyId?: string;
    /** Application sections. */
    readonly sections?: readonly ({
      readonly name: string;
      /** A protected section has a period in its name. */
      readonly kind: 'protected' | 'other';
      readonly entries: readonly ({
        readonly keyword: string;
        readonly value: string;
      })[];
    })[];
  };
  /** `troubled` is still valid, and soon not any more. */
  readonly status: 'valid' | 'troubled' | 'invalid';
  /** The state in words, with what to do. */
  readonly reason: string;
  /** The key field by field: the six of the legacy display, then what else the key states. `AuthorizationKey` is shown only to who may install keys. Of a key that is missing or cannot be used `CustomerName` says why. */
  readonly fields: readonly ({
    readonly field: string;
    readonly value: string;
  })[];
  /** What is left of the units that the instance may use, if it were alone. */
  readonly unitsAvailable: number;
  /** The least that was left since the instance was started, or the marks were reset. */
  readonly unitsAvailableMin?: number;
  /** The units that the instance may use: those enforced, or its own limit. */
  readonly unitsAvailableMax: number;
  /** Active instances that use a key with this order number, this one included (`ActiveServerCount`). */
  readonly activeServers: number;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface RollBackKeyAnswer {
  readonly instance: string;
  /** The ID of the key that it works under now. */
  readonly key?: string;
  /** The ID of the key that it registers with, where that is not the one it works under; empty when it names none. */
  readonly statedKey?: string;
  /** The ID of the key that its next start brings. */
  readonly pendingKey?: string;
  /** The ID of the key that it worked under before, to go back to. */
  readonly previousKey?: string;
  /** Of a key that is partly active: the units that can be used at once. */
  readonly usableUnits?: number;
  /** `active` at once; `partly-active`: so many units at once, the others after a restart; `pending` until a restart; `unchanged`: it is active, or waits for the restart, already; `invalid`: it cannot be activated. */
  readonly outcome: 'active' | 'partly-active' | 'pending' | 'unchanged' | 'invalid';
  /** The outcome in words, with what to do. */
  readonly reason: string;
  readonly requiresRestart: boolean;
  /** Why a restart is needed, in words. */
  readonly restartReason?: string;
  /** Whether it is less in anything. */
  readonly hasReductions: boolean;
  /** What the selected key has less of, or otherwise; what is no less is left out. */
  readonly reductions: {
    /** Fewer cores. */
    readonly cores?: {
      readonly from: number;
      readonly to: number;
    };
    /** Fewer units are enforced; or, where those are no fewer, were bought. */
    readonly units?: {
      readonly from: number;
      readonly to: number;
    };
    /** A unit bears fewer connections of a user. */
    readonly connectionsPerUnit?: {
      readonly from: number;
      readonly to: number;
    };
    /** It may not be shared any more. */
    readonly server?: {
      readonly from: string;
      readonly to: string;
    };
    /** Another product. */
    readonly product?: {
      readonly from: string;
      readonly to: string;
    };
    /** Another licence type. */
    readonly licenseType?: {
      readonly from: string;
      readonly to: string;
    };
    /** Features that the selected key does not permit. */
    readonly features: readonly (string)[];
    /** Protected application sections that are lost or count less. */
    readonly applications: readonly ({
      readonly application: string;
      /** Absent when the whole section is lost. */
      readonly keyword?: string;
      readonly from?: string;
      /** Absent when it is lost. */
      readonly to?: string;
    })[];
  };
  /** The units that are enforced now; 1 without a usable key. */
  readonly unitsEnforced: number;
  /** Units of the key in use now, over all instances. */
  readonly unitsInUse: number;
  /** The decision’s ID; absent when nothing changed. */
  readonly decision?: string;
  /** Of the instance. */
  readonly revision: string;
}

export interface ListActivationsQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface ListActivationsAnswer {
  readonly items: readonly ({
    /** The ID of the decision. */
    readonly id: string;
    readonly instance: string;
    /** When. */
    readonly at: string;
    /** Who did it: the name and the ID of a token. */
    readonly by: string;
    /** What brought it: an administrator; the instance, which registered with it; the key directory; the start that it waited for; an administrator who went back. */
    readonly cause: 'activated' | 'registered' | 'served' | 'restarted' | 'rolled-back';
    /** The key before; absent when there was none. */
    readonly from?: string;
    /** The key; absent when there is none from now on. */
    readonly to?: string;
    /** `cancelled`: the key `from` waits for a restart no more; `dropped`: at the restart `to` could not be used. */
    readonly outcome: 'active' | 'partly-active' | 'pending' | 'cancelled' | 'dropped';
    readonly reason: string;
    /** The units that could be used at once. */
    readonly usableUnits?: number;
    /** The units that were enforced before; 1 without a key. */
    readonly unitsFrom: number;
    /** The units that the key enforces. */
    readonly unitsTo: number;
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
}

export interface ListApplicationsQuery {
  /** Which sections: `I` those of the vendor, `P` others that come with the key, `U` the loaded ones, in any combination. All unless stated. */
  readonly types?: string | undefined;
}

export interface ListApplicationsAnswer {
  readonly items: readonly ({
    readonly name: string;
    readonly instance: string;
    /** `loaded` for this instance; `protected` and `vendor` (`ISC.`) sections come with its key. */
    readonly kind: 'loaded' | 'protected' | 'vendor';
    /** The key across whose instances it is counted; absent on one instance. */
    readonly sharedBy?: string;
    /** Of a loaded section. */
    readonly signature?: 'verified' | 'unsigned';
    /** Whose signature it carries. */
    readonly signingKeyId?: string;
    /** When it was loaded, by the clock of the database. */
    readonly loadedAt?: string;
    readonly loadedBy?: string;
    /** Changes with every load; its entity tag. */
    readonly revision?: string;
    readonly features: readonly ({
      /** The keyword. */
      readonly feature: string;
      /** Its value as it stands in the section. */
      readonly value: string;
      /** Whether the value is a number of units; text is information. */
      readonly counted: boolean;
      /** The units; absent where the value is text. */
      readonly units?: number;
      /** The users who hold it. */
      readonly used?: number;
      /** The most at one time since it was loaded, or came with its key. */
      readonly maxUsed?: number;
      /** The units that are free; 0 also when more are held than there are now. */
      readonly free?: number;
      /** The least that was free at one time. */
      readonly minimum?: number;
    })[];
  })[];
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface LoadApplicationsBody {
  /** The content of an .ini file as text. */
  readonly file?: string | undefined;
  /** Or its bytes in base64, when they are not UTF-8. */
  readonly fileBase64?: string | undefined;
}

export interface LoadApplicationsAnswer {
  readonly items: readonly ({
    readonly name: string;
    readonly instance: string;
    /** `loaded` for this instance; `protected` and `vendor` (`ISC.`) sections come with its key. */
    readonly kind: 'loaded' | 'protected' | 'vendor';
    /** The key across whose instances it is counted; absent on one instance. */
    readonly sharedBy?: string;
    /** Of a loaded section. */
    readonly signature?: 'verified' | 'unsigned';
    /** Whose signature it carries. */
    readonly signingKeyId?: string;
    /** When it was loaded, by the clock of the database. */
    readonly loadedAt?: string;
    readonly loadedBy?: string;
    /** Changes with every load; its entity tag. */
    readonly revision?: string;
    readonly entries: readonly ({
      readonly keyword: string;
      readonly value: string;
    })[];
    /** `present` when the same content was loaded already, which changes nothing. */
    readonly outcome: 'loaded' | 'replaced' | 'present';
  })[];
}

export interface LoadApplicationBody {
  /** The content of an .ini file as text. */
  readonly file?: string | undefined;
  /** Or its bytes in base64, when they are not UTF-8. */
  readonly fileBase64?: string | undefined;
  /** Or its keywords and values; those whose value is a whole number are counted. */
  readonly entries?: {
    readonly [member: string]: string | number;
  } | undefined;
}

export interface LoadApplicationAnswer {
  readonly name: string;
  readonly instance: string;
  /** `loaded` for this instance; `protected` and `vendor` (`ISC.`) sections come with its key. */
  readonly kind: 'loaded' | 'protected' | 'vendor';
  /** The key across whose instances it is counted; absent on one instance. */
  readonly sharedBy?: string;
  /** Of a loaded section. */
  readonly signature?: 'verified' | 'unsigned';
  /** Whose signature it carries. */
  readonly signingKeyId?: string;
  /** When it was loaded, by the clock of the database. */
  readonly loadedAt?: string;
  readonly loadedBy?: string;
  /** Changes with every load; its entity tag. */
  readonly revision?: string;
  readonly entries: readonly ({
    readonly keyword: string;
    readonly value: string;
  })[];
  /** `present` when the same content was loaded already, which changes nothing. */
  readonly outcome: 'loaded' | 'replaced' | 'present';
}

export interface ReadApplicationAnswer {
  readonly name: string;
  readonly instance: string;
  /** `loaded` for this instance; `protected` and `vendor` (`ISC.`) sections come with its key. */
  readonly kind: 'loaded' | 'protected' | 'vendor';
  /** The key across whose instances it is counted; absent on one instance. */
  readonly sharedBy?: string;
  /** Of a loaded section. */
  readonly signature?: 'verified' | 'unsigned';
  /** Whose signature it carries. */
  readonly signingKeyId?: string;
  /** When it was loaded, by the clock of the database. */
  readonly loadedAt?: string;
  readonly loadedBy?: string;
  /** Changes with every load; its entity tag. */
  readonly revision?: string;
  readonly features: readonly ({
    /** The keyword. */
    readonly feature: string;
    /** Its value as it stands in the section. */
    readonly value: string;
    /** Whether the value is a number of units; text is information. */
    readonly counted: boolean;
    /** The units; absent where the value is text. */
    readonly units?: number;
    /** The users who hold it. */
    readonly used?: number;
    /** The most at one time since it was loaded, or came with its key. */
    readonly maxUsed?: number;
    /** The units that are free; 0 also when more are held than there are now. */
    readonly free?: number;
    /** The least that was free at one time. */
    readonly minimum?: number;
  })[];
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface ReadApplicationFeatureAnswer {
  /** The keyword. */
  readonly feature: string;
  /** Its value as it stands in the section. */
  readonly value: string;
  /** Whether the value is a number of units; text is information. */
  readonly counted: boolean;
  /** The units; absent where the value is text. */
  readonly units?: number;
  /** The users who hold it. */
  readonly used?: number;
  /** The most at one time since it was loaded, or came with its key. */
  readonly maxUsed?: number;
  /** The units that are free; 0 also when more are held than there are now. */
  readonly free?: number;
  /** The least that was free at one time. */
  readonly minimum?: number;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface TakeApplicationsBody {
  /** A UUID that the client makes. The same ID gives the same answer, so that the call can be repeated; without one it must not be. */
  readonly id?: string | undefined;
  /** The login that holds the units, with which they go. */
  readonly login?: string | undefined;
  /** Or the licence user ID for which they are held, until his last connection on the instance is gone. */
  readonly userId?: string | undefined;
  /** Taken all or none; one that is named twice is taken twice. */
  readonly features: readonly ({
    /** The name of the section; case matters. */
    readonly application: string;
    /** The keyword; case matters. */
    readonly feature?: string | undefined;
  })[];
}

export interface TakeApplicationsAnswer {
  readonly instance: string;
  readonly login?: string;
  readonly userId: string;
  readonly features: readonly ({
    readonly application: string;
    readonly feature: string;
    /** How often the user holds it now, over all his logins that are counted together. */
    readonly count: number;
    /** How often this holder has it now. */
    readonly held: number;
    /** The users who hold it now. */
    readonly used: number;
    /** Its units; absent when its section is gone. */
    readonly units?: number;
    /** Of a return: whether it was held, and so given back. */
    readonly released?: boolean;
  })[];
  /** The ID of the decision in the journal; absent when nothing changed. */
  readonly decision?: string;
  /** When, by the clock of the database. */
  readonly at: string;
  /** Whether it was answered before, under the same ID. */
  readonly repeated: boolean;
}

export interface ExplainTakeBody {
  /** A UUID that the client makes. The same ID gives the same answer, so that the call can be repeated; without one it must not be. */
  readonly id?: string | undefined;
  /** The login that holds the units, with which they go. */
  readonly login?: string | undefined;
  /** Or the licence user ID for which they are held, until his last connection on the instance is gone. */
  readonly userId?: string | undefined;
  /** Taken all or none; one that is named twice is taken twice. */
  readonly features: readonly ({
    /** The name of the section; case matters. */
    readonly application: string;
    /** The keyword; case matters. */
    readonly feature?: string | undefined;
  })[];
}

export interface ExplainTakeAnswer {
  readonly verdict: 'granted' | 'refused';
  /** As they would be afterwards. */
  readonly features?: readonly ({
    readonly application: string;
    readonly feature: string;
    /** How often the user holds it now, over all his logins that are counted together. */
    readonly count: number;
    /** How often this holder has it now. */
    readonly held: number;
    /** The users who hold it now. */
    readonly used: number;
    /** Its units; absent when its section is gone. */
    readonly units?: number;
    /** Of a return: whether it was held, and so given back. */
    readonly released?: boolean;
  })[];
  readonly code?: string;
  readonly rule?: string;
  readonly detail?: string;
  readonly limit?: number;
  readonly inUse?: number;
  readonly requested?: number;
  readonly retryAfterSeconds?: number;
  readonly application?: string;
  readonly feature?: string;
  /** How many users hold it. */
  readonly holdersCount?: number;
  /** At most twenty of them. */
  readonly holders?: readonly ({
    readonly userId: string;
    /** How often he has it. */
    readonly count: number;
  })[];
}

export interface ReturnApplicationsBody {
  /** A UUID that the client makes. The same ID gives the same answer, so that the call can be repeated; without one it must not be. */
  readonly id?: string | undefined;
  /** The login that holds the units, with which they go. */
  readonly login?: string | undefined;
  /** Or the licence user ID for which they are held, until his last connection on the instance is gone. */
  readonly userId?: string | undefined;
  /** One take of each is given back; left out, everything is. */
  readonly features?: readonly ({
    /** The name of the section; case matters. */
    readonly application: string;
    /** The keyword; case matters. */
    readonly feature?: string | undefined;
  })[] | undefined;
}

export interface ReturnApplicationsAnswer {
  readonly instance: string;
  readonly login?: string;
  readonly userId: string;
  readonly features: readonly ({
    readonly application: string;
    readonly feature: string;
    /** How often the user holds it now, over all his logins that are counted together. */
    readonly count: number;
    /** How often this holder has it now. */
    readonly held: number;
    /** The users who hold it now. */
    readonly used: number;
    /** Its units; absent when its section is gone. */
    readonly units?: number;
    /** Of a return: whether it was held, and so given back. */
    readonly released?: boolean;
  })[];
  /** The ID of the decision in the journal; absent when nothing changed. */
  readonly decision?: string;
  /** When, by the clock of the database. */
  readonly at: string;
  /** Whether it was answered before, under the same ID. */
  readonly repeated: boolean;
}

export interface ListHoldersQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** The keyword; case matters. */
  readonly feature?: string | undefined;
  /** Only of this licence user ID. */
  readonly userId?: string | undefined;
  /** Only what this login has taken. */
  readonly login?: string | undefined;
  /** Of a section that is counted across a key: its holders on all instances of the key. */
  readonly across?: boolean | undefined;
}

export interface ListHoldersAnswer {
  readonly items: readonly ({
    readonly instance: string;
    readonly application: string;
    readonly feature: string;
    readonly userId: string;
    /** Absent when it is held for the user himself. */
    readonly login?: string;
    /** How often this holder has it. */
    readonly takes: number;
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface RecountApplicationBody {
  /** Only this feature; left out, all that are counted. */
  readonly feature?: string | undefined;
}

export interface RecountApplicationAnswer {
  readonly items: readonly ({
    readonly feature: string;
    /** The users who were found to hold it. */
    readonly counted: number;
    /** What the counter said. */
    readonly before: number;
    /** The difference, which is 0 unless the table is damaged. */
    readonly recovered: number;
  })[];
}

export interface ReadInstanceLoginQuery {
  /** The keyword; case matters. */
  readonly feature: string;
}

export interface ReadInstanceLoginAnswer {
  /** Whether no more instances use the key than the keyword licenses. */
  readonly permitted: boolean;
  /** Active instances that are registered with the key. */
  readonly instances: number;
  /** The number of instances that the keyword licenses. */
  readonly limit: number;
}

export interface UpdateInstanceBody {
  /** As the registration gave it. */
  readonly incarnation: number;
  /** The number of this update: above that of every earlier one of this incarnation, from 1 on. When nothing changed, `since` again. */
  readonly sequence: number;
  /** The last update whose answer the instance holds; 0 for none. `users` are all that changed since then. */
  readonly since: number;
  /** Of a report of the whole table: the number of its first part. Users that none of its parts states are gone. */
  readonly fullFrom?: number | undefined;
  /** Further parts of the full report follow. */
  readonly more?: boolean | undefined;
  /** Rows as they are now, each user once. More than fit go into further updates. */
  readonly users: readonly ({
    /** The licence user ID. */
    readonly id: string;
    /** How many he has now; 0 when he is gone. */
    readonly connections: number;
    /** How many of them are web sessions. */
    readonly webSessions: number;
    /** Whether each of his connections costs a unit, as the instance sees it. */
    readonly transitioned: boolean;
  })[];
  /** Of the whole table after this update: the number of its rows, the sum of their connections, and the sum modulo 2³² of the CRC-32 of `id`, `connections`, `webSessions` and `transitioned` (1 or 0) of each row, joined by line feeds, in UTF-8; as `12.31.9f0c22aa`. Left out only with `more`. */
  readonly digest?: string | undefined;
  /** Of the settings that the instance holds. */
  readonly settingsRevision?: string | undefined;
  /** For a key whose enforcement is `leased`: the rights of the instance, lowered to what it needs before they are stated. */
  readonly lease?: {
    /** The number of this statement: above that of every earlier one of this incarnation. To repeat one as it was does no harm. */
    readonly sequence: number;
    /** The instance holds nothing: it has just begun, or its term has ended. */
    readonly fresh?: true | undefined;
    /** The revision of the lease that the entries are of; 0 when it is fresh. */
    readonly basis: number;
    /** `users` are all entries. Stated whenever the last statement was not answered; otherwise only what changed. */
    readonly whole?: true | undefined;
    /** The units of the block that the instance keeps. It has given up the others already. */
    readonly units: number;
    /** The units that it would like to have in its block. */
    readonly wanted: number;
    /** User IDs with an entry, each once. */
    readonly users: readonly ({
      /** The licence user ID. */
      readonly id: string;
      /** The connections that the instance keeps on the server’s account. Of a user without an entry so far: those that were on the block, which has been made smaller by as many. */
      readonly allowance: number;
      /** The connections that he has, and those that wait for this answer. */
      readonly needed: number;
      /** The connections that would spare the instance from asking for the next. */
      readonly wanted: number;
      /** One of the logins that wait, for the journal to name. */
      readonly login?: string | undefined;
    })[];
  } | undefined;
}

export interface UpdateInstanceAnswer {
  /** Whether new users may come in. If not, users without a login on the instance are refused there until it is acknowledged again; nobody else is stopped. */
  readonly acknowledged: boolean;
  /** Why not: `over-limit`, or the code of what ails the key. */
  readonly reason?: string;
  /** The last update of the incarnation that the server holds. */
  readonly sequence: number;
  /** The server’s rows are not the instance’s: report the whole table now. */
  readonly resend?: 'full';
  /** The ID of the key. */
  readonly key?: string;
  /** Who decides on logins: the server each of them; the instance, and the server acknowledges; or the instance within units that are leased to it. */
  readonly enforcement: 'central' | 'local' | 'leased';
  /** The units that its key enforces; 1 without a usable key. */
  readonly limit: number;
  /** The connections of one user that a unit bears, over all instances. */
  readonly connectionsPerUnitMax: number;
  /** When the next update should come; what changes before can wait until then. */
  readonly nextUpdateAfterSeconds: number;
  /** Units in use of the key, over all instances. */
  readonly inUse: number;
  /** The server’s time. */
  readonly at: string;
  /** Users of this instance who have transitioned over all instances: mark them, unless they went to no connection after this update was made. */
  readonly transitioned?: readonly (string)[];
  readonly overLimit?: {
    /** Since when combined use has been over the limit. */
    readonly since: string;
    /** Units over it now; 0 while use is exactly the limit. */
    readonly units: number;
    /** The most units over it at one time. */
    readonly unitsMax: number;
  };
  /** The settings, with the limit of units that holds now: of a key that is partly active, what can be used until the next start. */
  readonly settings?: {
    /** Whether a named user is the name alone, or the name at each client address. */
    readonly identityForm: 'name' | 'name@address';
    /** The user name is the licence user ID in place of the client address. */
    readonly usernameLicensing: boolean;
    /** Nobody is identified until an explicit identification. */
    readonly deferredIdentification: boolean;
    /** How processes that have not identified themselves are slowed down. */
    readonly throttleProfile: 'caché5' | 'caché';
    /** The length of a pause of the profile `caché`. */
    readonly throttlePauseSeconds: number;
    /** The units that the instance may consume of its key; 0 is no limit. */
    readonly unitLimit: number;
    /** The connections of one user on this instance; 0 is no limit. */
    readonly connectionLimit: number;
    /** Addresses and networks (CIDR) whose `X-Forwarded-For` is believed. */
    readonly trustedProxies: readonly (string)[];
    /** How long it may be silent before what it holds is taken back: 10 to 86400, or 0 for ever. */
    readonly graceSeconds: number;
    /** What a new key can give the running instance: everything (`unlimited`); or as the product does it, the rest after a restart. `caché5`: 7,000 units more, and no change from Power Unit; `caché`: 226,773 more, and no change from Power Unit; `iris`: the same, and no change to or from Power Unit, and no fewer units. */
    readonly activationProfile: 'unlimited' | 'caché5' | 'caché' | 'iris';
  };
  /** Of a key that is active in part: the units that can be used until the next start. */
  readonly usableUnits?: number;
  /** Send it with the next update; other settings are told then. */
  readonly settingsRevision: string;
  readonly lease?: {
    /** The statement that this answers. Only the answer to the latest one counts. */
    readonly sequence: number;
    /** The ID of the lease; absent when there is none. */
    readonly id?: string;
    /** State it as the basis of the next statement. */
    readonly revision: number;
    /** The units of the block. */
    readonly units: number;
    /** How long the lease may be believed in, counted from before the statement was first sent, and ended early by a margin. */
    readonly termMs: number;
    /** When to state the rights again, if nothing is wanted before. */
    readonly nextStatementAfterSeconds: number;
    /** Entries that are other than they were stated; with `whole`, all there are. */
    readonly allowances: readonly ({
      readonly id: string;
      /** The connections that the instance may have of him. */
      readonly allowance: number;
    })[];
    readonly whole?: true;
    /** Entries that are no more: connections of these users cost a unit of the block again. */
    readonly dropped?: readonly (string)[];
    /** Users to state exactly in the next statement, soon: how many connections there are, and no more. */
    readonly held?: readonly (string)[];
    /** Users of whom nothing can be decided before other instances have spoken: state them again soon. */
    readonly pending?: readonly (string)[];
    /** Users who get no more connections, and why. */
    readonly refused?: readonly ({
      /** The licence user ID. */
      readonly id: string;
      /** The rule that refused one more connection. */
      readonly rule: 'enforced-units' | 'transition' | 'unit-limit' | 'partial-activation';
      /** The code of the problem. */
      readonly code: 'units-exhausted' | 'unit-limit-reached' | 'restart-required';
      /** The units that there are. */
      readonly limit: number;
      /** The units in use or leased. */
      readonly inUse: number;
      /** The units that one more connection would have taken. */
      readonly requested: number;
      /** The ID of the decision in the journal. */
      readonly decision: string;
      /** When to ask again. */
      readonly retryAfterSeconds: number;
    })[];
    /** Few units are free: keep none that are idle. */
    readonly scarce: boolean;
    /** Why nothing more is granted, in the code of a problem; what is held stays held. */
    readonly closed?: 'key-expired' | 'key-not-yet-valid' | 'key-untrusted' | 'key-missing' | 'key-unusable';
    /** Nothing was done: state everything at once, whole. */
    readonly restate?: true;
    /** The server knows of no such rights: whatever they covered is lost. Begin afresh. */
    readonly unknown?: true;
  };
}

export interface CloseInstanceBody {
  /** As the registration gave it. */
  readonly incarnation: number;
}

export interface InspectKeyBody {
  /** The content of the key file as text. */
  readonly file?: string | undefined;
  /** Or its bytes in base64, when they are not UTF-8 or must stay as they are. */
  readonly fileBase64?: string | undefined;
  /** The terms of a key that nobody here can verify, as its licensee states them. A signed key has them in its file. */
  readonly stated?: {
    /** The units that were bought. */
    readonly units: number;
    /** The units beyond which logins are refused; at least `units`. */
    readonly unitsEnforced?: number | undefined;
    /** The cores that were bought. */
    readonly cores?: number | undefined;
    /** For instance `concurrent-user`. */
    readonly licenseType: string;
    readonly server: 'single' | 'multi';
    /** The product. */
    readonly product?: string | undefined;
    readonly features?: readonly (string)[] | undefined;
    /** The first version it is good for. */
    readonly versionFrom?: string | undefined;
    /** The last version it is good for, inclusive by prefix. */
    readonly versionTo?: string | undefined;
  } | undefined;
  /** Or the ID of a key that is installed, in place of a file. */
  readonly key?: string | undefined;
  /** The instance on which it is to be activated. */
  readonly instance?: string | undefined;
}

export interface InspectKeyAnswer {
  /** The ID it would have. */
  readonly id: string;
  /** Whether this server would install it as it was sent. */
  readonly installable: boolean;
  /** Why not: `key-untrusted` or `key-unverified`. */
  readonly code?: string;
  /** Why not, in words, with what to do. */
  readonly reason?: string;
  /** Whether a key with this ID is installed already. */
  readonly installed: boolean;
  readonly key?: {
    /** By content: the order number and a part of a hash. */
    readonly id: string;
    readonly orderNumber: string;
    readonly customerName?: string;
    readonly product?: string;
    /** `concurrent-user`, `power-unit`, …, or another type as written. */
    readonly licenseType: string;
    /** Only a `multi` key may be shared between instances. */
    readonly server: 'single' | 'multi';
    /** The units that were bought. */
    readonly unitsAuthorised: number;
    /** The units beyond which logins are refused. */
    readonly unitsEnforced: number;
    /** The cores that were bought. */
    readonly cores?: number;
    /** How many connections of one user a unit bears; one more makes each cost a unit. */
    readonly connectionsPerUnitMax: number;
    readonly enforcement: 'central' | 'local' | 'leased';
    readonly features: readonly (string)[];
    readonly generation?: string;
    readonly versionFrom?: string;
    /** Inclusive by prefix: 2018 admits 2018.1.4. */
    readonly versionTo?: string;
    /** The first valid day. */
    readonly notBeforeDate?: string;
    /** The last valid day. */
    readonly expirationDate?: string;
    /** When the first valid day begins in the configured zone. */
    readonly validFrom?: string;
    /** The last valid millisecond. */
    readonly validThrough?: string;
    readonly machineId?: string;
    readonly licenseId?: string;
    /** Text of the key file for display; nothing is decided by it. */
    readonly licenseCapacity?: string;
    /** `verified` by a signature; `unverified`: nobody here can check it, its terms are as an administrator stated them; `evaluation`: the built-in key. */
    readonly trust: 'verified' | 'unverified' | 'evaluation';
    readonly signingKeyId?: string;
    /** Application sections. */
    readonly sections?: readonly ({
      readonly name: string;
      /** A protected section has a period in its name. */
      readonly kind: 'protected' | 'other';
      readonly entries: readonly ({
        readonly keyword: string;
        readonly value: string;
      })[];
    })[];
  };
  readonly status?: {
    /** `troubled` is still valid, and soon not any more. */
    readonly status: 'valid' | 'troubled' | 'invalid';
    /** Why it is invalid, as the code of a refusal. */
    readonly code?: string;
    /** The state in words, with what to do. */
    readonly reason: string;
  };
  /** What would be enforced, in words. */
  readonly enforces?: string;
  /** Things worth knowing that do not prevent its use. */
  readonly notices: readonly (string)[];
  /** Of the file; absent for a key that is built in. */
  readonly encoding?: 'utf-8' | 'latin-1';
  /** What would become of the key on the instance. */
  readonly activation?: {
    readonly instance: string;
    /** The customer of the current key; `License missing or unreadable` without one. */
    readonly currentCustomer: string;
    readonly current?: {
      /** By content: the order number and a part of a hash. */
      readonly id: string;
      readonly orderNumber: string;
      readonly customerName?: string;
      readonly product?: string;
      /** `concurrent-user`, `power-unit`, …, or another type as written. */
      readonly licenseType: string;
      /** Only a `multi` key may be shared between instances. */
      readonly server: 'single' | 'multi';
      /** The units that were bought. */
      readonly unitsAuthorised: number;
      /** The units beyond which logins are refused. */
      readonly unitsEnforced: number;
      /** The cores that were bought. */
      readonly cores?: number;
      /** How many connections of one user a unit bears; one more makes each cost a unit. */
      readonly connectionsPerUnitMax: number;
      readonly enforcement: 'central' | 'local' | 'leased';
      readonly features: readonly (string)[];
      readonly generation?: string;
      readonly versionFrom?: string;
      /** Inclusive by prefix: 2018 admits 2018.1.4. */
      readonly versionTo?: string;
      /** The first valid day. */
      readonly notBeforeDate?: string;
      /** The last valid day. */
      readonly expirationDate?: string;
      /** When the first valid day begins in the configured zone. */
      readonly validFrom?: string;
      /** The last valid millisecond. */
      readonly validThrough?: string;
      readonly machineId?: string;
      readonly licenseId?: string;
      /** Text of the key file for display; nothing is decided by it. */
      readonly licenseCapacity?: string;
      /** `verified` by a signature; `unverified`: nobody here can check it, its terms are as an administrator stated them; `evaluation`: the built-in key. */
      readonly trust: 'verified' | 'unverified' | 'evaluation';
      readonly signingKeyId?: string;
      /** Application sections. */
      readonly sections?: readonly ({
        readonly name: string;
        /** A protected section has a period in its name. */
        readonly kind: 'protected' | 'other';
        readonly entries: readonly ({
          readonly keyword: string;
          readonly value: string;
        })[];
      })[];
    };
    readonly selected?: {
      /** By content: the order number and a part of a hash. */
      readonly id: string;
      readonly orderNumber: string;
      readonly customerName?: string;
      readonly product?: string;
      /** `concurrent-user`, `power-unit`, …, or another type as written. */
      readonly licenseType: string;
      /** Only a `multi` key may be shared between instances. */
      readonly server: 'single' | 'multi';
      /** The units that were bought. */
      readonly unitsAuthorised: number;
      /** The units beyond which logins are refused. */
      readonly unitsEnforced: number;
      /** The cores that were bought. */
      readonly cores?: number;
      /** How many connections of one user a unit bears; one more makes each cost a unit. */
      readonly connectionsPerUnitMax: number;
      readonly enforcement: 'central' | 'local' | 'leased';
      readonly features: readonly (string)[];
      readonly generation?: string;
      readonly versionFrom?: string;
      /** Inclusive by prefix: 2018 admits 2018.1.4. */
      readonly versionTo?: string;
      /** The first valid day. */
      readonly notBeforeDate?: string;
      /** The last valid day. */
      readonly expirationDate?: string;
      /** When the first valid day begins in the configured zone. */
      readonly validFrom?: string;
      /** The last valid millisecond. */
      readonly validThrough?: string;
      readonly machineId?: string;
      readonly licenseId?: string;
      /** Text of the key file for display; nothing is decided by it. */
      readonly licenseCapacity?: string;
      /** `verified` by a signature; `unverified`: nobody here can check it, its terms are as an administrator stated them; `evaluation`: the built-in key. */
      readonly trust: 'verified' | 'unverified' | 'evaluation';
      readonly signingKeyId?: string;
      /** Application sections. */
      readonly sections?: readonly ({
        readonly name: string;
        /** A protected section has a period in its name. */
        readonly kind: 'protected' | 'other';
        readonly entries: readonly ({
          readonly keyword: string;
          readonly value: string;
        })[];
      })[];
    };
    /** Both keys side by side, field by field. */
    readonly fields: readonly ({
      /** A member of the key. */
      readonly field: string;
      /** Absent when the current key has none. */
      readonly current?: string;
      /** Absent when the selected key has none. */
      readonly selected?: string;
      readonly differs: boolean;
    })[];
    readonly valid: boolean;
    /** Why it is not valid, as the code of a problem. */
    readonly code?: string;
    /** The units beyond which the selected key refuses logins. */
    readonly unitsEnforced?: number;
    /** Units that the instance uses now. */
    readonly unitsInUse: number;
    /** Units of the selected key that are in use now, over all instances; those of this instance come to them where it works under another key. */
    readonly selectedInUse: number;
    /** A token of what was inspected, which is the ETag as well: activate it with `If-Match`, and exactly this is applied. */
    readonly inspection?: string;
    /** `active` at once; `partly-active`: so many units at once, the others after a restart; `pending` until a restart; `unchanged`: it is active, or waits for the restart, already; `invalid`: it cannot be activated. */
    readonly outcome: 'active' | 'partly-active' | 'pending' | 'unchanged' | 'invalid';
    /** The outcome in words, with what to do. */
    readonly reason: string;
    readonly requiresRestart: boolean;
    /** Why a restart is needed, in words. */
    readonly restartReason?: string;
    /** Of a key that is partly active: the units that can be used at once. */
    readonly usableUnits?: number;
    /** Whether it is less in anything. */
    readonly hasReductions: boolean;
    /** What the selected key has less of, or otherwise; what is no less is left out. */
    readonly reductions: {
      /** Fewer cores. */
      readonly cores?: {
        readonly from: number;
        readonly to: number;
      };
      /** Fewer units are enforced; or, where those are no fewer, were bought. */
      readonly units?: {
        readonly from: number;
        readonly to: number;
      };
      /** A unit bears fewer connections of a user. */
      readonly connectionsPerUnit?: {
        readonly from: number;
        readonly to: number;
      };
      /** It may not be shared any more. */
      readonly server?: {
        readonly from: string;
        readonly to: string;
      };
      /** Another product. */
      readonly product?: {
        readonly from: string;
        readonly to: string;
      };
      /** Another licence type. */
      readonly licenseType?: {
        readonly from: string;
        readonly to: string;
      };
      /** Features that the selected key does not permit. */
      readonly features: readonly (string)[];
      /** Protected application sections that are lost or count less. */
      readonly applications: readonly ({
        readonly application: string;
        /** Absent when the whole section is lost. */
        readonly keyword?: string;
        readonly from?: string;
        /** Absent when it is lost. */
        readonly to?: string;
      })[];
    };
  };
  /** Everything that stands in the file. */
  readonly sections: readonly ({
    readonly name: string;
    readonly kind: 'config' | 'license' | 'protected' | 'other';
    readonly line: number;
    readonly entries: readonly ({
      readonly keyword: string;
      readonly value: string;
      readonly line: number;
    })[];
  })[];
}

export interface InstallKeyBody {
  /** The content of the key file as text. */
  readonly file?: string | undefined;
  /** Or its bytes in base64, when they are not UTF-8 or must stay as they are. */
  readonly fileBase64?: string | undefined;
  /** The terms of a key that nobody here can verify, as its licensee states them. A signed key has them in its file. */
  readonly stated?: {
    /** The units that were bought. */
    readonly units: number;
    /** The units beyond which logins are refused; at least `units`. */
    readonly unitsEnforced?: number | undefined;
    /** The cores that were bought. */
    readonly cores?: number | undefined;
    /** For instance `concurrent-user`. */
    readonly licenseType: string;
    readonly server: 'single' | 'multi';
    /** The product. */
    readonly product?: string | undefined;
    readonly features?: readonly (string)[] | undefined;
    /** The first version it is good for. */
    readonly versionFrom?: string | undefined;
    /** The last version it is good for, inclusive by prefix. */
    readonly versionTo?: string | undefined;
  } | undefined;
}

export interface InstallKeyAnswer {
  /** By content: the order number and a part of a hash. */
  readonly id: string;
  readonly orderNumber: string;
  readonly customerName?: string;
  readonly product?: string;
  /** `concurrent-user`, `power-unit`, …, or another type as written. */
  readonly licenseType: string;
  /** Only a `multi` key may be shared between instances. */
  readonly server: 'single' | 'multi';
  /** The units that were bought. */
  readonly unitsAuthorised: number;
  /** The units beyond which logins are refused. */
  readonly unitsEnforced: number;
  /** The cores that were bought. */
  readonly cores?: number;
  /** How many connections of one user a unit bears; one more makes each cost a unit. */
  readonly connectionsPerUnitMax: number;
  readonly enforcement: 'central' | 'local' | 'leased';
  readonly features: readonly (string)[];
  readonly generation?: string;
  readonly versionFrom?: string;
  /** Inclusive by prefix: 2018 admits 2018.1.4. */
  readonly versionTo?: string;
  /** The first valid day. */
  readonly notBeforeDate?: string;
  /** The last valid day. */
  readonly expirationDate?: string;
  /** When the first valid day begins in the configured zone. */
  readonly validFrom?: string;
  /** The last valid millisecond. */
  readonly validThrough?: string;
  readonly machineId?: string;
  readonly licenseId?: string;
  /** Text of the key file for display; nothing is decided by it. */
  readonly licenseCapacity?: string;
  /** `verified` by a signature; `unverified`: nobody here can check it, its terms are as an administrator stated them; `evaluation`: the built-in key. */
  readonly trust: 'verified' | 'unverified' | 'evaluation';
  readonly signingKeyId?: string;
  /** Application sections. */
  readonly sections?: readonly ({
    readonly name: string;
    /** A protected section has a period in its name. */
    readonly kind: 'protected' | 'other';
    readonly entries: readonly ({
      readonly keyword: string;
      readonly value: string;
    })[];
  })[];
  /** `troubled` is still valid, and soon not any more. */
  readonly status: 'valid' | 'troubled' | 'invalid';
  /** Why it is invalid, as the code of a refusal. */
  readonly code?: string;
  /** The state in words, with what to do. */
  readonly reason: string;
  /** When it was installed. */
  readonly installedAt: string;
  /** Who installed it: the name and the ID of a token. */
  readonly installedBy: string;
  /** When it was served last; of the keys of a LicenseID the latest one is served. */
  readonly servedAt?: string;
  /** Changes with every change; the ETag without its quotes. */
  readonly revision: string;
  readonly outcome: 'installed' | 'present';
}

export interface ListKeysQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface ListKeysAnswer {
  readonly items: readonly ({
    /** By content: the order number and a part of a hash. */
    readonly id: string;
    readonly orderNumber: string;
    readonly customerName?: string;
    readonly product?: string;
    /** `concurrent-user`, `power-unit`, …, or another type as written. */
    readonly licenseType: string;
    /** Only a `multi` key may be shared between instances. */
    readonly server: 'single' | 'multi';
    /** The units that were bought. */
    readonly unitsAuthorised: number;
    /** The units beyond which logins are refused. */
    readonly unitsEnforced: number;
    /** The cores that were bought. */
    readonly cores?: number;
    /** How many connections of one user a unit bears; one more makes each cost a unit. */
    readonly connectionsPerUnitMax: number;
    readonly enforcement: 'central' | 'local' | 'leased';
    readonly features: readonly (string)[];
    readonly generation?: string;
    readonly versionFrom?: string;
    /** Inclusive by prefix: 2018 admits 2018.1.4. */
    readonly versionTo?: string;
    /** The first valid day. */
    readonly notBeforeDate?: string;
    /** The last valid day. */
    readonly expirationDate?: string;
    /** When the first valid day begins in the configured zone. */
    readonly validFrom?: string;
    /** The last valid millisecond. */
    readonly validThrough?: string;
    readonly machineId?: string;
    readonly licenseId?: string;
    /** Text of the key file for display; nothing is decided by it. */
    readonly licenseCapacity?: string;
    /** `verified` by a signature; `unverified`: nobody here can check it, its terms are as an administrator stated them; `evaluation`: the built-in key. */
    readonly trust: 'verified' | 'unverified' | 'evaluation';
    readonly signingKeyId?: string;
    /** Application sections. */
    readonly sections?: readonly ({
      readonly name: string;
      /** A protected section has a period in its name. */
      readonly kind: 'protected' | 'other';
      readonly entries: readonly ({
        readonly keyword: string;
        readonly value: string;
      })[];
    })[];
    /** `troubled` is still valid, and soon not any more. */
    readonly status: 'valid' | 'troubled' | 'invalid';
    /** Why it is invalid, as the code of a refusal. */
    readonly code?: string;
    /** The state in words, with what to do. */
    readonly reason: string;
    /** When it was installed. */
    readonly installedAt: string;
    /** Who installed it: the name and the ID of a token. */
    readonly installedBy: string;
    /** When it was served last; of the keys of a LicenseID the latest one is served. */
    readonly servedAt?: string;
    /** Changes with every change; the ETag without its quotes. */
    readonly revision: string;
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface ReadKeyAnswer {
  /** By content: the order number and a part of a hash. */
  readonly id: string;
  readonly orderNumber: string;
  readonly customerName?: string;
  readonly product?: string;
  /** `concurrent-user`, `power-unit`, …, or another type as written. */
  readonly licenseType: string;
  /** Only a `multi` key may be shared between instances. */
  readonly server: 'single' | 'multi';
  /** The units that were bought. */
  readonly unitsAuthorised: number;
  /** The units beyond which logins are refused. */
  readonly unitsEnforced: number;
  /** The cores that were bought. */
  readonly cores?: number;
  /** How many connections of one user a unit bears; one more makes each cost a unit. */
  readonly connectionsPerUnitMax: number;
  readonly enforcement: 'central' | 'local' | 'leased';
  readonly features: readonly (string)[];
  readonly generation?: string;
  readonly versionFrom?: string;
  /** Inclusive by prefix: 2018 admits 2018.1.4. */
  readonly versionTo?: string;
  /** The first valid day. */
  readonly notBeforeDate?: string;
  /** The last valid day. */
  readonly expirationDate?: string;
  /** When the first valid day begins in the configured zone. */
  readonly validFrom?: string;
  /** The last valid millisecond. */
  readonly validThrough?: string;
  readonly machineId?: string;
  readonly licenseId?: string;
  /** Text of the key file for display; nothing is decided by it. */
  readonly licenseCapacity?: string;
  /** `verified` by a signature; `unverified`: nobody here can check it, its terms are as an administrator stated them; `evaluation`: the built-in key. */
  readonly trust: 'verified' | 'unverified' | 'evaluation';
  readonly signingKeyId?: string;
  /** Application sections. */
  readonly sections?: readonly ({
    readonly name: string;
    /** A protected section has a period in its name. */
    readonly kind: 'protected' | 'other';
    readonly entries: readonly ({
      readonly keyword: string;
      readonly value: string;
    })[];
  })[];
  /** `troubled` is still valid, and soon not any more. */
  readonly status: 'valid' | 'troubled' | 'invalid';
  /** Why it is invalid, as the code of a refusal. */
  readonly code?: string;
  /** The state in words, with what to do. */
  readonly reason: string;
  /** When it was installed. */
  readonly installedAt: string;
  /** Who installed it: the name and the ID of a token. */
  readonly installedBy: string;
  /** When it was served last; of the keys of a LicenseID the latest one is served. */
  readonly servedAt?: string;
  /** Changes with every change; the ETag without its quotes. */
  readonly revision: string;
}

export interface ChangeKeyBody {
  /** How many connections of one user a unit bears. */
  readonly connectionsPerUnitMax?: number | undefined;
  /** Who decides on logins: the server each of them (`central`); the instances, which report, so that the limit can be exceeded for a while (`local`); or the instances within units that are leased to them, so that it cannot (`leased`). It changes only while no instance holds users or units by the old one. */
  readonly enforcement?: 'central' | 'local' | 'leased' | undefined;
}

export interface ChangeKeyAnswer {
  /** By content: the order number and a part of a hash. */
  readonly id: string;
  readonly orderNumber: string;
  readonly customerName?: string;
  readonly product?: string;
  /** `concurrent-user`, `power-unit`, …, or another type as written. */
  readonly licenseType: string;
  /** Only a `multi` key may be shared between instances. */
  readonly server: 'single' | 'multi';
  /** The units that were bought. */
  readonly unitsAuthorised: number;
  /** The units beyond which logins are refused. */
  readonly unitsEnforced: number;
  /** The cores that were bought. */
  readonly cores?: number;
  /** How many connections of one user a unit bears; one more makes each cost a unit. */
  readonly connectionsPerUnitMax: number;
  readonly enforcement: 'central' | 'local' | 'leased';
  readonly features: readonly (string)[];
  readonly generation?: string;
  readonly versionFrom?: string;
  /** Inclusive by prefix: 2018 admits 2018.1.4. */
  readonly versionTo?: string;
  /** The first valid day. */
  readonly notBeforeDate?: string;
  /** The last valid day. */
  readonly expirationDate?: string;
  /** When the first valid day begins in the configured zone. */
  readonly validFrom?: string;
  /** The last valid millisecond. */
  readonly validThrough?: string;
  readonly machineId?: string;
  readonly licenseId?: string;
  /** Text of the key file for display; nothing is decided by it. */
  readonly licenseCapacity?: string;
  /** `verified` by a signature; `unverified`: nobody here can check it, its terms are as an administrator stated them; `evaluation`: the built-in key. */
  readonly trust: 'verified' | 'unverified' | 'evaluation';
  readonly signingKeyId?: string;
  /** Application sections. */
  readonly sections?: readonly ({
    readonly name: string;
    /** A protected section has a period in its name. */
    readonly kind: 'protected' | 'other';
    readonly entries: readonly ({
      readonly keyword: string;
      readonly value: string;
    })[];
  })[];
  /** `troubled` is still valid, and soon not any more. */
  readonly status: 'valid' | 'troubled' | 'invalid';
  /** Why it is invalid, as the code of a refusal. */
  readonly code?: string;
  /** The state in words, with what to do. */
  readonly reason: string;
  /** When it was installed. */
  readonly installedAt: string;
  /** Who installed it: the name and the ID of a token. */
  readonly installedBy: string;
  /** When it was served last; of the keys of a LicenseID the latest one is served. */
  readonly servedAt?: string;
  /** Changes with every change; the ETag without its quotes. */
  readonly revision: string;
}

export interface ReadKeyFeatureAnswer {
  /** Its name, also when it was asked for by number. */
  readonly feature: string;
  /** Its number, if it has one. */
  readonly number?: number;
  readonly enabled: boolean;
  /** Why, in words. */
  readonly reason: string;
}

export interface ListServedKeysQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface ListServedKeysAnswer {
  readonly items: readonly ({
    /** Absent for a file that gives none. */
    readonly licenseId?: string;
    /** The ID of the key that is served; absent when none is. */
    readonly key?: string;
    /** Since when it is. */
    readonly servedAt?: string;
    /** The units beyond which logins are refused. */
    readonly unitsEnforced?: number;
    /** How many instances are registered by this LicenseID. */
    readonly instances: number;
    /** The file of the directory that states it. */
    readonly file?: string;
    /** The key in the file, where it is not the one that is served. */
    readonly fileKey?: string;
    /** What keeps the file from being served. What was served before stays so. */
    readonly fault?: {
      readonly code: string;
      /** In words, with what to do. */
      readonly reason: string;
    };
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
  /** The directory of `LICTOR_KEY_DIRECTORY`; absent without one, and for a token that is restricted. */
  readonly directory?: {
    /** When the replica that answers looked at it last. */
    readonly lookedAt?: string;
    /** How many key files it has. */
    readonly files: number;
    /** What is wrong with it as a whole. */
    readonly fault?: string;
  };
}

export interface ServeKeyBody {
  /** The ID of an installed key that states the LicenseID. */
  readonly key: string;
}

export interface ServeKeyAnswer {
  /** Absent for a file that gives none. */
  readonly licenseId?: string;
  /** The ID of the key that is served; absent when none is. */
  readonly key?: string;
  /** Since when it is. */
  readonly servedAt?: string;
  /** The units beyond which logins are refused. */
  readonly unitsEnforced?: number;
  /** How many instances are registered by this LicenseID. */
  readonly instances: number;
  /** The file of the directory that states it. */
  readonly file?: string;
  /** The key in the file, where it is not the one that is served. */
  readonly fileKey?: string;
  /** What keeps the file from being served. What was served before stays so. */
  readonly fault?: {
    readonly code: string;
    /** In words, with what to do. */
    readonly reason: string;
  };
}

export interface CheckInstanceKeyAnswer {
  /** Whether there was a newer key, which the instance has been given. */
  readonly newer: boolean;
  /** What came of it, in words. */
  readonly reason: string;
  /** The LicenseID of the instance; absent when it names its key itself. */
  readonly licenseId?: string;
  /** The key that is served for it. */
  readonly servedKey?: string;
  /** The key that it works under now. */
  readonly key?: string;
  readonly activation?: {
    /** `pending` waits for the next start of the instance, `partly-active` waits in part. */
    readonly outcome: 'active' | 'partly-active' | 'pending' | 'unchanged';
    readonly requiresRestart: boolean;
    /** Of a key that is partly active: the units until the next start. */
    readonly usableUnits?: number;
  };
}

export interface CountUsageQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** Only of this key. */
  readonly key?: string | undefined;
}

export interface CountUsageAnswer {
  readonly items: readonly ({
    /** The key; absent for the default licence of an instance without a usable key. */
    readonly key?: string;
    /** The instance whose default licence it is. */
    readonly instance?: string;
    /** The units that were bought. */
    readonly unitsAuthorised: number;
    /** The units beyond which logins are refused. */
    readonly unitsEnforced: number;
    /** Units in use: one for a user, or one for each of his connections once they are too many. */
    readonly unitsInUse: number;
    /** Those of them that instances hold as blocks, to let users in without asking; some of these may be idle. */
    readonly unitsLeased: number;
    /** Units that could still be granted; none of a key that has ended or cannot be used. */
    readonly unitsFree: number;
    /** Distinct users, not units: one user may cost several. */
    readonly users: number;
    /** Logins that are somebody’s. */
    readonly connections: number;
    /** The most units at one time. */
    readonly unitsPeak: number;
    /** The most users at one time. */
    readonly usersPeak: number;
    /** The most connections at one time. */
    readonly connectionsPeak: number;
    readonly logins: {
      /** Logins that are in. */
      readonly active: number;
      /** Logins that have not identified themselves yet and cost nothing. */
      readonly pending: number;
      /** Logins that went out, and whose unit is held a while longer. */
      readonly grace: number;
    };
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface CountUsageByInstanceQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** Only of this key. */
  readonly key?: string | undefined;
}

export interface CountUsageByInstanceAnswer {
  readonly items: readonly ({
    readonly instance: string;
    /** The key; absent for the default licence of an instance without a usable key. */
    readonly key?: string;
    readonly state: 'active' | 'silent';
    /** Units as this instance sees them: a user who is also elsewhere counts here too. */
    readonly units: number;
    /** Distinct users. */
    readonly users: number;
    /** Logins that are somebody’s, and connections that it reported. */
    readonly connections: number;
    /** All logins at the server, also those that cost nothing. */
    readonly logins: number;
    /** Of an instance that reports: its last sign of life, where it is known. */
    readonly heardAt?: string;
    /** When it last reported changes. */
    readonly reportedAt?: string;
    /** Whether it was not heard for longer than two intervals since, so that the counts may be old. */
    readonly stale?: boolean;
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface ListUsageByUserQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** Only of this key. */
  readonly key?: string | undefined;
}

export interface ListUsageByUserAnswer {
  readonly items: readonly ({
    /** The key; absent for the default licence of an instance without a usable key. */
    readonly key?: string;
    /** The licence user ID. */
    readonly userId: string;
    /** Now, over all instances. */
    readonly connections: number;
    /** His most at one time since he last had none. It is no limit. */
    readonly connectionsPeak: number;
    /** What he costs. */
    readonly units: number;
    /** Whether each of his connections costs a unit, until he has none left. */
    readonly transitioned: boolean;
    /** Where he is, by name; only instances that the token may see. */
    readonly instances: readonly ({
      readonly instance: string;
      /** On this instance. */
      readonly connections: number;
      /** The units that this row accounts for; all rows together come to what he costs. */
      readonly units: number;
      /** Whether his unit is already counted on another row (`shr`). */
      readonly shared: boolean;
    })[];
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface ListLeasesQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** Only of this key. */
  readonly key?: string | undefined;
}

export interface ListLeasesAnswer {
  readonly items: readonly ({
    /** The ID of the lease. */
    readonly id: string;
    /** The key whose units they are. */
    readonly key: string;
    readonly instance: string;
    /** The life of the instance that they are leased to. */
    readonly incarnation: number;
    /** Whether the instance has another incarnation by now; this one ends when its term does. */
    readonly former: boolean;
    /** The units of the block, which are in use as far as anybody else is concerned. */
    readonly units: number;
    /** Users whom the instance has an entry of. */
    readonly users: number;
    /** Connections that it may have of them together; they count under their users. */
    readonly connections: number;
    /** Until when the instance may believe in it, unless it is renewed. */
    readonly endsAt: string;
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface ListExcessesQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** Only of this key. */
  readonly key?: string | undefined;
  /** Only episodes in this state. */
  readonly state?: 'open' | 'ended' | undefined;
}

export interface ListExcessesAnswer {
  readonly items: readonly ({
    /** The ID of the decision that began it. */
    readonly id: string;
    /** The key. */
    readonly key: string;
    /** It ends when combined use is below the limit, not when it reaches it. */
    readonly state: 'open' | 'ended';
    /** `reported`: instances let users in before they heard of each other; `returned`: an instance that was given up for silent came back with its users; `activated`: a key was activated that has fewer units than the users inside need. */
    readonly cause: 'reported' | 'returned' | 'activated';
    /** The units that the key enforces. */
    readonly limit: number;
    /** When combined use was over the limit as far as the reports tell. */
    readonly from: string;
    /** When it was below the limit again; absent while it is not. */
    readonly to?: string;
    /** How long it has lasted, as of `asOf`. */
    readonly durationSeconds: number;
    /** When the record was written last. */
    readonly asOf: string;
    /** Units over the limit then; 0 while use is exactly the limit. */
    readonly units: number;
    /** The most units over the limit at one time. */
    readonly unitsMax: number;
    /** Units over the limit, integrated over time. */
    readonly unitHours: number;
    /** How many users came in over the limit: whose coming brought it over, or who came meanwhile. */
    readonly usersCount: number;
    /** The first of them, at most 100. */
    readonly users: readonly ({
      readonly userId: string;
      readonly instance: string;
    })[];
    /** The instances that they came in on, the first 100 of them. */
    readonly instances: readonly (string)[];
    /** What brought use below the limit: users logged out; an instance was silent too long, was started again, or was deregistered, closed or moved to another key. Or the enforcement of the key was changed. */
    readonly endedBy?: 'logouts' | 'silence' | 'restart' | 'removal' | 'change';
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which open episodes are told. */
  readonly asOf: string;
}

export interface ReadExcessOutlookAnswer {
  readonly key: string;
  readonly enforcement: 'central' | 'local' | 'leased';
  /** The units that the key enforces. */
  readonly limit: number;
  /** Units in use now, over all instances. */
  readonly inUse: number;
  /** Units over the limit that cannot be passed, whatever happens to the network, with the logins at the server as they are. Silent instances count: they may be alive, and come back. */
  readonly possible: {
    /** If every instance let in as many users as it may by itself. */
    readonly units: number;
    /** If besides each of these users were on several instances, with as many connections on each as one unit bears there, so that together each connection cost a unit. */
    readonly unitsByTransitions: number;
  };
  /** Units over the limit at the rate at which new users come. */
  readonly expected: {
    /** New users of that time at the fastest rate observed; absent before any was observed. */
    readonly units?: number;
    /** How long new users can come in before every instance knows: one interval until the server hears, another until all instances do. */
    readonly windowSeconds: number;
    /** On average of the minutes observed. */
    readonly newUsersPerMinute?: number;
    /** In the fullest of them. */
    readonly newUsersPerMinuteMax?: number;
    /** How many minutes this replica looks back at, at most 60. */
    readonly minutesObserved: number;
  };
  /** How both come about. */
  readonly words: string;
  readonly open?: {
    /** The ID of the decision that began it. */
    readonly id: string;
    /** The key. */
    readonly key: string;
    /** It ends when combined use is below the limit, not when it reaches it. */
    readonly state: 'open' | 'ended';
    /** `reported`: instances let users in before they heard of each other; `returned`: an instance that was given up for silent came back with its users; `activated`: a key was activated that has fewer units than the users inside need. */
    readonly cause: 'reported' | 'returned' | 'activated';
    /** The units that the key enforces. */
    readonly limit: number;
    /** When combined use was over the limit as far as the reports tell. */
    readonly from: string;
    /** When it was below the limit again; absent while it is not. */
    readonly to?: string;
    /** How long it has lasted, as of `asOf`. */
    readonly durationSeconds: number;
    /** When the record was written last. */
    readonly asOf: string;
    /** Units over the limit then; 0 while use is exactly the limit. */
    readonly units: number;
    /** The most units over the limit at one time. */
    readonly unitsMax: number;
    /** Units over the limit, integrated over time. */
    readonly unitHours: number;
    /** How many users came in over the limit: whose coming brought it over, or who came meanwhile. */
    readonly usersCount: number;
    /** The first of them, at most 100. */
    readonly users: readonly ({
      readonly userId: string;
      readonly instance: string;
    })[];
    /** The instances that they came in on, the first 100 of them. */
    readonly instances: readonly (string)[];
    /** What brought use below the limit: users logged out; an instance was silent too long, was started again, or was deregistered, closed or moved to another key. Or the enforcement of the key was changed. */
    readonly endedBy?: 'logouts' | 'silence' | 'restart' | 'removal' | 'change';
  };
  /** The instances that share the key, by name. */
  readonly instances: readonly ({
    readonly instance: string;
    readonly state: 'active' | 'silent';
    /** The units that it could let in by itself. */
    readonly unitsMax?: number;
    /** Its last sign of life, as far as anybody can know it. */
    readonly heardAt?: string;
    /** When it last reported changes. */
    readonly reportedAt?: string;
    /** It has reported, and was not heard for longer than two intervals since. */
    readonly stale: boolean;
  })[];
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface SummariseUsageQuery {
  /** Which key is summarised. */
  readonly key?: string | undefined;
  /** Whose own use is shown beside; without `key`, its key is summarised. */
  readonly instance?: string | undefined;
  /** The product whose text is wanted: `iris` leaves out the enforced units. Left out, that of the instance. */
  readonly generation?: 'cache' | 'iris' | undefined;
}

export interface SummariseUsageAnswer {
  /** The key; absent for the default licence of an instance without a usable key. */
  readonly key?: string;
  readonly distributed: {
    /** Units in use over all instances, also those that are leased to one and free there. */
    readonly unitsInUse: number;
    /** The most units at one time. */
    readonly unitsPeak: number;
    /** The units beyond which nobody new comes in. */
    readonly unitsEnforced: number;
    /** The units that were bought. */
    readonly unitsAuthorised: number;
    /** Distinct users, not units: one user may cost several. */
    readonly users: number;
    /** The most users at one time. */
    readonly usersPeak: number;
    /** Connections over all instances. */
    readonly connections: number;
    /** The most connections at one time. */
    readonly connectionsPeak: number;
    /** Instances that are registered with the key and not silent. */
    readonly instances: number;
  };
  readonly local?: {
    readonly instance: string;
    /** Connections on this instance. */
    readonly connections: number;
    /** Distinct users on this instance. */
    readonly users: number;
    /** Units as this instance sees them: a user who is also elsewhere counts here too. */
    readonly units: number;
    /** The most connections at one time since it was started. */
    readonly connectionsPeak: number;
    /** The most units at one time since it was started. */
    readonly unitsPeak: number;
  };
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface DumpServersQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** Only of this key. */
  readonly key?: string | undefined;
  /** Only of this instance (`DumpServer`). */
  readonly instance?: string | undefined;
}

export interface DumpServersAnswer {
  readonly items: readonly ({
    /** The key; absent for the default licence of an instance without a usable key. */
    readonly key?: string;
    readonly instance: string;
    /** `silent`: it was given up; `removed`: it is not registered any more. */
    readonly state: 'active' | 'silent' | 'removed';
    /** Distinct users on this instance, also those of other pages. */
    readonly users: number;
    /** Their connections. */
    readonly connections: number;
    /** The units that its rows account for, and those leased to it that nobody uses. */
    readonly units: number;
    /** Units in use here that other instances use as well. */
    readonly unitsShared: number;
    /** Units leased to it that nobody uses. */
    readonly unitsReserved: number;
    /** By user ID. If a page ends among them, the next one goes on with the same instance. */
    readonly clients: readonly ({
      /** The licence user ID. */
      readonly userId: string;
      /** On this instance. */
      readonly connections: number;
      /** The units that this row accounts for; all rows of a user come to what he costs. */
      readonly units: number;
      /** Whether his unit stands on the row of another instance (`shr`). */
      readonly shared: boolean;
    })[];
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
  /** Of each key on the page. Units are never added up over keys. */
  readonly totals: readonly ({
    /** The key; absent for the default licence of an instance without a usable key. */
    readonly key?: string;
    /** Units in use over all instances. */
    readonly unitsInUse: number;
    /** The units beyond which nobody new comes in. */
    readonly unitsEnforced: number;
    /** The units that were bought. */
    readonly unitsAuthorised: number;
    /** Distinct users over all instances. */
    readonly users: number;
    /** Connections over all instances. */
    readonly connections: number;
    /** Instances that are registered with the key and not silent. */
    readonly instances: number;
  })[];
}

export interface CountInstanceQuery {
  /** Of the text: the six lines of older versions, or the nine of newer ones. */
  readonly form?: 'older' | 'newer' | undefined;
}

export interface CountInstanceAnswer {
  readonly instance: string;
  /** The key that it is registered with; absent without one. */
  readonly key?: string;
  /** Whether the server counted, which decides its logins, or the instance decides for itself and the counts are as it reported them. */
  readonly source: 'server' | 'reported';
  /** When an instance that decides for itself last reported changes. */
  readonly reportedAt?: string;
  /** The units that were bought. */
  readonly unitsAuthorised: number;
  /** The units beyond which logins are refused. */
  readonly unitsEnforced: number;
  /** The units that it may use if it were alone: the key’s, or its own limit where that is less. */
  readonly unitsMax: number;
  /** What of these it does not use. Of a key that is shared, others may use it: `GET /v1/usage/counts` says what is free over all. */
  readonly unitsAvailable: {
    /** Now. */
    readonly now: number;
    /** The least at one time. */
    readonly minimum: number;
    /** Since when the mark is kept: the start of the instance, or its last reset. */
    readonly since: string;
  };
  /** Units as the instance sees them: a user who is also elsewhere counts here too. */
  readonly units: {
    /** Now. */
    readonly now: number;
    /** The most at one time. */
    readonly peak: number;
    /** Since when the mark is kept: the start of the instance, or its last reset. */
    readonly since: string;
  };
  /** Distinct users, not units. */
  readonly users: {
    /** Now. */
    readonly now: number;
    /** The most at one time. */
    readonly peak: number;
    /** Since when the mark is kept: the start of the instance, or its last reset. */
    readonly since: string;
  };
  /** Logins that are somebody’s, and connections that it reported. */
  readonly connections: {
    /** Now. */
    readonly now: number;
    /** The most at one time. */
    readonly peak: number;
    /** Since when the mark is kept: the start of the instance, or its last reset. */
    readonly since: string;
  };
  /** Users who have a web session, also one in its grace period. */
  readonly webUsers: {
    /** Now. */
    readonly now: number;
    /** The most at one time. */
    readonly peak: number;
    /** Since when the mark is kept: the start of the instance, or its last reset. */
    readonly since: string;
  };
  /** Web sessions and sessionless requests that went out and whose unit is held a while longer. */
  readonly webSessionsInGrace: {
    /** Now. */
    readonly now: number;
    /** The most at one time. */
    readonly peak: number;
    /** Since when the mark is kept: the start of the instance, or its last reset. */
    readonly since: string;
  };
  /** Logins and connections that are processes: all but web sessions and sessionless requests. */
  readonly processes: {
    /** Now. */
    readonly now: number;
    /** The most at one time. */
    readonly peak: number;
    /** Since when the mark is kept: the start of the instance, or its last reset. */
    readonly since: string;
  };
  /** What is left of the processes that the key permits; only of keys whose type limits them (Real Time). */
  readonly processesAvailable?: {
    /** Now. */
    readonly now: number;
    /** The least at one time. */
    readonly minimum: number;
    /** Since when the mark is kept: the start of the instance, or its last reset. */
    readonly since: string;
  };
  /** When its present life began, and with it every mark. */
  readonly startedAt: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface ResetInstanceMarksBody {
  /** Which marks; left out, users (with their units, and what was left of them) and connections. */
  readonly counters?: readonly ('users' | 'connections' | 'web-users' | 'processes' | 'web-grace')[] | undefined;
}

export interface ResetInstanceMarksAnswer {
  /** What the marks were; those that were not reset are absent. */
  readonly before: {
    /** The most units at one time. */
    readonly units?: number;
    /** The most users. */
    readonly users?: number;
    /** The fewest units that were left. */
    readonly unitsAvailable?: number;
    /** The most connections. */
    readonly connections?: number;
    /** The most users who had a web session. */
    readonly webUsers?: number;
    /** The most sessions in their grace period. */
    readonly webSessionsInGrace?: number;
    /** The most processes. */
    readonly processes?: number;
  };
  /** The decision in the journal. */
  readonly decision: string;
  /** When, by the clock of the database. */
  readonly at: string;
}

export interface ResetKeyMarksBody {
  /** Which marks; left out, both. */
  readonly counters?: readonly ('users' | 'connections')[] | undefined;
}

export interface ResetKeyMarksAnswer {
  /** What the marks were; those that were not reset are absent. */
  readonly before: {
    /** The most units at one time. */
    readonly units?: number;
    /** The most users. */
    readonly users?: number;
    /** The fewest units that were left. */
    readonly unitsAvailable?: number;
    /** The most connections. */
    readonly connections?: number;
    /** The most users who had a web session. */
    readonly webUsers?: number;
    /** The most sessions in their grace period. */
    readonly webSessionsInGrace?: number;
    /** The most processes. */
    readonly processes?: number;
  };
  /** The decision in the journal. */
  readonly decision: string;
  /** When, by the clock of the database. */
  readonly at: string;
}

export interface ReadDurationsAnswer {
  readonly instance: string;
  /** From the shortest to the longest; not cumulative. */
  readonly durations: readonly ({
    /** The bound, included; absent of what lasted longer than the last one. */
    readonly upToSeconds?: number;
    /** How many lasted longer than the bound before, and not longer than this one. */
    readonly count: number;
  })[];
  /** Since when they are counted. */
  readonly since: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface ClearDurationsAnswer {
  /** From the shortest to the longest; not cumulative. */
  readonly durations: readonly ({
    /** The bound, included; absent of what lasted longer than the last one. */
    readonly upToSeconds?: number;
    /** How many lasted longer than the bound before, and not longer than this one. */
    readonly count: number;
  })[];
  /** Since when they had been counted. */
  readonly since: string;
  /** The decision in the journal. */
  readonly decision: string;
  /** When, by the clock of the database. */
  readonly at: string;
}

export interface ReadActiveLicenseServerQuery {
  /** For an instance whose key is for a single server the answer is that none applies. */
  readonly instance?: string | undefined;
}

export interface ReadActiveLicenseServerAnswer {
  /** Absent while none is active. */
  readonly active?: {
    /** In upper case. */
    readonly name: string;
    readonly address: string;
    readonly port: number;
    /** When its term began. */
    readonly since: string;
  };
  /** False for an instance whose key is for a single server, which needs no licence server. */
  readonly applicable: boolean;
  /** The instant as of which this holds. */
  readonly asOf: string;
}

export interface DumpKeysQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** Only of this key (`DumpKey`). */
  readonly key?: string | undefined;
}

export interface DumpKeysAnswer {
  readonly items: readonly ({
    /** Absent for the default licence of an instance. */
    readonly key?: string;
    /** The fields of the legacy key display; none for a default licence. */
    readonly fields: readonly ({
      readonly field: string;
      readonly value: string;
    })[];
    /** Instances that are registered with it and not silent. */
    readonly instances: number;
    /** The units that were bought. */
    readonly unitsAuthorised: number;
    /** The units beyond which nobody new comes in. */
    readonly unitsEnforced: number;
    /** Units in use over all instances. */
    readonly unitsInUse: number;
    /** The most units at one time. */
    readonly unitsPeak: number;
    /** By user ID and instance. If a page ends among them, the next one goes on with the same key. */
    readonly clients: readonly ({
      /** The licence user ID. */
      readonly userId: string;
      readonly instance: string;
      /** Of the instance, where it stated one. */
      readonly address?: string;
      /** On this instance. */
      readonly connections: number;
      /** The units that this row accounts for; all rows of a user come to what he costs. */
      readonly units: number;
      /** Whether his unit stands on the row of another instance (`shr`). */
      readonly shared: boolean;
    })[];
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface DumpInstanceSlotsQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** Of the text: as Caché 5 has it, or the table of later versions. */
  readonly form?: 'c5' | 'table' | undefined;
}

export interface DumpInstanceSlotsAnswer {
  readonly instance: string;
  /** Of an instance that decides for itself: when it last reported what is shown. */
  readonly reportedAt?: string;
  /** The units that the instance may use, which are the slots of its table. */
  readonly capacity: number;
  /** Units in use as the instance sees them. */
  readonly unitsInUse: number;
  readonly items: readonly ({
    /** The licence user ID. */
    readonly userId: string;
    /** By processes, by the web, by both, or only by units that are still held. */
    readonly type: 'User' | 'CSP' | 'Mixed' | 'Grace';
    /** His connections on this instance. */
    readonly connections: number;
    /** His most connections at one time over all instances (`MaxCon`). It is no limit. */
    readonly connectionsPeak: number;
    /** Web sessions among the connections (`CSPCon`). */
    readonly webSessions: number;
    /** What he costs as this instance sees it (`LU`). */
    readonly units: number;
    /** Since when; absent where an instance reported it, which does not say. */
    readonly since?: string;
    /** For how long, in seconds (`Active`). */
    readonly activeSeconds?: number;
    /** For how long his unit is held on if everything were closed now (`Grace`). */
    readonly graceSeconds: number;
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface DumpInstanceUsersQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** Of the text: as Caché 5 has it, or the table of later versions. */
  readonly form?: 'c5' | 'table' | undefined;
}

export interface DumpInstanceUsersAnswer {
  readonly instance: string;
  /** Of an instance that decides for itself: when it last reported what is shown. */
  readonly reportedAt?: string;
  /** The units that the instance may use, which are the slots of its table. */
  readonly capacity: number;
  /** Units in use as the instance sees them. */
  readonly unitsInUse: number;
  readonly items: readonly ({
    /** The licence user ID. */
    readonly userId: string;
    /** By processes, by the web, by both, or only by units that are still held. */
    readonly type: 'User' | 'CSP' | 'Mixed' | 'Grace';
    /** His connections on this instance. */
    readonly connections: number;
    /** His most connections at one time over all instances (`MaxCon`). It is no limit. */
    readonly connectionsPeak: number;
    /** Web sessions among the connections (`CSPCon`). */
    readonly webSessions: number;
    /** What he costs as this instance sees it (`LU`). */
    readonly units: number;
    /** Since when; absent where an instance reported it, which does not say. */
    readonly since?: string;
    /** For how long, in seconds (`Active`). */
    readonly activeSeconds?: number;
    /** For how long his unit is held on if everything were closed now (`Grace`). */
    readonly graceSeconds: number;
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface DumpInstanceProcessesQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** Of the text: as Caché 5 has it, or the table of later versions. */
  readonly form?: 'c5' | 'table' | undefined;
}

export interface DumpInstanceProcessesAnswer {
  readonly instance: string;
  /** Of an instance that decides for itself: when it last reported what is shown. */
  readonly reportedAt?: string;
  /** The units that the instance may use, which are the slots of its table. */
  readonly capacity: number;
  /** Units in use as the instance sees them. */
  readonly unitsInUse: number;
  readonly items: readonly ({
    /** Absent where none was stated. */
    readonly processId?: number;
    /** `System` and `Server` cost nothing; `CSP` is the worker of a session; `Diagnostic` the emergency login; `Pending` has not said yet who it is. */
    readonly process: 'System' | 'User' | 'CSP' | 'Diagnostic' | 'Server' | 'Pending';
    /** Absent for what is nobody’s. */
    readonly userId?: string;
    readonly type?: 'User' | 'CSP' | 'Mixed';
    /** His connections on this instance. */
    readonly connections: number;
    /** His most connections at one time over all instances (`MaxCon`). It is no limit. */
    readonly connectionsPeak: number;
    /** Web sessions among the connections (`CSPCon`). */
    readonly webSessions: number;
    /** What he costs as this instance sees it (`LU`). */
    readonly units: number;
    /** Since when; absent where an instance reported it, which does not say. */
    readonly since?: string;
    /** For how long, in seconds (`Active`). */
    readonly activeSeconds?: number;
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface ListQueriesAnswer {
  readonly items: readonly ({
    readonly name: string;
    readonly columns: readonly (string)[];
    /** Whether it is about an instance, about a key, or about everything. */
    readonly about: 'instance' | 'key' | 'all';
    /** The parameters that it takes besides. */
    readonly takes: readonly (string)[];
    /** Whether an instance that decides for itself can answer it from its own table. */
    readonly local: boolean;
    readonly summary: string;
  })[];
}

export interface RunQueryQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** The instance; left out, that of the token, or the only one there is. */
  readonly instance?: string | undefined;
  /** The key, for queries about one; left out, that of the instance. */
  readonly key?: string | undefined;
  /** Every slot, or everybody. */
  readonly all?: boolean | undefined;
  /** Only rows whose user ID, or process ID, contains this text, in any case. */
  readonly filter?: string | undefined;
  /** Of the key: 1 the main section, 2 the application sections, 3 all; 1 when left out. */
  readonly sections?: number | undefined;
  /** The application, by the name of its section. */
  readonly application?: string | undefined;
  /** Whether each keyword says how often it was taken: `Lab Users=2`. */
  readonly showCounts?: boolean | undefined;
}

export interface RunQueryAnswer {
  readonly name: string;
  readonly columns: readonly (string)[];
  /** The values of each row in the order of the columns; null is a blank. */
  readonly rows: readonly (readonly (string | number | null)[])[];
  readonly instance?: string;
  readonly key?: string;
  /** Of an instance that decides for itself: when it last reported what is shown. */
  readonly reportedAt?: string;
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
  /** The instant as of which this holds. */
  readonly asOf: string;
  /** The version of the journal as of which this holds. */
  readonly version: number;
}

export interface ListJournalQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  readonly order?: 'newest' | 'oldest' | undefined;
  /** Without a cursor: begin behind this decision. With `order=oldest` and the last decision that you know, it gives what came since. */
  readonly after?: string | undefined;
  /** What happened. */
  readonly type?: 'granted' | 'released' | 'forestalled' | 'ended' | 'identified' | 'renewed' | 'lingered' | 'refused' | 'registered' | 'configured' | 'silenced' | 'revived' | 'deregistered' | 'key-installed' | 'key-changed' | 'key-removed' | 'reported' | 'unreported' | 'excess' | 'leased' | 'lease-ended' | 'joined' | 'application-loaded' | 'application-removed' | 'taken' | 'returned' | 'holdings-moved' | 'marks-reset' | 'durations-cleared' | 'activated' | 'moved' | undefined;
  /** Events that name this instance. */
  readonly instance?: string | undefined;
  /** Events that name this login. */
  readonly login?: string | undefined;
  /** Events that name this licence user ID; a release names its login only. */
  readonly user?: string | undefined;
  /** Events under this key; those that name an instance only count to the key it is registered with now. */
  readonly key?: string | undefined;
  /** What this actor did, as it stands in the journal. */
  readonly actor?: string | undefined;
}

export interface ListJournalAnswer {
  readonly items: readonly ({
    /** Its ID: shard, version and index. */
    readonly decision: string;
    /** When, by the clock of the database. */
    readonly at: string;
    /** What happened. */
    readonly type: 'granted' | 'released' | 'forestalled' | 'ended' | 'identified' | 'renewed' | 'lingered' | 'refused' | 'registered' | 'configured' | 'silenced' | 'revived' | 'deregistered' | 'key-installed' | 'key-changed' | 'key-removed' | 'reported' | 'unreported' | 'excess' | 'leased' | 'lease-ended' | 'joined' | 'application-loaded' | 'application-removed' | 'taken' | 'returned' | 'holdings-moved' | 'marks-reset' | 'durations-cleared' | 'activated' | 'moved';
    /** Who did it: the name and the ID of a token, or `lictor`. */
    readonly actor?: string;
    /** The instance. */
    readonly instance?: string;
    /** The login. */
    readonly login?: string;
    /** The key; absent on the default licence of an instance. */
    readonly key?: string;
    /** The licence user ID. */
    readonly userId?: string;
    /** What kind of login. */
    readonly kind?: string;
    /** Whether it has still to identify itself. */
    readonly pending?: boolean;
    /** The process. */
    readonly processId?: number;
    /** The login that started it. */
    readonly parent?: string;
    /** The length of its lease. */
    readonly leaseSeconds?: number;
    /** The end of its lease. */
    readonly expiresAt?: string;
    /** When it ends by itself. */
    readonly endsAt?: string;
    /** Why it ended. */
    readonly reason?: string;
    /** What whoever forced it gave as reason. */
    readonly note?: string;
    /** How many logins ended. */
    readonly logins?: number;
    /** Only logins without a lease of their own ended. */
    readonly boundOnly?: boolean;
    /** Connections of the user afterwards. */
    readonly connections?: number;
    /** What the user costs afterwards. */
    readonly units?: number;
    /** Units taken; negative when some came back on balance. */
    readonly unitsAdded?: number;
    /** Units that came back. */
    readonly unitsFreed?: number;
    /** Units in use of the key afterwards. */
    readonly unitsInUse?: number;
    /** Whether each connection costs a unit. */
    readonly transitioned?: boolean;
    /** Of each key that got units back; of an instance, on its default licence. */
    readonly unitsInUseByKey?: readonly ({
      readonly key?: string;
      readonly instance?: string;
      readonly unitsInUse: number;
    })[];
    /** The rule that refused. */
    readonly rule?: string;
    /** The code of the refusal. */
    readonly code?: string;
    /** The limit of the rule. */
    readonly limit?: number;
    /** How much of it was in use. */
    readonly inUse?: number;
    /** How much was asked for. */
    readonly requested?: number;
    /** How many logins were refused alike in one batch. */
    readonly count?: number;
    /** Up to eight of the refused logins. */
    readonly samples?: readonly ({
      readonly instance: string;
      readonly login?: string;
      readonly userId?: string;
      readonly actor: string;
    })[];
    /** The life of the instance. */
    readonly incarnation?: number;
    /** The number of the update or of the statement. */
    readonly sequence?: number;
    /** A report of the whole table, or a part of it. */
    readonly full?: boolean;
    /** Further parts of the full report follow. */
    readonly more?: boolean;
    /** What is reported counts under the key. */
    readonly counted?: boolean;
    /** How many users the event states. */
    readonly usersCount?: number;
    /** How many of them were not there before. */
    readonly usersCame?: number;
    /** How many users a full report did not name any more. */
    readonly usersDropped?: number;
    /** The digest of the instance’s table afterwards. */
    readonly digest?: string;
    /** The ID of the lease. */
    readonly lease?: string;
    /** The units of the lease afterwards. */
    readonly unitsLeased?: number;
    /** At most 100 of the users. */
    readonly users?: readonly ({
      readonly userId: string;
      /** On the instance; 0 when he is gone there. */
      readonly connections?: number;
      /** How many of them are web sessions. */
      readonly webSessions?: number;
      /** The connections that the instance may hold of him without asking. */
      readonly allowance?: number;
      /** Over all instances. */
      readonly transitioned: boolean;
    })[];
    /** Users of whom the lease has no entry any more. */
    readonly usersReleased?: readonly (string)[];
    readonly activation?: {
      /** The ID of the decision. */
      readonly id: string;
      readonly instance: string;
      /** When. */
      readonly at: string;
      /** Who did it: the name and the ID of a token. */
      readonly by: string;
      /** What brought it: an administrator; the instance, which registered with it; the key directory; the start that it waited for; an administrator who went back. */
      readonly cause: 'activated' | 'registered' | 'served' | 'restarted' | 'rolled-back';
      /** The key before; absent when there was none. */
      readonly from?: string;
      /** The key; absent when there is none from now on. */
      readonly to?: string;
      /** `cancelled`: the key `from` waits for a restart no more; `dropped`: at the restart `to` could not be used. */
      readonly outcome: 'active' | 'partly-active' | 'pending' | 'cancelled' | 'dropped';
      readonly reason: string;
      /** The units that could be used at once. */
      readonly usableUnits?: number;
      /** The units that were enforced before; 1 without a key. */
      readonly unitsFrom: number;
      /** The units that the key enforces. */
      readonly unitsTo: number;
    };
    /** The key whose logins went over; absent for a default licence. */
    readonly from?: string;
    /** Which marks were reset. */
    readonly counters?: readonly ('users' | 'connections' | 'web-users' | 'processes' | 'web-grace')[];
    /** What the marks were; those that were not reset are absent. */
    readonly marksBefore?: {
      /** The most units at one time. */
      readonly units?: number;
      /** The most users. */
      readonly users?: number;
      /** The fewest units that were left. */
      readonly unitsAvailable?: number;
      /** The most connections. */
      readonly connections?: number;
      /** The most users who had a web session. */
      readonly webUsers?: number;
      /** The most sessions in their grace period. */
      readonly webSessionsInGrace?: number;
      /** The most processes. */
      readonly processes?: number;
    };
    /** The histogram that was cleared, from the shortest on. */
    readonly durationsBefore?: readonly (number)[];
    /** The application section. */
    readonly application?: string;
    /** The feature of an application that was refused. */
    readonly feature?: string;
    /** What was taken, given back or moved. */
    readonly features?: readonly ({
      readonly application: string;
      readonly feature: string;
      /** The key across which it is counted; absent when it is counted on the instance alone. */
      readonly key?: string;
      /** How often this holder has it afterwards. */
      readonly held?: number;
      /** How often the user has it afterwards. */
      readonly count?: number;
      /** How many users hold it afterwards. */
      readonly used?: number;
      /** How many units it has. */
      readonly units?: number;
      /** Of a return: whether anything was held. */
      readonly released?: boolean;
    })[];
    /** The ID by which a take or a return can be repeated. */
    readonly request?: string;
    /** The whole record of the instance, key or episode over the limit as it was from then on. */
    readonly record?: {
      readonly [member: string]: unknown;
    };
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
}

export interface ExplainDecisionAnswer {
  /** Its ID: shard, version and index. */
  readonly decision: string;
  /** When, by the clock of the database. */
  readonly at: string;
  /** What happened. */
  readonly type: 'granted' | 'released' | 'forestalled' | 'ended' | 'identified' | 'renewed' | 'lingered' | 'refused' | 'registered' | 'configured' | 'silenced' | 'revived' | 'deregistered' | 'key-installed' | 'key-changed' | 'key-removed' | 'reported' | 'unreported' | 'excess' | 'leased' | 'lease-ended' | 'joined' | 'application-loaded' | 'application-removed' | 'taken' | 'returned' | 'holdings-moved' | 'marks-reset' | 'durations-cleared' | 'activated' | 'moved';
  /** Who did it: the name and the ID of a token, or `lictor`. */
  readonly actor?: string;
  /** The instance. */
  readonly instance?: string;
  /** The login. */
  readonly login?: string;
  /** The key; absent on the default licence of an instance. */
  readonly key?: string;
  /** The licence user ID. */
  readonly userId?: string;
  /** What kind of login. */
  readonly kind?: string;
  /** Whether it has still to identify itself. */
  readonly pending?: boolean;
  /** The process. */
  readonly processId?: number;
  /** The login that started it. */
  readonly parent?: string;
  /** The length of its lease. */
  readonly leaseSeconds?: number;
  /** The end of its lease. */
  readonly expiresAt?: string;
  /** When it ends by itself. */
  readonly endsAt?: string;
  /** Why it ended. */
  readonly reason?: string;
  /** What whoever forced it gave as reason. */
  readonly note?: string;
  /** How many logins ended. */
  readonly logins?: number;
  /** Only logins without a lease of their own ended. */
  readonly boundOnly?: boolean;
  /** Connections of the user afterwards. */
  readonly connections?: number;
  /** What the user costs afterwards. */
  readonly units?: number;
  /** Units taken; negative when some came back on balance. */
  readonly unitsAdded?: number;
  /** Units that came back. */
  readonly unitsFreed?: number;
  /** Units in use of the key afterwards. */
  readonly unitsInUse?: number;
  /** Whether each connection costs a unit. */
  readonly transitioned?: boolean;
  /** Of each key that got units back; of an instance, on its default licence. */
  readonly unitsInUseByKey?: readonly ({
    readonly key?: string;
    readonly instance?: string;
    readonly unitsInUse: number;
  })[];
  /** The rule that refused. */
  readonly rule?: string;
  /** The code of the refusal. */
  readonly code?: string;
  /** The limit of the rule. */
  readonly limit?: number;
  /** How much of it was in use. */
  readonly inUse?: number;
  /** How much was asked for. */
  readonly requested?: number;
  /** How many logins were refused alike in one batch. */
  readonly count?: number;
  /** Up to eight of the refused logins. */
  readonly samples?: readonly ({
    readonly instance: string;
    readonly login?: string;
    readonly userId?: string;
    readonly actor: string;
  })[];
  /** The life of the instance. */
  readonly incarnation?: number;
  /** The number of the update or of the statement. */
  readonly sequence?: number;
  /** A report of the whole table, or a part of it. */
  readonly full?: boolean;
  /** Further parts of the full report follow. */
  readonly more?: boolean;
  /** What is reported counts under the key. */
  readonly counted?: boolean;
  /** How many users the event states. */
  readonly usersCount?: number;
  /** How many of them were not there before. */
  readonly usersCame?: number;
  /** How many users a full report did not name any more. */
  readonly usersDropped?: number;
  /** The digest of the instance’s table afterwards. */
  readonly digest?: string;
  /** The ID of the lease. */
  readonly lease?: string;
  /** The units of the lease afterwards. */
  readonly unitsLeased?: number;
  /** At most 100 of the users. */
  readonly users?: readonly ({
    readonly userId: string;
    /** On the instance; 0 when he is gone there. */
    readonly connections?: number;
    /** How many of them are web sessions. */
    readonly webSessions?: number;
    /** The connections that the instance may hold of him without asking. */
    readonly allowance?: number;
    /** Over all instances. */
    readonly transitioned: boolean;
  })[];
  /** Users of whom the lease has no entry any more. */
  readonly usersReleased?: readonly (string)[];
  readonly activation?: {
    /** The ID of the decision. */
    readonly id: string;
    readonly instance: string;
    /** When. */
    readonly at: string;
    /** Who did it: the name and the ID of a token. */
    readonly by: string;
    /** What brought it: an administrator; the instance, which registered with it; the key directory; the start that it waited for; an administrator who went back. */
    readonly cause: 'activated' | 'registered' | 'served' | 'restarted' | 'rolled-back';
    /** The key before; absent when there was none. */
    readonly from?: string;
    /** The key; absent when there is none from now on. */
    readonly to?: string;
    /** `cancelled`: the key `from` waits for a restart no more; `dropped`: at the restart `to` could not be used. */
    readonly outcome: 'active' | 'partly-active' | 'pending' | 'cancelled' | 'dropped';
    readonly reason: string;
    /** The units that could be used at once. */
    readonly usableUnits?: number;
    /** The units that were enforced before; 1 without a key. */
    readonly unitsFrom: number;
    /** The units that the key enforces. */
    readonly unitsTo: number;
  };
  /** The key whose logins went over; absent for a default licence. */
  readonly from?: string;
  /** Which marks were reset. */
  readonly counters?: readonly ('users' | 'connections' | 'web-users' | 'processes' | 'web-grace')[];
  /** What the marks were; those that were not reset are absent. */
  readonly marksBefore?: {
    /** The most units at one time. */
    readonly units?: number;
    /** The most users. */
    readonly users?: number;
    /** The fewest units that were left. */
    readonly unitsAvailable?: number;
    /** The most connections. */
    readonly connections?: number;
    /** The most users who had a web session. */
    readonly webUsers?: number;
    /** The most sessions in their grace period. */
    readonly webSessionsInGrace?: number;
    /** The most processes. */
    readonly processes?: number;
  };
  /** The histogram that was cleared, from the shortest on. */
  readonly durationsBefore?: readonly (number)[];
  /** The application section. */
  readonly application?: string;
  /** The feature of an application that was refused. */
  readonly feature?: string;
  /** What was taken, given back or moved. */
  readonly features?: readonly ({
    readonly application: string;
    readonly feature: string;
    /** The key across which it is counted; absent when it is counted on the instance alone. */
    readonly key?: string;
    /** How often this holder has it afterwards. */
    readonly held?: number;
    /** How often the user has it afterwards. */
    readonly count?: number;
    /** How many users hold it afterwards. */
    readonly used?: number;
    /** How many units it has. */
    readonly units?: number;
    /** Of a return: whether anything was held. */
    readonly released?: boolean;
  })[];
  /** The ID by which a take or a return can be repeated. */
  readonly request?: string;
  /** The whole record of the instance, key or episode over the limit as it was from then on. */
  readonly record?: {
    readonly [member: string]: unknown;
  };
  /** What it means, in a sentence or two. */
  readonly words: string;
}

export interface ListLicenseServersAnswer {
  /** By name; there are at most 64. The order says nothing about who is active. */
  readonly items: readonly ({
    /** In upper case. */
    readonly name: string;
    /** IPv4 address, host name or IPv6 address. */
    readonly address: string;
    readonly port: number;
    /** `active`: it serves; `standby`: it was heard of lately and takes over if the active one fails; `down`: it was not. */
    readonly state: 'active' | 'standby' | 'down';
    /** When one of its processes last gave a sign of life. */
    readonly heardAt?: string;
    /** When the entry was last changed. */
    readonly changedAt: string;
    /** Who changed it: the name and the ID of a token. */
    readonly changedBy: string;
  })[];
  /** The one that is active; absent while none is. */
  readonly active?: {
    /** In upper case. */
    readonly name: string;
    /** IPv4 address, host name or IPv6 address. */
    readonly address: string;
    readonly port: number;
    /** The process that serves it. */
    readonly holder: string;
    /** Grows with every term; the higher one is the later. */
    readonly token: number;
    /** When its term began. */
    readonly since: string;
    /** When another may take over, unless it is heard of before. */
    readonly expiresAt: string;
  };
  /** Keys whose active instances are configured with different sets of licence servers, which must be the same for all that share a key; only what the token may see. */
  readonly conflicts: readonly ({
    readonly key: string;
    readonly sets: readonly ({
      readonly licenseServers: readonly (string)[];
      readonly instances: readonly (string)[];
    })[];
  })[];
  /** Things worth knowing. */
  readonly notices: readonly (string)[];
}

export interface ReadLicenseServerAnswer {
  /** In upper case. */
  readonly name: string;
  /** IPv4 address, host name or IPv6 address. */
  readonly address: string;
  readonly port: number;
  /** `active`: it serves; `standby`: it was heard of lately and takes over if the active one fails; `down`: it was not. */
  readonly state: 'active' | 'standby' | 'down';
  /** When one of its processes last gave a sign of life. */
  readonly heardAt?: string;
  /** When the entry was last changed. */
  readonly changedAt: string;
  /** Who changed it: the name and the ID of a token. */
  readonly changedBy: string;
}

export interface PutLicenseServerBody {
  /** Where instances reach it: IPv4 address in four decimal parts, host name, or IPv6 address. */
  readonly address: string;
  /** The UDP port; no two licence servers have the same at one address. */
  readonly port?: number | undefined;
}

export interface PutLicenseServerAnswer {
  /** In upper case. */
  readonly name: string;
  /** IPv4 address, host name or IPv6 address. */
  readonly address: string;
  readonly port: number;
  /** `active`: it serves; `standby`: it was heard of lately and takes over if the active one fails; `down`: it was not. */
  readonly state: 'active' | 'standby' | 'down';
  /** When one of its processes last gave a sign of life. */
  readonly heardAt?: string;
  /** When the entry was last changed. */
  readonly changedAt: string;
  /** Who changed it: the name and the ID of a token. */
  readonly changedBy: string;
  readonly outcome: 'added' | 'changed' | 'unchanged';
}

export interface BeatLicenseServerBody {
  /** The process that serves the entry, by an ID that it makes at its start. */
  readonly holder: string;
  /** The process acts no longer, from before it sent this on; if it is active, another may take over at once. */
  readonly resign?: boolean | undefined;
}

export interface BeatLicenseServerAnswer {
  /** Whether the process is the active licence server. */
  readonly active: boolean;
  readonly activeServer?: {
    /** In upper case. */
    readonly name: string;
    /** IPv4 address, host name or IPv6 address. */
    readonly address: string;
    readonly port: number;
  };
  /** The fencing token of the present term, whoever holds it. */
  readonly token?: number;
  /** For how long the process may act, counted from before it sent the request, by the larger of wall and monotonic time. Another takes over later than that. Absent unless it is active. */
  readonly expiresInSeconds?: number;
  /** When to give the next sign of life. */
  readonly beatAfterSeconds: number;
}

export interface CreateTokenBody {
  /** What people call it; it stands in the journal with what the token did. */
  readonly name: string;
  /** `administrator` may do everything, `operator` everything but keys and tokens, `viewer` only reads, `instance` is what an installation needs for itself. */
  readonly role: 'administrator' | 'operator' | 'viewer' | 'instance';
  /** The IDs of the only keys that it may touch; without it, every key. */
  readonly keys?: readonly (string)[] | undefined;
  /** The name of the only instance that it may touch; without it, every instance. */
  readonly instance?: string | undefined;
  /** When it ends; without it, never. */
  readonly expiresAt?: string | undefined;
}

export interface CreateTokenAnswer {
  readonly id: string;
  readonly name: string;
  /** `administrator` may do everything, `operator` everything but keys and tokens, `viewer` only reads, `instance` is what an installation needs for itself. */
  readonly role: 'administrator' | 'operator' | 'viewer' | 'instance';
  readonly keys?: readonly (string)[];
  readonly instance?: string;
  /** When it was made. */
  readonly createdAt: string;
  /** The ID of the token that made it; `configured` is the one of the configuration. */
  readonly createdBy: string;
  /** When it ends. */
  readonly expiresAt?: string;
  /** When it was revoked. */
  readonly revokedAt?: string;
  /** When it was last used, to within a minute or two. */
  readonly lastUsedAt?: string;
  /** The token itself. It is shown this once and stored nowhere. */
  readonly token: string;
}

export interface ListTokensQuery {
  /** How many entries at most. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface ListTokensAnswer {
  readonly items: readonly ({
    readonly id: string;
    readonly name: string;
    /** `administrator` may do everything, `operator` everything but keys and tokens, `viewer` only reads, `instance` is what an installation needs for itself. */
    readonly role: 'administrator' | 'operator' | 'viewer' | 'instance';
    readonly keys?: readonly (string)[];
    readonly instance?: string;
    /** When it was made. */
    readonly createdAt: string;
    /** The ID of the token that made it; `configured` is the one of the configuration. */
    readonly createdBy: string;
    /** When it ends. */
    readonly expiresAt?: string;
    /** When it was revoked. */
    readonly revokedAt?: string;
    /** When it was last used, to within a minute or two. */
    readonly lastUsedAt?: string;
  })[];
  /** Send it as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string;
}

export interface GetLivenessAnswer {
  readonly status: 'live';
}

export interface GetReadinessAnswer {
  readonly status: 'ready' | 'degraded' | 'not-ready';
  readonly checks: {
    readonly database: {
      readonly status: 'ready' | 'degraded' | 'not-ready';
      /** What is the case, and what it means. */
      readonly words: string;
    };
    readonly coordination: {
      readonly status: 'ready' | 'degraded' | 'not-ready';
      /** What is the case, and what it means. */
      readonly words: string;
    };
    readonly lane: {
      readonly status: 'ready' | 'degraded' | 'not-ready';
      /** What is the case, and what it means. */
      readonly words: string;
    };
  };
  /** What a crash or a failover could lose. */
  readonly durability: string;
  /** Whether this replica does the work that must be done once. */
  readonly leader: boolean;
  readonly replica: string;
}

export interface ReadDiagnosisAnswer {
  /** The instant of the database's clock as of which this holds. */
  readonly at: string;
  /** The replica that looked. */
  readonly replica: string;
  /** The version of Lictor that the replica runs. */
  readonly version: string;
  /** `ok`: as it should be; `note`: worth knowing; `warning`: it works, and will not for long or not under load; `fault`: what Lictor promises does not hold now. */
  readonly level: 'ok' | 'note' | 'warning' | 'fault';
  /** Everything that was looked at, also what is as it should be. */
  readonly findings: readonly ({
    /** What was looked at, as area and thing, such as `database.durability`. */
    readonly check: string;
    /** `ok`: as it should be; `note`: worth knowing; `warning`: it works, and will not for long or not under load; `fault`: what Lictor promises does not hold now. */
    readonly level: 'ok' | 'note' | 'warning' | 'fault';
    /** What is the case. */
    readonly says: string;
    /** What to do. */
    readonly mend?: string;
  })[];
}

export interface ListProblemsAnswer {
  readonly items: readonly ({
    readonly type: string;
    readonly code: string;
    readonly status: number;
    readonly title: string;
    /** What to do about it. */
    readonly advice: string;
  })[];
}

export interface GetProblemAnswer {
  readonly type: string;
  readonly code: string;
  readonly status: number;
  readonly title: string;
  /** What to do about it. */
  readonly advice: string;
}

/** What each operation takes, in this order, and answers. */
export interface Operations {
  /**
   * Log a user in
   *
   * Grants what the login costs, durably, or refuses it with the rule that did and the figures.
   *
   * Requires a token that permits `logins.create`.
   */
  readonly logIn: { readonly input: [body: LogInBody]; readonly answer: LogInAnswer };
  /**
   * List the logins that are in
   *
   * Out of the distributed table, so that it is as of a moment ago; it says of when.
   *
   * Requires a token that permits `logins.read`.
   */
  readonly listLogins: { readonly input: [query?: ListLoginsQuery]; readonly answer: ListLoginsAnswer };
  /**
   * Explain what a login would come to now
   *
   * Decides it like a login and changes nothing.
   *
   * Requires a token that permits `logins.explain`.
   */
  readonly explainLogin: { readonly input: [body: ExplainLoginBody]; readonly answer: ExplainLoginAnswer };
  /**
   * Read a login
   *
   * Requires a token that permits `logins.read`.
   */
  readonly readLogin: { readonly input: [id: string, query?: ReadLoginQuery]; readonly answer: ReadLoginAnswer };
  /**
   * Log out
   *
   * Can be repeated. Where the instance is named (or the token is restricted to one) it can come before its login, which is then not granted any more.
   *
   * Requires a token that permits `logins.release`.
   */
  readonly logOut: { readonly input: [id: string, query?: LogOutQuery]; readonly answer: undefined };
  /**
   * Identify the user of a login
   *
   * Trades the unit of the former ID for one of the user, both or neither, and with it what the login has taken of applications.
   *
   * Requires a token that permits `logins.create`.
   */
  readonly identifyLogin: { readonly input: [id: string, body: IdentifyLoginBody, query?: IdentifyLoginQuery]; readonly answer: IdentifyLoginAnswer };
  /**
   * Renew the lease of a login
   *
   * Answers `renewed`, or a problem that says that the login is lost and why.
   *
   * Requires a token that permits `logins.renew`.
   */
  readonly renewLogin: { readonly input: [id: string, query?: RenewLoginQuery]; readonly answer: RenewLoginAnswer };
  /**
   * Many logins, logouts and heartbeats in one request
   *
   * Each operation has its own verdict, in the same order; one that fails changes nothing for the others. Operations on one login are done in the order they stand in.
   *
   * Requires a token that permits `logins.create`.
   */
  readonly batchLogins: { readonly input: [body: BatchLoginsBody]; readonly answer: BatchLoginsAnswer };
  /**
   * Give a sign of life of an instance
   *
   * Answers `alive`, or a problem: another incarnation has taken over, or it was silent too long and what was bound to it was taken back.
   *
   * Requires a token that permits `instances.heartbeat`.
   */
  readonly beatInstance: { readonly input: [name: string, body: BeatInstanceBody]; readonly answer: BeatInstanceAnswer };
  /**
   * Force logins out
   *
   * One login, everything that an instance holds (it stays registered), or everything of a user under a key. Units are free at once. Whoever is forced out hears of it at the next sign of life. What instances let in by themselves, under a local or leased key, goes on; the answer says how much that is. Repeating it does no harm.
   *
   * Requires a token that permits `logins.force`.
   */
  readonly forceRelease: { readonly input: [body: ForceReleaseBody]; readonly answer: ForceReleaseAnswer };
  /**
   * Register an instance
   *
   * At every start, and to take another key. In place of a key it may name the LicenseID under which one is served. 201 for a new name, else 200. Settings are taken when a life begins; those left out keep their values. `unitLimit`, `connectionLimit` and `trustedProxies` need a token that permits `instances.change`.
   *
   * Requires a token that permits `instances.register`.
   */
  readonly registerInstance: { readonly input: [name: string, body: RegisterInstanceBody]; readonly answer: RegisterInstanceAnswer };
  /**
   * Read an instance, with what it holds
   *
   * Requires a token that permits `instances.read`.
   */
  readonly readInstance: { readonly input: [name: string]; readonly answer: ReadInstanceAnswer };
  /**
   * Change the settings of an instance
   *
   * On the revision of `If-Match`; settings left out keep their values.
   *
   * Requires a token that permits `instances.change`.
   */
  readonly configureInstance: { readonly input: [name: string, body: ConfigureInstanceBody, revision: string]; readonly answer: ConfigureInstanceAnswer };
  /**
   * Deregister an instance
   *
   * Everything that it holds is released in the same step. Repeating it does no harm.
   *
   * Requires a token that permits `instances.remove`.
   */
  readonly removeInstance: { readonly input: [name: string]; readonly answer: undefined };
  /**
   * List the registered instances
   *
   * By name; only those that the token may see.
   *
   * Requires a token that permits `instances.read`.
   */
  readonly listInstances: { readonly input: [query?: ListInstancesQuery]; readonly answer: ListInstancesAnswer };
  /**
   * Whether the key of an instance permits a feature
   *
   * A key that is missing or not valid permits none; the reason says which is the case.
   *
   * Requires a token that permits `instances.read`.
   */
  readonly readInstanceFeature: { readonly input: [name: string, feature: string]; readonly answer: ReadInstanceFeatureAnswer };
  /**
   * Have an instance work under another key
   *
   * On what was inspected: `If-Match` is the token of `POST /v1/keys/inspect`, so that exactly that is applied; `*` applies whatever stands. At once, in part, or after the next start of the instance, by its `activationProfile`. Nobody inside loses anything: his login goes over to the new key; one that is smaller than what is in use lets in nobody new until use falls. It needs no unit, so that it works when all are taken. The key that is active already gives up the one that waits for a restart.
   *
   * Requires a token that permits `instances.activate`.
   */
  readonly activateKey: { readonly input: [name: string, body: ActivateKeyBody, revision: string]; readonly answer: ActivateKeyAnswer };
  /**
   * The key of an instance, and what is left of it
   *
   * `Accept: text/plain` gives the layout of the legacy `CKEY`. The header `as-of` says as of when it is, also of the text.
   *
   * Requires a token that permits `instances.read`.
   */
  readonly readInstanceKey: { readonly input: [name: string, query?: ReadInstanceKeyQuery]; readonly answer: ReadInstanceKeyAnswer };
  /**
   * Go back to the key that an instance worked under before
   *
   * By the same rules as any activation. A key that waits for a restart is given up instead, and nothing else happens. Going back twice ends where it began; so `If-Match` is the ETag of the instance, by which a repeated request is told from a second one, or `*`.
   *
   * Requires a token that permits `instances.activate`.
   */
  readonly rollBackKey: { readonly input: [name: string, revision: string]; readonly answer: RollBackKeyAnswer };
  /**
   * The keys that an instance has worked under
   *
   * The latest first: what was activated over which key, by whom, with which outcome, and what became of keys that waited for a restart. It outlives the instance.
   *
   * Requires a token that permits `instances.read`.
   */
  readonly listActivations: { readonly input: [name: string, query?: ListActivationsQuery]; readonly answer: ListActivationsAnswer };
  /**
   * List the application sections that an instance has
   *
   * Loaded ones and those of its key, by name, with what is in use of each feature.
   *
   * Requires a token that permits `applications.read`.
   */
  readonly listApplications: { readonly input: [name: string, query?: ListApplicationsQuery]; readonly answer: ListApplicationsAnswer };
  /**
   * Load every section of an application licence file
   *
   * All sections or none. Sections that are loaded already and are not in the file stay.
   *
   * Requires a token that permits `applications.load`.
   */
  readonly loadApplications: { readonly input: [name: string, body: LoadApplicationsBody]; readonly answer: LoadApplicationsAnswer };
  /**
   * Load one application section
   *
   * Out of a file, or as keywords and values. 201 for a new one, else 200. Whoever holds units keeps them when there are fewer afterwards; the peaks begin anew.
   *
   * Requires a token that permits `applications.load`.
   */
  readonly loadApplication: { readonly input: [name: string, application: string, body: LoadApplicationBody]; readonly answer: LoadApplicationAnswer };
  /**
   * Read an application section, with what is in use of it
   *
   * Requires a token that permits `applications.read`.
   */
  readonly readApplication: { readonly input: [name: string, application: string]; readonly answer: ReadApplicationAnswer };
  /**
   * Take a loaded application section away
   *
   * Nobody can take anything of it any more; whoever holds units keeps them until he gives them back or goes. Repeating it does no harm.
   *
   * Requires a token that permits `applications.change`.
   */
  readonly removeApplication: { readonly input: [name: string, application: string]; readonly answer: undefined };
  /**
   * Read a feature of an application, with what is in use of it
   *
   * Requires a token that permits `applications.read`.
   */
  readonly readApplicationFeature: { readonly input: [name: string, application: string, feature: string]; readonly answer: ReadApplicationFeatureAnswer };
  /**
   * Take a unit of application features for a user
   *
   * All features or none. A unit is a user’s: whoever holds a feature already takes it again for nothing, and gives it back as often. Everything goes with the login, or with the user’s last connection.
   *
   * Requires a token that permits `applications.use`.
   */
  readonly takeApplications: { readonly input: [name: string, body: TakeApplicationsBody]; readonly answer: TakeApplicationsAnswer };
  /**
   * Say what a take would come to now, and change nothing
   *
   * Requires a token that permits `applications.read`.
   */
  readonly explainTake: { readonly input: [name: string, body: ExplainTakeBody]; readonly answer: ExplainTakeAnswer };
  /**
   * Give back units of application features
   *
   * One take of each feature that is named, or everything that the holder has. What he does not have is told as not released, which is no fault.
   *
   * Requires a token that permits `applications.use`.
   */
  readonly returnApplications: { readonly input: [name: string, body: ReturnApplicationsBody]; readonly answer: ReturnApplicationsAnswer };
  /**
   * List who holds units of an application
   *
   * By feature and user, as of the distributed table. Also of a section that is gone.
   *
   * Requires a token that permits `applications.read`.
   */
  readonly listHolders: { readonly input: [name: string, application: string, query?: ListHoldersQuery]; readonly answer: ListHoldersAnswer };
  /**
   * Count anew who holds units of an application
   *
   * From what each user holds. Nothing has to be repaired: the counters are that sum.
   *
   * Requires a token that permits `applications.read`.
   */
  readonly recountApplication: { readonly input: [name: string, application: string, body: RecountApplicationBody]; readonly answer: RecountApplicationAnswer };
  /**
   * Whether an application may run on an instance, by the number of instances
   *
   * A keyword may license a number of instances (`ApplicationServerLogin`): it is permitted while no more active instances are registered with the key.
   *
   * Requires a token that permits `applications.read`.
   */
  readonly readInstanceLogin: { readonly input: [name: string, application: string, query: ReadInstanceLoginQuery]; readonly answer: ReadInstanceLoginAnswer };
  /**
   * Report changes of an instance’s own table
   *
   * For keys whose enforcement is `local` or `leased`: rows as they are, numbered, so that repeating one does no harm. Every update is a sign of life, also one that states nothing. It is never refused for being over the limit; the answer says whether new users may come in.
   *
   * Requires a token that permits `instances.update`.
   */
  readonly updateInstance: { readonly input: [name: string, body: UpdateInstanceBody]; readonly answer: UpdateInstanceAnswer };
  /**
   * End a life of an instance in good order
   *
   * Its logins without a lease of their own, what it reported and what was leased to it are given back at once. The instance stays registered, silent, until it registers again. It can be repeated.
   *
   * Requires a token that permits `instances.update`.
   */
  readonly closeInstance: { readonly input: [name: string, body: CloseInstanceBody]; readonly answer: undefined };
  /**
   * Look at a key file without installing it
   *
   * Stores nothing. A file that cannot be read answers 422 with every fault in `faults`. With `instance` the answer says what would become of the key there: both keys side by side, what is less, whether a restart is needed and why. Its `inspection` is the ETag as well: `PUT /v1/instances/{name}/key` with it as `If-Match` applies exactly what was shown. An installed key is looked at by `key`, its ID.
   *
   * Requires a token that permits `keys.inspect`.
   */
  readonly inspectKey: { readonly input: [body: InspectKeyBody]; readonly answer: InspectKeyAnswer };
  /**
   * Install a key
   *
   * The same content again is already there and answers 200. A key without a signature of ours is accepted only where the configuration allows it, on stated terms.
   *
   * Requires a token that permits `keys.install`.
   */
  readonly installKey: { readonly input: [body: InstallKeyBody]; readonly answer: InstallKeyAnswer };
  /**
   * List the installed keys
   *
   * By ID; only those that the token may see.
   *
   * Requires a token that permits `keys.read`.
   */
  readonly listKeys: { readonly input: [query?: ListKeysQuery]; readonly answer: ListKeysAnswer };
  /**
   * Read a key
   *
   * Requires a token that permits `keys.read`.
   */
  readonly readKey: { readonly input: [id: string]; readonly answer: ReadKeyAnswer };
  /**
   * Change how a key is enforced
   *
   * Requires a token that permits `keys.change`.
   */
  readonly changeKey: { readonly input: [id: string, body: ChangeKeyBody, revision: string]; readonly answer: ChangeKeyAnswer };
  /**
   * Remove a key
   *
   * Only one that no instance is registered with. Repeating it does no harm.
   *
   * Requires a token that permits `keys.remove`.
   */
  readonly removeKey: { readonly input: [id: string]; readonly answer: undefined };
  /**
   * Get the key file as it was installed
   *
   * Byte for byte. Only for administrators, because it can be installed elsewhere.
   *
   * Requires a token that permits `keys.install`.
   */
  readonly readKeyFile: { readonly input: [id: string]; readonly answer: string };
  /**
   * Whether a key permits a feature
   *
   * A key that is not valid permits none; the reason says which is the case.
   *
   * Requires a token that permits `keys.read`.
   */
  readonly readKeyFeature: { readonly input: [id: string, feature: string]; readonly answer: ReadKeyFeatureAnswer };
  /**
   * List the keys that are served by LicenseID
   *
   * By LicenseID and file, with what is wrong with a file of the directory; files that give no LicenseID come first. The directory is told as the replica that answers sees it.
   *
   * Requires a token that permits `keys.read`.
   */
  readonly listServedKeys: { readonly input: [query?: ListServedKeysQuery]; readonly answer: ListServedKeysAnswer };
  /**
   * Serve an installed key under its LicenseID
   *
   * Every instance that is registered by the LicenseID is given it, by the rules of its activation profile. A file of the directory that is written later takes its place. Repeating it does no harm.
   *
   * Requires a token that permits `keys.change`.
   */
  readonly serveKey: { readonly input: [licenseId: string, body: ServeKeyBody]; readonly answer: ServeKeyAnswer };
  /**
   * Ask now whether a newer key is served for an instance
   *
   * The legacy `CheckNewKey`: what happens every few minutes by itself happens at once. A newer key is activated by the rules of the instance’s activation profile.
   *
   * Requires a token that permits `instances.register`.
   */
  readonly checkInstanceKey: { readonly input: [name: string]; readonly answer: CheckInstanceKeyAnswer };
  /**
   * What is in use of each key
   *
   * Every installed key, and the default licences that are in use. The token of an instance sees the totals of its key.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly countUsage: { readonly input: [query?: CountUsageQuery]; readonly answer: CountUsageAnswer };
  /**
   * What is in use on each instance
   *
   * Requires a token that permits `usage.read`.
   */
  readonly countUsageByInstance: { readonly input: [query?: CountUsageByInstanceQuery]; readonly answer: CountUsageByInstanceAnswer };
  /**
   * Who is in, where, and what he costs
   *
   * By key and user ID. One user on several instances of a key costs one unit until he transitions.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly listUsageByUser: { readonly input: [query?: ListUsageByUserQuery]; readonly answer: ListUsageByUserAnswer };
  /**
   * What is leased to which instance
   *
   * For keys whose enforcement is `leased`; by instance and incarnation.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly listLeases: { readonly input: [query?: ListLeasesQuery]; readonly answer: ListLeasesAnswer };
  /**
   * The over-limit ledger
   *
   * When combined use of a key was over its limit, because its instances decide for themselves: from when to when, by how much, who came in meanwhile, and how it ended. The latest first. `Accept: text/plain` gives the page as a report.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly listExcesses: { readonly input: [query?: ListExcessesQuery]; readonly answer: ListExcessesAnswer };
  /**
   * How far combined use of a key can come over its limit
   *
   * Only under a local key it can: the most that is possible at all, the most to be expected at the rate of new users, the episode that is open, and how fresh the reports of each instance are.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly readExcessOutlook: { readonly input: [id: string]; readonly answer: ReadExcessOutlookAnswer };
  /**
   * What all instances of a key use together, and one of them by itself
   *
   * With neither parameter: the instance that the token is restricted to, or the only key there is. `Accept: text/plain` gives the layout of the legacy `ShowSummary`, in which users are units. The header `as-of` says as of when it is, also of the text.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly summariseUsage: { readonly input: [query?: SummariseUsageQuery]; readonly answer: SummariseUsageAnswer };
  /**
   * Everybody on every instance, and what he costs
   *
   * By key, instance and user ID; only what the token may see. A user on several instances of a key is one unit, and his other rows share it. `limit` counts users. `Accept: text/plain` gives the layout of the legacy `DumpServers`, or `DumpServer` with an instance. `Accept: application/x-ndjson` gives one JSON object a line: first `totals` and `instances`, then each user on an instance. Both are whole; from 20000 users on they are read from the folded table and sent piece by piece. The header `dump-entries` says how many users there are. The header `as-of` says as of when it is, also of the text.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly dumpServers: { readonly input: [query?: DumpServersQuery]; readonly answer: DumpServersAnswer };
  /**
   * What an instance uses, the most it has used, and the least that was left
   *
   * Marks are kept since the instance was started, or since they were reset: a restart begins them anew. Of an instance that decides for itself they are of what it reported; it knows its own by itself. `Accept: text/plain` gives the legacy `ShowCounts`. The header `as-of` says as of when it is, also of the text.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly countInstance: { readonly input: [name: string, query?: CountInstanceQuery]; readonly answer: CountInstanceAnswer };
  /**
   * Set the marks of an instance back to what stands
   *
   * The legacy `LUMaxConsumedReset`. The answer says what they were. An instance that decides for itself keeps marks of its own, which are its own to reset.
   *
   * Requires a token that permits `usage.reset`.
   */
  readonly resetInstanceMarks: { readonly input: [name: string, body: ResetInstanceMarksBody]; readonly answer: ResetInstanceMarksAnswer };
  /**
   * Set the marks of a key, over all its instances, back to what stands
   *
   * The legacy `DistributedMaxReset`. The answer says what they were. The marks of its instances stay.
   *
   * Requires a token that permits `usage.reset`.
   */
  readonly resetKeyMarks: { readonly input: [id: string, body: ResetKeyMarksBody]; readonly answer: ResetKeyMarksAnswer };
  /**
   * How long the logins of an instance lasted
   *
   * Of logins that held a unit and have ended, since the instance was started or the histogram was cleared, by the time of the journal; grace is part of it. Users whom an instance let in by itself are not in it: it counts these itself.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly readDurations: { readonly input: [name: string]; readonly answer: ReadDurationsAnswer };
  /**
   * Begin the histogram of durations anew
   *
   * The legacy `ClearDurationCounts`. The answer says what it was.
   *
   * Requires a token that permits `usage.reset`.
   */
  readonly clearDurations: { readonly input: [name: string]; readonly answer: ClearDurationsAnswer };
  /**
   * Which licence server is active
   *
   * `Accept: text/plain` gives the legacy `ShowServer`. A licence server that is itself named ACTIVE is read under its name in capitals. The header `as-of` says as of when it is, also of the text.
   *
   * Requires a token that permits `servers.read`.
   */
  readonly readActiveLicenseServer: { readonly input: [query?: ReadActiveLicenseServerQuery]; readonly answer: ReadActiveLicenseServerAnswer };
  /**
   * Every key, and who uses it where
   *
   * By key, user ID and instance; only what the token may see. `limit` counts rows. `Accept: text/plain` gives the layout of the legacy `DumpKeys`, or `DumpKey` with a key. `Accept: application/x-ndjson` gives one JSON object a line: first `keys`, then each user on an instance. Both are whole; from 20000 rows on they are read from the folded table and sent piece by piece. The header `dump-entries` says how many rows there are. The header `as-of` says as of when it is, also of the text.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly dumpKeys: { readonly input: [query?: DumpKeysQuery]; readonly answer: DumpKeysAnswer };
  /**
   * Every slot of an instance’s licence table
   *
   * Oldest first; only the slots in use are entries. `Accept: text/plain` gives the legacy `all.dmp`, whole, with a line for each slot that is free. `Accept: application/x-ndjson` gives one JSON object a line: first what the dump is of, then each entry. Both are sent piece by piece, however long they are; JSON comes in pages, up to 100000 logins and users. The header `dump-entries` says how many entries there are. The header `as-of` says as of when it is, also of the text.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly dumpInstanceSlots: { readonly input: [name: string, query?: DumpInstanceSlotsQuery]; readonly answer: DumpInstanceSlotsAnswer };
  /**
   * Who is on an instance, and what he costs
   *
   * Oldest first; only the slots in use are entries. `Accept: text/plain` gives the legacy `inuse.dmp`, whole. `Accept: application/x-ndjson` gives one JSON object a line: first what the dump is of, then each entry. Both are sent piece by piece, however long they are; JSON comes in pages, up to 100000 logins and users. The header `dump-entries` says how many entries there are. The header `as-of` says as of when it is, also of the text.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly dumpInstanceUsers: { readonly input: [name: string, query?: DumpInstanceUsersQuery]; readonly answer: DumpInstanceUsersAnswer };
  /**
   * The processes of an instance, and whose they are
   *
   * Oldest first. Of an instance that decides for itself the server knows users only, one entry each. `Accept: text/plain` gives the legacy `piduse.dmp`, whole. `Accept: application/x-ndjson` gives one JSON object a line: first what the dump is of, then each entry. Both are sent piece by piece, however long they are; JSON comes in pages, up to 100000 logins and users. The header `dump-entries` says how many entries there are. The header `as-of` says as of when it is, also of the text.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly dumpInstanceProcesses: { readonly input: [name: string, query?: DumpInstanceProcessesQuery]; readonly answer: DumpInstanceProcessesAnswer };
  /**
   * The queries of the legacy class, with their columns
   *
   * Requires a token that permits `usage.read`.
   */
  readonly listQueries: { readonly input: []; readonly answer: ListQueriesAnswer };
  /**
   * The rows of a query of the legacy class
   *
   * Under exactly its columns, as far as the token may see. `Accept: text/plain` gives them as a table, whole, up to 20000 rows. The header `as-of` says as of when it is, also of the text.
   *
   * Requires a token that permits `usage.read`.
   */
  readonly runQuery: { readonly input: [name: string, query?: RunQueryQuery]; readonly answer: RunQueryAnswer };
  /**
   * List what was decided and changed
   *
   * A page looks at a bounded part of the journal: with a filter it may hold few events or none and still have a `nextCursor`. The end is reached when there is none.
   *
   * Requires a token that permits `journal.read`.
   */
  readonly listJournal: { readonly input: [query?: ListJournalQuery]; readonly answer: ListJournalAnswer };
  /**
   * Explain one decision
   *
   * What was decided, by whom, when, and what it means in words.
   *
   * Requires a token that permits `journal.read`.
   */
  readonly explainDecision: { readonly input: [decision: string]; readonly answer: ExplainDecisionAnswer };
  /**
   * List the licence servers, and say who is active
   *
   * At most one is active. Names the keys whose instances are configured with different sets of licence servers.
   *
   * Requires a token that permits `servers.read`.
   */
  readonly listLicenseServers: { readonly input: []; readonly answer: ListLicenseServersAnswer };
  /**
   * Read a licence server
   *
   * Requires a token that permits `servers.read`.
   */
  readonly readLicenseServer: { readonly input: [name: string]; readonly answer: ReadLicenseServerAnswer };
  /**
   * Add or change a licence server
   *
   * Changes the roster only: a process that serves the entry listens where it was started. The same again changes nothing.
   *
   * Requires a token that permits `servers.change`.
   */
  readonly putLicenseServer: { readonly input: [name: string, body: PutLicenseServerBody]; readonly answer: PutLicenseServerAnswer };
  /**
   * Remove a licence server
   *
   * If it is active its term cannot be renewed any more, and another takes over when it has run out. Repeating it does no harm.
   *
   * Requires a token that permits `servers.change`.
   */
  readonly removeLicenseServer: { readonly input: [name: string]; readonly answer: undefined };
  /**
   * Serve an entry: a sign of life of its process
   *
   * The first one up is active and stays so; when it was silent for its term the next sign of life of another takes over, and one that returns is an ordinary member. A token restricted to keys or to an instance may not do this.
   *
   * Requires a token that permits `servers.serve`.
   */
  readonly beatLicenseServer: { readonly input: [name: string, body: BeatLicenseServerBody]; readonly answer: BeatLicenseServerAnswer };
  /**
   * Make an access token
   *
   * Requires a token that permits `tokens.manage`.
   */
  readonly createToken: { readonly input: [body: CreateTokenBody]; readonly answer: CreateTokenAnswer };
  /**
   * List access tokens
   *
   * In the order they were made, also those that are revoked or have expired.
   *
   * Requires a token that permits `tokens.manage`.
   */
  readonly listTokens: { readonly input: [query?: ListTokensQuery]; readonly answer: ListTokensAnswer };
  /**
   * Revoke an access token
   *
   * At once on this replica, and within seconds on the others. Repeating it does no harm.
   *
   * Requires a token that permits `tokens.manage`.
   */
  readonly revokeToken: { readonly input: [id: string]; readonly answer: undefined };
  /** Whether the process runs */
  readonly getLiveness: { readonly input: []; readonly answer: GetLivenessAnswer };
  /**
   * Whether this replica should be sent requests
   *
   * `ready` and `degraded` answer 200, `not-ready` answers 503; the words say why.
   */
  readonly getReadiness: { readonly input: []; readonly answer: GetReadinessAnswer };
  /**
   * Look at the whole deployment for what is wrong
   *
   * Settings, durability and replication of the database, long transactions, clocks, Redis, migrations, the journal and its fold, leadership, keys, instances, licence servers and tokens, each with how to mend it. What cannot be looked at is a finding itself. A token restricted to keys or to an instance may not do this.
   *
   * Requires a token that permits `diagnosis.read`.
   */
  readonly readDiagnosis: { readonly input: []; readonly answer: ReadDiagnosisAnswer };
  /** Metrics for Prometheus */
  readonly getMetrics: { readonly input: []; readonly answer: string };
  /** Every problem that Lictor can report */
  readonly listProblems: { readonly input: []; readonly answer: ListProblemsAnswer };
  /** What a problem means and what to do */
  readonly getProblem: { readonly input: [code: string]; readonly answer: GetProblemAnswer };
}

/** How each operation is sent. */
export const OPERATIONS = {
  logIn: { method: 'POST', path: '/v1/logins', body: true, answer: 'json' },
  listLogins: { method: 'GET', path: '/v1/logins', query: true, answer: 'json' },
  explainLogin: { method: 'POST', path: '/v1/logins/explain', body: true, answer: 'json' },
  readLogin: { method: 'GET', path: '/v1/logins/{id}', query: true, answer: 'json' },
  logOut: { method: 'DELETE', path: '/v1/logins/{id}', query: true, answer: 'none' },
  identifyLogin: { method: 'POST', path: '/v1/logins/{id}/identify', body: true, query: true, answer: 'json' },
  renewLogin: { method: 'POST', path: '/v1/logins/{id}/heartbeat', query: true, answer: 'json' },
  batchLogins: { method: 'POST', path: '/v1/logins/batch', body: true, answer: 'json' },
  beatInstance: { method: 'POST', path: '/v1/instances/{name}/heartbeat', body: true, answer: 'json' },
  forceRelease: { method: 'POST', path: '/v1/releases', body: true, answer: 'json' },
  registerInstance: { method: 'PUT', path: '/v1/instances/{name}', body: true, answer: 'json' },
  readInstance: { method: 'GET', path: '/v1/instances/{name}', answer: 'json' },
  configureInstance: { method: 'PATCH', path: '/v1/instances/{name}', body: true, revision: true, answer: 'json' },
  removeInstance: { method: 'DELETE', path: '/v1/instances/{name}', answer: 'none' },
  listInstances: { method: 'GET', path: '/v1/instances', query: true, answer: 'json' },
  readInstanceFeature: { method: 'GET', path: '/v1/instances/{name}/features/{feature}', answer: 'json' },
  activateKey: { method: 'PUT', path: '/v1/instances/{name}/key', body: true, revision: true, answer: 'json' },
  readInstanceKey: { method: 'GET', path: '/v1/instances/{name}/key', query: true, answer: 'json' },
  rollBackKey: { method: 'POST', path: '/v1/instances/{name}/key/rollback', revision: true, answer: 'json' },
  listActivations: { method: 'GET', path: '/v1/instances/{name}/activations', query: true, answer: 'json' },
  listApplications: { method: 'GET', path: '/v1/instances/{name}/applications', query: true, answer: 'json' },
  loadApplications: { method: 'POST', path: '/v1/instances/{name}/applications', body: true, answer: 'json' },
  loadApplication: { method: 'PUT', path: '/v1/instances/{name}/applications/{application}', body: true, answer: 'json' },
  readApplication: { method: 'GET', path: '/v1/instances/{name}/applications/{application}', answer: 'json' },
  removeApplication: { method: 'DELETE', path: '/v1/instances/{name}/applications/{application}', answer: 'none' },
  readApplicationFeature: { method: 'GET', path: '/v1/instances/{name}/applications/{application}/features/{feature}', answer: 'json' },
  takeApplications: { method: 'POST', path: '/v1/instances/{name}/applications/take', body: true, answer: 'json' },
  explainTake: { method: 'POST', path: '/v1/instances/{name}/applications/explain', body: true, answer: 'json' },
  returnApplications: { method: 'POST', path: '/v1/instances/{name}/applications/return', body: true, answer: 'json' },
  listHolders: { method: 'GET', path: '/v1/instances/{name}/applications/{application}/holders', query: true, answer: 'json' },
  recountApplication: { method: 'POST', path: '/v1/instances/{name}/applications/{application}/recount', body: true, answer: 'json' },
  readInstanceLogin: { method: 'GET', path: '/v1/instances/{name}/applications/{application}/instance-login', query: true, answer: 'json' },
  updateInstance: { method: 'POST', path: '/v1/instances/{name}/updates', body: true, answer: 'json' },
  closeInstance: { method: 'POST', path: '/v1/instances/{name}/close', body: true, answer: 'none' },
  inspectKey: { method: 'POST', path: '/v1/keys/inspect', body: true, answer: 'json' },
  installKey: { method: 'POST', path: '/v1/keys', body: true, answer: 'json' },
  listKeys: { method: 'GET', path: '/v1/keys', query: true, answer: 'json' },
  readKey: { method: 'GET', path: '/v1/keys/{id}', answer: 'json' },
  changeKey: { method: 'PATCH', path: '/v1/keys/{id}', body: true, revision: true, answer: 'json' },
  removeKey: { method: 'DELETE', path: '/v1/keys/{id}', answer: 'none' },
  readKeyFile: { method: 'GET', path: '/v1/keys/{id}/file', answer: 'text' },
  readKeyFeature: { method: 'GET', path: '/v1/keys/{id}/features/{feature}', answer: 'json' },
  listServedKeys: { method: 'GET', path: '/v1/served-keys', query: true, answer: 'json' },
  serveKey: { method: 'PUT', path: '/v1/served-keys/{licenseId}', body: true, answer: 'json' },
  checkInstanceKey: { method: 'POST', path: '/v1/instances/{name}/key/check', answer: 'json' },
  countUsage: { method: 'GET', path: '/v1/usage/counts', query: true, answer: 'json' },
  countUsageByInstance: { method: 'GET', path: '/v1/usage/instances', query: true, answer: 'json' },
  listUsageByUser: { method: 'GET', path: '/v1/usage/users', query: true, answer: 'json' },
  listLeases: { method: 'GET', path: '/v1/leases', query: true, answer: 'json' },
  listExcesses: { method: 'GET', path: '/v1/excesses', query: true, answer: 'json' },
  readExcessOutlook: { method: 'GET', path: '/v1/keys/{id}/excess', answer: 'json' },
  summariseUsage: { method: 'GET', path: '/v1/usage/summary', query: true, answer: 'json' },
  dumpServers: { method: 'GET', path: '/v1/usage/servers', query: true, answer: 'json' },
  countInstance: { method: 'GET', path: '/v1/instances/{name}/counts', query: true, answer: 'json' },
  resetInstanceMarks: { method: 'POST', path: '/v1/instances/{name}/marks/reset', body: true, answer: 'json' },
  resetKeyMarks: { method: 'POST', path: '/v1/keys/{id}/marks/reset', body: true, answer: 'json' },
  readDurations: { method: 'GET', path: '/v1/instances/{name}/durations', answer: 'json' },
  clearDurations: { method: 'POST', path: '/v1/instances/{name}/durations/clear', answer: 'json' },
  readActiveLicenseServer: { method: 'GET', path: '/v1/license-servers/active', query: true, answer: 'json' },
  dumpKeys: { method: 'GET', path: '/v1/usage/keys', query: true, answer: 'json' },
  dumpInstanceSlots: { method: 'GET', path: '/v1/instances/{name}/dumps/all', query: true, answer: 'json' },
  dumpInstanceUsers: { method: 'GET', path: '/v1/instances/{name}/dumps/in-use', query: true, answer: 'json' },
  dumpInstanceProcesses: { method: 'GET', path: '/v1/instances/{name}/dumps/processes', query: true, answer: 'json' },
  listQueries: { method: 'GET', path: '/v1/queries', answer: 'json' },
  runQuery: { method: 'GET', path: '/v1/queries/{name}', query: true, answer: 'json' },
  listJournal: { method: 'GET', path: '/v1/journal', query: true, answer: 'json' },
  explainDecision: { method: 'GET', path: '/v1/journal/{decision}', answer: 'json' },
  listLicenseServers: { method: 'GET', path: '/v1/license-servers', answer: 'json' },
  readLicenseServer: { method: 'GET', path: '/v1/license-servers/{name}', answer: 'json' },
  putLicenseServer: { method: 'PUT', path: '/v1/license-servers/{name}', body: true, answer: 'json' },
  removeLicenseServer: { method: 'DELETE', path: '/v1/license-servers/{name}', answer: 'none' },
  beatLicenseServer: { method: 'POST', path: '/v1/license-servers/{name}/beat', body: true, answer: 'json' },
  createToken: { method: 'POST', path: '/v1/tokens', body: true, answer: 'json' },
  listTokens: { method: 'GET', path: '/v1/tokens', query: true, answer: 'json' },
  revokeToken: { method: 'DELETE', path: '/v1/tokens/{id}', answer: 'none' },
  getLiveness: { method: 'GET', path: '/livez', answer: 'json' },
  getReadiness: { method: 'GET', path: '/readyz', answer: 'json' },
  readDiagnosis: { method: 'GET', path: '/v1/diagnosis', answer: 'json' },
  getMetrics: { method: 'GET', path: '/metrics', answer: 'text' },
  listProblems: { method: 'GET', path: '/problems', answer: 'json' },
  getProblem: { method: 'GET', path: '/problems/{code}', answer: 'json' },
} as const;
