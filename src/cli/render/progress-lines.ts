import type { RunSnapshot, TaskSnapshot } from '../../contract/state';
import { harmlessLine } from '../../support/terminal-text';

/** Returns what changed between two snapshots of a run, one line per change, for logs and pipes. Pure. */
export function progressLines(before: RunSnapshot | undefined, after: RunSnapshot): string[] {
  const lines: string[] = [];
  for (const task of after.tasks) {
    const change = taskChange(
      before?.tasks.find(({ index }) => index === task.index),
      task,
    );
    if (change !== undefined) lines.push(`${task.index} ${harmlessLine(task.name)}: ${change}`);
  }
  if (before?.phase !== after.phase) lines.push(`run: ${after.phase}`);
  const known = new Set(before?.left.map(({ kind, name }) => `${kind} ${name}`));
  for (const { kind, name, reason } of after.left) {
    if (!known.has(`${kind} ${name}`))
      lines.push(`left behind: ${kind} ${harmlessLine(name)}: ${harmlessLine(reason)}`);
  }
  return lines;
}

function taskChange(before: TaskSnapshot | undefined, after: TaskSnapshot): string | undefined {
  if (before === undefined && after.phase === 'pending') return undefined;
  const outcome = after.outcome !== null && before?.outcome !== after.outcome ? verdict(after) : undefined;
  const phase = before?.phase !== after.phase ? phaseText(after, outcome !== undefined) : undefined;
  // The final message is a note on the results, and is printed with them.
  const isNewMessage = before?.message !== after.message && after.phase !== 'done';
  const message = isNewMessage && after.message ? harmlessLine(after.message) : undefined;
  const parts = [phase, outcome, message].filter((part) => part !== undefined);
  return parts.length > 0 ? parts.join(': ') : undefined;
}

function phaseText(task: TaskSnapshot, saysOutcome: boolean): string | undefined {
  switch (task.phase) {
    case 'done':
      return saysOutcome ? undefined : 'torn down';
    case 'creating endpoint':
      return `creating endpoint ${task.endpoint ?? ''}`.trim();
    case 'running job':
      return `running job ${task.job ?? ''}`.trim();
    case 'ready':
      return task.endpointUrl === null ? 'endpoint is Ready' : `endpoint is Ready at ${harmlessLine(task.endpointUrl)}`;
    default:
      return task.phase;
  }
}

/** Returns `succeeded`, `cancelled`, or why the task failed. */
export function verdict(task: TaskSnapshot): string {
  if (task.outcome === null) return 'running';
  return task.error === null ? task.outcome : `${task.outcome} (${harmlessLine(task.error.message)})`;
}
