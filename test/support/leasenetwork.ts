/**
 * A network of instances under one leased key, simulated message by message: the server is the domain itself, an
 * instance is `LeaseRights` with a table of nothing but counts, and between them messages are lost, doubled, late
 * and out of order. Time is whatever the script says; every machine has clocks of its own.
 */
import { LeaseRights } from '../../src/domain/leases/leaserights.ts';
import type { LeaseAnswer, LeaseStatement } from '../../src/domain/leases/leasestatements.ts';
import type { Operation } from '../../src/domain/operations.ts';
import type { Table } from '../../src/domain/table.ts';
import { verify } from './leasetruth.ts';
import { makeKey, makeLogin, makeLogout, makeRegister, START_MS, type World, world } from './make.ts';
import { replay } from './snapshot.ts';

/** The pool that everybody begins in. */
export const POOL = 'key-1';
/** Another leased key, which instances are given in its place and take back. */
export const OTHER = 'key-2';
/** The instance whose logins the server decides one by one. */
export const CENTRE = 'centre';
/** How many logins of an instance may wait for an answer. */
const WAITING_MAX = 4;
/** How many messages may be under way in one direction; the oldest is lost then. */
const MESSAGES_MAX = 24;
/** Between two looks of an instance at what it has to do while the network heals, in milliseconds. */
const HEALING_STEP_MS = 250;

export interface NetworkFields {
  readonly instances: number;
  readonly units: number;
  readonly connectionsPerUnitMax: number;
  readonly termMs: number;
}

interface Request {
  readonly node: Node;
  readonly incarnation: number;
  readonly statement: LeaseStatement;
}

interface Reply {
  readonly node: Node;
  readonly incarnation: number;
  readonly answer: LeaseAnswer;
}

/** One instance: its clocks, its rights, and who is in. */
export class Node {
  readonly name: string;
  readonly users = new Map<string, number>();
  /** The users of the logins that wait. */
  waiting: string[] = [];
  rights: LeaseRights;
  incarnation = 1;
  isDown = false;
  isSuspended = false;
  wallMs: number;
  monotonicMs = 0;
  answeredAtMs = Number.NEGATIVE_INFINITY;
  readonly #rate: number;
  readonly #connectionsPerUnitMax: number;

  constructor(index: number, connectionsPerUnitMax: number) {
    this.name = `i${index}`;
    this.wallMs = START_MS + index * 1_234_567;
    // Clocks run apart by far more than real ones do.
    this.#rate = 1 + (index % 2 === 0 ? -1 : 1) * 0.003;
    this.#connectionsPerUnitMax = connectionsPerUnitMax;
    this.rights = this.#newRights();
  }

  #newRights(): LeaseRights {
    return new LeaseRights({
      connectionsOf: (user) => this.users.get(user) ?? 0,
      connectionsPerUnitMax: this.#connectionsPerUnitMax,
    });
  }

  get runs(): boolean {
    return !this.isDown && !this.isSuspended;
  }

  /** Whether its logins are valid as far as it knows, or would find when it looked. */
  get believes(): boolean {
    return !this.isDown && !this.rights.isOver(this.wallMs, this.monotonicMs);
  }

  pass(milliseconds: number): void {
    this.wallMs += milliseconds * this.#rate;
    if (!this.isSuspended) this.monotonicMs += milliseconds * this.#rate;
    if (this.runs) this.look();
  }

  /** Looks at the clocks: at the end of the term everything is lost. */
  look(): void {
    if (!this.rights.isFresh && this.rights.isOver(this.wallMs, this.monotonicMs)) this.lose();
  }

  lose(): void {
    this.users.clear();
    this.rights.lose();
  }

  connect(user: string): void {
    this.look();
    const connections = this.users.get(user) ?? 0;
    if (this.rights.coverage(user, connections) === 'ask') {
      if (this.waiting.length < WAITING_MAX) {
        this.waiting.push(user);
        this.rights.wait(user, 'login-1');
      }
      return;
    }
    this.rights.connect(user, connections);
    this.users.set(user, connections + 1);
  }

  disconnect(user: string): void {
    const connections = this.users.get(user) ?? 0;
    if (connections === 0) return;
    this.rights.disconnect(user, connections);
    if (connections === 1) this.users.delete(user);
    else this.users.set(user, connections - 1);
  }

  /** Everybody goes. */
  leave(): void {
    for (const user of [...this.users.keys()]) while (this.users.has(user)) this.disconnect(user);
    this.giveUp();
  }

  /** Nobody waits any more. */
  giveUp(): void {
    for (const user of this.waiting) this.rights.unwait(user);
    this.waiting = [];
  }

  /** Lets in whoever waited and is covered now, and forgets whoever was refused. */
  retry(): void {
    this.look();
    const waiting = this.waiting;
    this.waiting = [];
    for (const user of waiting) {
      this.rights.unwait(user);
      const refused = this.rights.refusalOf(user) !== undefined;
      if (this.rights.coverage(user, this.users.get(user) ?? 0) !== 'ask') this.connect(user);
      else if (!refused && this.rights.closed === null) {
        this.waiting.push(user);
        this.rights.wait(user, 'login-1');
      }
    }
  }

  /** Ends as a process that is killed: whoever was in is out. */
  kill(): void {
    this.isDown = true;
    this.isSuspended = false;
    this.users.clear();
    this.waiting = [];
  }

  /** Starts as another process. */
  start(incarnation: number): void {
    this.isDown = false;
    this.incarnation = incarnation;
    this.rights = this.#newRights();
    this.answeredAtMs = Number.NEGATIVE_INFINITY;
  }
}

