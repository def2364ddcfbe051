/** Which base URL is asked next, with injected time. */

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Base, Bases } from '../../src/client/bases.ts';

const URLS = ['http://a', 'http://b', 'http://c'];
const NONE: ReadonlySet<Base> = new Set();

/** Base URLs with a clock, jitter and probes that the test decides. */
function world(urls: readonly string[] = URLS) {
  const state = { nowMs: 0, random: 0, isThere: true, probed: [] as string[] };
  const probe = async ({ url }: Base) => {
    state.probed.push(url);
    return state.isThere;
  };
  const bases = new Bases(
    urls,
    probe,
    () => state.nowMs,
    () => state.random,
  );
  const chosen = (except = NONE) => bases.choose(except)?.url ?? null;
  /** What a probe found is known after the microtasks that are waiting. */
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return { state, bases, chosen, settled };
}

describe('choosing', () => {
  test('the first in the list that is well', () => {
    const { bases, chosen } = world();
    expect(chosen()).toBe('http://a');
    bases.failed(bases.all[0]!);
    expect(chosen()).toBe('http://b');
    expect(chosen(new Set([bases.all[1]!]))).toBe('http://c');
  });

  test('of those that are all down, the one that is due first', () => {
    const { state, bases, chosen } = world();
    for (const base of [...bases.all].reverse()) {
      bases.failed(base);
      state.nowMs += 10;
    }
    expect(chosen()).toBe('http://c');
  });

  test('nobody, when all rest', () => {
    const { state, bases, chosen } = world();
    for (const base of bases.all) bases.rests(base, 1_000);
    bases.rests(bases.all[2]!, 2_000);
    expect([chosen(), bases.restMs(NONE)]).toEqual([null, 1_000]);
    expect(bases.restMs(new Set(bases.all.slice(0, 2)))).toBe(2_000);
    state.nowMs = 1_000;
    expect([chosen(), bases.restMs(NONE)]).toEqual(['http://a', 0]);
  });
});

describe('back-off', () => {
  test('doubles from one second to thirty, half of it jitter', () => {
    const { state, bases } = world();
    const [base] = bases.all as [Base];
    const pauses: number[] = [];
    for (let failure = 0; failure < 8; failure += 1) {
      bases.failed(base);
      pauses.push(base.retryAtMs - state.nowMs);
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    state.random = 1;
    bases.failed(base);
    expect(base.retryAtMs).toBe(30_000);
  });

  test('over, the base URL is probed once at a time, and well again when it is there', async () => {
    const { state, bases, chosen, settled } = world();
    bases.failed(bases.all[0]!);
    chosen();
    expect(state.probed).toEqual([]);
    state.nowMs = 500;
    state.isThere = false;
    chosen();
    chosen();
    expect(state.probed).toEqual(['http://a']);
    await settled();
    // It failed again, so its back-off is twice as long.
    expect([chosen(), bases.all[0]!.retryAtMs]).toEqual(['http://b', 1_500]);
    state.nowMs = 1_500;
    state.isThere = true;
    chosen();
    await settled();
    expect(chosen()).toBe('http://a');
  });

  test('goes on growing for one that answers probes only', async () => {
    const { state, bases, chosen, settled } = world();
    const [base] = bases.all as [Base];
    for (let round = 0; round < 4; round += 1) {
      bases.failed(base);
      state.nowMs = base.retryAtMs;
      chosen();
      await settled();
      expect(chosen()).toBe('http://a');
    }
    expect(base.failures).toBe(4);
    bases.succeeded(base);
    expect(base.failures).toBe(0);
  });

  test('that a server tells is bounded at a minute, and up to a fifth longer', () => {
    const { state, bases } = world(['http://a']);
    bases.rests(bases.all[0]!, 86_400_000);
    expect(bases.restMs(NONE)).toBe(60_000);
    state.random = 1;
    bases.rests(bases.all[0]!, 86_400_000);
    expect(bases.restMs(NONE)).toBe(72_000);
    bases.rests(bases.all[0]!, 1);
    expect(bases.restMs(NONE)).toBe(72_000);
  });
});

describe('whatever happens', () => {
  test('somebody is chosen unless all rest, and a rest ends', () => {
    const step = fc.tuple(fc.constantFrom('failed', 'succeeded', 'rests', 'wait'), fc.nat(2), fc.nat(90_000));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { state, bases, chosen } = world();
        for (const [what, index, ms] of steps) {
          const base = bases.all[index]!;
          if (what === 'wait') state.nowMs += ms;
          else if (what === 'rests') bases.rests(base, ms);
          else bases[what as 'failed' | 'succeeded'](base);
          expect(chosen() === null).toBe(bases.restMs(NONE) > 0);
        }
        state.nowMs += 60_000;
        expect(chosen()).not.toBeNull();
      }),
      { numRuns: 200 },
    );
  });
});

describe('base URLs', () => {
  test('are brought into one form, and each is there once', () => {
    const { bases } = world([
      'HTTP://Example.com:80/',
      'http://example.com',
      'https://[::1]:8443/licences//',
    ]);
    expect(bases.all.map(({ url }) => url)).toEqual(['http://example.com', 'https://[::1]:8443/licences']);
  });
});
