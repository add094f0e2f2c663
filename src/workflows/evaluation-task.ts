import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  setHandler,
  setWorkflowOptions,
} from '@temporalio/workflow';
import { failureTypes } from '../contract/errors';
import type { FetchedResults, Owner, TaskInput } from '../contract/inputs';
import { startJob } from '../contract/messages';
import { masked } from '../contract/secret-url';
import type { TaskSnapshot } from '../contract/state';
import { look, step } from './activity-groups';
import { guardedBy, withDeadline } from './deadline';
import { awaitOpen, watchEndpoint } from './endpoint-watch';
import { judge, lostBefore, mayHaveCreated, type Verdict } from './failures';
import { leftText } from './fitting';
import { now, TaskProgress } from './task-progress';
import { TaskTeardown, type WoundUp } from './task-teardown';

/**
 * One task: its own endpoint, its job, its results, and the removal of all it made, on every way out. Returns the
 * snapshot of a task that succeeded; fails with `TaskFailed` or `TeardownIncomplete`, whose details hold it.
 */
export async function evaluationTask(input: TaskInput): Promise<TaskSnapshot> {
  const progress = new TaskProgress(input);
  const teardown = new TaskTeardown(input, (what) => progress.end(what));
  const barrier = openedByRun();
  const root = CancellationScope.current();

  let verdict: Verdict;
  try {
    await evaluate({ input, progress, teardown, barrier });
    verdict = { outcome: 'succeeded', error: null };
  } catch (error) {
    verdict = judge(error, { cancelled: root.consideredCancelled });
  }

  return CancellationScope.nonCancellable(async () => {
    progress.update({ phase: verdict.outcome === 'succeeded' ? 'fetching results' : 'tearing down', ...verdict });
    const woundUp = await teardown.windUp();
    await progress.finish({ phase: 'done', endedAt: now(), ...settle(input, progress.snapshot, verdict, woundUp) });
    return close(progress.snapshot);
  });
}
setWorkflowOptions({ failureExceptionTypes: [Error] }, evaluationTask);

interface Evaluation {
  readonly input: TaskInput;
  readonly progress: TaskProgress;
  readonly teardown: TaskTeardown;
  readonly barrier: { readonly open: () => boolean };
}

async function evaluate(evaluation: Evaluation): Promise<void> {
  const { input, progress } = evaluation;
  const modelUrl = await bringUpEndpoint(evaluation);
  await progress.ready({ phase: 'ready', endpointUrl: masked(modelUrl), message: null });
  await awaitOpen(input, evaluation.barrier.open);
  await runJob(evaluation, modelUrl);
}

/** Resolves to the full request URL of an endpoint that is Ready. */
async function bringUpEndpoint({ input, progress, teardown }: Evaluation): Promise<string> {
  const { run, task } = input;
  const owner = ownerOf(input);
  if (run.endpoint.kind === 'existing') {
    progress.update({ phase: 'awaiting ready' });
    const { url, probe } = run.endpoint;
    await look(`probe the existing endpoint`, 120).probeExistingEndpoint({ ...owner, url, probe });
    return url;
  }
  const name = task.endpointName ?? '';
  const { spec, probe } = run.endpoint;
  progress.begin('endpoint', { phase: 'creating endpoint' });
  teardown.coverEndpoint(name);
  try {
    const created = await step(`create endpoint ${name}`).createEndpoint({ ...owner, name, spec });
    teardown.settle('endpoint', created);
  } catch (error) {
    if (!mayHaveCreated(error)) teardown.settle('endpoint', { lost: lostBefore(error) });
    throw error;
  }
  progress.update({ phase: 'awaiting ready' });
  const seconds = run.limits.endpointReadySeconds;
  const { url } = await withDeadline({
    seconds,
    summary: `readiness timeout of endpoint ${name}`,
    work: () =>
      look(`await Ready of endpoint ${name}`, seconds).awaitEndpointReady({
        ...owner,
        name,
        probe,
        deadlineSeconds: seconds,
      }),
    onExpiry: async () => {
      const state = await lastWords(() =>
        look(`last look at endpoint ${name}`, 30).describeEndpoint({ ...owner, name }),
      );
      return ApplicationFailure.nonRetryable(
        `endpoint ${name} was not Ready after ${seconds} s: ${progress.snapshot.message ?? state} (last state: ${state}). Raise execution.lepton_platform.deployment.endpoint_readiness_timeout if it only needs longer.`,
        failureTypes.endpointTimeout,
      );
    },
  });
  return `${url}${task.endpointPath}`;
}

