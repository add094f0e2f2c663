import { Context, log } from '@temporalio/activity';
import { markedEndpoints } from '../cleanup/marked';
import { ownersOf } from '../cleanup/owners';
import { maxEndpointsIn, quotaWorkflowId, quotaWorkflowType } from '../contract/endpoint-quota';
import type { ClaimEndpointsInput, EndedRuns, EndedRunsInput } from '../contract/inputs/run';
import { quotaClaim } from '../contract/messages';
import { messageOf } from '../support/error-message';
import { mapConcurrently } from '../support/map-concurrently';
import { attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { findingOf, listedOnce } from './quota-findings';

/** Milliseconds for one call to Temporal. */
const callMs = 20_000;
/** Milliseconds for a platform's listing: one that is silent must not keep others from being heard. */
const listingMs = 8_000;
/** Runs that are asked about at the same time. */
const concurrency = 10;

const isVersioned = (env: ActivityDependencies['environment']): boolean =>
  Boolean(env['EVALSAGA_BUILD_ID']) || Boolean(env['TEMPORAL_WORKER_BUILD_ID']);

/** Activities with which runs share the endpoints of their task queue. */
export const createQuotaActivities = (dependencies: ActivityDependencies) => {
  const { environment } = dependencies;
  return {
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

    /** Finds out which runs are over with all their tasks, and which endpoints of these and of those left behind are still there. */
    endedRuns: async ({ runs }: EndedRunsInput): Promise<EndedRuns> => {
      const owners = ownersOf(Context.current().client);
      const { cancellationSignal: signal } = Context.current();
      const platforms = listedOnce({ ms: listingMs, signal }, async (ref, bounded) =>
        markedEndpoints((await dependencies.platform(ref)).client, { signal: bounded }),
      );
      const findings = await mapConcurrently(runs, concurrency, (run) =>
        findingOf(run, owners, platforms).catch((error: unknown) => {
          // A platform that doesn't answer takes nothing back, of its own runs only.
          log.warn('what a run has left could not be found out', {
            invocation: run.invocation,
            error: messageOf(error),
          });
          return undefined;
        }),
      );
      const limit = maxEndpointsIn(environment) ?? null;
      return { findings: findings.filter((finding) => finding !== undefined), limit };
    },
  };
};
