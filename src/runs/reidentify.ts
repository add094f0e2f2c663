/** Gives a plan, or a task of it, another run's id. Pure. */
import path from 'node:path';
import type { RunPlan, TaskPlan } from '../contract/plan';

/**
 * Replaces the id wherever it is as a whole, as in the path of the run's storage and in names of secrets, and its beginning in names of
 * endpoints and jobs, where it follows an index (`-3-4efc5d35`, `-e0-4efc5d35`).
 */
export function withInvocation<T>(part: T, from: string, to: string): T {
  const inNames = new RegExp(`(-e?\\d+-)${from.slice(0, 8)}(?![0-9a-f])`, 'g');
  return JSON.parse(
    JSON.stringify(part)
      .replaceAll(from, to)
      .replaceAll(inNames, `$1${to.slice(0, 8)}`),
  ) as T;
}

/** Returns the task under names of another run. `index`: its place there. */
export function renamedTask(
  task: TaskPlan,
  { from, to, index }: { readonly from: string; readonly to: string; readonly index: number },
): TaskPlan {
  const folder = task.folder.replace(/^\d+/, String(index));
  const text = JSON.stringify(withInvocation(task, from, to))
    .replaceAll(`-${task.index}-${to.slice(0, 8)}`, `-${index}-${to.slice(0, 8)}`)
    .replaceAll(new RegExp(`/${escaped(task.folder)}(?=["/])`, 'g'), `/${folder}`);
  return { ...(JSON.parse(text) as TaskPlan), index, folder };
}

/** Returns the plan under another id. */
export function reidentified(plan: RunPlan, invocation: string): RunPlan {
  const { tasks, outputDir, ...rest } = plan;
  const { invocation: from } = plan;
  return {
    ...withInvocation(rest, from, invocation),
    outputDir: path.join(path.dirname(outputDir), invocation),
    tasks: tasks.map((task) => ({
      ...renamedTask(task, { from, to: invocation, index: task.index }),
      ...(task.earlier ? { earlier: task.earlier } : {}),
    })),
  };
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
