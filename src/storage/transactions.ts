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
  // The driver keeps an error of the first time that each of its statements was asked for, its own commit among them,
  // and with it for ever whatever the functions in its frames can see. That must not be what is written, such as a
  // whole fold: so nothing below sees `run` once it has begun.
  let waiting: typeof run | null = run;
  const begun = (tx: TransactionSql) => {
    const work = waiting!;
    waiting = null;
    return work(tx);
  };
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
          return Reflect.apply(target as unknown as (...given: unknown[]) => unknown, self, args);
        },
      });
    const whole = sql.begin(
      options,
      (tx) =>
        // After a loss this stays open for ever, so that the driver sends no rollback after it.
        new Promise<Value>((done, fail) => {
          begun(guard(tx)).then(done, (error) => {
            if (isLost || isConnectionError(error)) lose(error);
            else fail(error);
          });
        }),
    ) as Promise<Value>;
    // It is rejected as well when the connection closes between two statements.
    whole.then(resolve, lose);
  });
}
