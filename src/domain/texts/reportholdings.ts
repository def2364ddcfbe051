/**
 * Who holds which units of application licences on one instance, as the queries `ApplicationUserList`,
 * `TrakCareUserList` and `ConnectionAppList` list it (notes 2.6, 6.3).
 */

import type { HeldUnits } from '../applications/applicationtable.ts';
import type { Place } from '../holdings/holdings.ts';

/** The takes of one user: by application, by feature, how often. */
export type UserTakes = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** @returns what each user holds on an instance, by user ID; only users who hold something. */
export function takesByUser(place: Place | undefined): Map<string, UserTakes> {
  const takes = new Map<string, Map<string, Map<string, number>>>();
  const add = (userId: string, held: HeldUnits): void => {
    for (const [{ application, feature }, holding] of held) {
      const applications = takes.get(userId) ?? new Map<string, Map<string, number>>();
      const features = applications.get(application) ?? new Map<string, number>();
      features.set(feature, (features.get(feature) ?? 0) + holding.takes);
      takes.set(userId, applications.set(application, features));
    }
  };
  const book = place?.holdings;
  if (!book) return takes;
  for (const [login, held] of book.byLogin) if (login.user) add(login.user.id, held);
  for (const [userId, { held }] of book.byUser) add(userId, held);
  return takes;
}

/** What a user holds of one application: its keywords, each with how often if that is asked for. */
export function appLicenses(takes: UserTakes | undefined, application: string, showCounts: boolean): string {
  const features = [...(takes?.get(application) ?? [])].sort(([left], [right]) => (left < right ? -1 : 1));
  return features.map(([name, count]) => (showCounts ? `${name}=${count}` : name)).join(',');
}

/** What a user holds of all applications: `App,Feature;App,Feature`. */
export function applicationUse(takes: UserTakes | undefined): string {
  const pairs = [...(takes ?? [])].flatMap(([application, features]) =>
    [...features.keys()].map((feature) => `${application},${feature}`),
  );
  return pairs.sort().join(';');
}
