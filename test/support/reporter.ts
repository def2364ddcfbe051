/** An instance that decides for itself, as a test drives it: its own rows, and what it has told of them. */
import { crc32 } from 'node:zlib';
import type { DigestedRow } from '../../src/domain/local/digest.ts';
import type { Report, UpdateView } from '../../src/domain/operations.ts';

export class Reporter {
  readonly name: string;
  incarnation = 1;
  /** The number of the last update that was made. */
  sequence = 0;
  /** The last update whose answer has arrived. */
  since = 0;
  /** Users who have connections. */
  readonly rows = new Map<string, DigestedRow>();
  /** The number of the last update that was made when a user changed. */
  readonly #changedAfter = new Map<string, number>();

  constructor(name: string) {
    this.name = name;
  }

  /** Changes a user; 0 connections take him out, and whoever has none has not transitioned. */
  set(id: string, connections: number, fields: Partial<DigestedRow> = {}): this {
    if (connections === 0) this.rows.delete(id);
    else this.rows.set(id, { id, webSessions: 0, transitioned: false, ...fields, connections });
    this.#changedAfter.set(id, this.sequence);
    return this;
  }

  /** One connection each for users that begin with a letter: `a1`, `a2` and so on. */
  letIn(letter: string, count: number): this {
    for (let index = 1; index <= count; index += 1) this.set(`${letter}${index}`, 1);
    return this;
  }

  /** The next update: everything that changed since the last answer that arrived. */
  update(): Report {
    const { since } = this;
    const changed = [...this.#changedAfter].filter(([, after]) => after >= since).map(([id]) => id);
    if (changed.length === 0 && this.sequence === since) return this.#report(since, []);
    this.sequence += 1;
    return this.#report(since, changed);
  }

  /** The next update, which states everything; in parts of so many rows when they are stated. */
  full(rowsPerPart = Number.POSITIVE_INFINITY): Report[] {
    const ids = [...this.rows.keys()];
    const parts: Report[] = [];
    const fullFrom = this.sequence + 1;
    for (let from = 0; from === 0 || from < ids.length; from += rowsPerPart) {
      this.sequence += 1;
      const more = from + rowsPerPart < ids.length;
      const part = this.#report(this.sequence - 1, ids.slice(from, from + rowsPerPart));
      parts.push({ ...part, fullFrom, more, digest: more ? null : part.digest });
    }
    return parts;
  }

  /** Hears an answer: of what the server holds nothing needs to be said again. */
  hear({ sequence }: Pick<UpdateView, 'sequence'>): void {
    this.since = Math.max(this.since, sequence);
  }

  /** A new life, which has nobody and has told nothing. */
  restart(incarnation: number): this {
    this.incarnation = incarnation;
    this.sequence = 0;
    this.since = 0;
    this.rows.clear();
    this.#changedAfter.clear();
    return this;
  }

  #report(since: number, ids: readonly string[]): Report {
    const { name, incarnation, sequence } = this;
    const gone = { connections: 0, webSessions: 0, transitioned: false };
    const rows = ids.map((id) => this.rows.get(id) ?? { id, ...gone });
    const common = { op: 'report', fullFrom: null, more: false, actor: 'tester' } as const;
    return { ...common, name, incarnation, sequence, since, rows, digest: this.#digest() };
  }

  /** Counted from scratch each time. */
  #digest() {
    const rows = [...this.rows.values()];
    const sums = rows.map(({ id, connections, webSessions, transitioned }) =>
      crc32([id, connections, webSessions, Number(transitioned)].join('\n')),
    );
    const connections = rows.reduce((sum, row) => sum + row.connections, 0);
    return {
      rows: rows.length,
      connections,
      checksum: sums.reduce((sum, each) => (sum + each) % 2 ** 32, 0),
    };
  }
}

/** The body of an update as it is sent over HTTP. */
export function updateBody({
  op: _op,
  name: _name,
  actor: _actor,
  rows,
  digest,
  fullFrom,
  more,
  ...rest
}: Report) {
  const checksum = digest?.checksum.toString(16).padStart(8, '0');
  return {
    ...rest,
    users: rows,
    ...(digest === null ? {} : { digest: `${digest.rows}.${digest.connections}.${checksum}` }),
    ...(fullFrom === null ? {} : { fullFrom }),
    ...(more ? { more } : {}),
  };
}
