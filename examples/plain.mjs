// An instance in plain JavaScript: a few users come in, do what they do, and go.

import { LicenseInstance } from 'lictor/client';

const instance = await LicenseInstance.open({
  client: {
    url: process.env.LICTOR_URL ?? 'http://127.0.0.1:8080',
    tokenFile: process.env.LICTOR_TOKEN_FILE ?? 'data/admin-token',
  },
  name: 'example-plain',
  key: process.env.LICTOR_KEY,
});
console.log(
  `${instance.name} is incarnation ${instance.incarnation}; the enforcement of its key is ${instance.enforcement}.`,
);

// The same call whoever decides: it only waits where the server has to be asked.
const alice = await instance.login({ user: 'alice' });
if (alice.is !== 'granted') {
  console.log(alice.detail);
  process.exit(1);
}
console.log(`alice is in: ${alice.connections} connection for ${alice.units} unit.`);

// What she starts counts under her own unit.
const job = await instance.job(alice, { process: { pid: process.pid, kind: 'batch' } });
if (job.is === 'granted')
  console.log(`So does her job: ${job.connections} connections for ${job.units} unit.`);

// Others come in until no unit is free, and the last one is told why.
const others = [];
for (let number = 1; ; number += 1) {
  const verdict = await instance.login({ user: `visitor-${number}` });
  if (verdict.is !== 'granted') {
    console.log(`visitor-${number} waits: ${verdict.detail}`);
    break;
  }
  others.push(verdict);
}

for (const login of [alice, job, ...others]) if (login.is === 'granted') await instance.logout(login);
await instance.close();
console.log('Everybody is out, and the instance is closed.');
