import { indexText } from '../../contract/identity';
import { progressLine, type SeenProgress } from '../../contract/job-progress';
import { partsOf, type RunSnapshot, type TaskSnapshot } from '../../contract/state';
import { attemptWords } from '../../contract/job-attempts';
import { harmlessLine } from '../../support/terminal-text';

/** Returns what changed between two snapshots of a run, one line per change, for logs and pipes. Pure. */
export function progressLines(before: RunSnapshot | undefined, after: RunSnapshot): string[] {
  const lines: string[] = [];
  const known = before === undefined ? [] : partsOf(before);
  for (const task of partsOf(after)) {
    const change = taskChange(
      known.find(({ index }) => index === task.index),
      task,
      partsTold(after.tasks.length),
    );
    if (change !== undefined) lines.push(`${indexText(task.index)} ${harmlessLine(task.name)}: ${change}`);
  }
  if (before?.phase !== after.phase) lines.push(`run: ${after.phase}`);
  const knownLeft = new Set(before?.left.map(({ kind, name }) => `${kind} ${name}`));
  for (const { kind, name, reason } of after.left) {
    if (!knownLeft.has(`${kind} ${name}`))
      lines.push(`left behind: ${kind} ${harmlessLine(name)}: ${harmlessLine(reason)}`);
  }
  return lines;
}

/** In how many parts progress is told: the fewer, the more tasks there are. */
const partsTold = (tasks: number): number => (tasks <= 10 ? 10 : tasks <= 50 ? 4 : 1);

function taskChange(before: TaskSnapshot | undefined, after: TaskSnapshot, mostSteps: number): string | undefined {
  if (before === undefined && after.phase === 'pending') return undefined;
  const outcome = after.outcome !== null && before?.outcome !== after.outcome ? verdict(after) : undefined;
  const isOther = before?.phase !== after.phase || before.attempt?.number !== after.attempt?.number;
  const phase = isOther ? phaseText(after, outcome !== undefined) : undefined;
  // The final message is a note on the results, and is printed with them.
  const isNewMessage = before?.message !== after.message && after.phase !== 'done';
  const message = isNewMessage && after.message ? harmlessLine(after.message) : undefined;
  const soFar = message === undefined ? progressStep(before, after, mostSteps) : undefined;
  const parts = [phase, outcome, message, soFar].filter((part) => part !== undefined);
  return parts.length > 0 ? parts.join(': ') : undefined;
}

/** Says how far a job is at each part of a known total, else at each doubling: a log needs no more. */
function progressStep(before: TaskSnapshot | undefined, after: TaskSnapshot, parts: number): string | undefined {
  const { phase, progress } = after;
  if (phase !== 'running job' || !progress) return undefined;
  const told = before?.progress ?? null;
  const isStep = told === null || told.total !== progress.total || stepOf(told, parts) !== stepOf(progress, parts);
  return isStep && parts > 1 ? progressLine(progress, Date.parse(progress.at)) : undefined;
}

const stepOf = ({ done, total }: SeenProgress, parts: number): number =>
  total === null ? Math.floor(Math.log2(Math.max(1, done))) : Math.floor((done * parts) / Math.max(1, total));

function phaseText(task: TaskSnapshot, saysOutcome: boolean): string | undefined {
  switch (task.phase) {
    case 'done':
      return saysOutcome ? undefined : 'torn down';
    case 'creating endpoint':
      return `creating endpoint ${task.endpoint ?? ''}`.trim();
    case 'running job':
      return `running job ${task.job ?? ''}${attemptOf(task)}`.trim();
    case 'ready':
      return task.endpointUrl === null ? 'endpoint is Ready' : `endpoint is Ready at ${harmlessLine(task.endpointUrl)}`;
    default:
      return task.phase;
  }
}

const attemptOf = ({ attempt }: TaskSnapshot): string => (attempt ? ` (${attemptWords(attempt)})` : '');

/** Returns `succeeded`, `cancelled`, or why the task failed. */
export function verdict(task: TaskSnapshot): string {
  if (task.outcome === null) return 'running';
  return task.error === null ? task.outcome : `${task.outcome} (${harmlessLine(task.error.message)})`;
}
