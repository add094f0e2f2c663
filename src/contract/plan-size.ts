import { tasksPerBatch } from './identity';
import type { RunPlan } from './plan';
import { runArguments } from './run-arguments';

/** Whether a plan fits into Temporal's limits: 2 MiB for the arguments of a workflow, 50 MB per history. Pure. */

/** Largest plan that is put into workflow history, bytes of JSON, what its tasks have in common counted once. */
export const maxPlanBytes = 1_800_000;

/** Limit on the plan plus what all tasks share, which the history of a run or batch holds once per task; bytes of JSON. */
export const maxSharedBytes = 16_000_000;

export type PlanSize =
  | { readonly kind: 'fits' }
  | { readonly kind: 'plan'; readonly bytes: number }
  /** `each`: bytes of what is repeated for every task. */
  | { readonly kind: 'shared'; readonly bytes: number; readonly each: number };

/** Tells whether a run with this plan fits into its history, and which part is too large. */
export function sizeOfPlan(plan: RunPlan, bytesOf: (text: string) => number): PlanSize {
  const bytes = runArguments(plan, { searchAttributes: true }).reduce(
    (sum, argument) => sum + bytesOf(JSON.stringify(argument)),
    0,
  );
  if (bytes > maxPlanBytes) return { kind: 'plan', bytes };
  const each = bytesOf(JSON.stringify({ ...plan, tasks: [] }));
  const total = bytes + each * Math.min(plan.tasks.length, tasksPerBatch);
  return total > maxSharedBytes ? { kind: 'shared', bytes: total, each } : { kind: 'fits' };
}

const grouped = (count: number): string => count.toLocaleString('en');

/** Describes what is too large in a plan that doesn't fit, and what can be done about it. */
export function describeOversize(
  size: Exclude<PlanSize, { kind: 'fits' }>,
  tasks: number,
): { readonly problem: string; readonly advice: string } {
  switch (size.kind) {
    case 'plan':
      return {
        problem: `the plan of the run is ${grouped(size.bytes)} bytes, more than the ${grouped(maxPlanBytes)} that fit into a run's history`,
        advice: 'split the tasks with -t over several runs, or move large parameters into files on a mount',
      };
    case 'shared':
      return {
        problem:
          `what all ${tasks} tasks share (mostly the endpoint) is ${grouped(size.each)} bytes and is passed to each of them: with the plan ${grouped(size.bytes)} bytes, ` +
          `more than the ${grouped(maxSharedBytes)} that fit into a run's history`,
        advice:
          'split the tasks with -t over several runs, or move large variables and files of the deployment to a mount',
      };
  }
}
