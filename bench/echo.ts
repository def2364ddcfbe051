/** The limit for datagrams: a process that sends each one back as it came, and does nothing else. */

import { createSocket } from 'node:dgram';

const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1_048_576 });
socket.on('message', (datagram, { port, address }) => socket.send(datagram, port, address, () => {}));
socket.bind(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ msg: 'The echo receives.', bound: [socket.address()] })}\n`);
});
process.once('SIGTERM', () => socket.close());
