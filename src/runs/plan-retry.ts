/** Plans a run that goes on from an earlier one: it takes over what succeeded, and runs the rest. Pure. */
import path from 'node:path';
import { withTimeLimit } from '../config/plan/time-limit';
import type { EarlierTask, RunLimits, RunPlan, TaskPlan } from '../contract/plan';
import { resultsPlaceOf } from '../contract/results-place';
import type { RunSnapshot, TaskSnapshot } from '../contract/state';
import { renamedTask, withInvocation } from './reidentify';
import { withoutUnneeded, withSpared } from './retry-shared';

/** What a retry may do otherwise than its run: how long and how often things are tried. What decides scores stays as it was. */
export interface RetrySettings {
  readonly limits?: Partial<RunLimits>;
  readonly plan?: Partial<Pick<RunPlan, 'startPolicy' | 'onTaskFailure' | 'maxParallelEndpoints' | 'keepStorage'>>;
}

export interface RetryRequest {
  readonly plan: RunPlan;
  /** How the run ended. */
  readonly snapshot: Pick<RunSnapshot, 'tasks'>;
  /** Of the new run. */
  readonly invocation: string;
  /** Tasks of the new run, by their index in the old one. Absent: all. */
  readonly indices?: readonly number[];
  readonly settings?: RetrySettings;
  readonly owner: string;
  readonly command: string;
  readonly name?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/** Whether a task's results can be taken over. */
export const isTakenOver = ({ outcome, outputDir }: Pick<TaskSnapshot, 'outcome' | 'outputDir'>): boolean =>
  outcome === 'succeeded' && outputDir !== null;

/** Returns the plan of the new run. Its tasks have the order of the old one's. */
export function planRetry(request: RetryRequest): RunPlan {
  const { plan, snapshot, invocation, indices, settings = {}, owner, command, name, tags } = request;
  const limits = { ...plan.limits, ...settings.limits };
  const whole = withSpared(plan);
  const chosen = whole.tasks.filter(({ index }) => indices === undefined || indices.includes(index));
  const allTags = { ...plan.tags, ...tags };
  const made = chosen.map((task, index) =>
    taskOf(task, { request, index, earlier: snapshot.tasks[task.index], jobSeconds: limits.jobSeconds }),
  );
  const sharedEndpoints = withInvocation(whole.sharedEndpoints ?? [], plan.invocation, invocation);
  const same = without(plan, ['home', 'sealedSecrets', 'simulated', 'name', 'sharedEndpoints']);
  return {
    ...withInvocation(same, plan.invocation, invocation),
    ...settings.plan,
    invocation,
    owner,
    ...(name === undefined ? {} : { name }),
    ...(Object.keys(allTags).length === 0 ? {} : { tags: allTags }),
    retryOf: plan.invocation,
    outputDir: path.join(path.dirname(plan.outputDir), invocation),
    limits,
    ...withoutUnneeded({ tasks: made, sharedEndpoints }),
    provenance: { ...plan.provenance, command },
  };
}

const without = <T extends object, K extends keyof T>(whole: T, keys: readonly K[]): Omit<T, K> =>
  Object.fromEntries(Object.entries(whole).filter(([key]) => !keys.includes(key as K))) as Omit<T, K>;

interface TaskContext {
  readonly request: RetryRequest;
  /** In the new run. */
  readonly index: number;
  readonly earlier: TaskSnapshot | undefined;
  readonly jobSeconds: number;
}

function taskOf(task: TaskPlan, { request, index, earlier, jobSeconds }: TaskContext): TaskPlan {
  const { plan, invocation } = request;
  const same = without(task, ['earlier']);
  const made = renamedTask(same, { from: plan.invocation, to: invocation, index });
  const { container } = made.job;
  const command = container.command && withTimeLimit(container.command, jobSeconds);
  return {
    ...made,
    job: { ...made.job, container: { ...container, ...(command ? { command } : {}) } },
    earlier: earlierOf(task, plan, earlier),
  };
}

function earlierOf({ index, folder }: TaskPlan, plan: RunPlan, earlier: TaskSnapshot | undefined): EarlierTask {
  const use = earlier && isTakenOver(earlier) ? 'results' : 'caches';
  return { use, invocation: plan.invocation, index, place: resultsPlaceOf(plan), folder };
}