async function runJob({ input, progress, teardown }: Evaluation, modelUrl: string): Promise<void> {
  const { run, task } = input;
  const owner = ownerOf(input);
  const name = task.jobName;
  progress.begin('job', { phase: 'submitting job', job: name });
  teardown.coverJob();
  let id: string;
  try {
    const submitted = await step(`submit job ${name}`).submitJob({ ...owner, name, spec: task.job, modelUrl });
    teardown.jobSubmitted(submitted);
    ({ id } = submitted);
  } catch (error) {
    if (!mayHaveCreated(error)) teardown.settle('job', { lost: lostBefore(error) });
    throw error;
  }
  progress.update({ phase: 'running job' });
  const seconds = run.limits.jobSeconds;
  const awaitJob = () => look(`await end of job ${name}`, seconds).awaitJobCompleted({ ...owner, name, id });
  await withDeadline({
    seconds,
    summary: `time limit of job ${name}`,
    work: () =>
      task.endpointName === null
        ? awaitJob()
        : guardedBy(awaitJob, () => watchEndpoint(input, { seconds, during: 'while its job ran' })),
    onExpiry: async () => {
      const [state, serving] = await Promise.all([
        lastWords(() => look(`last look at job ${name}`, 30).describeJob({ ...owner, name, id })),
        lastWords(() => lastQuestion(input, modelUrl)),
      ]);
      return ApplicationFailure.nonRetryable(
        `job ${name} did not finish within ${seconds} s (last state: ${state}; its endpoint: ${serving}). Raise execution.evaluation_tasks.timeout if it only needs longer.`,
        failureTypes.jobTimeout,
      );
    },
  });
  teardown.jobEnded();
}

/** Folds what came home into the task's last snapshot: a completed job without results has not succeeded. */
function settle(input: TaskInput, snapshot: TaskSnapshot, verdict: Verdict, woundUp: WoundUp): Partial<TaskSnapshot> {
  const { results, left, kept } = woundUp;
  const outputDir = snapshot.job === null ? null : `${input.run.outputDir}/${input.task.folder}`;
  const message = [...(results?.notes ?? []), ...woundUp.notes].join(' ') || null;
  const common = { left, kept, outputDir, message, ...scoresOf(results) };
  if (verdict.outcome !== 'succeeded') return common;
  if (woundUp.error) return { ...common, outcome: 'failed', error: woundUp.error };
  if (results?.interrupted) {
    const why = `job ${input.task.jobName} was interrupted before it had evaluated everything (preempted, or stopped from outside)${results.metrics ? '; its scores are those of the samples until then' : ''}. Run the task again`;
    return { ...common, outcome: 'failed', error: { type: failureTypes.jobInterrupted, message: why } };
  }
  if (!results?.metrics) {
    const why = `job ${input.task.jobName} completed but wrote no results.yml; what it wrote is in ${outputDir ?? 'no folder'}, its log in logs/job.log there`;
    return { ...common, outcome: 'failed', error: { type: failureTypes.resultsMissing, message: why } };
  }
  return common;
}

function scoresOf(results: FetchedResults | null): Pick<TaskSnapshot, 'metrics' | 'metricsTotal' | 'partial'> {
  return {
    metrics: results?.metrics ?? {},
    ...(results?.metricsTotal === undefined ? {} : { metricsTotal: results.metricsTotal }),
    ...(results?.interrupted && results.metrics ? { partial: true } : {}),
  };
}

function close(snapshot: TaskSnapshot): TaskSnapshot {
  if (snapshot.left.length > 0) {
    throw ApplicationFailure.create({
      type: failureTypes.teardownIncomplete,
      message: `left behind: ${leftText(snapshot.left)}`,
      details: [snapshot],
      nonRetryable: true,
    });
  }
  switch (snapshot.outcome) {
    case 'succeeded':
      return snapshot;
    case 'cancelled':
      throw new CancelledFailure(`task ${snapshot.index} was cancelled and left nothing behind`);
    case 'failed':
    case null:
      throw ApplicationFailure.create({
        type: failureTypes.taskFailed,
        message: snapshot.error?.message ?? 'failed',
        details: [snapshot],
        nonRetryable: true,
      });
  }
}

function openedByRun(): { readonly open: () => boolean } {
  let opened = false;
  setHandler(startJob, () => {
    opened = true;
  });
  return { open: () => opened };
}

/** What a job that got nowhere may have waited for. */
const lastQuestion = (input: TaskInput, url: string): Promise<string> =>
  look('last question to the endpoint', 30).describeServing({
    ...ownerOf(input),
    name: input.task.endpointName,
    url,
    probe: input.run.endpoint.probe,
  });

/** A bounded last question for a report; its failure must not replace the report. */
async function lastWords(ask: () => Promise<string>): Promise<string> {
  try {
    return await withDeadline({
      seconds: 30,
      summary: 'last look',
      work: ask,
      onExpiry: () => Promise.resolve(new Error('no answer')),
    });
  } catch {
    return 'unknown';
  }
}

const ownerOf = ({ run, task }: TaskInput): Owner => ({
  platform: run.platform,
  invocation: run.invocation,
  index: task.index,
});
