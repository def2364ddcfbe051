/**
 * Going through a list of the API as if it were one, and not pages.
 */

import type { CallOptions } from './transport.ts';

/** A call that answers page by page. */
export type Listing<Query, Item> = (
  query?: Query,
  options?: CallOptions,
) => Promise<{ readonly items: readonly Item[]; readonly nextCursor?: string }>;

/**
 * Goes through every entry of a list, asking for the next page when the one before is used up:
 * `for await (const login of each(client.logins.list, { key })) …`.
 *
 * @param list - a call that lists.
 * @param query - what the list is asked for; `limit` is the size of a page.
 * @param options - of each call.
 */
export async function* each<Query extends object, Item>(
  list: Listing<Query, Item>,
  query?: Query,
  options?: CallOptions,
): AsyncGenerator<Item, void, undefined> {
  let cursor: string | undefined;
  do {
    const next = cursor === undefined ? query : ({ ...query, cursor } as unknown as Query);
    const page = await list(next, options);
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}
