/**
 * What is leased to which instance.
 */

import { type Static, Type } from 'typebox';
import type { Leases, LeaseView } from '../../service/leases.ts';
import { instantOf, PageAsOf, showAsOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { decodeCursor, encodeCursor } from '../cursors.ts';
import { Instant, PageQuery, pageLimit, responses } from '../schemas.ts';

const LeasesQuery = Type.Object(
  {
    ...PageQuery.properties,
    key: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Only of this key.' })),
  },
  { additionalProperties: false },
);

const Lease = Type.Object({
  id: Type.String({ description: 'The ID of the lease.' }),
  key: Type.String({ description: 'The key whose units they are.' }),
  instance: Type.String(),
  incarnation: Type.Integer({ description: 'The life of the instance that they are leased to.' }),
  former: Type.Boolean({
    description: 'Whether the instance has another incarnation by now; this one ends when its term does.',
  }),
  units: Type.Integer({
    description: 'The units of the block, which are in use as far as anybody else is concerned.',
  }),
  users: Type.Integer({ description: 'Users whom the instance has an entry of.' }),
  connections: Type.Integer({
    description: 'Connections that it may have of them together; they count under their users.',
  }),
  endsAt: Instant('Until when the instance may believe in it, unless it is renewed.'),
});

function showLease({ isFormer, endsAtMs, ...lease }: LeaseView): Static<typeof Lease> {
  return { ...lease, former: isFormer, endsAt: instantOf(endsAtMs) };
}

/** @param services.leases - the list. */
export function leaseRoutes({ leases }: { readonly leases: Leases }): RoutePlugin {
  return (app, _options, done) => {
    app.get(
      '/v1/leases',
      {
        config: { access: 'usage.read' },
        schema: {
          operationId: 'listLeases',
          summary: 'What is leased to which instance',
          description: 'For keys whose enforcement is `leased`; by instance and incarnation.',
          tags: ['usage'],
          querystring: LeasesQuery,
          response: responses({ 200: PageAsOf(Lease) }, ['not-ready']),
        },
      },
      async (request) => {
        const { key } = request.query;
        const principal = principalOf(request);
        if (key !== undefined)
          requirePermission(request, 'usage.read', { keyId: key, instance: principal.instance });
        const position = decodeCursor('leases', request.query.cursor, 2);
        const { items, hasMore, asOf } = await leases.list(principal, {
          after: position === null ? null : [String(position[0]), Number(position[1])],
          limit: pageLimit(request.query),
          key,
        });
        const last = items.at(-1);
        return {
          items: items.map(showLease),
          ...(hasMore && last
            ? { nextCursor: encodeCursor('leases', [last.instance, last.incarnation]) }
            : {}),
          ...showAsOf(asOf),
        };
      },
    );
    done();
  };
}
