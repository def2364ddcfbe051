import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DueQueue } from '../../src/domain/due.ts';
import { Place, Pool } from '../../src/domain/holdings/holdings.ts';
import { Login } from '../../src/domain/holdings/login.ts';

function makeEnding(id: string, endsAtMs: number, place = new Place('a', 0)): Login {
  const login = new Login(id, place, new Pool('key-1', 1, 0));
  login.endsAtMs = endsAtMs;
  place.logins.set(id, login);
  return login;
}

/** Takes everything that is due. */
function drain(queue: DueQueue, nowMs: number): Login[] {
  const taken: Login[] = [];
  for (let login = queue.take(nowMs); login; login = queue.take(nowMs)) taken.push(login);
  return taken;
}

describe('the queue of what ends by itself (R-14)', () => {
  test('an empty queue is never due', () => {
    const queue = new DueQueue();
    expect(queue.nextMs).toBe(Number.POSITIVE_INFINITY);
    expect(queue.next).toBeUndefined();
    expect(queue.take(Number.MAX_SAFE_INTEGER)).toBeUndefined();
  });

  test('a login is due at its instant, not a millisecond before', () => {
    const queue = new DueQueue();
    const login = makeEnding('one', 1000);
    queue.push(login);
    expect(queue.next).toBe(login);
    expect(queue.take(999)).toBeUndefined();
    expect(queue.take(1000)).toBe(login);
    expect(queue.size).toBe(0);
  });

  test('who looks at the first one does not see one that is gone, or ends at another time by now', () => {
    const queue = new DueQueue();
    const [gone, later, first] = [
      makeEnding('gone', 1000),
      makeEnding('later', 2000),
      makeEnding('first', 3000),
    ];
    for (const login of [gone, later, first]) queue.push(login);
    gone.place.logins.delete(gone.id);
    later.endsAtMs = 4000;
    queue.push(later);
    expect([queue.next, queue.nextMs]).toEqual([first, 3000]);
    expect(drain(queue, 5000)).toEqual([first, later]);
  });

  test('logins come out soonest first, each once, in whatever order they went in', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 200 }), (times) => {
        const queue = new DueQueue();
        const logins = times.map((time, index) => makeEnding(`login-${index}`, time));
        for (const login of logins) queue.push(login);
        const early = drain(queue, 25);
        expect(early.every((login) => login.endsAtMs <= 25)).toBe(true);
        const taken = [...early, ...drain(queue, 50)];
        expect(taken.map((login) => login.endsAtMs)).toEqual([...times].sort((one, other) => one - other));
        expect(new Set(taken).size).toBe(logins.length);
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  test('an entry whose login went out, moved its end, or was replaced under its ID is passed over', () => {
    const place = new Place('a', 0);
    const queue = new DueQueue();
    const [gone, moved, replaced, stays] = ['gone', 'moved', 'replaced', 'stays'].map((id) =>
      makeEnding(id, 10, place),
    );
    for (const login of [gone!, moved!, replaced!, stays!]) queue.push(login);
    place.logins.delete('gone');
    moved!.endsAtMs = 30;
    queue.push(moved!);
    makeEnding('replaced', 40, place);
    expect(drain(queue, 20)).toEqual([stays]);
    expect(drain(queue, 30)).toEqual([moved]);
    expect(queue.size).toBe(0);
  });
});
