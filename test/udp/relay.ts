/**
 * A bad network for datagrams: it loses some, delivers some twice, and delays each by another time, so that they
 * overtake each other; in both directions, and the same for the same seed and traffic.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** How bad it is. */
export interface RelayFaults {
  /** The share of datagrams that are lost, 0 to 1. */
  readonly loss: number;
  readonly duplication: number;
  /** The longest delay, in milliseconds. */
  readonly delayMsMax: number;
}

/** The relay. */
export interface Relay {
  readonly port: number;
  /** Every datagram that instances have sent into it. */
  readonly recorded: readonly Buffer[];
  /** What it has done so far. */
  readonly counts: { readonly passed: number; readonly lost: number; readonly doubled: number };
  faults: RelayFaults;
  close(): Promise<void>;
}

const RECORDED_MAX = 20_000;

/**
 * Opens a relay.
 * @param target - the port of the loopback to relay to.
 * @param faults - how bad it is.
 * @param seed - of its dice.
 */
export async function openRelay(target: number, faults: RelayFaults, seed: number): Promise<Relay> {
  const roll = diceOf(seed);
  const front = createSocket('udp4');
  const ways = new Map<number, Socket>();
  const timers = new Set<NodeJS.Timeout>();
  const recorded: Buffer[] = [];
  const counts = { passed: 0, lost: 0, doubled: 0 };
  const relay: Relay = { port: 0, recorded, counts, faults, close };

  function pass(send: () => void): void {
    const { loss, duplication, delayMsMax } = relay.faults;
    if (roll() < loss) {
      counts.lost += 1;
      return;
    }
    const copies = roll() < duplication ? 2 : 1;
    counts.passed += 1;
    counts.doubled += copies - 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        send();
      }, roll() * delayMsMax);
      timers.add(timer);
    }
  }

  /** Each sender has a socket of its own behind the relay, so that answers find him. */
  function wayOf(port: number): Socket {
    let way = ways.get(port);
    if (way === undefined) {
      way = createSocket('udp4');
      way.on('message', (answer) => pass(() => front.send(answer, port, '127.0.0.1', () => {})));
      way.on('error', () => {});
      ways.set(port, way);
    }
    return way;
  }

  front.on('message', (datagram, { port }) => {
    if (recorded.length < RECORDED_MAX) recorded.push(datagram);
    const way = wayOf(port);
    pass(() => way.send(datagram, target, '127.0.0.1', () => {}));
  });
  front.bind(0, '127.0.0.1');
  await once(front, 'listening');

  async function close(): Promise<void> {
    for (const timer of timers) clearTimeout(timer);
    for (const socket of [front, ...ways.values()]) {
      socket.close();
      await once(socket, 'close');
    }
  }
  return Object.defineProperty(relay, 'port', { value: front.address().port });
}

/** Numbers from 0 to 1 that are the same for the same seed. */
export function diceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e37_79b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
