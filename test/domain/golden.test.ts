import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { JOURNAL_FORMAT, type JournalEvent, type JournalRow } from '../../src/domain/events.ts';
import { Model } from '../support/model.ts';
import { replay, type Snapshot, snapshotOf } from '../support/snapshot.ts';

/**
 * Journals as they were once written, with the tables they gave then. They are never recorded again: when one
 * of them fails, `apply` has changed within a format, and it is `apply` that has to give way.
 */
interface GoldenJournal {
  readonly about: string;
  readonly format: number;
  readonly rows: readonly JournalRow[];
  readonly table: Snapshot;
}

const FOLDER = fileURLToPath(new URL('../fixtures/journal/', import.meta.url));

const JOURNALS: readonly (readonly [name: string, journal: GoldenJournal])[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => [name, JSON.parse(readFileSync(`${FOLDER}${name}`, 'utf8'))]);

/** Every type of event of the format: the compiler asks for a new one here, and the test for a journal of it. */
const TYPES: Record<JournalEvent['type'], true> = {
  granted: true,
  released: true,
  forestalled: true,
  ended: true,
  identified: true,
  renewed: true,
  lingered: true,
  refused: true,
  registered: true,
  configured: true,
  silenced: true,
  revived: true,
  deregistered: true,
  'key-installed': true,
  'key-changed': true,
  'key-removed': true,
  reported: true,
  unreported: true,
  excess: true,
  leased: true,
  'lease-ended': true,
  joined: true,
  'application-loaded': true,
  'application-removed': true,
  taken: true,
  returned: true,
  'holdings-moved': true,
  'marks-reset': true,
  'durations-cleared': true,
  activated: true,
  moved: true,
};

describe.each(JOURNALS)('the golden journal %s', (_, journal) => {
  test('gives the table it gave when it was written (R-4)', () => {
    expect(snapshotOf(replay(journal.rows))).toMatchObject(journal.table);
  });

  test('gives every prefix of itself without complaint, so that a replica can stop anywhere', () => {
    for (let rows = 0; rows <= journal.rows.length; rows += 1) {
      expect(replay(journal.rows.slice(0, rows)).version).toBe(rows);
    }
  });

  test('comes to the units that the facts come to (F-31…F-33)', () => {
    const model = new Model();
    for (const row of journal.rows) for (const event of row.events) model.follow(event);
    const { pools, places } = journal.table;
    expect(pools.map((pool) => pool.units)).toEqual(pools.map((pool) => model.pool(pool.id).units));
    expect(places.map((place) => place.units)).toEqual(places.map((place) => model.unitsAt(place.instance)));
    for (const { scope, application, feature, users } of journal.table.counters ?? []) {
      const held = model.applications.users({ instance: '', key: null, ...scope }, application, feature);
      expect(users).toEqual([...held].sort());
    }
  });
});

test('the golden journals have every type of event up to the present format', () => {
  const met = JOURNALS.filter(([, journal]) => journal.format <= JOURNAL_FORMAT)
    .flatMap(([, journal]) => journal.rows)
    .flatMap((row) => row.events)
    .map((event) => event.type);
  expect([...new Set(met)].sort()).toEqual(Object.keys(TYPES).sort());
});
