/** Removes what `setup.ts` made. */
import { dropTemplate } from './database.ts';

export default async function teardown(): Promise<void> {
  if (globalThis.lictorTestServer !== undefined) {
    await globalThis.lictorTestServer.dispose();
  } else {
    await dropTemplate();
  }
}
