import { type Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import { encodeToPayload } from '@temporalio/common/lib/internal-non-workflow';
import { createHash } from 'node:crypto';
import { keyIdOf } from '../encryption/codec';
import type { PlatformRef } from '../contract/plan';
import { defaultGraceSeconds } from '../sweeper/sweep';

/** How often a platform is swept. */
const every = '10 minutes';

/** Of the schedule that sweeps a platform. Pure. */
export function sweepScheduleId(platform: PlatformRef): string {
  const digest = createHash('sha256').update(JSON.stringify(platform)).digest('hex').slice(0, 8);
  const workspace = platform.workspace.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 60);
  return `eval-sweep-${workspace}-${digest}`;
}

/** Makes sure that a platform is swept regularly, as long as any worker of ours lives; safe to call before each run. */
export async function ensureSweepSchedule(
  client: Client,
  options: { readonly platform: PlatformRef; readonly taskQueue: string },
): Promise<void> {
  const { platform, taskQueue } = options;
  const scheduleId = sweepScheduleId(platform);
  const create = async (): Promise<boolean> => {
    try {
      await client.schedule.create({
        scheduleId,
        spec: { intervals: [{ every }] },
        action: {
          type: 'startWorkflow',
          workflowType: 'sweepPlatform',
          workflowId: scheduleId,
          args: [{ platform, graceSeconds: defaultGraceSeconds }],
          taskQueue,
          staticSummary: `Sweep of ${platform.workspace}`,
        },
        policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
      });
      return true;
    } catch (error) {
      if (error instanceof ScheduleAlreadyRunning) return false;
      throw error;
    }
  };
  if ((await create()) || (await hasCurrentKey(client, scheduleId))) return;
  // It would go on with a key that may be withdrawn, or in the clear.
  await client.schedule.getHandle(scheduleId).delete();
  await create();
}

/** Whether what a schedule starts its workflow with is encrypted as this client encrypts by now. */
async function hasCurrentKey({ options, workflowService }: Client, scheduleId: string): Promise<boolean> {
  const { namespace, loadedDataConverter } = options;
  const { schedule } = await workflowService.describeSchedule({ namespace, scheduleId });
  const [before] = schedule?.action?.startWorkflow?.input?.payloads ?? [];
  const now = await encodeToPayload(loadedDataConverter, null);
  return before !== undefined && keyIdOf(before) === keyIdOf(now);
}
