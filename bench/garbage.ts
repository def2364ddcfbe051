/**
 * Collecting a server's garbage from outside, so that its memory can be told from what it has not cleared yet.
 */

import type { Listening } from './processes.ts';

const TIMEOUT_MS = 60_000;

/**
 * Has a server collect its garbage, through its debugger.
 * @returns the bytes of live objects on its heap.
 * @throws Error when its debugger cannot be reached.
 */
export async function collectGarbage(server: Listening): Promise<number> {
  const socket = new WebSocket(await server.openDebugger());
  try {
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve(), { once: true });
      socket.addEventListener('error', () => reject(new Error('The debugger cannot be reached.')), {
        once: true,
      });
    });
    await ask(socket, 1, 'HeapProfiler.collectGarbage', {});
    const answer = await ask<{ result: { value: number } }>(socket, 2, 'Runtime.evaluate', {
      expression: 'process.memoryUsage().heapUsed',
    });
    return answer.result.value;
  } finally {
    socket.close();
  }
}

/** Sends one command of the debugger's protocol and waits for its answer. */
function ask<Result>(socket: WebSocket, id: number, method: string, params: object): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${method} was not answered.`)), TIMEOUT_MS);
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as { id?: number; result: Result };
      if (message.id !== id) return;
      clearTimeout(timer);
      resolve(message.result);
    });
    socket.send(JSON.stringify({ id, method, params }));
  });
}
