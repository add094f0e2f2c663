import { ApplicationFailure, isCancellation, patched } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import type { AwaitJobInput, CompletedJob, ProgressSource, SubmitJobInput } from '../contract/inputs/job';
import type { Owner } from '../contract/inputs/owner';
import type { TaskInput } from '../contract/inputs/task';
import { attemptName, attemptsAllowed, type JobAttempt } from '../contract/job-attempts';
import { sharedModelOf } from '../contract/parts';
import type { EndpointPlan } from '../contract/plan';
import { resultsPlaceOf } from '../contract/results-place';
import { changeWithFreshBudgets, poll, tryOnce } from './activity-groups';
import { guardedBy, withDeadline } from './deadline';
import { watchEndpoint, watchOf } from './endpoint-watch';
import { isConclusive, hadUnansweredAttempt, mayHaveCreated } from './failures';
import { ownEndpointOf } from './own-endpoint';
import { ownerAwaitingReady, ownerOf } from './task-owner';
import type { SharedLinks } from './shared-links';
import type { TaskProgress } from './task-progress';
import type { TaskTeardown } from './task-teardown';

/** The state that the steps of a task share. */
export interface Evaluation {
  readonly input: TaskInput;
  readonly progress: TaskProgress;
  readonly teardown: TaskTeardown;
}

/** The same with what the task's parent tells. */
export interface TaskEvaluation extends Evaluation {
  readonly links: SharedLinks;
}

/** Seconds for an existing endpoint to answer; it should already be up. */
const existingSeconds = 120;

/** Seconds for the last check after a deadline; short, because the resource costs money meanwhile. */
const lastLookSeconds = 15;

interface AwaitedEndpoint {
  readonly owner?: Owner;
  readonly name?: string | undefined;
}

/** Creates the endpoint if the task owns one, waits until it is Ready, and returns its full request URL. */
export async function bringUpEndpoint(evaluation: Evaluation): Promise<string> {
  const { input, progress } = evaluation;
  const { endpoint } = input.run;
  if (endpoint.kind === 'existing') {
    progress.update({ phase: 'awaiting ready' });
    await awaitExisting(evaluation, endpoint);
    return endpoint.url;
  }
  await createEndpoint(evaluation, endpoint);
  progress.update({ phase: 'awaiting ready' });
  return `${await awaitReady(evaluation)}${input.task.endpointPath}`;
}

/** Creates the task's own endpoint. */
export async function createEndpoint(
  { input, progress, teardown }: Evaluation,
  { spec }: Extract<EndpointPlan, { kind: 'dedicated' }>,
): Promise<void> {
  const name = ownEndpointOf(input.task);
  progress.begin('endpoint', { phase: 'creating endpoint' });
  teardown.coverEndpoint(name);
  const which = furtherAttempt(progress);
  let isRepeated = false;
  try {
    await changeWithFreshBudgets(`create endpoint ${name}`, async (activities, round) => {
      isRepeated = round > 1;
      const { lost } = await activities.createEndpoint({ ...ownerOf(input), name, spec, ...which });
      teardown.settle('endpoint', { lost: lost || isRepeated });
    });
  } catch (error) {
    if (!mayHaveCreated(error)) teardown.refused('endpoint', { lost: hadUnansweredAttempt(error) || isRepeated });
    throw error;
  }
}

/**
 * Waits until the endpoint of a job that was ended from outside serves again: what hit the job may have hit it, too. `name`: of the
 * endpoint, if the task shares it.
 */
export async function awaitEndpointReadyAgain(evaluation: Evaluation, name?: string): Promise<string> {
  const url = await awaitReady(evaluation, { owner: ownerOf(evaluation.input), name });
  return `${url}${evaluation.input.task.endpointPath}`;
}

