import type { WorkflowExecutionDescription } from '@temporalio/client';
import type { Activities } from '../activities';
import type { Span, TaskPhase, TaskSnapshot } from '../contract/state';

/**
 * What a task that waits for an activity is about. The order decides where it waits for several: what its job or its results are
 * at says more than what goes on beside.
 */
const phases: readonly (readonly [TaskPhase, readonly (keyof Activities)[]])[] = [
  ['creating endpoint', ['createEndpoint']],
  ['awaiting ready', ['awaitEndpointReady', 'probeExistingEndpoint', 'describeEndpoint']],
  ['submitting job', ['submitJob']],
  ['running job', ['awaitJobCompleted', 'describeJob', 'describeServing']],
  ['fetching results', ['fetchResults', 'saveJobLog']],
  ['tearing down', ['stopJob', 'saveEndpointLog', 'removeEndpoint', 'removeJob', 'removeStorage']],
  ['ready', ['watchEndpoint']],
];

/** Events of a task's history before it has done anything: that it was started, and that a worker is to take it. */
const eventsAtStart = 3;

type Execution = WorkflowExecutionDescription['raw'];

/** An open task as Temporal itself shows it, without any worker: what it waits for, and since when about it costs. Pure. */
export function snapshotFromTemporal(
  task: TaskSnapshot,
  { pendingActivities, workflowExecutionInfo }: Execution,
): TaskSnapshot {
  const pending = new Map(
    (pendingActivities ?? []).map((one) => [one.activityType?.name ?? '', isoOf(one.scheduledTime)]),
  );
  const hasBegun = Number(workflowExecutionInfo?.historyLength ?? 0) > eventsAtStart;
  const phase = phaseFromActivities([...pending.keys()], { hasBegun });
  const startedAt = isoOf(workflowExecutionInfo?.startTime);
  return {
    ...task,
    phase,
    startedAt,
    usage: {
      endpoint: task.endpoint === null || phase === 'pending' ? null : since(startedAt),
      job: since(pending.get('awaitJobCompleted') ?? null),
    },
  };
}

/** A task that has begun and has nothing done for it waits for the others' endpoints, but for moments. Pure. */
export function phaseFromActivities(
  pending: readonly string[],
  { hasBegun }: { readonly hasBegun: boolean },
): TaskPhase {
  const found = phases.find(([, activities]) => activities.some((activity) => pending.includes(activity)));
  return found?.[0] ?? (hasBegun ? 'ready' : 'pending');
}

const since = (from: string | null): Span | null => (from === null ? null : { from, until: null });

const isoOf = (time: { readonly seconds?: unknown } | null | undefined): string | null =>
  time?.seconds === undefined || time.seconds === null ? null : new Date(Number(time.seconds) * 1000).toISOString();
