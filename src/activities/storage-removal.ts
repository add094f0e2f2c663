import path from 'node:path';
import { failureTypes } from '../contract/failure-types';
import type { RemoveStorageInput } from '../contract/inputs/results';
import { removalPollDelayMs } from '../lepton/retry-timing';
import { attempt, type Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { finalFailure, notReady } from './failures';
import { NotHome } from '../results/transfer/run-folder';
import { removeFolder } from '../results/transfer/task-storage';
import { whyHelpersFailed } from './helper-jobs';

/** Creates the activity that removes a task's storage. */
export function createStorageRemoval(dependencies: ActivityDependencies) {
  return {
    /** Removes the folder and resolves once it no longer exists; until then throws NotReady. */
    async removeStorage(input: RemoveStorageInput): Promise<void> {
      const folder = input.folder === null ? input.storage.path : path.posix.join(input.storage.path, input.folder);
      const subject = `storage ${folder}`;
      await attempt({ subject, purpose: 'teardown' }, async ({ activity, signal, elapsedMs, progress: onProgress }) => {
        refuseForeignFolder(folder, input.invocation);
        const platform = await dependencies.platform(input.platform);
        const context = {
          platform,
          marks: { invocation: input.invocation, index: input.index, origin: dependencies.origin },
          secrets: [],
          signal,
          onProgress,
        };
        const isGone = await removeFolder(input, context).catch((error: unknown) => {
          throw removalFailure(error, { subject, activity });
        });
        if (isGone) return;
        throw notReady(
          `storage ${folder} is being removed`,
          removalPollDelayMs({ elapsedMs, platform: platform.pace }),
        );
      });
    },
  };
}

/** Last line of defence for the user's own data: only a path that contains this run's id is ever removed. */
function refuseForeignFolder(folder: string, invocation: string): void {
  if (folder.split('/').includes(invocation)) return;
  throw finalFailure(failureTypes.requestRefused, `storage ${folder} does not carry the run's id and is left alone`);
}

function removalFailure(
  error: unknown,
  { subject, activity }: { readonly subject: string } & Pick<Attempt, 'activity'>,
): unknown {
  if (error instanceof NotHome) return finalFailure(failureTypes.resultsNotHome, error.message);
  const helpers = whyHelpersFailed(error, { activity });
  return helpers === undefined ? error : finalFailure(failureTypes.platformUnavailable, `${subject}: ${helpers}`);
}
