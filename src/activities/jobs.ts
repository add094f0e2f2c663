import type { AwaitJobInput, CompletedJob, NamedJob, SubmitJobInput } from '../contract/inputs/job';
import { describeJob, readJobState, stateOf, waitingEvents } from '../lepton/job-state';
import { removalPollDelayMs } from '../lepton/retry-timing';
import { DoneOnce } from './absences';
import { attempt, type Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { isNotReady, notReady } from './failures';
import { lastRequests, lookWhetherCompleted } from './job-completion';
import { JobEndpoints } from './job-endpoint';
import { submit } from './job-submission';
import { idOf, jobsNamed, listedJobs, ownJobs } from './own-jobs';
import type { EndpointHealth } from './watch';

/** Activities that submit, await, stop and remove evaluation jobs. All are idempotent. */
export function createJobActivities(dependencies: ActivityDependencies, health: EndpointHealth) {
  const endpoints = new JobEndpoints({ dependencies, health, lastRequests });
  return {
    /**
     * Submits the job, or adopts the one that an earlier attempt submitted. Job names are not unique on the platform, so each
     * attempt first looks for a job with the run's marks, and posts nothing while an earlier request may still take effect. If two
     * were created anyway, one is kept. Never aborted. `lost` as for `createEndpoint`.
     */
    submitJob: (input: SubmitJobInput): Promise<{ id: string; lost: boolean }> =>
      attempt({ subject: subjectOf(input), purpose: 'step' }, async (look) => ({
        id: await submit(dependencies, input, look),
        lost: look.isAnswerMissing,
      })),

    /**
     * Resolves once the job is Completed, fails for good if it ended otherwise. Deletes other jobs of the task, which would write
     * to the same folder. Watches the job's endpoint as well, if told of it, and fails like `watchEndpoint`; begins its deletion
     * once the job is Completed, if told where its log belongs, or once the job's log says that its last request is answered: from
     * then on the job goes on without it.
     */
    awaitJobCompleted: (input: AwaitJobInput): Promise<CompletedJob> =>
      attempt({ subject: subjectOf(input), purpose: 'reading', isWait: true }, async (look) => {
        try {
          await lookWhetherCompleted(dependencies, input, look);
          return await endpoints.jobCompleted(input, look);
        } catch (error) {
          if (isNotReady(error)) await endpoints.whileJobRuns(input, look);
          throw error;
        }
      }),

    /** Describes the job's state, for the failure message of a wait that timed out. */
    describeJob: (input: NamedJob & { readonly id: string }): Promise<string> =>
      attempt({ subject: subjectOf(input), purpose: 'step' }, async ({ signal }) => {
        const { client } = await dependencies.platform(input.platform);
        const job = await client.getJob(input.id, { signal, name: input.name });
        return describeJob(job, job === undefined ? [] : await waitingEvents(client, job, { signal }));
      }),

    /** Stops the job; resolves once it has ended, and so written its results, or if there is none. */
    stopJob: (input: NamedJob): Promise<void> =>
      attempt({ subject: subjectOf(input), purpose: 'teardown', isWait: true }, (look) =>
        stop(dependencies, input, look),
      ),

    /**
     * Deletes all jobs of this task, including the known one even if it can't be seen. Resolves once neither a get nor the listing
     * finds any.
     */
    removeJob: (input: NamedJob): Promise<void> =>
      attempt({ subject: subjectOf(input), purpose: 'teardown', isWait: true }, (look) =>
        remove(dependencies, input, look),
      ),
  };
}

/** Jobs for which a removal has sent its DELETE request. */
const deletesSent = new DoneOnce();

const subjectOf = ({ name, index }: { name: string; index: number }) => `job ${name} of task ${index}`;

async function stop(dependencies: ActivityDependencies, input: NamedJob, { elapsedMs }: Attempt): Promise<void> {
  const platform = await dependencies.platform(input.platform);
  const states = (await ownJobs(platform, input)).map((job) => ({ id: idOf(job), kind: readJobState(job).kind }));
  const toStop = states.filter(({ kind }) => kind === 'pending');
  if (toStop.length === 0 && states.every(({ kind }) => kind !== 'ending')) return;
  await Promise.all(toStop.map(({ id }) => platform.client.stopJob(id)));
  throw notReady(`job ${input.name} is stopping`, removalPollDelayMs({ elapsedMs, platform: platform.pace }));
}

async function remove(
  dependencies: ActivityDependencies,
  input: NamedJob,
  { activity, elapsedMs }: Attempt,
): Promise<void> {
  const platform = await dependencies.platform(input.platform);
  const left = await ownJobs(platform, input);
  const going = new Set(left.filter((job) => stateOf(job) === 'deleting').map(idOf));
  const ids = new Set([...left.map(idOf), ...(input.id === null ? [] : [input.id])]);
  const isThere = (id: string): boolean => left.some((job) => idOf(job) === id);
  const toDelete = [...ids].filter((id) => !deletesSent.has(`${activity} ${id}`) || (isThere(id) && !going.has(id)));
  const listed = new Set((await jobsNamed(platform.lookups, input)).map(idOf));
  const accepted = await Promise.all(toDelete.map((id) => platform.client.deleteJob(id)));
  toDelete.forEach((id) => deletesSent.add(`${activity} ${id}`));
  if (left.length === 0 && toDelete.length === 0) return;
  // A listing that has shown them and lacks them after an accepted DELETE needs no get as a second witness.
  const isProven = accepted.every(Boolean) && toDelete.every((id) => listed.has(id));
  const rest = isProven ? listedJobs(platform, input) : ownJobs(platform, input, { isFresh: true });
  if (toDelete.length > 0 && (await rest).length === 0) return;
  throw notReady(`job ${input.name} is being deleted`, removalPollDelayMs({ elapsedMs, platform: platform.pace }));
}
