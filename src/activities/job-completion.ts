import { failureTypes } from '../contract/failure-types';
import type { AwaitJobInput, NamedJob } from '../contract/inputs/job';
import { progressLine } from '../contract/job-progress';
import { releasedWords } from '../contract/last-request';
import { readJobEnd } from '../lepton/job-end';
import { describeJob, isRunning, readJobState, reasonOfFailure, stateOf, waitingEvents } from '../lepton/job-state';
import type { Platform } from '../lepton/platforms';
import { isMarkedWith } from '../lepton/render-spec';
import { pollDelayMs } from '../lepton/retry-timing';
import type { Job, LeptonClient } from '../lepton/types';
import { maskKnown } from '../secrets/masking';
import { secretsOfEnv } from '../secrets/secret-values';
import { InARow, absencesToBelieve } from './absences';
import type { Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { finalFailure, notReady } from './failures';
import { eventsOfEnded, refuseInterrupted } from './job-interruption';
import { JobProgressWatch } from './job-progress';
import { LastRequests } from './last-requests';
import { failureAndLog } from './log-tail';
import { describeAndReport } from './news';
import { idOf } from './own-jobs';
import { progressTeller } from './telling';

const progressWatch = new JobProgressWatch();
export const lastRequests = new LastRequests();
const missing = new InARow(absencesToBelieve);
const unreadLogs = new InARow(absencesToBelieve);

/** Looks whether the job has completed: throws `NotReady` while it has not, and a final failure if it ended otherwise. */
export async function lookWhetherCompleted(
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
    case 'failed':
      throw await failureOf(platform, input, { job, signal, state: state.name, again });
    case 'absent':
      throw finalFailure(
        failureTypes.jobLost,
        `job ${input.name} is gone from the platform without a final state: something outside this run removed it`,
      );
  }
}

interface EndedJob extends Pick<Attempt, 'signal'> {
  readonly job: Job | undefined;
  /** In which it has ended. */
  readonly state: string;
  /** Milliseconds until it is looked at again, if it has to be. */
  readonly again: number;
}

/** Returns the failure of a job that did not complete, with what the platform and its log say; not final while its log is awaited. */
async function failureOf(
  { client }: Platform,
  input: AwaitJobInput,
  { job, signal, state, again }: EndedJob,
): Promise<Error> {
  const events = await eventsOfEnded(client, { job, signal });
  const reason = reasonOfFailure(job, events);
  const log = { job: input.id, createdAt: job?.metadata.created_at };
  const { words, lines, isRead } = await failureAndLog(client, log, { said: reason, signal });
  const end = readJobEnd({ job, events, lines });
  const isUnread = end.kind === 'by itself' && !isRead;
  if (isUnread && !unreadLogs.isReached(`${client.access.url} ${input.id}`, true))
    return notReady(`job ${input.name} has ended as ${state}, and its log can't be read just now`, again);
  const because = end.kind === 'from outside' && !reason.includes(end.why) ? end.why : '';
  lastRequests.hear(input, lines);
  const said = [because, reason, words, lastRequests.howToGoOn(input)].filter((text) => text !== '');
  return finalFailure(
    end.kind === 'from outside' ? failureTypes.jobInterrupted : failureTypes.jobFailed,
    maskKnown(
      `job ${input.name} ended as ${state}${said.length === 0 ? '' : `: ${said.join('; ')}`}`,
      secretsGivenTo(job),
    ),
  );
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

/**
 * Returns the secrets among the job's environment variables as the platform lists them: a log may quote them, and a worker on
 * another machine than the one that started the run has no other source for them. Pure.
 */
const secretsGivenTo = (job: Job | undefined): readonly string[] =>
  secretsOfEnv(Object.fromEntries((job?.spec?.envs ?? []).map(({ name, value }) => [name, value ?? ''])));
