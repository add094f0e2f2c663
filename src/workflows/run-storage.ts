import { patched } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import type { RunHeader } from '../contract/inputs/run';
import { ownerIn } from '../contract/owner';
import type { TaskPlan } from '../contract/plan';
import { ensure, withFreshBudgets } from './activity-groups';
import { describeError } from './failures';
import type { RunProgress } from './run-progress';

/** Removes the run's storage folder once its task folders are removed, unless one of them was kept. Never rejects. */
export async function removeRunStorage(
  header: RunHeader,
  { tasks, progress }: { readonly tasks: readonly TaskPlan[]; readonly progress: RunProgress },
): Promise<void> {
  const { left, kept, tasks: snapshots } = progress.snapshot;
  const clear = kept.length === 0 && !left.some(({ kind }) => kind === 'storage');
  const first = tasks[0];
  if (!clear || !first) return;
  // 2026-11-29: caches of an earlier run may have been put there for a task that came to no job.
  if (snapshots.every(({ job }) => job === null) && !(mayHoldCaches(tasks, progress) && patched('folder-of-caches')))
    return;
  const { invocation, storage, limits } = header;
  // 2026-11-28: until then, files directly in the run's folder were removed with it.
  const keepsOthers = patched('what-is-not-ours-is-kept');
  try {
    const owner = ownerIn(header, 0);
    const folders = { folder: null, mustLack: 'task folders', ...(keepsOthers ? { expected: [] } : {}) } as const;
    const job = { name: first.jobName, spec: first.job };
    await withFreshBudgets(limits.teardownSeconds, (seconds) =>
      ensure('remove storage of the run', seconds).removeStorage({ ...owner, storage, ...folders, job }),
    );
  } catch (failure) {
    const { type, message } = describeError(failure);
    if (keepsOthers && type === failureTypes.resultsNotHome)
      progress.keep({ path: storage.path, reason: message, command: `evalsaga cleanup ${invocation}` });
    else progress.leave({ kind: 'storage', name: storage.path, reason: message });
  }
}

/** Whether a task was begun that puts caches of an earlier run into its folder. */
const mayHoldCaches = (tasks: readonly TaskPlan[], progress: Pick<RunProgress, 'isAccounted'>): boolean =>
  tasks.some(({ index, earlier }) => earlier?.use === 'caches' && progress.isAccounted(index));
