import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { ConfigError, describeConfiguration, type Environment, readConfig } from '../src/config.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'lictor-test-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PUBLIC_KEY = Buffer.alloc(32, 7).toString('base64url');

/** The faults of an environment that cannot be used. */
function faultsOf(env: Environment): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

function fileWith(name: string, content: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

describe('readConfig', () => {
  test('an empty environment is the embedded default, and frozen', () => {
    const config = readConfig({});
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      databaseUrl: null,
      redisUrl: null,
      evaluation: true,
      timeZone: 'UTC',
      bodyBytesMax: 1_048_576,
      queueLengthMax: 20_000,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('an empty variable counts as not set', () => {
    expect(readConfig({ PORT: '', DATABASE_URL: '', LICTOR_ADMIN_TOKEN_FILE: '' })).toEqual(readConfig({}));
  });

  test('every value is read', () => {
    const config = readConfig({
      PORT: '0',
      DATABASE_URL: 'postgres://u:p@db.example/lictor?sslmode=require',
      LICTOR_TRUSTED_PROXIES: '10.0.0.0/8, 192.0.2.7\n2001:db8::1',
      LICTOR_REDIS_SENTINELS: 's1,s2:1234 [::1]:5',
      LICTOR_REDIS_SENTINEL_NAME: 'master',
      LICTOR_TRUSTED_KEYS: `vendor:${PUBLIC_KEY}`,
      LICTOR_REVOKED_KEYS: 'old,older',
      LICTOR_TIME_ZONE: 'Europe/Berlin',
      LICTOR_ALLOW_UNVERIFIED_KEYS: 'true',
    });
    expect(config).toMatchObject({
      port: 0,
      trustedProxies: ['10.0.0.0/8', '192.0.2.7/32', '2001:db8::1/128'],
      redisSentinels: [
        { host: 's1', port: 26_379 },
        { host: 's2', port: 1234 },
        { host: '::1', port: 5 },
      ],
      timeZone: 'Europe/Berlin',
      allowUnverifiedKeys: true,
    });
    expect(config.trustedKeys.get('vendor')).toBe(PUBLIC_KEY);
    expect([...config.revokedKeys]).toEqual(['old', 'older']);
  });

  test('evaluation follows the database, unless it is said', () => {
    const server = { DATABASE_URL: 'postgres://db.example/lictor' };
    expect(readConfig(server).evaluation).toBe(false);
    expect(readConfig({ ...server, LICTOR_EVALUATION: 'true' }).evaluation).toBe(true);
    expect(readConfig({ LICTOR_EVALUATION: 'false' }).evaluation).toBe(false);
  });

  test('all faults are reported at once, each with its variable', () => {
    const faults = faultsOf({
      PORT: '65536',
      LOG_LEVEL: 'loud',
      DATABASE_URL: 'mysql://u:secret-word@db.example/lictor',
      LICTOR_TIME_ZONE: 'Mars/Olympus',
      LICTOR_EVALUATION: 'yes',
      LICTOR_TRUSTED_PROXIES: '10.0.0.0/33',
      LICTOR_TRUSTED_KEYS: 'vendor:short',
      LICTOR_QUEUE_WAIT_MS: '5s',
    });
    expect(faults.map((fault) => fault.split(' ', 1)[0]).sort()).toEqual([
      'DATABASE_URL',
      'LICTOR_EVALUATION',
      'LICTOR_QUEUE_WAIT_MS',
      'LICTOR_TIME_ZONE',
      'LICTOR_TRUSTED_KEYS',
      'LICTOR_TRUSTED_PROXIES',
      'LOG_LEVEL',
      'PORT',
    ]);
    expect(faults.find((fault) => fault.startsWith('PORT'))).toBe(
      'PORT must be a whole number, 0 to 65535, and is "65536".',
    );
    expect(faults.join()).not.toContain('secret-word');
  });
});

describe('secrets', () => {
  test('come from a file, without the line end', () => {
    const file = fileWith('token', 'a-token-of-more-than-20-characters\n');
    expect(readConfig({ LICTOR_ADMIN_TOKEN_FILE: file }).adminToken).toBe(
      'a-token-of-more-than-20-characters',
    );
    const url = fileWith('url', 'postgres://db.example/lictor');
    expect(readConfig({ DATABASE_URL_FILE: url }).databaseUrl).toBe('postgres://db.example/lictor');
  });

  test('a file that is missing, empty, or set beside its variable is a fault', () => {
    expect(faultsOf({ REDIS_URL_FILE: path.join(folder, 'absent') })[0]).toContain('cannot be read (ENOENT)');
    expect(faultsOf({ REDIS_URL_FILE: fileWith('empty', '\n') })[0]).toContain('which is empty');
    expect(
      faultsOf({ REDIS_URL: 'redis://r.example', REDIS_URL_FILE: fileWith('redis', 'redis://r.example') })[0],
    ).toBe('REDIS_URL and REDIS_URL_FILE are both set. Unset one of them.');
  });

  test('a token that can be guessed is a fault that does not repeat it', () => {
    const [fault] = faultsOf({ LICTOR_ADMIN_TOKEN: 'hunter2' });
    expect(fault).toContain('at least 20 visible characters');
    expect(fault).not.toContain('hunter2');
  });
});

describe('misspelt variables', () => {
  test('are faults that name the nearest setting', () => {
    expect(faultsOf({ LICTOR_TRUSTED_KEY: 'x' })).toEqual([
      'LICTOR_TRUSTED_KEY is not a setting of Lictor. Did you mean LICTOR_TRUSTED_KEYS?',
    ]);
    expect(faultsOf({ LICTOR_SOMETHING_ELSE_ENTIRELY: 'x' })).toEqual([
      'LICTOR_SOMETHING_ELSE_ENTIRELY is not a setting of Lictor. Unset it.',
    ]);
    expect(faultsOf({ LICTOR_DATA_DIR_FILE: 'x' })).toHaveLength(1);
  });

  test('what Kubernetes adds beside a Service named lictor, and the variables of the tests, are none', () => {
    expect(
      faultsOf({
        LICTOR_SERVICE_HOST: '10.0.0.1',
        LICTOR_SERVICE_PORT: '8080',
        LICTOR_UDP_SERVICE_PORT_HTTP: '8080',
        LICTOR_PORT: 'tcp://10.0.0.1:8080',
        LICTOR_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
        LICTOR_PORT_8080_TCP_ADDR: '10.0.0.1',
        LICTOR_TEST_DATABASE_URL: 'postgres://db.example/x',
      }),
    ).toEqual([]);
    expect(faultsOf({ LICTOR_PORT: '8080' })).toHaveLength(1);
  });
});

describe('relations', () => {
  const sentinels = { LICTOR_REDIS_SENTINELS: 's1', LICTOR_REDIS_SENTINEL_NAME: 'master' };

  test.each<[string, Environment]>([
    ['LICTOR_LEADER_LEASE_MS must be more than twice', { LICTOR_LEADER_RENEW_MS: '4500' }],
    ['LICTOR_REDIS_TIMEOUT_MS must be less', { LICTOR_REDIS_TIMEOUT_MS: '2500' }],
    ['LICTOR_REAP_INTERVAL_MS must be less', { LICTOR_REAP_INTERVAL_MS: '60000' }],
    ['LICTOR_BATCH_BYTES_MAX must be at least', { LICTOR_BODY_BYTES_MAX: '1048577' }],
    ['LICTOR_QUEUE_LENGTH_MAX must be at least', { LICTOR_QUEUE_LENGTH_MAX: '511' }],
    ['LICTOR_SHUTDOWN_TIMEOUT_MS must be more', { LICTOR_SHUTDOWN_TIMEOUT_MS: '5000' }],
    ['REDIS_URL and LICTOR_REDIS_SENTINELS are both set', { ...sentinels, REDIS_URL: 'redis://r.example' }],
    ['belong together', { LICTOR_REDIS_SENTINELS: 's1' }],
    ['belong together', { LICTOR_REDIS_SENTINEL_NAME: 'master' }],
    ['go with LICTOR_REDIS_SENTINELS only', { LICTOR_REDIS_PASSWORD: 'x' }],
    ['LICTOR_REDIS_CA_FILE needs', { LICTOR_REDIS_CA_FILE: '/ca.pem', REDIS_URL: 'redis://r.example' }],
  ])('%s', (words, env) => {
    const faults = faultsOf(env);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(words);
  });

  test('at their bounds they hold', () => {
    expect(faultsOf({ LICTOR_LEADER_RENEW_MS: '4499', LICTOR_REDIS_TIMEOUT_MS: '4498' })).toEqual([]);
    expect(faultsOf({ LICTOR_REDIS_CA_FILE: '/ca.pem', REDIS_URL: 'rediss://r.example' })).toEqual([]);
    expect(faultsOf({ ...sentinels, LICTOR_REDIS_PASSWORD: 'x', LICTOR_REDIS_CA_FILE: '/ca.pem' })).toEqual(
      [],
    );
  });
});

describe('docs/configuration.md', () => {
  test('is what the settings say; write it anew with node test/support/write-configuration.ts', () => {
    const page = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8');
    expect(page).toBe(describeConfiguration());
  });
});
