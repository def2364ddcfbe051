/** The sockets that the sidecar receives at: one for each address and port. */

import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Reply } from './exchange.ts';
import type { Sender } from './proofs.ts';

/** Room in the kernel for what comes while the process does something else; the system may grant less. */
const RECEIVE_BUFFER_OCTETS = 4 * 1_048_576;
/** What says that a machine has no such kind of address, as one without IPv6. */
const ABSENT: ReadonlySet<string | undefined> = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL']);

/** Takes each datagram that comes. */
export type Receiver = (datagram: Buffer, sender: Sender, reply: Reply) => void;

/** Where a socket is bound. */
export interface Bound {
  readonly address: string;
  readonly port: number;
}

/** What the sockets tell about themselves; a pino logger fits. */
export interface SocketsLogger {
  warn(fields: object, message: string): void;
}

/** Bound sockets. */
export interface Sockets {
  readonly bound: readonly Bound[];
  close(): Promise<void>;
}

/**
 * Binds a socket for each address and port. An address that this machine does not have is left out with a
 * warning, unless none remains.
 *
 * @param hosts - IPv4 and IPv6 addresses.
 * @param ports - UDP ports; 0 takes any free one.
 * @param receive - takes each datagram.
 * @param logger - see there.
 * @throws the system's error when a port is in use or not permitted, or no address is left.
 */
export async function openSockets(
  hosts: readonly string[],
  ports: readonly number[],
  receive: Receiver,
  logger: SocketsLogger,
): Promise<Sockets> {
  const sockets: Socket[] = [];
  const close = async () => {
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
  };
  let absent: unknown = new Error('There is no address to receive at.');
  for (const address of hosts) {
    for (const port of ports) {
      try {
        sockets.push(await bind(address, port, receive, logger));
      } catch (error) {
        if (!ABSENT.has((error as NodeJS.ErrnoException).code)) {
          await close();
          throw error;
        }
        absent = error;
        logger.warn({ err: error }, `This machine has no address ${address}; nothing is received there.`);
      }
    }
  }
  if (sockets.length === 0) throw absent;
  return {
    bound: sockets.map((socket) => {
      const { address, port } = socket.address();
      return { address, port };
    }),
    close,
  };
}

function bind(address: string, port: number, receive: Receiver, logger: SocketsLogger): Promise<Socket> {
  const isSix = isIPv6(address);
  const socket = createSocket({
    type: isSix ? 'udp6' : 'udp4',
    // IPv4 has sockets of its own, so that a sender has one address and not two.
    ipv6Only: isSix,
    recvBufferSize: RECEIVE_BUFFER_OCTETS,
  });
  socket.on('message', (datagram, { address: from, port: fromPort }) => {
    receive(datagram, { address: from, port: fromPort }, (answer) =>
      // An answer that cannot be sent is one that was lost; the instance sends again.
      socket.send(answer, fromPort, from, () => {}),
    );
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeListener('error', reject);
      socket.on('error', (error) => logger.warn({ err: error }, 'A UDP socket met an error.'));
      resolve(socket);
    });
  });
}
