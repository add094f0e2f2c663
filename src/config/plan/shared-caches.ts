/** Plans the folder of caches that endpoints and jobs share (`execution.shared_caches`). Pure. */
import path from 'node:path';
import type { EnvEntry, MountSpec, PlatformRef } from '../../contract/plan';
import type { ResolvedConfig } from '../schema/config';
import type { DeploymentType } from '../schema/deployment';

/** Where they are in the config. */
export const cachesPath = 'execution.shared_caches';

export interface SharedCaches {
  readonly mount: MountSpec;
  /** The server's variables; those of the config win. */
  readonly ofEndpoint: readonly EnvEntry[];
  /** The same for a job. */
  readonly ofJob: readonly EnvEntry[];
}

/** Returns the volume of the caches; `undefined` if there are none, or nothing says which. */
export const cacheVolume = ({ execution }: ResolvedConfig): string | undefined =>
  execution.shared_caches === null
    ? undefined
    : (execution.shared_caches.from ?? execution.lepton_platform.tasks.mounts[0]?.from);

/** `undefined`: each container has its own, or the platform is this machine, whose caches are shared by itself. */
export function sharedCaches(config: ResolvedConfig, platform: PlatformRef['kind']): SharedCaches | undefined {
  const { shared_caches: caches } = config.execution;
  const from = cacheVolume(config);
  if (caches === null || from === undefined || platform === 'local') return undefined;
  const { mount_path } = caches;
  const hub: EnvEntry = { name: 'HF_HOME', value: path.posix.join(mount_path, 'huggingface') };
  return {
    mount: { path: caches.path, from, mount_path },
    ofEndpoint: [hub, ...ofServer(config.deployment.type, mount_path)],
    ofJob: [hub],
  };
}

function ofServer(type: DeploymentType, folder: string): EnvEntry[] {
  switch (type) {
    case 'vllm':
      return [{ name: 'VLLM_CACHE_ROOT', value: path.posix.join(folder, 'vllm') }];
    case 'nim':
      return [{ name: 'NIM_CACHE_PATH', value: path.posix.join(folder, 'nim') }];
    case 'sglang':
    case 'trtllm':
    case 'generic':
    case 'none':
      return [];
  }
}
