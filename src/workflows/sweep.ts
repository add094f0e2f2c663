import { setCurrentDetails, setWorkflowOptions } from '@temporalio/workflow';
import type { PlatformRef } from '../contract/plan';
import { transfer } from './activity-groups';
import { cell } from './details';

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
  const report = await transfer(`sweep ${platform.workspace}`, limitSeconds).sweepPlatform({ platform, graceSeconds });
  const lines = [
    `removed ${report.removed.length}, failed ${report.failed.length}, spared ${report.spared}`,
    ...report.removed.map(({ kind, name }) => `- removed ${kind} ${cell(name)}`),
    ...report.failed.map(({ kind, name, reason }) => `- could not remove ${kind} ${cell(name)}: ${cell(reason)}`),
  ];
  setCurrentDetails(lines.slice(0, 100).join('\n'));
  return report;
}
setWorkflowOptions({ failureExceptionTypes: [Error] }, sweepPlatform);
