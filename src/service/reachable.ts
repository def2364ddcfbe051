/**
 * Statements outside the lane: a database that is away is told as such, and is no unexpected error.
 */

import { LicenseError } from '../domain/errors.ts';
import { isConnectionError } from '../storage/database.ts';

/**
 * Runs a statement that changes nothing.
 *
 * @param statement - what to run.
 * @throws LicenseError `storage-unavailable` when the database cannot be reached; any other error as it came.
 */
export async function whileReachable<Value>(statement: () => Promise<Value>): Promise<Value> {
  try {
    return await statement();
  } catch (error) {
    if (!isConnectionError(error)) throw error;
    throw new LicenseError('storage-unavailable', 'The database cannot be reached; try again in a moment.', {
      retryAfterSeconds: 1,
    });
  }
}
