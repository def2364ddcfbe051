/** Makers of tables of instances that decide for themselves, and a server that takes their reports as agreed. */

import { DEFAULT_SETTINGS, type InstanceSettings } from '../../src/domain/instances.ts';
import { digestText, TableDigest } from '../../src/domain/local/digest.ts';
import {
  decideLocalIdentify,
  decideLocalLogin,
  decideLocalLogout,
  type LocalAnswer,
  type LocalClaims,
  type LocalRefusal,
} from '../../src/domain/local/localdecisions.ts';
import type { StatedRow, Statement, StatementAnswer } from '../../src/domain/local/localreports.ts';
import { type LocalCapacity, LocalLogin, LocalTable } from '../../src/domain/local/localtable.ts';
import type { Problem } from '../../src/domain/operations.ts';

/** What a local world may be made with. */
export interface LocalFields extends Partial<LocalCapacity> {
  readonly instance?: string;
  readonly settings?: Partial<InstanceSettings>;
}

/** A table on an instance `a` with a 100-unit key, and a clock. */
export class LocalWorld {
  readonly table: LocalTable;
  nowMs = 1_000;

  constructor(fields: LocalFields = {}) {
    const { instance = 'a', settings = {}, ...capacity } = fields;
    this.table = new LocalTable({
      instance,
      idPrefix: `test-${instance}`,
      settings: { ...DEFAULT_SETTINGS, ...settings },
      capacity: { unitsMax: 100, connectionsPerUnitMax: 25, fault: null, ...capacity },
    });
  }

  ask(claims: Partial<LocalClaims> = {}): LocalAnswer {
    return decideLocalLogin(this.table, { kind: 'user', ...claims }, this.nowMs);
  }

  /** Logs a user in who must be let in. */
  login(claims: string | Partial<LocalClaims>): LocalLogin {
    return letIn(this.ask(typeof claims === 'string' ? { user: claims } : claims));
  }

  logins(count: number, claims: string | Partial<LocalClaims>): LocalLogin[] {
    return Array.from({ length: count }, () => this.login(claims));
  }

  /** Asks for a login that must be refused. */
  refuse(claims: string | Partial<LocalClaims>): LocalRefusal {
    return refusedLocally(this.ask(typeof claims === 'string' ? { user: claims } : claims));
  }

  identify(login: LocalLogin, name: string, clientAddress?: string): LocalAnswer {
    return decideLocalIdentify(this.table, login, name, clientAddress, this.nowMs);
  }

  logout(login: LocalLogin, isOnePage = false): boolean {
    return decideLocalLogout(this.table, login, this.nowMs, isOnePage);
  }
}

/** @returns the login of an answer that must be a grant. */
export function letIn(answer: LocalAnswer): LocalLogin {
  if (answer instanceof LocalLogin) return answer;
  throw new Error(`a login was expected, not ${JSON.stringify(answer)}`);
}

/** @returns an answer that must be a refusal by a rule. */
function refusedLocally(answer: LocalAnswer): LocalRefusal {
  if (answer.is === 'refused') return answer;
  throw new Error(`a refusal was expected, not a ${answer.is}`);
}

/** @returns an answer that must be a problem. */
export function problemLocally(answer: LocalAnswer): Problem {
  if (answer.is === 'problem') return answer;
  throw new Error(`a problem was expected, not a ${answer.is}`);
}

/** The rows of a table as it is, by ID. */
export function rowsOf(table: LocalTable): Map<string, StatedRow> {
  const rows = new Map<string, StatedRow>();
  for (const { id, connections, webSessions, transitioned } of table.users.values()) {
    if (connections > 0) rows.set(id, { id, connections, webSessions, transitioned });
  }
  return rows;
}

/** The server's side of the reports of one incarnation, no more than what the parts agreed on. */
export class Receiver {
  readonly rows = new Map<string, StatedRow>();
  held = 0;
  #fullFrom = 0;
  readonly #named = new Set<string>();

  take(statement: Statement): StatementAnswer {
    const { sequence, since, fullFrom, users } = statement;
    if (sequence === since) return this.#answer(statement);
    if (sequence <= this.held) return { sequence: this.held };
    const begins = fullFrom === sequence;
    if (begins) {
      this.#fullFrom = sequence;
      this.#named.clear();
    } else if (fullFrom !== undefined && (fullFrom !== this.#fullFrom || since !== this.held)) {
      return { sequence: this.held, resend: 'full' };
    } else if (since > this.held) {
      return { sequence: this.held, resend: 'full' };
    }
    for (const row of users) {
      this.#named.add(row.id);
      if (row.connections === 0) this.rows.delete(row.id);
      else this.rows.set(row.id, row);
    }
    this.held = sequence;
    if (fullFrom !== undefined && !statement.more) {
      for (const id of this.rows.keys()) if (!this.#named.has(id)) this.rows.delete(id);
    }
    return this.#answer(statement);
  }

  #answer({ digest, sequence }: Statement): StatementAnswer {
    const own = new TableDigest();
    for (const row of this.rows.values()) own.add(row);
    const isWhole = digest === undefined || (digest === digestText(own) && sequence === this.held);
    return isWhole ? { sequence: this.held } : { sequence: this.held, resend: 'full' };
  }
}
