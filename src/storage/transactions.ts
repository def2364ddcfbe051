/**
 * Transactions that bear the loss of their connection. The driver ends a failed transaction with a `rollback`,
 * also when there is no connection left to send it on; its write to nothing then ends the whole process, by an
 * error that nobody can catch (porsager/postgres#1154). So after a loss nothing more is sent here.
 */

import type { Sql, TransactionSql } from 'postgres';
import { isConnectionError } from './database.ts';

/**
 * Runs statements in one transaction: all of them or none.
 * @param options - of `begin`, such as an isolation level; empty for the usual one.
 * @param run - gets the handle of the transaction, and must use no other.
 * @returns what `run` returned, once the transaction is committed.
 * @throws whatever `run` threw, or the error of the connection; nothing was written then, unless the connection
 *   was lost during the commit itself.
 */
export function inTransaction<Value>(
  sql: Sql,
  options: string,
  run: (tx: TransactionSql) => Promise<Value>,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    let isLost = false;
    const lose = (error: unknown) => {
      isLost = true;
      reject(error as Error);
    };
    const guard = (tx: TransactionSql) =>
      new Proxy(tx, {
        apply(target, self, args) {
          if (isLost)
            throw Object.assign(new Error('the connection was lost'), { code: 'CONNECTION_CLOSED' });
          const made = Reflect.apply(target as unknown as (...given: unknown[]) => unknown, self, args);
          forgetOrigin(made);
          return made;
        },
      });
    const whole = sql.begin(
      options,
      (tx) =>
        // After a loss this stays open for ever, so that the driver sends no rollback after it.
        new Promise<Value>((done, fail) => {
          run(guard(tx)).then(done, (error) => {
            if (isLost || isConnectionError(error)) lose(error);
            else fail(error);
          });
        }),
    ) as Promise<Value>;
    // It is rejected as well when the connection closes between two statements.
    whole.then(resolve, lose);
  });
}

/**
 * Makes a text of where a statement was asked for. The driver keeps an error of the first time for ever, and with
 * its frames everything that the functions in them can see, such as a whole fold; a text keeps nothing.
 */
function forgetOrigin(made: unknown): void {
  void (made as { readonly origin?: string }).origin;
}
