/** The tasks of an evaluation image, read from its registry without pulling it. */
import { gunzipSync } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { UsageFault } from '../support/usage-fault';
import { readFramework } from './framework-file';
import type { ImageTask } from './framework-file';
import { readImageName } from './image-name';
import { RegistryClient } from './registry-client';
import type { Layer } from './registry-client';
import { tarFiles } from './tar-files';

/** Where evaluation images keep the lists of their harnesses, `/opt/metadata/<package>/framework.yml`. */
const listFile = /^opt\/metadata\/(?:.*\/)?framework\.yml$/;

/** The lists are in a layer of their own, of some kilobytes. Bytes. */
const maxLayerSize = 1024 * 1024;
const maxUnpackedSize = 64 * 1024 * 1024;

/**
 * Returns the tasks that an image lists, sorted by harness and name. Rejects with `UsageFault` if the name is wrong, the image does
 * not exist or cannot be read with the credentials of `docker login`, or has no list; with `RegistryUnavailable` otherwise.
 */
export async function imageTasks(
  image: string,
  options: { readonly env: Readonly<Record<string, string | undefined>>; readonly dispatcher?: Dispatcher },
): Promise<readonly ImageTask[]> {
  const name = readImageName(image);
  if (name === undefined) throw new UsageFault(`"${image}" is not the name of an image with its registry: ${nameForm}`);
  const client = new RegistryClient(name, options);
  const layers = await client.layers();
  const found = new Map<string, readonly ImageTask[]>();
  for (const layer of layers.filter(isReadable).toReversed()) {
    for (const { path, content } of tarFiles(unpacked(await client.blob(layer)))) {
      const tasks = listFile.test(path) && !found.has(path) ? readFramework(content.toString('utf8')) : undefined;
      if (tasks !== undefined) found.set(path, tasks);
    }
    if (found.size > 0) break;
  }
  if (found.size === 0)
    throw new UsageFault(
      `${image} has no list of tasks: none of its small layers has /opt/metadata/…/framework.yml. It may be no evaluation image, or an old one.`,
    );
  return [...found.values()]
    .flat()
    .toSorted((a, b) => a.harness.localeCompare(b.harness) || a.name.localeCompare(b.name));
}

const nameForm = 'registry/repository:tag, as in nvcr.io/nvidia/eval-factory/simple-evals:26.03';

const isReadable = ({ size, mediaType }: Layer): boolean => size <= maxLayerSize && !/zstd|foreign/.test(mediaType);

function unpacked(content: Buffer): Buffer {
  const isGzip = content[0] === 0x1f && content[1] === 0x8b;
  try {
    return isGzip ? gunzipSync(content, { maxOutputLength: maxUnpackedSize }) : content;
  } catch {
    return Buffer.alloc(0);
  }
}
