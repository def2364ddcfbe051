/** The shapes of the reports of an instance, by the names that they have here. */

import type { LeaseAnswer, LeaseStatement } from '../domain/leases/leasestatements.ts';
import type { Operations } from './openapi.ts';

/** A numbered report of what changed in the table of an instance. */
export type InstanceUpdate = Operations['updateInstance']['input'][1] & { readonly lease?: LeaseStatement };

/** A row of the instance's table that changed; `connections` 0 when the user is gone. */
export type UserRow = InstanceUpdate['users'][number];

/** What the server says to a report. */
export type UpdateAnswer = Operations['updateInstance']['answer'] & { readonly lease?: LeaseAnswer };
