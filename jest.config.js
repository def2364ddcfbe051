/**
 * The tests run as the program does: native ES modules with the types stripped, against a real Postgres that
 * `test/support/setup.ts` starts unless LICTOR_TEST_DATABASE_URL names one.
 */
export default {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2024' },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  globalSetup: '<rootDir>/test/support/setup.ts',
  globalTeardown: '<rootDir>/test/support/teardown.ts',
  // Two processes beside a Postgres and a Redis are what a small machine bears without tests waiting in vain.
  maxWorkers: 2,
  // Longer than what is waited for within a test, so that the wait that was in vain says what it waited for.
  testTimeout: 60_000,
  // A worker that has run many suites takes a while to give back its memory before it is gone.
  workerGracefulExitTimeout: 20_000,
};
