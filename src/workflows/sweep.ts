import { setCurrentDetails, setWorkflowOptions } from '@temporalio/workflow';
import type { PlatformRef } from '../contract/plan';
import { haul } from './activity-groups';
import { cell } from '../contract/details';

/** Bound on one sweep, below the schedule's interval: results of terminated runs may have to come home; the next goes on. */
const sweepSeconds = 540;

/** One sweep of one platform, started by a schedule (overlap SKIP): what outlived its task goes. */
export async function sweepPlatform(input: {
  readonly platform: PlatformRef;
  readonly graceSeconds: number;
  /** Bound on the sweep; default 540. */
  readonly limitSeconds?: number;
}): Promise<unknown> {
  const { platform, graceSeconds, limitSeconds = sweepSeconds } = input;
  const report = await haul(`sweep ${platform.workspace}`, limitSeconds).sweepPlatform({ platform, graceSeconds });
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
