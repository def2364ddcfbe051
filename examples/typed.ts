// An instance in TypeScript, with everything that it tells, and users who identify themselves later.

import { type InstanceLogin, LicenseInstance, type Verdict } from 'lictor/client';

const instance = await LicenseInstance.open({
  client: {
    url: process.env.LICTOR_URL ?? 'http://127.0.0.1:8080',
    tokenFile: process.env.LICTOR_TOKEN_FILE ?? 'data/admin-token',
  },
  name: 'example-typed',
  key: process.env.LICTOR_KEY,
  settings: { deferredIdentification: true },
  // While the server is away, users who are new come in for an hour; whoever is in stays in any case.
  offline: { newUsers: 'allow', forSeconds: 3_600 },
});

instance.on('refused', ({ code, inUse, limit }) =>
  console.log(`refused: ${code} (${inUse} of ${limit} in use)`),
);
instance.on('nak', ({ inUse, limit }) => console.log(`combined use is over the limit: ${inUse} of ${limit}`));
instance.on('ack', () => console.log('new users may come in again'));
instance.on('over-limit', ({ units, unitsMax }) =>
  console.log(`${units} units over the limit, at most ${unitsMax}`),
);
instance.on('offline', (error) => console.log(`the server is away: ${error.message}`));
instance.on('online', (silentMs) => console.log(`it is back after ${Math.round(silentMs / 1000)} s`));
instance.on('lost', (reason, connections) => console.log(`${connections} logins are lost: ${reason}`));
instance.on('notice', (notice) => console.log(notice));

/** A login, or the reason why there is none. */
function granted(verdict: Verdict): InstanceLogin {
  if (verdict.is === 'granted') return verdict;
  throw new Error(verdict.detail);
}

// Nobody knows yet who this is; it costs nothing, and it is slowed down until it says so.
const process1 = granted(await instance.login({ process: { pid: process.pid } }));
const { firstPauseAfter, per } = instance.throttle;
console.log(
  `phase: ${process1.phase}; it pauses after ${firstPauseAfter} ${per} unless it identifies itself.`,
);
granted(await instance.identify(process1, 'carol'));
console.log(`phase: ${process1.phase}, as ${process1.userId}, for ${process1.units} unit.`);

// Without waiting for anybody: `ask` is the answer where only the server can say.
const verdict = instance.tryLogin({ user: 'dave' });
const dave = granted(verdict.is === 'ask' ? await instance.login({ user: 'dave' }) : verdict);
console.log(`${dave.userId} is in; ${verdict.is === 'ask' ? 'the server' : 'this process'} decided it.`);

for (const login of [process1, dave]) await instance.logout(login);
await instance.close();
