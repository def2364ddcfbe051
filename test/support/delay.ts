/** A way to a server that can be made slow: it passes bytes on, in order, some time after they came. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface DelayedWay {
  readonly port: number;
  /** How long every byte is kept back in each direction from now on, in milliseconds; 0 passes it on at once. */
  delayMs: number;
  close(): Promise<void>;
}

/**
 * Opens a way to a port of the loopback.
 * @param target - the port that it leads to.
 */
export async function openDelayedWay(target: number): Promise<DelayedWay> {
  const sockets = new Set<Socket>();
  const way = { delayMs: 0 };
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => to.destroy());
      from.once('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      const queue: { readonly at: number; readonly chunk: Buffer }[] = [];
      const pass = () => {
        while (queue[0] !== undefined && queue[0].at <= performance.now()) to.write(queue.shift()!.chunk);
        if (queue[0] !== undefined && !to.destroyed) setTimeout(pass, queue[0].at - performance.now());
      };
      from.on('data', (chunk: Buffer) => {
        queue.push({ at: performance.now() + way.delayMs, chunk });
        if (queue.length === 1) pass();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The way has no port.');
  return Object.assign(way, {
    port: address.port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  });
}
