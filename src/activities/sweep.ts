import { Context, getClient } from '@temporalio/activity';
import type { PlatformRef } from '../contract/plan';
import { replacedGraceSeconds, sweep, type SweepReport } from '../cleanup/sweep';
import { within } from '../support/within';
import { attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';

/** Returns the share of an attempt's time for work; the rest is for its report. Milliseconds. Pure. */
export const workMs = (attemptMs: number): number => Math.max(attemptMs - 30_000, attemptMs / 2);

/** Resources that a report names per outcome: those of many terminated runs would bloat the history. */
const mostNamed = 1_000;

/** A sweep's report, bounded for history. */
export interface RecordedSweep extends SweepReport {
  /** How many more there were than are named. */
  readonly unnamed: { readonly removed: number; readonly failed: number };
}

/** Limits the named resources in a report. Pure. */
export function recordable(report: SweepReport): RecordedSweep {
  const { removed, failed, stranded } = report;
  const more = (all: readonly unknown[]): number => Math.max(0, all.length - mostNamed);
  return {
    ...report,
    removed: removed.slice(0, mostNamed),
    failed: failed.slice(0, mostNamed),
    ...(stranded ? { stranded: stranded.slice(0, mostNamed) } : {}),
    unnamed: { removed: more(removed), failed: more(failed) },
  };
}

export function createSweepActivities(dependencies: ActivityDependencies) {
  return {
    /** Removes resources that outlived their task from one platform. Fails without removing anything if Temporal is unreachable. */
    async sweepPlatform(input: {
      readonly platform: PlatformRef;
      readonly graceSeconds: number;
    }): Promise<RecordedSweep> {
      return attempt({ subject: `sweep of ${input.platform.workspace}`, purpose: 'teardown' }, async ({ signal }) => {
        const { client } = await dependencies.platform(input.platform);
        const { startToCloseTimeoutMs, currentAttemptScheduledTimestampMs: scheduledAt } = Context.current().info;
        const ms = workMs(startToCloseTimeoutMs);
        const began = performance.now();
        const target = { staging: dependencies.stagingFolder, env: await dependencies.storeEnvironment() };
        return within({ ms }, async (outOfTime) => {
          const report = await sweep({
            temporal: getClient(),
            platform: client,
            ref: input.platform,
            home: { runs: dependencies.runsFolder, swept: dependencies.sweptFolder },
            origin: dependencies.origin,
            secretsOf: (invocation) => dependencies.secretsOf({ invocation, platform: input.platform }),
            environment: dependencies.environment,
            target,
            graceSeconds: input.graceSeconds,
            replacedGraceSeconds,
            temporalNow: () => scheduledAt + performance.now() - began,
            dryRun: false,
            signal,
            outOfTime,
          });
          // Only afterwards: the sweep masks them in the results and logs it fetches.
          if (!outOfTime.aborted) await dependencies.forgetStaleSecrets(getClient());
          return recordable(report);
        });
      });
    },
  };
}
