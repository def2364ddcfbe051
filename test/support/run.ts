/**
 * What `npm test` runs: sees to a Postgres and a Redis, runs jest with the arguments it was given, and ends
 * with one line that says what came of it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The part of jest's JSON result that is read here. */
interface JestResult {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/**
 * Finds a redis-server: the one that is named, the one on the PATH, or, for root on Debian, one installed now.
 * @throws Error that says what to do.
 */
function provideRedis(): string {
  const named = process.env.LICTOR_TEST_REDIS_SERVER;
  if (named) return named;
  const found = findOnPath('redis-server');
  if (found !== null) return found;
  if (process.getuid?.() === 0 && findOnPath('apt-get') !== null) {
    process.stderr.write('redis-server is not installed; installing it with apt-get.\n');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('apt-get', ['update', '-qq'], { env });
    const install = spawnSync(
      'apt-get',
      ['install', '-y', '-qq', '--no-install-recommends', 'redis-server'],
      {
        env,
        encoding: 'utf8',
      },
    );
    // The package starts a server of its own, which nobody here asked for.
    spawnSync('service', ['redis-server', 'stop']);
    const installed = findOnPath('redis-server');
    if (installed !== null) return installed;
    process.stderr.write(install.stderr ?? '');
  }
  throw new Error(
    'The tests need a redis-server. Install the package "redis-server" or name the program in LICTOR_TEST_REDIS_SERVER.',
  );
}

function findOnPath(program: string): string | null {
  const found = spawnSync('/bin/sh', ['-c', 'command -v "$1"', 'sh', program], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : null;
}

/** Runs jest to its end and returns its exit code; a signal that ends it counts as a failure. */
async function runJest(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const jest = path.join(
    path.dirname(createRequire(import.meta.url).resolve('jest/package.json')),
    'bin/jest.js',
  );
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, jest, ...args], { cwd: ROOT, env, stdio: 'inherit' });
  // An interrupt reaches jest as well, which then cleans up; this process waits for that.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/**
 * Tells which tests were skipped and prints the last line.
 * @returns whether every test that ran passed and at least one ran.
 */
function summarise(result: JestResult): boolean {
  const skipped = result.numPendingTests + result.numTodoTests;
  for (const file of result.testResults) {
    for (const { fullName, status } of file.assertionResults) {
      if (status === 'passed' || status === 'failed') continue;
      process.stdout.write(`skipped: ${path.relative(ROOT, file.name)}: ${fullName}\n`);
    }
  }
  // A file that cannot be loaded has no tests to count, and must not pass for success.
  const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
  const counts = [`${result.numPassedTests} passed`, `${failed} failed`];
  if (skipped > 0) counts.push(`${skipped} skipped`);
  process.stdout.write(`${counts.join(', ')}\n`);
  return failed === 0 && result.numPassedTests > 0;
}

async function main(): Promise<number> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 22 || (major === 22 && minor < 18)) {
    throw new Error(
      `The tests need Node.js 22.18 or later, and this is ${process.versions.node}. Run "npm ci" first.`,
    );
  }
  const env = { ...process.env, LICTOR_TEST_REDIS_SERVER: provideRedis() };
  const directory = await mkdtemp(path.join(tmpdir(), 'lictor-test-result-'));
  try {
    const outputFile = path.join(directory, 'result.json');
    const code = await runJest([...process.argv.slice(2), '--json', `--outputFile=${outputFile}`], env);
    const text = await readFile(outputFile, 'utf8').catch(() => null);
    if (text === null) {
      // Jest ended before it had a result: a fault of its configuration, or an interrupt.
      process.stdout.write('0 passed, 1 failed\n');
      return code === 0 ? 1 : code;
    }
    const good = summarise(JSON.parse(text));
    return good ? code : Math.max(code, 1);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.stdout.write('0 passed, 1 failed\n');
  process.exitCode = 1;
}
