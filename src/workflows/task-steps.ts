import { ApplicationFailure, isCancellation, patched } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import type { Owner, TaskInput } from '../contract/inputs';
import type { EndpointPlan } from '../contract/plan';
import { ask, changeUntilHeard, poll } from './activity-groups';
import { guardedBy, withDeadline } from './deadline';
import { watchEndpoint } from './endpoint-watch';
import { isSeen, lostBefore, mayHaveCreated } from './failures';
import type { TaskProgress } from './task-progress';
import type { TaskTeardown } from './task-teardown';

/** What a task does between its start and its verdict. */
export interface Evaluation {
  readonly input: TaskInput;
  readonly progress: TaskProgress;
  readonly teardown: TaskTeardown;
}

/** Seconds for an endpoint of the user's own to answer: it is said to be up. */
const existingSeconds = 120;

/** Seconds for the look that decides: what it is about costs money. */
const lastLookSeconds = 15;

/** Resolves to the full request URL of an endpoint that is Ready. */
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

async function createEndpoint(
  { input, progress, teardown }: Evaluation,
  { spec }: Extract<EndpointPlan, { kind: 'dedicated' }>,
): Promise<void> {
  const name = nameOf(input);
  progress.begin('endpoint', { phase: 'creating endpoint' });
  teardown.coverEndpoint(name);
  let isRepeated = false;
  try {
    await changeUntilHeard(`create endpoint ${name}`, async (activities, round) => {
      isRepeated = round > 1;
      const { lost } = await activities.createEndpoint({ ...ownerOf(input), name, spec });
      teardown.settle('endpoint', { lost: lost || isRepeated });
    });
  } catch (error) {
    if (!mayHaveCreated(error)) teardown.refused('endpoint', { lost: lostBefore(error) || isRepeated });
    throw error;
  }
}

async function awaitReady({ input, progress }: Evaluation): Promise<string> {
  const { run } = input;
  const seconds = run.limits.endpointReadySeconds;
  const name = nameOf(input);
  const endpoint = { ...ownerOf(input), name, probe: run.endpoint.probe, deadlineSeconds: seconds };
  const { url } = await withDeadline({
    seconds,
    summary: `readiness timeout of endpoint ${name}`,
    work: () => poll(`await Ready of endpoint ${name}`, seconds).awaitEndpointReady(endpoint),
    onExpiry: () =>
      orLate(
        () => ask(`is endpoint ${name} Ready by now`, lastLookSeconds).awaitEndpointReady(endpoint),
        async () => {
          const state = await lastWords(() => ask(`last look at endpoint ${name}`).describeEndpoint(endpoint));
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
  const asked = { ...ownerOf(input), url, probe };
  const work = () => poll('probe the existing endpoint', existingSeconds).probeExistingEndpoint(asked);
  // 2026-11-28
  if (!patched('existing-endpoint-deadline')) return work();
  return withDeadline({
    seconds: existingSeconds,
    summary: 'the existing endpoint is to answer by then',
    work,
    onExpiry: () =>
      orLate(
        () => ask('does the existing endpoint answer by now', lastLookSeconds).probeExistingEndpoint(asked),
        () => {
          const seen = progress.snapshot.message ?? 'nothing was heard of it';
          return ApplicationFailure.nonRetryable(
            `the endpoint of target.api_endpoint did not serve the model within ${existingSeconds} s: ${seen}`,
            failureTypes.endpointTimeout,
          );
        },
      ),
  });
}

/** Submits the job and waits for its end. */
export async function runJob(evaluation: Evaluation, modelUrl: string): Promise<void> {
  const { progress, teardown } = evaluation;
  const id = await submitJob(evaluation, modelUrl);
  progress.update({ phase: 'running job' });
  await awaitJob(evaluation, { id, modelUrl });
  teardown.jobEnded();
}

async function submitJob({ input, progress, teardown }: Evaluation, modelUrl: string): Promise<string> {
  const { jobName: name, job: spec } = input.task;
  progress.begin('job', { phase: 'submitting job', job: name });
  teardown.coverJob();
  let isRepeated = false;
  try {
    return await changeUntilHeard(`submit job ${name}`, async (activities, round) => {
      isRepeated = round > 1;
      const submitted = await activities.submitJob({ ...ownerOf(input), name, spec, modelUrl });
      teardown.jobSubmitted({ ...submitted, lost: submitted.lost || isRepeated });
      return submitted.id;
    });
  } catch (error) {
    if (!mayHaveCreated(error)) teardown.refused('job', { lost: lostBefore(error) || isRepeated });
    throw error;
  }
}

async function awaitJob(
  { input }: Evaluation,
  { id, modelUrl }: { readonly id: string; readonly modelUrl: string },
): Promise<void> {
  const { run, task } = input;
  const name = task.jobName;
  const job = { ...ownerOf(input), name, id };
  const seconds = run.limits.jobSeconds;
  const end = () => poll(`await end of job ${name}`, seconds).awaitJobCompleted(job);
  await withDeadline({
    seconds,
    summary: `time limit of job ${name}`,
    work: () =>
      task.endpointName === null
        ? end()
        : guardedBy(end, () => watchEndpoint(input, { seconds, during: 'while its job ran' })),
    onExpiry: () =>
      orLate(
        () => ask(`has job ${name} ended by now`, lastLookSeconds).awaitJobCompleted(job),
        async () => {
          const [state, serving] = await Promise.all([
            lastWords(() => ask(`last look at job ${name}`).describeJob(job)),
            lastWords(() => lastQuestion(input, modelUrl)),
          ]);
          return ApplicationFailure.nonRetryable(
            `job ${name} did not finish within ${seconds} s (last state: ${state}; its endpoint: ${serving}). Raise execution.evaluation_tasks.timeout if it only needs longer.`,
            failureTypes.jobTimeout,
          );
        },
      ),
  });
}

/**
 * A wait whose time is over is judged by one more look: what was waited for may have come while nobody could see it, as on a
 * machine that slept. `late`: the failure where it has not.
 */
async function orLate<T>(look: () => Promise<T>, late: () => Promise<Error> | Error): Promise<T> {
  try {
    // 2026-11-28
    if (patched('last-look-decides')) return await look();
  } catch (error) {
    if (isCancellation(error) || isSeen(error)) throw error;
  }
  throw await late();
}

/** What a job that got nowhere may have waited for. */
const lastQuestion = (input: TaskInput, url: string): Promise<string> =>
  ask('last question to the endpoint').describeServing({
    ...ownerOf(input),
    name: input.task.endpointName,
    url,
    probe: input.run.endpoint.probe,
  });

/** A bounded last question for a report; its failure must not replace the report. */
async function lastWords(question: () => Promise<string>): Promise<string> {
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

const nameOf = ({ task }: TaskInput): string => task.endpointName ?? '';

const ownerOf = ({ run, task }: TaskInput): Owner => ({
  platform: run.platform,
  invocation: run.invocation,
  index: task.index,
});
