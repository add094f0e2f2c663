import { randomBytes } from 'node:crypto';
import { failureTypes } from '../contract/failure-types';
import type { AwaitJobInput, CompletedJob, NamedJob, SubmitJobInput } from '../contract/inputs';
import { secretsOfEnv } from '../secrets/secret-values';
import { maskKnown } from '../secrets/masking';
import { isMarkedWith, renderJob } from '../lepton/render-spec';
import { removalPollDelayMs, pollDelayMs } from '../lepton/retry-timing';
import type { LookupOptions } from '../lepton/coalesced';
import type { Platform } from '../lepton/platforms';
import type { Job, LeptonClient } from '../lepton/types';
import { DoneOnce, InARow, absencesToBelieve } from './absences';
import { attempt, type Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { finalFailure, isNotReady, notReady } from './failures';
import { JobEndpoints } from './job-endpoint';
import { JobProgressWatch } from './job-progress';
import { LastRequests } from './last-requests';
import { describeAndReport } from './news';
import { progressTeller } from './telling';
import { progressLine } from '../contract/job-progress';
import { readJobEnd } from '../lepton/job-end';
import { releasedWords } from '../contract/last-request';
import { describeJob, isRunning, readJobState, reasonOfFailure, stateOf, waitingEvents } from '../lepton/job-state';
import { eventsOfEnded, refuseInterrupted } from './job-interruption';
import { failureAndLog } from './log-tail';
import { resolveNodeGroup } from '../lepton/node-groups';
import { Submissions } from './submissions';
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

const submissions = new Submissions();
const progressWatch = new JobProgressWatch();
const lastRequests = new LastRequests();
const missing = new InARow(absencesToBelieve);
const unreadLogs = new InARow(absencesToBelieve);
/** Jobs for which a removal has sent its DELETE request. */
const deletesSent = new DoneOnce();

const subjectOf = ({ name, index }: { name: string; index: number }) => `job ${name} of task ${index}`;

async function submit(
  dependencies: ActivityDependencies,
  input: SubmitJobInput,
  { activity, attempt: number, isAnswerMissing }: Attempt,
): Promise<string> {
  const { client, lookups, pace } = await dependencies.platform(input.platform);
  const waitMs = submissions.waitMs({ activity, isAnswerMissing, nowMs: performance.now() });
  const isFirst = number === 1;
  // Before a first attempt only an earlier activity can have posted it, minutes ago: the shared listing is new enough.
  const listed = isFirst ? lookups.jobsNamed(input.name) : listNamed(client, input.name);
  const earlier = ownAmong(await listed, input);
  if (earlier.length === 0 && waitMs > 0) {
    const pauseMs = Math.min(waitMs, removalPollDelayMs({ elapsedMs: 0, platform: pace }) * 3);
    throw notReady(`job ${input.name}: an earlier request may still be carried out: looking for it`, pauseMs);
  }
  const own = earlier.length > 0 ? earlier : await post(dependencies, input, { activity, isFirst });
  const [kept, ...others] = inOrderOfUse(own);
  if (kept === undefined) throw new Error(`job ${input.name} was submitted, but there is none`);
  await Promise.all(others.map((job) => client.deleteJob(idOf(job))));
  submissions.forget(activity);
  return idOf(kept);
}

/**
 * Posts the job; returns all jobs of the task, since an earlier request may have taken effect meanwhile. The first attempt leaves
 * such a job to the wait for the end of this one.
 */
async function post(
  dependencies: ActivityDependencies,
  input: SubmitJobInput,
  { activity, isFirst }: { readonly activity: string; readonly isFirst: boolean },
): Promise<Job[]> {
  const { client } = await dependencies.platform(input.platform);
  const spec = renderJob(input.spec, {
    marks: { invocation: input.invocation, index: input.index, origin: dependencies.origin },
    nodeGroupId: await resolveNodeGroup(client, input.spec.nodeGroup),
    resolve: await dependencies.hostSecrets(input),
    modelUrl: input.modelUrl,
    nonce: randomBytes(16).toString('hex'),
    ...(input.sharedUrls === undefined ? {} : { sharedUrls: input.sharedUrls }),
  });
  let created: Job;
  try {
    created = await client.createJob({ name: input.name, spec });
  } catch (error) {
    submissions.lost(activity, error, performance.now());
    throw error;
  }
  if (isFirst) return [created];
  // The listing may lag behind.
  const listed = ownAmong(await listNamed(client, input.name), input);
  return listed.some((job) => idOf(job) === idOf(created)) ? listed : [...listed, created];
}

/** Sorts the job to keep first: the oldest that is running or completed. Pure. */
function inOrderOfUse(jobs: readonly Job[]): Job[] {
  const isLost = (job: Job): number => (['pending', 'completed'].includes(readJobState(job).kind) ? 0 : 1);
  const age = (job: Job): number => job.metadata.created_at ?? 0;
  return [...jobs].sort((a, b) => isLost(a) - isLost(b) || age(a) - age(b) || (idOf(a) < idOf(b) ? -1 : 1));
}

async function lookWhetherCompleted(
  dependencies: ActivityDependencies,
  input: AwaitJobInput,
  { signal, elapsedMs, wakeOn }: Attempt,
): Promise<void> {
  const platform = await dependencies.platform(input.platform);
  const { client, lookups, pace } = platform;
  wakeOn((wake) => {
    const ends = [lookups.onChange('jobs', input.id, wake), lastRequests.onAnswered(input, wake)];
    return () => ends.forEach((end) => end());
  });
  const job = await lookups.job(input.id, input.name);
  const state = readJobState(job);
  const again = pollDelayMs({ elapsedMs, platform: pace }) * lookups.patience('jobs');
  if (input.endpointLog !== undefined && input.endpoint) lastRequests.know(input, job);
  const isGone = missing.isReached(`${client.access.url} ${input.id}`, state.kind === 'absent');
  if (state.kind === 'absent' && !isGone) throw notReady(`job ${input.name} is not to be seen just now`, again);
  await removeOthers(client, await lookups.jobsNamed(input.name), input);
  switch (state.kind) {
    case 'completed':
      return refuseInterrupted(platform, input, { job, signal });
    case 'ending':
    case 'pending': {
      // A deletion can't be undone, so there is nothing to wait for.
      if (stateOf(job) === 'deleting')
        throw finalFailure(failureTypes.jobLost, `job ${input.name} is being deleted by something outside this run`);
      const { words, nextMs } = await whatRuns(platform, input, { job, elapsedMs, signal });
      throw notReady(`job ${input.name}: ${words}`, Math.min(again, nextMs));
    }
    case 'failed': {
      const events = await eventsOfEnded(client, { job, signal });
      const reason = reasonOfFailure(job, events);
      const log = { job: input.id, createdAt: job?.metadata.created_at };
      const { words, lines, isRead } = await failureAndLog(client, log, { said: reason, signal });
      const end = readJobEnd({ job, events, lines });
      const isUnread = end.kind === 'by itself' && !isRead;
      if (isUnread && !unreadLogs.isReached(`${client.access.url} ${input.id}`, true))
        throw notReady(`job ${input.name} has ended as ${state.name}, and its log can't be read just now`, again);
      const because = end.kind === 'from outside' && !reason.includes(end.why) ? end.why : '';
      lastRequests.hear(input, lines);
      const said = [because, reason, words, lastRequests.howToGoOn(input)].filter((text) => text !== '');
      throw finalFailure(
        end.kind === 'from outside' ? failureTypes.jobInterrupted : failureTypes.jobFailed,
        maskKnown(
          `job ${input.name} ended as ${state.name}${said.length === 0 ? '' : `: ${said.join('; ')}`}`,
          secretsGivenTo(job),
        ),
      );
    }
    case 'absent':
      throw finalFailure(
        failureTypes.jobLost,
        `job ${input.name} is gone from the platform without a final state: something outside this run removed it`,
      );
  }
}

interface RunningJob extends Pick<Attempt, 'elapsedMs' | 'signal'> {
  readonly job: Job | undefined;
}

/** Says what a job does that has not ended, and in how many milliseconds at most to look again. */
async function whatRuns(
  platform: Platform,
  input: AwaitJobInput,
  { job, elapsedMs, signal }: RunningJob,
): Promise<{ readonly words: string; readonly nextMs: number }> {
  const without = lastRequests.isReleased(input) ? `, ${releasedWords}` : '';
  const message = await describeAndReport(`${describeJob(job)}${without}`, platform, async () => {
    const events = job === undefined ? [] : await waitingEvents(platform.client, job, { signal });
    return `${describeJob(job, events)}${without}`;
  });
  if (job === undefined || !isRunning(job)) return { words: message, nextMs: Infinity };
  const onLines = (texts: readonly string[]): void => lastRequests.hear(input, texts);
  const asked = { input, platform, signal };
  const progress = progressWatch.look({ ...asked, job, elapsedMs, onLines, onProgress: progressTeller() });
  const soFar = progress === undefined ? '' : `, ${progressLine(progress, Date.now())}`;
  return { words: `${message}${soFar}`, nextMs: lastRequests.look({ ...asked, progress }) };
}

/** Deletes duplicates created by requests whose answers were lost. Best effort: teardown removes the remaining ones. */
async function removeOthers(client: LeptonClient, jobs: readonly Job[], input: NamedJob): Promise<void> {
  const others = jobs.filter(
    (job) =>
      job.metadata.id !== input.id &&
      ['pending', 'ending'].includes(readJobState(job).kind) &&
      stateOf(job) !== 'deleting' &&
      isMarkedWith(job.spec?.envs, input),
  );
  await Promise.allSettled(others.map((job) => client.deleteJob(idOf(job))));
}

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

/**
 * Returns this task's living jobs, found by id if known, and by name and marks. That there is none is said on a fresh listing
 * only, and, where the id is not known, on one of this name alone.
 */
async function ownJobs(
  { client, lookups }: Pick<Platform, 'client' | 'lookups'>,
  input: NamedJob,
  { isFresh = false }: LookupOptions = {},
): Promise<Job[]> {
  if (input.id === null) return ownAmong(await listNamed(client, input.name), input);
  const found = ownAmong(await jobsNamed(lookups, input, { isFresh }), input);
  if (found.some((job) => idOf(job) === input.id)) return found;
  if (found.length === 0 && !isFresh) return ownJobs({ client, lookups }, input, { isFresh: true });
  const byId = await client.getJob(input.id, { mode: 'alive_only', name: input.name, isUnlisted: isFresh });
  return byId && isAlive(byId) && isMarkedWith(byId.spec?.envs, input) ? [...found, byId] : found;
}

const listedJobs = async ({ lookups }: Pick<Platform, 'lookups'>, input: NamedJob): Promise<Job[]> =>
  ownAmong(await jobsNamed(lookups, input, { isFresh: true }), input);

/** Names of the jobs that an activity is about. */
const namesOf = ({ name, furtherNames = [] }: Pick<NamedJob, 'name' | 'furtherNames'>): readonly string[] => [
  name,
  ...furtherNames,
];

/** Returns what the shared listing has of these names. */
const jobsNamed = async (
  lookups: Platform['lookups'],
  input: Pick<NamedJob, 'name' | 'furtherNames'>,
  options?: LookupOptions,
): Promise<readonly Job[]> =>
  (await Promise.all(namesOf(input).map((name) => lookups.jobsNamed(name, options)))).flat();

/** The platform looks for a part of the name, so that the further names, which begin with it, are found as well. */
const listNamed = (client: LeptonClient, name: string): Promise<Job[]> => client.listJobs({ name, mode: 'alive_only' });

/** Returns the living jobs with this task's marks, newest first. A deleted job may stay listed in the archive. */
const ownAmong = (jobs: readonly Job[], input: Omit<NamedJob, 'id'>): Job[] =>
  jobs
    .filter(
      (job) => namesOf(input).includes(job.metadata.name ?? '') && isAlive(job) && isMarkedWith(job.spec?.envs, input),
    )
    .sort((a, b) => (b.metadata.created_at ?? 0) - (a.metadata.created_at ?? 0));

const isAlive = (job: Job): boolean => !['deleted', 'archived'].includes(stateOf(job));

function idOf(job: Job): string {
  const id = job.metadata.id;
  if (id === undefined) throw new Error('the platform lists a job without an id');
  return id;
}

/**
 * Returns the secrets among the job's environment variables as the platform lists them: a log may quote them, and a worker on
 * another machine than the one that started the run has no other source for them. Pure.
 */
const secretsGivenTo = (job: Job | undefined): readonly string[] =>
  secretsOfEnv(Object.fromEntries((job?.spec?.envs ?? []).map(({ name, value }) => [name, value ?? ''])));
