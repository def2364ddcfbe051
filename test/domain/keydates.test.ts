import { describe, expect, test } from '@jest/globals';
import { endOfDayMs, isTimeZone, startOfDayMs } from '../../src/domain/keys/keydates.ts';

describe('days in a zone', () => {
  const end = (date: string, zone: string) => new Date(endOfDayMs(date, zone)).toISOString();

  test.each([
    ['UTC', '2028-02-29', '2028-02-29T23:59:59.999Z'],
    ['UTC', '9999-12-31', '9999-12-31T23:59:59.999Z'],
    ['Asia/Tokyo', '2027-07-15', '2027-07-15T14:59:59.999Z'],
    ['America/New_York', '2027-07-15', '2027-07-16T03:59:59.999Z'],
    ['Pacific/Kiritimati', '2027-07-15', '2027-07-15T09:59:59.999Z'],
    ['Etc/GMT+12', '2027-07-15', '2027-07-16T11:59:59.999Z'],
    // The day on which clocks go forward has 23 hours, the day on which they go back 25.
    ['Europe/Berlin', '2026-03-28', '2026-03-28T22:59:59.999Z'],
    ['Europe/Berlin', '2026-03-29', '2026-03-29T21:59:59.999Z'],
    ['Europe/Berlin', '2026-10-25', '2026-10-25T22:59:59.999Z'],
    // Midnight is left out: 2018-11-04 begins at 01:00 there.
    ['America/Sao_Paulo', '2018-11-03', '2018-11-04T02:59:59.999Z'],
    // Midnight came twice: clocks went from 00:00 back to 23:00 of the day before.
    ['America/Sao_Paulo', '2018-02-17', '2018-02-18T02:59:59.999Z'],
    // Clocks went back at 00:01, so that the new day began, was left and began again.
    ['America/St_Johns', '2010-11-06', '2010-11-07T03:29:59.999Z'],
    // A whole day was left out: after the 29th came the 31st.
    ['Pacific/Apia', '2011-12-30', '2011-12-30T09:59:59.999Z'],
  ])('%s: %s ends at %s', (zone, date, instant) => {
    expect(end(date, zone)).toBe(instant);
  });

  test('a day begins a millisecond after the day before it ended', () => {
    expect(new Date(startOfDayMs('2018-11-04', 'America/Sao_Paulo')).toISOString()).toBe(
      '2018-11-04T03:00:00.000Z',
    );
    expect(startOfDayMs('2027-01-01', 'UTC')).toBe(Date.parse('2027-01-01'));
  });

  test('zones are told from other words', () => {
    expect(['UTC', 'Europe/Berlin', 'Mars/Olympus', ''].map(isTimeZone)).toEqual([true, true, false, false]);
  });
});