export class LeaseNetwork {
  readonly fields: NetworkFields;
  readonly nodes: Node[];
  world: World;
  requests: Request[] = [];
  replies: Reply[] = [];
  /** Processes whose place another has taken, and who do not know it yet. */
  ghosts: Node[] = [];
  /** How much is in use where users who were in went over to: that may be more than is enforced, and only falls. */
  readonly ceilings = new Map<string, number>();
  readonly #central: { id: string; user: string }[] = [];

  constructor(fields: NetworkFields) {
    const { instances, units, connectionsPerUnitMax, termMs } = fields;
    this.fields = fields;
    this.nodes = Array.from({ length: instances }, (_, index) => new Node(index, connectionsPerUnitMax));
    const key = { units, connectionsPerUnitMax, enforcement: 'leased' } as const;
    this.world = world({
      keys: [makeKey({ ...key, id: POOL }), makeKey({ ...key, id: OTHER })],
      instances: [CENTRE, ...this.nodes.map(({ name }) => name)].map((name) => ({ name })),
      policy: { leaseTermMs: termMs },
    });
  }

  get table(): Table {
    return this.world.table;
  }

  /** Lets time pass everywhere, but for the clocks that stand still. */
  pass(milliseconds: number): void {
    this.world.wait(milliseconds);
    for (const node of [...this.nodes, ...this.ghosts]) node.pass(milliseconds);
  }

  connect(node: Node, user: string): void {
    if (node.runs) node.connect(user);
  }

  disconnect(node: Node, user: string): void {
    if (node.runs) node.disconnect(user);
  }

  /** An instance states its rights; the message is under way. */
  state(node: Node): void {
    if (!node.runs) return;
    node.look();
    const statement = node.rights.statement(node.wallMs, node.monotonicMs);
    this.requests.push({ node, incarnation: node.incarnation, statement: copy(statement) });
    if (this.requests.length > MESSAGES_MAX) this.requests.shift();
  }

  /** A statement arrives; its answer is under way. */
  arrive(index: number): void {
    const request = this.requests[index];
    if (!request) return;
    const { node, incarnation, statement } = request;
    const answer = this.ask({ op: 'lease', name: node.name, incarnation, statement, actor: node.name });
    if (answer.is !== 'leased') return;
    this.replies.push({ node, incarnation, answer: copy(answer.lease) });
    if (this.replies.length > MESSAGES_MAX) this.replies.shift();
  }

  /** An answer arrives. */
  answer(index: number): void {
    const reply = this.replies[index];
    if (!reply?.node.runs || reply.incarnation !== reply.node.incarnation) return;
    const { node, answer } = reply;
    node.look();
    const wasFresh = node.rights.isFresh;
    const adoption = node.rights.adopt(copy(answer));
    if (adoption === 'lost') {
      if (!wasFresh)
        throw new Error(`${node.name} was told that its lease is unknown before its term had ended`);
      node.lose();
    }
    if (adoption !== 'adopted') return;
    node.answeredAtMs = this.world.nowMs;
    node.retry();
  }