/** Waits until the endpoint is Ready, and returns its base URL. Default: the task's own. */
export async function awaitReady(
  { input, progress }: Evaluation,
  { owner = ownerAwaitingReady(input), name = ownEndpointOf(input.task) }: AwaitedEndpoint = {},
): Promise<string> {
  const { run } = input;
  const seconds = run.limits.endpointReadySeconds;
  const endpoint = {
    ...owner,
    name,
    probe: run.endpoint.probe,
    deadlineSeconds: seconds,
    endpointPath: input.task.endpointPath,
  };
  const { url } = await withDeadline({
    seconds,
    summary: `readiness timeout of endpoint ${name}`,
    work: () => poll(`await Ready of endpoint ${name}`, seconds).awaitEndpointReady(endpoint),
    onExpiry: () =>
      checkOnceMoreOrFail(
        () => tryOnce(`is endpoint ${name} Ready by now`, lastLookSeconds).awaitEndpointReady(endpoint),
        async () => {
          const state = await answerOrUnknown(() =>
            tryOnce(`last look at endpoint ${name}`).describeEndpoint(endpoint),
          );
          const { message } = progress.snapshot;
          const seen = message === null || message === state ? state : `${message} (last state: ${state})`;
          return ApplicationFailure.nonRetryable(
            `endpoint ${name} was not Ready after ${seconds} s: ${seen}. Raise execution.lepton_platform.deployment.endpoint_readiness_timeout if it only needs longer.`,
            failureTypes.endpointTimeout,
          );
        },
      ),
  });
  return url;
}

async function awaitExisting(
  { input, progress }: Evaluation,
  { url, probe }: Extract<EndpointPlan, { kind: 'existing' }>,
): Promise<void> {
  const asked = { ...ownerAwaitingReady(input), url, probe };
  const work = () => poll('probe the existing endpoint', existingSeconds).probeExistingEndpoint(asked);
  // 2026-11-28
  if (!patched('existing-endpoint-deadline')) return work();
  return withDeadline({
    seconds: existingSeconds,
    summary: 'the existing endpoint is to answer by then',
    work,
    onExpiry: () =>
      checkOnceMoreOrFail(
        () => tryOnce('does the existing endpoint answer by now', lastLookSeconds).probeExistingEndpoint(asked),
        () => {
          const seen = progress.snapshot.message ?? 'it gave no answer';
          return ApplicationFailure.nonRetryable(
            `the endpoint of target.api_endpoint did not serve the model within ${existingSeconds} s: ${seen}`,
            failureTypes.endpointTimeout,
          );
        },
      ),
  });
}

/** Submits the job and waits for its end. `attempt`: which of the task's jobs it is, if it may have several. */
export async function runJob(evaluation: TaskEvaluation, modelUrl: string, attempt?: JobAttempt): Promise<void> {
  const { progress, teardown } = evaluation;
  const name = attemptName(evaluation.input.task.jobName, attempt?.number ?? 1);
  const id = await submitJob(evaluation, modelUrl, { attempt });
  progress.update({ phase: 'running job' });
  await awaitJob(evaluation, { name, id, modelUrl });
  teardown.jobEnded();
}

export interface JobToSubmit {
  /** Its endpoint is not Ready yet. */
  readonly isEarly?: boolean;
  /** Which of the task's jobs it is, if the task may have several. */
  readonly attempt?: JobAttempt | undefined;
}

/** What the first step for another job of the task tells: which one it is, and what the earlier ones cost. */
function furtherAttempt({ snapshot }: TaskProgress): Pick<SubmitJobInput, 'attempt' | 'earlierUsage'> {
  const { attempt, earlierUsage } = snapshot;
  return attempt && attempt.number > 1 ? { attempt, ...(earlierUsage ? { earlierUsage } : {}) } : {};
}

/** Submits the job and returns its id. */
export async function submitJob(
  { input, progress, teardown, links }: TaskEvaluation,
  modelUrl: string,
  { isEarly = false, attempt }: JobToSubmit = {},
): Promise<string> {
  const { job: spec } = input.task;
  const name = attemptName(input.task.jobName, attempt?.number ?? 1);
  const sharedUrls = links.variables;
  const more = { ...(isEarly ? { isEarly: true as const } : {}), ...(sharedUrls === undefined ? {} : { sharedUrls }) };
  progress.begin('job', { ...(isEarly ? {} : { phase: 'submitting job' }), job: name });
  teardown.coverJob(name);
  const which = furtherAttempt(progress);
  let isRepeated = false;
  try {
    return await changeWithFreshBudgets(`submit job ${name}`, async (activities, round) => {
      isRepeated = round > 1;
      const submitted = await activities.submitJob({ ...ownerOf(input), name, spec, modelUrl, ...more, ...which });
      teardown.jobSubmitted({ ...submitted, lost: submitted.lost || isRepeated });
      return submitted.id;
    });
  } catch (error) {
    if (!mayHaveCreated(error)) teardown.refused('job', { lost: hadUnansweredAttempt(error) || isRepeated });
    throw error;
  }
}

