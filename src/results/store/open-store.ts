import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { folderStore } from './folder-store';
import type { ResultsStore, StoreEnv } from './store';

/** Opens the store at a place: see `contract/results-place.ts`. Asks nothing yet. The S3 client is loaded only for S3. */
export async function openStore(place: string, env: StoreEnv): Promise<ResultsStore> {
  if (place.startsWith('file://')) return folderStore(sharedFolder(place));
  // Its library would warn every user of a Node version that it will support a little less long than we do.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const { s3Store } = await import('./s3-store.js');
  return s3Store(place, env);
}

/** Returns a place as people write it. */
export const shownPlace = (place: string): string => (place.startsWith('file://') ? sharedFolder(place) : place);

/** Returns the folder of a `file://` place. */
export const sharedFolder = (place: string): string => path.resolve(fileURLToPath(place));
