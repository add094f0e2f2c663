import { setCurrentDetails, setWorkflowOptions } from '@temporalio/workflow';
import type { PlatformRef } from '../contract/plan';
import { teardown } from './activity-groups';
import { cell } from './details';

/** One sweep of one platform, started by a schedule (overlap SKIP): what outlived its task goes. */
export async function sweepPlatform(input: {
  readonly platform: PlatformRef;
  readonly graceSeconds: number;
}): Promise<unknown> {
  const report = await teardown(`sweep ${input.platform.workspace}`, 540).sweepPlatform(input);
  const lines = [
    `removed ${report.removed.length}, failed ${report.failed.length}, spared ${report.spared}`,
    ...report.removed.map(({ kind, name }) => `- removed ${kind} ${cell(name)}`),
    ...report.failed.map(({ kind, name, reason }) => `- could not remove ${kind} ${cell(name)}: ${cell(reason)}`),
  ];
  setCurrentDetails(lines.slice(0, 100).join('\n'));
  return report;
}
setWorkflowOptions({ failureExceptionTypes: [Error] }, sweepPlatform);