  /** A statement and its answer, without delay. */
  exchange(node: Node): void {
    if (!node.runs) return;
    this.state(node);
    this.arrive(this.requests.length - 1);
    this.requests.pop();
    const last = this.replies.length - 1;
    if (this.replies[last]?.node !== node) return;
    this.answer(last);
    this.replies.splice(last, 1);
  }

  /** An instance is killed and comes back, or ends in good order and comes back. */
  restart(node: Node, inGoodOrder: boolean): void {
    if (inGoodOrder && node.runs)
      this.ask({ op: 'close-instance', name: node.name, incarnation: node.incarnation, actor: node.name });
    node.kill();
    const answer = this.ask(makeRegister({ name: node.name, key: POOL }));
    if (answer.is !== 'instance') throw new Error(`not registered: ${JSON.stringify(answer)}`);
    node.start(answer.instance.incarnation);
  }

  /** Another process registers under an instance's name while that one goes on, cut off from everybody. */
  usurp(node: Node): void {
    if (node.isDown) return;
    const index = this.nodes.indexOf(node);
    const usurper = new Node(index, this.fields.connectionsPerUnitMax);
    this.ghosts = [...this.ghosts.filter((ghost) => ghost.believes), node];
    this.nodes[index] = usurper;
    this.restart(usurper, false);
  }

  /** An instance works under another key from now on: its lease is closed, and its logins at the server go over. */
  activate(instance: string, key: string): void {
    const operation = { instance, key, cause: 'activated', inspected: null, actor: 'administrator' } as const;
    const answer = this.ask({ op: 'activate-key', ...operation });
    if (answer.is !== 'activation') throw new Error(`not activated: ${JSON.stringify(answer)}`);
  }

  /** A login that the server decides. */
  loginCentrally(user: string): boolean {
    const id = this.world.newId();
    const answer = this.ask(makeLogin({ instance: CENTRE, id, claims: { kind: 'user', user } }));
    if (answer.is === 'granted') this.#central.push({ id, user });
    return answer.is === 'granted';
  }

  logoutCentrally(index: number): void {
    const [login] = this.#central.splice(index, 1);
    if (login) this.ask(makeLogout({ instance: CENTRE, id: login.id }));
  }

  get centralCount(): number {
    return this.#central.length;
  }

  /** The server is another process, which knows the journal alone. */
  restartServer(): void {
    (this.world as { table: Table }).table = replay(this.world.rows);
  }

  ask(operation: Operation) {
    const rows = this.world.rows.length;
    const answer = this.world.ask(operation);
    for (const event of this.world.rows.slice(rows).flatMap((row) => row.events)) {
      if (event.type === 'moved') for (const [pool, units] of event.used) this.ceilings.set(pool, units);
    }
    return answer;
  }

  /** The network is whole again: within a term and five seconds everybody who stays is counted together. */
  heal(): void {
    this.requests = [];
    this.replies = [];
    for (const name of [CENTRE, ...this.nodes.map((node) => node.name)]) this.activate(name, POOL);
    for (const node of [...this.nodes, ...this.ghosts]) {
      node.isSuspended = false;
      if (!node.isDown) node.look();
      node.giveUp();
    }
    this.settle(this.fields.termMs + 5_000);
  }

  /** Whoever was in goes. @returns how many units an instance gets for itself within five seconds. */
  empty(): number {
    for (const node of this.nodes) node.leave();
    while (this.#central.length > 0) this.logoutCentrally(0);
    const first = this.nodes[0]!;
    this.settle(5_000, () => {
      for (let user = 0; user < this.fields.units; user += 1) {
        const name = `new ${user}`;
        if (!first.users.has(name) && !first.waiting.includes(name)) first.connect(name);
      }
    });
    return first.users.size;
  }

  /** Lets time pass, in which everybody states his rights when he wants to. */
  settle(milliseconds: number, each = () => {}): void {
    for (let passedMs = 0; passedMs < milliseconds; passedMs += HEALING_STEP_MS) {
      this.pass(HEALING_STEP_MS);
      each();
      for (const node of this.nodes) {
        if (this.world.nowMs - node.answeredAtMs >= node.rights.nextStatementMs) this.exchange(node);
      }
      verify(this);
    }
  }
}

function copy<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}
