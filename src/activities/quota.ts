import { Context } from '@temporalio/activity';
import { ownersOf } from '../cleanup/owners';
import { maxEndpointsIn, quotaWorkflowId, quotaWorkflowType } from '../contract/endpoint-quota';
import type { ClaimEndpointsInput, EndedRuns, EndedRunsInput } from '../contract/inputs';
import { quotaClaim } from '../contract/messages';
import { mapConcurrently } from '../support/map-concurrently';
import { attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';

/** Milliseconds for one call to Temporal. */
const callMs = 20_000;
/** Runs that are asked about at the same time. */
const concurrency = 10;

const isVersioned = (env: ActivityDependencies['environment']): boolean =>
  Boolean(env['EVALSAGA_BUILD_ID']) || Boolean(env['TEMPORAL_WORKER_BUILD_ID']);

/** Activities with which runs share the endpoints of their task queue. */
export const createQuotaActivities = ({ environment }: ActivityDependencies) => ({
  /** Tells the quota of a task queue what a run wants; begins it if there is none. The answer comes as a signal to the run. */
  claimEndpoints: ({ claim, taskQueue, index }: ClaimEndpointsInput): Promise<void> =>
    attempt({ subject: `endpoints for task ${index} and others`, purpose: 'step' }, async () => {
      const { client } = Context.current();
      await client.withDeadline(Date.now() + callMs, () =>
        client.workflow.signalWithStart(quotaWorkflowType, {
          workflowId: quotaWorkflowId(taskQueue),
          taskQueue,
          args: [],
          signal: quotaClaim,
          signalArgs: [claim, maxEndpointsIn(environment) ?? null],
          staticSummary: 'Endpoints shared by all runs of this task queue',
          // Runs stay on the build that began them; what they share goes on with the newest.
          ...(isVersioned(environment) ? { versioningOverride: 'AUTO_UPGRADE' } : {}),
        }),
      );
    }),

  /** Returns which runs are over with all their tasks, so that nothing of theirs is left that could still have an endpoint. */
  endedRuns: async ({ runs }: EndedRunsInput): Promise<EndedRuns> => {
    const owners = ownersOf(Context.current().client);
    const states = await mapConcurrently(runs, concurrency, async ({ invocation, tasks }) => {
      const indices = Array.from({ length: tasks }, (_, index) => index);
      return { invocation, state: await owners.of(invocation, indices) };
    });
    const over = states.filter(({ state }) => state.kind !== 'live').map(({ invocation }) => invocation);
    return { over, limit: maxEndpointsIn(environment) ?? null };
  },
});
