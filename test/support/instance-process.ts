/**
 * An instance in a process of its own, which does what its parent says, message by message: its first argument is
 * what it is opened with.
 */
import { type InstanceLogin, LicenseInstance } from '../../src/client/index.ts';

/** What a parent can ask for. */
export type Asked =
  | { readonly do: 'login'; readonly user: string; readonly wait?: boolean }
  | { readonly do: 'logout'; readonly user: string }
  | { readonly do: 'state' }
  | { readonly do: 'report' }
  | { readonly do: 'close' };

/** What a child answers. */
export interface Answered {
  /** `granted`, or the code of the refusal. */
  readonly outcome: string;
  readonly isOverLimit: boolean;
  readonly isOnline: boolean;
  readonly units: number;
  /** Logins that are held. */
  readonly held: number;
  /** The same by user. */
  readonly users: Readonly<Record<string, number>>;
}

const options = JSON.parse(process.argv[2]!) as Parameters<typeof LicenseInstance.open>[0];
const instance = await LicenseInstance.open({ ...options, keepsAlive: true });
const logins = new Map<string, InstanceLogin[]>();

async function take(asked: Asked): Promise<string> {
  switch (asked.do) {
    case 'login': {
      const request = { user: asked.user };
      const verdict = asked.wait ? await instance.login(request) : instance.tryLogin(request);
      if (verdict.is !== 'granted') return 'code' in verdict ? verdict.code : verdict.is;
      logins.set(asked.user, [...(logins.get(asked.user) ?? []), verdict]);
      return 'granted';
    }
    case 'logout': {
      const login = logins.get(asked.user)?.pop();
      return login !== undefined && instance.release(login) ? 'out' : 'unknown';
    }
    case 'report':
      await instance.report();
      return 'reported';
    case 'close':
      await instance.close();
      return 'closed';
    default:
      return 'state';
  }
}

process.on('message', async ({ id, asked }: { id: number; asked: Asked }) => {
  const outcome = await take(asked).catch((error: Error) => error.message);
  const users = Object.fromEntries(
    [...logins].map(([user, all]) => [user, all.filter((login) => login.isHeld).length]),
  );
  const held = Object.values(users).reduce((sum, count) => sum + count, 0);
  const { isOverLimit, isOnline, counts } = instance;
  const answered: Answered = { outcome, isOverLimit, isOnline, units: counts.units, held, users };
  process.send!({ id, answered });
  if (asked.do === 'close') process.disconnect();
});
process.on('disconnect', () => process.exit());
process.send!({ id: 0 });
