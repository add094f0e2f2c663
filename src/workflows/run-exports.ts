import { isCancellation, proxyActivities, ActivityCancellationType } from '@temporalio/workflow';
import type { Activities } from '../activities';
import type { ExportPlan, ExportReport } from '../contract/export';
import type { RunHeader, TaskImages } from '../contract/inputs/run';
import type { SentSnapshot } from '../contract/sent-snapshot';
import type { TaskPlan } from '../contract/plan';
import type { TaskOutcome } from '../contract/state';
import { verdictOf, type Verdict } from '../contract/verdict';
import { withFreshBudgets } from './activity-groups';
import { describeError } from './failures';
import { fitRun } from './fitting';
import { repeated, withoutEndpoint } from './run-end';
import type { RunProgress } from './run-progress';

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

interface RunExports {
  readonly header: RunHeader;
  readonly tasks: readonly TaskPlan[];
  readonly snapshot: SentSnapshot;
  readonly verdict: Verdict;
}

/** Makes one export. Never rejects: its report says how it went. */
async function exportTo(plan: ExportPlan, { header, tasks, snapshot, verdict }: RunExports): Promise<ExportReport> {
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
const notMade = ({ to }: ExportPlan, outcome: 'skipped' | 'failed', message: string): ExportReport => ({
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

interface ExportedRun {
  readonly header: RunHeader;
  readonly tasks: readonly TaskPlan[];
  readonly exports: readonly ExportPlan[];
  readonly progress: RunProgress;
  readonly outcome: TaskOutcome;
}

/** Makes the exports of the plan, at the same time. How they go changes nothing about the run's outcome. */
export async function exportResults({ header, tasks, exports, progress, outcome }: ExportedRun): Promise<void> {
  if (exports.length === 0) return;
  const whole = progress.snapshot;
  const whyNot =
    outcome === 'cancelled'
      ? 'the run was cancelled'
      : whole.tasks.some((task) => task.outcome === 'succeeded')
        ? undefined
        : 'no task succeeded';
  if (whyNot !== undefined) {
    for (const plan of exports) progress.report(notMade(plan, 'skipped', whyNot));
    return;
  }
  const around = { header, tasks, snapshot: fitRun(whole), verdict: verdictOf(outcome, whole) };
  for (const { to } of exports)
    progress.report({ ...{ to, outcome: 'running', tasks: 0, where: null, message: null } });
  await Promise.all(exports.map(async (plan) => progress.report(await exportTo(plan, around))));
}
