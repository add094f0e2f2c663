import { Context, log } from '@temporalio/activity';
import { markedEndpoints } from '../cleanup/marked';
import { ownersOf } from '../cleanup/owners';
import { maxEndpointsIn, quotaWorkflowId, quotaWorkflowType, type Finding } from '../contract/endpoint-quota';
import type { ClaimEndpointsInput, EndedRuns, EndedRunsInput, LookedForRun } from '../contract/inputs/run';
import { quotaClaim } from '../contract/messages';
import { messageOf } from '../support/error-message';
import { mapConcurrently } from '../support/map-concurrently';
import { within } from '../support/within';
import { attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { findingOf, listedOnce } from './quota-findings';
import { unlessAborted } from './staying';

/** Milliseconds for one call to Temporal. */
const callMs = 20_000;
/** Milliseconds for a platform's listing: one that is silent must not keep others from being heard. */
const listingMs = 8_000;
/** Of the attempt's time: what is known by then is still told. */
const shareOfTime = 0.8;
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
    endedRuns: ({ runs }: EndedRunsInput): Promise<EndedRuns> =>
      attempt({ subject: 'runs that are over', purpose: 'reading' }, async ({ signal }) => {
        const ms = Context.current().info.startToCloseTimeoutMs * shareOfTime;
        const findings = await within({ ms, signal }, (bounded) => findingsOf(dependencies, runs, bounded));
        return { findings, limit: maxEndpointsIn(environment) ?? null };
      }),
  };
};

/** Asks about all runs. One that can't be asked about in time, or whose platform doesn't answer, gives nothing back. */
async function findingsOf(
  dependencies: ActivityDependencies,
  runs: readonly LookedForRun[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const owners = ownersOf(Context.current().client, signal);
  const platforms = listedOnce({ ms: listingMs, signal }, async (ref, bounded) =>
    markedEndpoints((await dependencies.platform(ref)).client, { signal: bounded }),
  );
  const findings = await mapConcurrently(runs, concurrency, (run) =>
    unlessAborted(findingOf(run, owners, platforms), signal).catch((error: unknown) => {
      const { invocation } = run;
      log.warn('what a run has left could not be found out', { invocation, error: messageOf(error) });
      return undefined;
    }),
  );
  return findings.filter((finding) => finding !== undefined);
}
