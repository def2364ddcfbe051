import { describe, expect, test } from '@jest/globals';
import { ConfigError, type Environment, readConfig, readUdpConfig } from '../../src/config.ts';

const ENOUGH = {
  LICTOR_URL: 'http://127.0.0.1:8080, https://lictor.example/',
  LICTOR_TOKEN: 'a-token',
  LICTOR_UDP_SECRETS_FILE: '/secrets',
};

function faultsOf(env: Environment): readonly string[] {
  try {
    readUdpConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('the configuration of lictor udp', () => {
  test('needs no database, and receives at the loopback alone unless told', () => {
    const config = readUdpConfig(ENOUGH);
    expect(config).toMatchObject({
      urls: ['http://127.0.0.1:8080', 'https://lictor.example/'],
      hosts: ['127.0.0.1', '::1'],
      ports: [4001],
      server: null,
      healthPort: null,
      reports: 'key',
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('takes several ports and addresses', () => {
    const env = {
      ...ENOUGH,
      LICTOR_UDP_PORTS: '4001,4002',
      LICTOR_UDP_HOSTS: '0.0.0.0 ::',
      LICTOR_UDP_HEALTH_PORT: '0',
    };
    expect(readUdpConfig(env)).toMatchObject({
      ports: [4001, 4002],
      hosts: ['0.0.0.0', '::'],
      healthPort: 0,
    });
  });

  test('what is missing is told with what to do, all at once', () => {
    const faults = faultsOf({});
    expect(faults.map((fault) => fault.split(' ', 1)[0])).toEqual([
      'LICTOR_URL',
      'LICTOR_TOKEN',
      'LICTOR_UDP_SECRETS_FILE',
    ]);
    expect(faultsOf({ ...ENOUGH, LICTOR_TOKEN_FILE: '/token' })[0]).toContain('both set');
  });

  test.each([
    ['LICTOR_URL', 'ftp://lictor.example'],
    ['LICTOR_URL', 'http://user:secret-word@lictor.example'],
    ['LICTOR_UDP_PORTS', '80'],
    ['LICTOR_UDP_PORTS', '4001,65536'],
    ['LICTOR_UDP_HOSTS', 'localhost'],
    ['LICTOR_UDP_HOSTS', '::ffff:192.0.2.1'],
    ['LICTOR_UDP_HEALTH_PORT', '65536'],
    ['LICTOR_UDP_SERVER', 'a name'],
    ['LICTOR_UDP_REPORTS', 'none'],
  ])('%s cannot be %s', (variable, value) => {
    const faults = faultsOf({ ...ENOUGH, [variable]: value });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(variable);
    expect(faults[0]).not.toContain('secret-word');
  });

  test('server and sidecar may share one environment, and a misspelt variable is a fault to both', () => {
    expect(() => readConfig({ ...ENOUGH, LICTOR_UDP_SERVER: 'FIRST' })).not.toThrow();
    expect(
      faultsOf({ ...ENOUGH, DATABASE_URL: 'postgres://db.example/x', LICTOR_TIME_ZONE: 'Mars' }),
    ).toEqual([]);
    const misspelt = { ...ENOUGH, LICTOR_UDP_PROTS: '4001' };
    expect(faultsOf(misspelt)[0]).toContain('Did you mean LICTOR_UDP_PORTS?');
    expect(() => readConfig(misspelt)).toThrow('LICTOR_UDP_PORTS');
  });
});
