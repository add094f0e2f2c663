import { isCancellation, proxyActivities, ActivityCancellationType } from '@temporalio/workflow';
import type { Activities } from '../activities';
import type { ExportPlan, ExportReport } from '../contract/export';
import type { RunHeader, TaskImages } from '../contract/inputs';
import type { SentSnapshot } from '../contract/sent-snapshot';
import type { TaskPlan } from '../contract/plan';
import type { Verdict } from '../contract/verdict';
import { withFreshBudgets } from './activity-groups';
import { describeError } from './failures';
import { repeated, withoutEndpoint } from './run-end';

/** Seconds for which an export is tried. Nothing that costs money waits for it. */
const exportSeconds = 1_800;

const exporting = (summary: string, seconds: number): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: seconds * 1000,
    scheduleToCloseTimeout: seconds * 1000,
    heartbeatTimeout: '60s',
    retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '2m' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

export interface RunExports {
  readonly header: RunHeader;
  readonly tasks: readonly TaskPlan[];
  readonly snapshot: SentSnapshot;
  readonly verdict: Verdict;
}

/** Makes one export. Never rejects: its report says how it went. */
export async function exportTo(
  plan: ExportPlan,
  { header, tasks, snapshot, verdict }: RunExports,
): Promise<ExportReport> {
  const input = {
    run: withoutEndpoint(header),
    plan,
    ...repeated(snapshot),
    outcome: verdict,
    images: imagesOf(tasks),
  };
  try {
    return await withFreshBudgets(exportSeconds, (seconds) =>
      exporting(`export results to ${plan.to}`, seconds).exportRun(input),
    );
  } catch (error) {
    if (isCancellation(error)) return notMade(plan, 'skipped', 'the run was cancelled meanwhile');
    return notMade(plan, 'failed', describeError(error).message);
  }
}

/** Returns the report of an export that was not made. Pure. */
export const notMade = ({ to }: ExportPlan, outcome: 'skipped' | 'failed', message: string): ExportReport => ({
  ...{ to, outcome, tasks: 0, where: null, message },
});

/** Returns the images of tasks. Pure. */
export function imagesOf(tasks: readonly TaskPlan[]): TaskImages {
  const images = new Map<string, number[]>();
  for (const { index, job } of tasks) {
    const { image } = job.container;
    const indices = images.get(image);
    if (indices) indices.push(index);
    else images.set(image, [index]);
  }
  return Object.fromEntries(images);
}
