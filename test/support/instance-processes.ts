/** Instances as processes of their own, which a test may kill and stop. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LicenseInstanceOptions } from '../../src/client/index.ts';
import type { Answered, Asked } from './instance-process.ts';

const ENTRY = fileURLToPath(new URL('instance-process.ts', import.meta.url));

/** What an instance in a process can be opened with: what can be sent there. */
export type ProcessOptions = Omit<LicenseInstanceOptions, 'client' | 'clock' | 'signal'> & {
  readonly client: { readonly url: string | readonly string[]; readonly token: string };
};

export class InstanceProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answered: Answered) => void>();
  #asked = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', ({ id, answered }: { id: number; answered: Answered }) => {
      this.#waiting.get(id)?.(answered);
      this.#waiting.delete(id);
    });
  }

  /** Starts an instance, and waits until it is open. */
  static async open(options: ProcessOptions): Promise<InstanceProcess> {
    const child = fork(ENTRY, [JSON.stringify(options)], {
      execArgv: ['--no-warnings'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let stderr = '';
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    const killAtExit = () => void child.kill('SIGKILL');
    process.once('exit', killAtExit);
    child.once('exit', () => process.removeListener('exit', killAtExit));
    const instance = new InstanceProcess(child);
    await new Promise<void>((resolve, reject) => {
      instance.#waiting.set(0, () => resolve());
      child.once('exit', () => reject(new Error(`The instance ended instead of opening. ${stderr}`)));
    });
    return instance;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Has the instance do something. */
  ask(asked: Asked): Promise<Answered> {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, resolve);
      this.#child.send({ id, asked }, (error) => {
        if (error) reject(error);
      });
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it at once, as a crash would. */
  async kill9(): Promise<void> {
    if (!this.isRunning) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }
}
