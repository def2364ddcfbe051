// An application that counts the users of its own features, by an application licence.

import { LicenseInstance } from 'lictor/client';

const instance = await LicenseInstance.open({
  client: {
    url: process.env.LICTOR_URL ?? 'http://127.0.0.1:8080',
    tokenFile: process.env.LICTOR_TOKEN_FILE ?? 'data/admin-token',
  },
  name: 'example-applications',
  key: process.env.LICTOR_KEY,
});
const { applications } = instance;

// The text of a file as its issuer sends it: numbers are counted, any other value is information.
const licence = `[Laboratory]
Lab Users=2
Lab Reports=Enabled
`;
const loaded = await applications.load(licence);
if (loaded.is !== 'granted') {
  for (const { line, message, mend } of loaded.faults) console.log(`line ${line}: ${message} ${mend}`);
  process.exit(1);
}

// Each user takes a unit of the feature that he uses, and the third one is told why there is none.
const users = { application: 'Laboratory', feature: 'Lab Users' };
const logins = [];
for (const user of ['alice', 'bob', 'carol']) {
  const login = await instance.login({ user });
  if (login.is !== 'granted') throw new Error(login.detail);
  logins.push(login);
  const taken = await applications.take(login, users);
  if (taken.is === 'granted') console.log(`${user} is number ${taken.features[0].used} in the laboratory.`);
  else console.log(`${user} waits: ${taken.detail}`);
}

// Whoever logs out gives back what he has taken.
await instance.logout(logins[0]);
const { used, free } = await applications.counts(users.application, users.feature);
console.log(`After alice has gone ${used} is in use, and ${free} is free.`);
const carol = await applications.take(logins[2], users);
console.log(carol.is === 'granted' ? 'carol comes in.' : carol.detail);

for (const login of logins) await instance.logout(login);
await instance.close();
