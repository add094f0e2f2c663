import { failureTypes } from '../contract/errors';
import type { NamedJob, SubmitJobInput } from '../contract/inputs';
import { isMarkedWith, renderJob } from '../lepton/render';
import { goneDelayMs, pollDelayMs } from '../lepton/retry-timing';
import type { Job, LeptonClient } from '../lepton/types';
import { attempt, reportObservation, type Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { finalFailure, notReady } from './failures';
import { describeJob, readJobState, waitingEvents } from './job-state';
import { lastLogLine } from './log-tail';
import { resolveNodeGroup } from './node-groups';

/** Submitting, awaiting, stopping and removing evaluation jobs. Every one is safe to repeat. */
export const createJobActivities = (dependencies: ActivityDependencies) => ({
  /**
   * Submits the job, or adopts the one that an earlier attempt submitted: job names are not unique on the platform, so
   * each attempt looks for the run's own mark first. Never aborted half-way. `lost` as for `createEndpoint`.
   */
  submitJob: (input: SubmitJobInput): Promise<{ id: string; lost: boolean }> =>
    attempt({ subject: subjectOf(input), purpose: 'step' }, async ({ attempt: count }) => ({
      id: await submit(dependencies, input),
      lost: count > 1,
    })),

  /** Looks once: resolves when the job is Completed, fails finally when it ended otherwise, else throws NotReady. */
  awaitJobCompleted: (input: NamedJob & { readonly id: string }): Promise<void> =>
    attempt({ subject: subjectOf(input), purpose: 'reading' }, (look) =>
      lookWhetherCompleted(dependencies, input, look),
    ),

  /** The job's state in words, for the report of a wait that timed out. */
  describeJob: (input: NamedJob & { readonly id: string }): Promise<string> =>
    attempt({ subject: subjectOf(input), purpose: 'step' }, async ({ signal }) => {
      const { client } = await dependencies.platform(input.platform);
      const job = await client.getJob(input.id, { signal });
      return describeJob(job, job === undefined ? [] : await waitingEvents(client, job, { signal }));
    }),

  /** Asks the job to stop and resolves when it has ended (or never was): it then has written what it has. */
  stopJob: (input: NamedJob): Promise<void> =>
    attempt({ subject: subjectOf(input), purpose: 'teardown' }, () => stop(dependencies, input)),

  /** Looks once and resolves when no job of this task is left; until then deletes, and throws NotReady. */
  removeJob: (input: NamedJob): Promise<void> =>
    attempt({ subject: subjectOf(input), purpose: 'teardown' }, () => remove(dependencies, input)),
});

const subjectOf = ({ name, index }: { name: string; index: number }) => `job ${name} of task ${index}`;

async function submit(dependencies: ActivityDependencies, input: SubmitJobInput): Promise<string> {
  const { client } = await dependencies.platform(input.platform);
  const adopted = (await findOwnJobs(client, input))[0];
  if (adopted) return idOf(adopted);
  const spec = renderJob(input.spec, {
    marks: { invocation: input.invocation, index: input.index, origin: dependencies.origin },
    nodeGroupId: await resolveNodeGroup(client, input.spec.nodeGroup),
    resolve: await dependencies.hostSecrets(input.invocation),
    modelUrl: input.modelUrl,
  });
  return idOf(await client.createJob({ name: input.name, spec }));
}

async function lookWhetherCompleted(
  dependencies: ActivityDependencies,
  input: NamedJob & { readonly id: string },
  { signal, elapsedMs }: Attempt,
): Promise<void> {
  const { client, lookups, pace } = await dependencies.platform(input.platform);
  const job = await lookups.job(input.id);
  const state = readJobState(job);
  switch (state.kind) {
    case 'completed':
      return;
    case 'pending': {
      const events = job === undefined ? [] : await waitingEvents(client, job, { signal });
      const message = describeJob(job, events);
      await reportObservation(message);
      throw notReady(`job ${input.name}: ${message}`, pollDelayMs({ elapsedMs, platform: pace }));
    }
    case 'failed': {
      const last = await lastLogLine(client, input.id, signal);
      const said = [job?.status?.message ?? '', last === '' ? '' : `last log line: ${last}`].filter(
        (text) => text !== '',
      );
      throw finalFailure(
        failureTypes.jobFailed,
        `job ${input.name} ended as ${state.name}${said.length === 0 ? '' : `: ${said.join('; ')}`}`,
      );
    }
    case 'absent':
      throw finalFailure(
        failureTypes.jobLost,
        `job ${input.name} is gone from the platform without a final state: something outside this run removed it`,
      );
  }
}

async function stop(dependencies: ActivityDependencies, input: NamedJob): Promise<void> {
  const { client, pace } = await dependencies.platform(input.platform);
  const running = (await ownJobs(client, input)).filter((job) => readJobState(job).kind === 'pending');
  if (running.length === 0) return;
  const toStop = running.filter((job) => job.status?.state !== 'Stopping');
  await Promise.all(toStop.map((job) => client.stopJob(idOf(job))));
  throw notReady(`job ${input.name} is stopping`, goneDelayMs[pace]);
}

async function remove(dependencies: ActivityDependencies, input: NamedJob): Promise<void> {
  const { client, pace } = await dependencies.platform(input.platform);
  const left = await ownJobs(client, input);
  if (left.length === 0) return;
  const toDelete = left.filter((job) => job.status?.state !== 'Deleting');
  await Promise.all(toDelete.map((job) => client.deleteJob(idOf(job))));
  if ((await ownJobs(client, input)).length === 0) return;
  throw notReady(`job ${input.name} is being deleted`, goneDelayMs[pace]);
}

/** This task's jobs that are still alive on the platform: by id where it is known, and by name and marks. */
async function ownJobs(client: LeptonClient, input: NamedJob): Promise<Job[]> {
  const found = await findOwnJobs(client, input);
  if (input.id === null || found.some((job) => idOf(job) === input.id)) return found;
  const byId = await client.getJob(input.id);
  return byId && isAlive(byId) && isMarkedWith(byId.spec?.envs, input) ? [...found, byId] : found;
}

/** Newest first. A deleted job may stay listed in the archive: only living ones count. */
async function findOwnJobs(client: LeptonClient, input: Omit<NamedJob, 'id'>): Promise<Job[]> {
  const jobs = await client.listJobs({ name: input.name, mode: 'alive_only' });
  return jobs
    .filter((job) => job.metadata.name === input.name && isAlive(job) && isMarkedWith(job.spec?.envs, input))
    .sort((a, b) => (b.metadata.created_at ?? 0) - (a.metadata.created_at ?? 0));
}

const isAlive = (job: Job): boolean => job.status?.state !== 'Deleted' && job.status?.state !== 'Archived';

function idOf(job: Job): string {
  const id = job.metadata.id;
  if (id === undefined) throw new Error('the platform lists a job without an id');
  return id;
}
