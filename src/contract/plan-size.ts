import type { RunPlan } from './plan';

/** What a plan takes of Temporal's bounds: 2 MiB for one payload, 50 MB for one history. Pure. */

/** Largest plan that is put into workflow history, bytes of JSON: Temporal refuses payloads of 2 MiB. */
export const maxPlanBytes = 1_500_000;

/** What all tasks share goes to each of them, by the run's history: bytes of JSON that this may come to. */
export const maxSharedBytes = 16_000_000;

export type PlanSize =
  | { readonly kind: 'fits' }
  | { readonly kind: 'plan'; readonly bytes: number }
  /** `each`: of what is repeated for every task. */
  | { readonly kind: 'shared'; readonly bytes: number; readonly each: number };

/** Whether a run with this plan stays within its history, and what is too large in it. */
export function sizeOfPlan(plan: RunPlan, bytesOf: (text: string) => number): PlanSize {
  const bytes = bytesOf(JSON.stringify(plan));
  if (bytes > maxPlanBytes) return { kind: 'plan', bytes };
  const each = bytesOf(JSON.stringify({ ...plan, tasks: [] }));
  const handedOut = bytes + each * plan.tasks.length;
  return handedOut > maxSharedBytes ? { kind: 'shared', bytes: handedOut, each } : { kind: 'fits' };
}

const grouped = (count: number): string => count.toLocaleString('en');

/** Of a plan that does not fit: what is too large, and what can be done about it. */
export function describeOversize(
  size: Exclude<PlanSize, { kind: 'fits' }>,
  tasks: number,
): { readonly problem: string; readonly advice: string } {
  switch (size.kind) {
    case 'plan':
      return {
        problem: `the plan of the run is ${grouped(size.bytes)} bytes, more than the ${grouped(maxPlanBytes)} that fit into a run's history`,
        advice: 'split the tasks with -t over several runs, or put large parameters into files on a mount',
      };
    case 'shared':
      return {
        problem:
          `what all ${tasks} tasks share (the endpoint above all) is ${grouped(size.each)} bytes and goes to each of them: with the plan ${grouped(size.bytes)} bytes, ` +
          `more than the ${grouped(maxSharedBytes)} that fit into a run's history`,
        advice:
          'split the tasks with -t over several runs, or put large variables and files of the deployment onto a mount',
      };
  }
}
