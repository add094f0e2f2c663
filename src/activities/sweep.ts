import { Context, getClient } from '@temporalio/activity';
import type { PlatformRef } from '../contract/plan';
import { sweep, type SweepReport } from '../sweeper/sweep';
import { attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';

/** Of an attempt's time, what is for work: the rest is for its report. */
const workMs = (attemptMs: number): number => Math.max(attemptMs - 30_000, attemptMs / 2);

export function createSweepActivities(dependencies: ActivityDependencies) {
  return {
    /** Removes from one platform what outlived its task. Fails, having removed nothing, when Temporal can't be asked. */
    async sweepPlatform(input: {
      readonly platform: PlatformRef;
      readonly graceSeconds: number;
    }): Promise<SweepReport> {
      return attempt({ subject: `sweep of ${input.platform.workspace}`, purpose: 'teardown' }, async ({ signal }) => {
        const { client } = await dependencies.platform(input.platform);
        const outOfTime = AbortSignal.timeout(workMs(Context.current().info.startToCloseTimeoutMs));
        const report = await sweep({
          temporal: getClient(),
          platform: client,
          ref: input.platform,
          home: { runs: dependencies.runsFolder },
          origin: dependencies.origin,
          secretsOf: (invocation) => dependencies.secretsOf({ invocation, platform: input.platform }),
          graceSeconds: input.graceSeconds,
          dryRun: false,
          signal,
          outOfTime,
        });
        // Not before: they are masked in what a sweep brings home.
        await dependencies.forgetStaleSecrets(getClient());
        return report;
      });
    },
  };
}
