/**
 * An application in a process of its own, by the calls of the API alone: it registers its instance, loads its
 * licence, lets users in, takes units for them, and gives signs of life until somebody kills it.
 */
import { createClient } from '../../src/client/index.ts';

/** What it is started with, as JSON in its first argument. */
export interface ApplicationStart {
  readonly url: string;
  readonly token: string;
  readonly instance: string;
  readonly key: string;
  readonly graceSeconds: number;
  readonly file: string;
  readonly users: readonly string[];
  readonly features: readonly { readonly application: string; readonly feature: string }[];
}

const BEAT_MS = 500;

const start = JSON.parse(process.argv[2]!) as ApplicationStart;
const { instance, key, graceSeconds, features } = start;
const client = createClient({ url: start.url, token: start.token });
const { incarnation } = await client.instances.register(instance, { key, settings: { graceSeconds } });
await client.applications.loadAll(instance, { file: start.file });
for (const user of start.users) {
  const { id } = await client.logins.create({ instance, user });
  await client.applications.take(instance, { login: id, features: [...features] });
}
setInterval(() => {
  client.instances.heartbeat(instance, { incarnation }).catch(() => {});
}, BEAT_MS);
process.on('disconnect', () => process.exit());
process.send!('ready');
