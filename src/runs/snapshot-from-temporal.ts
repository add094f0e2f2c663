import type { WorkflowExecutionDescription } from '@temporalio/client';
import type { Activities } from '../activities';
import type { Span, TaskPhase, TaskSnapshot } from '../contract/state';

/**
 * The phase of a task by the activity that it waits for. If it waits for several, the first match counts: job and results
 * say more than what happens alongside.
 */
const phases: readonly (readonly [TaskPhase, readonly (keyof Activities)[]])[] = [
  ['creating endpoint', ['createEndpoint']],
  ['awaiting ready', ['awaitEndpointReady', 'probeExistingEndpoint', 'describeEndpoint']],
  ['submitting job', ['submitJob']],
  ['running job', ['awaitJobCompleted', 'describeJob', 'describeServing']],
  ['fetching results', ['bringHome', 'fetchResults', 'saveJobLog']],
  [
    'tearing down',
    [
      'stopJob',
      'saveEndpointLog',
      'saveLogAndRemoveEndpoint',
      'removeEndpoint',
      'removeJob',
      'removeStorage',
      'removeJobAndStorage',
    ],
  ],
  ['ready', ['watchEndpoint']],
];

/** Events in a task's history before it has done anything: started, and its first workflow task scheduled. */
const eventsAtStart = 3;

type Execution = WorkflowExecutionDescription['raw'];

/** Builds the snapshot of an open task from what Temporal shows without a worker: its phase, and roughly since when it costs. Pure. */
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

/** Returns the phase. A started task without pending activities is waiting for the other endpoints, except for moments. Pure. */
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
