import type { LeptonClient } from '../lepton/types';
import { answerOf, misfit, ok, warn, type Answer, type Finding } from './finding';
import type { Needs } from './needs';
import type { WorkspaceAnswers } from './workspace-answers';

/** Checks whether the mounts of a run name existing volumes. Pure. */
export function checkMounts({ mounts }: Needs, { nodeGroups }: Pick<WorkspaceAnswers, 'nodeGroups'>): Finding[] {
  const about = 'mount';
  const groups = nodeGroups.kind === 'known' ? nodeGroups.value : [];
  const volumes = new Set(groups.flatMap((group) => group.volumes.map(({ name }) => name)));
  return mounts.map(({ mount, by }) => {
    const what = `${mount.from} at ${mount.mount_path} (${by})`;
    const name = /^node-[a-z0-9]+:(.+)$/.exec(mount.from)?.[1];
    if (mount.from !== 'node-local' && name === undefined) {
      return misfit(
        about,
        `${what}: "${mount.from}" names no volume`,
        'write node-local, or node-<type>:<volume>, e.g. node-nfs:lepton-shared-fs',
      );
    }
    if (name === undefined || volumes.size === 0 || volumes.has(name)) return ok(about, what);
    return warn(
      about,
      `${what}: no node group lists a volume "${name}"; listed: ${[...volumes].sort().join(', ')}`,
      'check `from` of the mount',
    );
  });
}

/** Checks how results will be fetched. */
export async function checkStorage(
  client: LeptonClient,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<Finding[]> {
  return [storageFinding(await answerOf(client.storage.available({ timeoutMs })))];
}

/** Turns the answer into a finding. Pure. */
export function storageFinding(available: Answer<boolean>): Finding {
  const about = 'storage';
  if (available.kind === 'unknown') {
    return warn(
      about,
      `the storage API does not answer (${available.reason})`,
      'results are fetched once it does; until then they stay in storage',
    );
  }
  return available.value
    ? ok(about, 'results are fetched through the storage API')
    : ok(about, 'the workspace has no storage API: results are fetched through a small job');
}
