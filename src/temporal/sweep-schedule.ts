import { type Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import { createHash } from 'node:crypto';
import type { PlatformRef } from '../contract/plan';
import { defaultGraceSeconds } from '../sweeper/sweep';

/** How often a platform is swept. */
const every = '10 minutes';

/** Makes sure that a platform is swept regularly, as long as any worker of ours lives; safe to call before each run. */
export async function ensureSweepSchedule(
  client: Client,
  options: { readonly platform: PlatformRef; readonly taskQueue: string },
): Promise<void> {
  const { platform, taskQueue } = options;
  const digest = createHash('sha256').update(JSON.stringify(platform)).digest('hex').slice(0, 8);
  const workspace = platform.workspace.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 60);
  try {
    await client.schedule.create({
      scheduleId: `eval-sweep-${workspace}-${digest}`,
      spec: { intervals: [{ every }] },
      action: {
        type: 'startWorkflow',
        workflowType: 'sweepPlatform',
        workflowId: `eval-sweep-${workspace}-${digest}`,
        args: [{ platform, graceSeconds: defaultGraceSeconds }],
        taskQueue,
        staticSummary: `Sweep of ${platform.workspace}`,
      },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}
