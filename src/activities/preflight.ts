import { Context } from '@temporalio/activity';
import { statfs } from 'node:fs/promises';
import { maxEndpointsIn, maxEndpointsVariable } from '../contract/endpoint-quota';
import type { Admission, PreflightInput } from '../contract/inputs/run';
import { failureTypes } from '../contract/failure-types';
import { isInStore } from '../contract/results-place';
import { sharedFolder } from '../results/store/open-store';
import { tryStore } from '../results/store/try-store';
import { hasStorageApi } from '../results/transfer/task-storage';
import { machineDigest } from '../support/machine-identity';
import { nearestFolder, whyNotWritable } from '../support/writable';
import { attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { finalFailure } from './failures';

/** Bytes that must be free where results are written; how much a run will need is not known. */
const leastFreeBytes = 64 * 1024 * 1024;

export const createPreflightActivities = (dependencies: ActivityDependencies) => ({
  /**
   * Tries what the run will need of a worker: its variables, the platform with this worker's credentials, and the place of the
   * results. Fails for good, as `RunNotAdmitted`, where the run could only fail later; a platform that doesn't answer is waited for.
   */
  preflight: (input: PreflightInput): Promise<Admission> =>
    attempt({ subject: 'before anything was created', purpose: 'preflight' }, async ({ signal }) => {
      const resolve = await dependencies.hostSecrets(input);
      for (const name of input.expected.variables) resolve(name);
      const { client } = await dependencies.platform(input.platform);
      // Its answer is remembered, and the fetch of the results will need it: so this asks nothing that would not be asked anyway.
      await Promise.all([hasStorageApi(client), tryPlace(input, dependencies, signal)]);
      const admission = admissionOf(input, dependencies);
      if (input.about) Context.current().log.info('audit: a run begins', { audit: 'start', ...input.about });
      return admission;
    }),
});

/** A run that needs more endpoints together than there may be would wait for ever. */
function admissionOf({ expected }: PreflightInput, { environment }: ActivityDependencies): Admission {
  const maxEndpoints = maxEndpointsIn(environment);
  if (maxEndpoints === undefined) return {};
  const { endpointsTogether: together = 0, sharedEndpoints: shared = 0 } = expected;
  if (together > maxEndpoints) throw refused(tooManyWords({ together, shared, maxEndpoints }));
  return { maxEndpoints };
}

function tooManyWords({
  together,
  shared,
  maxEndpoints,
}: Record<'together' | 'shared' | 'maxEndpoints', number>): string {
  const own = together - shared;
  const parts = shared === 0 ? '' : ` (${shared} that its tasks share, ${own} of tasks that begin together)`;
  const room = maxEndpoints - shared;
  const needed = shared + Math.min(1, own);
  const advice =
    room >= Math.min(1, own) && own > 0
      ? `Set execution.max_parallel_endpoints=${room} or less, or execution.start_policy=as_ready`
      : `It can run with fewer shared endpoints (deployment.sharing, auxiliary_deployments), or on workers with ${maxEndpointsVariable}=${needed} or more`;
  return `the run needs ${together} endpoints at the same time${parts}, but its workers allow at most ${maxEndpoints} for all runs together (${maxEndpointsVariable}). ${advice}`;
}

async function tryPlace(
  { place, expected }: PreflightInput,
  dependencies: ActivityDependencies,
  signal: AbortSignal,
): Promise<void> {
  if (isInStore(place)) {
    await tryStore(place, await dependencies.storeEnvironment(), signal);
    await refuseUnlessRoom(place.startsWith('file://') ? sharedFolder(place) : dependencies.stagingFolder);
  } else if (expected.machine !== undefined) {
    if (expected.machine !== machineDigest())
      throw refused(
        `results would be written to ${place} on the disk of this worker, which is not the machine that started the run. Set execution.results_store to a folder that both share, or to s3://BUCKET/PREFIX`,
      );
    const why = await whyNotWritable(place);
    if (why !== undefined) throw refused(`execution.output_dir: ${place} can't be written: ${why}`);
    await refuseUnlessRoom(place);
  }
}

const refused = (message: string) =>
  finalFailure(failureTypes.runNotAdmitted, `before anything was created: ${message}`);

async function refuseUnlessRoom(folder: string): Promise<void> {
  const room = await nearestFolder(folder)
    .then((at) => statfs(at))
    .catch(() => undefined);
  const free = room === undefined ? Infinity : room.bavail * room.bsize;
  if (free >= leastFreeBytes) return;
  throw refused(`only ${Math.floor(free / 1024 / 1024)} MiB are free for results at ${folder} on this worker`);
}
