import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HomePaths } from '../../src/home/paths';
import { createProcessRuntime } from '../../src/local-platform/runtimes/process';
import type { JobSpecBody, Runtime, RuntimeHost } from '../../src/local-platform/runtime';

/** Returns the host of a process runtime that keeps everything below `root`, with one secret: `KEY`. */
export function hostIn(root: string): RuntimeHost {
  return {
    stateFolder: path.join(root, 'state'),
    async mountFolder({ from, path: inVolume }) {
      const folder = path.join(root, 'volumes', from, inVolume);
      await mkdir(folder, { recursive: true });
      return folder;
    },
    secret: (name) => (name === 'KEY' ? 's3cret' : undefined),
    log: () => undefined,
  };
}

export async function startRuntime(
  host: RuntimeHost,
  home: HomePaths,
  existing: Parameters<Runtime['start']>[0] = { deployments: [], jobs: [] },
): Promise<Runtime> {
  const runtime = await createProcessRuntime(host, { home });
  await runtime.start(existing);
  return runtime;
}

/** Resolves to the observation as soon as its state is one of `states`. */
export async function stateOf<T extends { state: string; message: string | undefined }>(
  observe: () => T,
  ...states: string[]
): Promise<T> {
  for (;;) {
    const seen = observe();
    if (states.includes(seen.state)) return seen;
    if (seen.state === 'Error' || seen.state === 'Failed') throw new Error(`${seen.state} instead: ${seen.message}`);
    await sleep(20);
  }
}

export function script(text: string, more: Partial<JobSpecBody> = {}): JobSpecBody {
  return { container: { image: 'busybox', command: ['/bin/bash', '-c', text] }, ...more };
}

export async function textOf(log: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of log) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
