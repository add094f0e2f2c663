import { createHash, randomBytes } from 'node:crypto';
import { openStore } from './open-store';
import type { StoreEnv } from './store';

/** Writes a small file to a place in a store, and removes it. Rejects with `StoreError` if results could not be written there. */
export async function tryStore(place: string, env: StoreEnv, signal?: AbortSignal): Promise<void> {
  const store = await openStore(place, env);
  const bytes = randomBytes(64);
  const name = `.trial-${randomBytes(6).toString('hex')}`;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await store.put({ bytes }, { path: name, size: bytes.length, sha256 }, { signal });
  await store.remove(name, { signal });
}
