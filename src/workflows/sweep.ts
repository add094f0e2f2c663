import { setCurrentDetails, setWorkflowOptions } from '@temporalio/workflow';
import type { PlatformRef } from '../contract/plan';
import { longRunning } from './activity-groups';
import { cell } from '../contract/details';

/** Time limit of one sweep, seconds; below the schedule's interval. Fetching results of terminated runs may take longer: the next sweep continues. */
const sweepSeconds = 540;

/** Workflow of one sweep of one platform: removes resources that outlived their task. Started by a schedule (overlap SKIP). */
export async function sweepPlatform(input: {
  readonly platform: PlatformRef;
  readonly graceSeconds: number;
  /** Time limit of the sweep, seconds; default 540. */
  readonly limitSeconds?: number;
}): Promise<unknown> {
  const { platform, graceSeconds, limitSeconds = sweepSeconds } = input;
  const report = await longRunning(`sweep ${platform.workspace}`, limitSeconds).sweepPlatform({
    platform,
    graceSeconds,
  });
  const { unnamed = { removed: 0, failed: 0 } } = report;
  const removed = report.removed.length + unnamed.removed;
  const failed = report.failed.length + unnamed.failed;
  const stranded = report.stranded ?? [];
  const lines = [
    `removed ${removed}, failed ${failed}, spared ${report.spared}`,
    ...(report.unfinished === undefined ? [] : [report.unfinished]),
    ...report.removed.map(({ kind, name }) => `- removed ${kind} ${cell(name)}`),
    ...report.failed.map(({ kind, name, reason }) => `- could not remove ${kind} ${cell(name)}: ${cell(reason)}`),
    ...stranded.map(({ path, reason }) => `- left storage ${cell(path)}: ${cell(reason)}`),
  ];
  setCurrentDetails(lines.slice(0, 100).join('\n'));
  return report;
}
setWorkflowOptions({ failureExceptionTypes: [Error] }, sweepPlatform);
