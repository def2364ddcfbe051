import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CENTRE, LeaseNetwork, type Node, OTHER, POOL } from '../support/leasenetwork.ts';
import { verify, verifyReplay, verifyTogether } from '../support/leasetruth.ts';

/** How many histories are tried, and how long they are; the seed makes every run the same. */
const RUNS = Number(process.env.LICTOR_TEST_HISTORIES ?? 3_000);
const SEED = Number(process.env.LICTOR_TEST_SEED ?? 20_300_102);
const STEPS_MAX = 120;
const USERS = 4;
const TERM_MS = 10_000;

/** What can happen, and how often beside the rest. */
const EVENTS = {
  connect: 5,
  burst: 1,
  disconnect: 2,
  leave: 1,
  exchange: 4,
  state: 3,
  arrive: 3,
  'arrive again': 1,
  'lose request': 1,
  answer: 3,
  'answer again': 1,
  'lose answer': 1,
  pass: 2,
  'pass long': 1,
  suspend: 1,
  resume: 1,
  'set clock': 1,
  kill: 1,
  close: 1,
  usurp: 1,
  ghost: 1,
  'restart server': 1,
  'login centrally': 2,
  'logout centrally': 1,
  activate: 1,
  partition: 1,
};

/** One step: what happens, to which instance or message, to which user, and how much. */
interface Step {
  readonly what: keyof typeof EVENTS;
  readonly which: number;
  readonly user: number;
  readonly much: number;
}

const events = Object.entries(EVENTS) as [Step['what'], number][];

const steps = fc.array(
  fc.record({
    what: fc.constantFrom(...events.flatMap(([what, times]) => Array<Step['what']>(times).fill(what))),
    which: fc.nat(1_000),
    user: fc.nat(USERS - 1),
    much: fc.nat(1_000),
  }),
  { minLength: 1, maxLength: STEPS_MAX, size: 'max' },
);

const networks = fc.record({
  instances: fc.integer({ min: 2, max: 5 }),
  units: fc.integer({ min: 3, max: 16 }),
  connectionsPerUnitMax: fc.integer({ min: 2, max: 5 }),
  termMs: fc.constant(TERM_MS),
});

function take(network: LeaseNetwork, { what, which, user: number, much }: Step): void {
  const node = network.nodes[which % network.nodes.length]!;
  const user = `user ${number}`;
  const request = which % Math.max(1, network.requests.length);
  const reply = which % Math.max(1, network.replies.length);
  switch (what) {
    case 'connect':
      network.connect(node, user);
      return;
    case 'burst':
      for (let count = 0; count <= much % 6; count += 1) network.connect(node, user);
      return;
    case 'disconnect':
      network.disconnect(node, user);
      return;
    case 'leave':
      while (node.runs && node.users.has(user)) network.disconnect(node, user);
      return;
    case 'exchange':
      network.exchange(node);
      return;
    case 'state':
      network.state(node);
      return;
    case 'arrive':
      network.arrive(request);
      network.requests.splice(request, 1);
      return;
    case 'arrive again':
      network.arrive(request);
      return;
    case 'lose request':
      network.requests.splice(request, 1);
      return;
    case 'answer':
      network.answer(reply);
      network.replies.splice(reply, 1);
      return;
    case 'answer again':
      network.answer(reply);
      return;
    case 'lose answer':
      network.replies.splice(reply, 1);
      return;
    default:
      disturb(network, node, user, { what, which, much });
      return;
  }
}

function disturb(
  network: LeaseNetwork,
  node: Node,
  user: string,
  { what, which, much }: { what: string; which: number; much: number },
): void {
  switch (what) {
    case 'pass':
      network.pass(much);
      return;
    case 'pass long':
      network.pass(much * 20);
      return;
    case 'suspend':
      node.isSuspended = !node.isDown;
      return;
    case 'resume':
      node.isSuspended = false;
      if (node.runs) node.look();
      return;
    case 'set clock':
      if (!node.runs) return;
      node.wallMs += (much - 500) * 40;
      node.look();
      return;
    case 'kill':
      network.restart(node, false);
      return;
    case 'close':
      network.restart(node, true);
      return;
    case 'usurp':
      network.usurp(node);
      return;
    case 'ghost': {
      const ghost = network.ghosts[which % Math.max(1, network.ghosts.length)];
      if (ghost) network.connect(ghost, user);
      return;
    }
    case 'restart server':
      network.restartServer();
      return;
    case 'login centrally':
      network.loginCentrally(user);
      return;
    case 'logout centrally':
      network.logoutCentrally(which % Math.max(1, network.centralCount));
      return;
    case 'activate':
      network.activate(which % 3 === 0 ? CENTRE : node.name, much % 2 === 0 ? OTHER : POOL);
      return;
    case 'partition':
      // Everybody else goes on as ever for a while, and this one hears and says nothing.
      for (let count = 0; count < 4; count += 1) {
        network.pass(much);
        for (const other of network.nodes) if (other !== node) network.exchange(other);
      }
      return;
    default:
      throw new Error(`unknown event ${what}`);
  }
}

test(`S-1, S-3: no unit is granted twice in ${RUNS} histories, and every unit comes back (F-30…F-33)`, () => {
  const property = fc.property(networks, steps, (fields, history) => {
    const network = new LeaseNetwork(fields);
    for (const node of network.nodes) network.exchange(node);
    for (const step of history) {
      take(network, step);
      verify(network);
    }
    network.heal();
    verifyTogether(network);
    expect(network.empty()).toBe(fields.units);
    verifyReplay(network);
  });
  fc.assert(property, { numRuns: RUNS, seed: SEED });
}, 600_000);
