/** `lictor udp` and the Python client as processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../support/wait.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TIMEOUT_MS = 30_000;

/** A process that writes a JSON object a line. */
class LineProcess {
  readonly child: ChildProcess;
  readonly lines: Record<string, unknown>[] = [];
  stderr = '';
  readonly exited: Promise<number | null>;

  constructor(program: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.child = spawn(program, args, {
      cwd: ROOT,
      env: { PATH: process.env.PATH ?? '', PYTHONDONTWRITEBYTECODE: '1', PYTHONUTF8: '1', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // A run that ends before its tests have cleaned up leaves no process behind.
    const killAtExit = () => void this.child.kill('SIGKILL');
    process.once('exit', killAtExit);
    let rest = '';
    this.child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith('{')) this.lines.push(JSON.parse(line) as Record<string, unknown>);
      }
    });
    this.child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr += chunk;
    });
    this.child.stdin!.on('error', () => {});
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code) => {
        process.removeListener('exit', killAtExit);
        resolve(code);
      });
    });
  }

  /** Ends it at once, as a crash would. */
  async kill9(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}

/** What a sidecar is started with. */
export interface SidecarFields {
  readonly url: string;
  readonly secretsFile: string;
  /** An operator's token is enough. */
  readonly token: string;
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** A sidecar's process. */
export class SidecarProcess extends LineProcess {
  constructor({ url, secretsFile, token, port = 0, env = {}, args = [] }: SidecarFields) {
    super(process.execPath, [path.join(ROOT, 'src/cli.ts'), 'udp', ...args], {
      LICTOR_URL: url,
      LICTOR_TOKEN: token,
      LICTOR_UDP_SECRETS_FILE: secretsFile,
      LICTOR_UDP_PORTS: String(port),
      LICTOR_UDP_HEALTH_PORT: '0',
      ...env,
    });
  }

  get #told(): { bound: { address: string; port: number }[]; health: string } | undefined {
    return this.lines.find(({ msg }) => msg === 'The UDP sidecar receives.') as never;
  }

  /** Where it receives. */
  portOf(address: string): number {
    const found = this.#told?.bound.find((bound) => bound.address === address);
    if (found === undefined) throw new Error(`It does not receive at ${address}. ${this.stderr}`);
    return found.port;
  }

  get healthUrl(): string {
    return this.#told!.health;
  }

  /** Waits until it receives. */
  async receives(): Promise<this> {
    await until(() => this.#told !== undefined, TIMEOUT_MS, `the sidecar receives; ${this.stderr}`);
    return this;
  }

  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return this.exited;
  }
}

/** What a legacy instance is started with. */
export interface LegacyFields {
  readonly name: string;
  readonly folder: string;
  readonly secret: string;
  /** `host:port` of every licence server. */
  readonly servers: readonly string[];
  readonly order?: string;
  readonly args?: readonly string[];
  readonly intervalSeconds?: number;
}

/** One user's row as the instance shows it. */
export type ShownRow = readonly [id: string, connections: number, web: number, transitioned: boolean];

/** A legacy instance: the Python client. */
export class LegacyInstance extends LineProcess {
  readonly name: string;

  constructor({ name, folder, secret, servers, order, args = [], intervalSeconds = 0.3 }: LegacyFields) {
    const secretFile = path.join(folder, `${name}.secret`);
    writeFileSync(secretFile, `${secret}\n`, { mode: 0o600 });
    super(
      'python3',
      [
        'examples/legacy-instance/legacy_instance.py',
        ...['--name', name, '--secret-file', secretFile, '--interval', String(intervalSeconds)],
        ...servers.flatMap((server) => ['--server', server]),
        ...(order === undefined ? [] : ['--order', order]),
        ...args,
      ],
      {},
    );
    this.name = name;
  }

  /** Sends a command and waits for nothing. */
  tell(command: string): void {
    this.child.stdin!.write(`${command}\n`);
  }

  /** Sends a command and waits for its event. */
  async ask(command: string, event: string = command.split(' ', 1)[0]!): Promise<Record<string, unknown>> {
    const from = this.lines.length;
    this.tell(command);
    return this.heard(event, from);
  }

  /** Waits for an event. */
  heard(event: string, from = 0): Promise<Record<string, unknown>> {
    return until(
      () => this.lines.slice(from).find((line) => line.event === event),
      TIMEOUT_MS,
      `${this.name} tells of "${event}"; last of ${JSON.stringify(this.lines.slice(-3))} ${this.stderr}`,
    );
  }

  /** The rows of its table. */
  async rows(): Promise<readonly ShownRow[]> {
    return (await this.ask('show')).rows as ShownRow[];
  }

  /** Waits until the server holds the table as it is. */
  async settles(): Promise<void> {
    await until(
      () =>
        this.lines.findLast(({ event }) => event === 'settled' || event === 'changed')?.event === 'settled',
      TIMEOUT_MS,
      `${this.name} is settled; last of ${JSON.stringify(this.lines.slice(-5))} ${this.stderr}`,
    );
  }

  async quit(): Promise<void> {
    this.tell('quit');
    await this.exited;
  }
}
