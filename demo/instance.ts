/** The process of one instance: takes orders from the demonstration, one line of IPC each, and answers them. */

import type { NumberedAnswer, NumberedOrder, Order, RunningInstance } from './messages.ts';
import { SdkInstance } from './sdkinstance.ts';
import { UdpInstance } from './udpinstance.ts';

let instance: RunningInstance | null = null;

async function obey(order: Order): Promise<unknown> {
  if (order.do === 'start') {
    const { options } = order;
    instance = options.speaks === 'udp' ? new UdpInstance(options) : new SdkInstance(options);
    return instance.start();
  }
  if (instance === null) throw new Error('the instance is not started');
  if (order.do === 'logout') return instance.logout(order.user);
  const running = instance;
  if (order.do === 'login') return order.users.map((user) => running.login(user));
  return running[order.do]();
}

process.on('message', async ({ number, order }: NumberedOrder) => {
  const answer: NumberedAnswer = await obey(order).then(
    (value) => ({ number, value: value ?? null }),
    (error: unknown) => ({ number, error: error instanceof Error ? error.message : String(error) }),
  );
  process.send?.(answer, () => {
    if (order.do === 'close') process.disconnect();
  });
});
// Without the demonstration there is nobody to take orders from.
process.on('disconnect', () => process.exit(0));