/** Waits for the end of the job, for at most its time limit, and meanwhile watches its endpoint. */
export async function awaitJob(
  { input, teardown, progress: known }: Evaluation,
  {
    id,
    modelUrl,
    name = input.task.jobName,
  }: { readonly id: string; readonly modelUrl: string; readonly name?: string },
): Promise<void> {
  const { run, task } = input;
  const progress = progressSourceOf(input);
  const job = { ...ownerOf(input), name, id, progress, ...resultsToCheck(input) };
  const seconds = run.limits.jobSeconds;
  const during = 'while its job ran';
  // A machine that may be asleep must not be the only one to see the end of the job: where secrets are there, it only watches.
  const isMerged = input.course !== undefined && task.endpointName !== null && run.home?.holdsSecrets !== true;
  // Only where every worker may write the log: its file is on the machine that started the run.
  const release = run.home === undefined ? { endpointLog: endpointLogOf(input) } : {};
  const watched = isMerged ? { ...job, endpoint: watchOf(input, during), ...release } : job;
  const end = (): Promise<CompletedJob | undefined> =>
    poll(`await end of job ${name}`, seconds).awaitJobCompleted(watched);
  const completed = await withDeadline({
    seconds,
    summary: `time limit of job ${name}`,
    work: () =>
      task.endpointName === null || isMerged ? end() : guardedBy(end, () => watchEndpoint(input, { seconds, during })),
    onExpiry: () =>
      checkOnceMoreOrFail(
        () => tryOnce(`has job ${name} ended by now`, lastLookSeconds).awaitJobCompleted(job),
        async () => {
          const [state, serving] = await Promise.all([
            answerOrUnknown(() => tryOnce(`last look at job ${name}`).describeJob(job)),
            known.isEndpointReleased ? releasedBefore : answerOrUnknown(() => askServing(input, modelUrl)),
          ]);
          return ApplicationFailure.nonRetryable(
            `job ${name} did not finish within ${seconds} s (last state: ${state}; its endpoint: ${serving}). Raise execution.evaluation_tasks.timeout if it only needs longer.${known.isEndpointReleased ? ` All its requests had been answered: evalsaga retry ${run.invocation} takes the answers from the cache.` : ''}`,
            failureTypes.jobTimeout,
          );
        },
      ),
  });
  if (completed?.released) teardown.endpointReleased(completed.released);
}

const releasedBefore = 'released after the last request';

/**
 * Checks once more after a deadline, since the awaited state may have been reached while no worker was polling, as on a machine
 * that slept. Throws the failure from `late` if it was not.
 */
async function checkOnceMoreOrFail<T>(look: () => Promise<T>, late: () => Promise<Error> | Error): Promise<T> {
  try {
    // 2026-11-28
    if (patched('last-look-decides')) return await look();
  } catch (error) {
    if (isCancellation(error) || isConclusive(error)) throw error;
  }
  throw await late();
}

/** Asks whether the endpoint still serves, which a job that timed out may have been waiting for. */
const askServing = (input: TaskInput, url: string): Promise<string> =>
  tryOnce('last question to the endpoint').describeServing({
    ...ownerOf(input),
    name: input.task.endpointName ?? sharedModelOf(input.task)?.servesModel ?? null,
    url,
    probe: input.run.endpoint.probe,
  });

/** Returns an answer for a failure message within 30 seconds, or 'unknown': its failure must not replace the message. */
async function answerOrUnknown(question: () => Promise<string>): Promise<string> {
  try {
    return await withDeadline({
      seconds: 30,
      summary: 'last look',
      work: question,
      onExpiry: () => Promise.reject(new Error('no answer')),
    });
  } catch {
    return 'unknown';
  }
}

/** Only a task that may have another job asks whether a completed one was interrupted before it lets the endpoint go. */
export function resultsToCheck({ run, task }: TaskInput): Pick<AwaitJobInput, 'results'> {
  if (attemptsAllowed(run.limits) === 1) return {};
  return { results: { fileSystem: run.storage.fileSystem, path: `${run.storage.path}/${task.folder}` } };
}

const endpointLogOf = ({ run, task }: TaskInput): string => `${resultsPlaceOf(run)}/${task.folder}/logs/endpoint.log`;

const progressSourceOf = ({ run: { storage }, task }: TaskInput): ProgressSource => ({
  harness: task.task.split('.')[0] ?? '',
  fileSystem: storage.fileSystem,
  folder: `${storage.path}/${task.folder}`,
});
