import Table from 'cli-table3';
import { indexText } from '../../contract/identity';
import { progressLine } from '../../contract/job-progress';
import { partsOf, type RunSnapshot, type TaskSnapshot } from '../../contract/state';
import { attemptWords } from '../../contract/job-attempts';
import { elapsed } from './elapsed';
import { bare } from './overview';
import { plainStyle, type Style } from './style';
import { harmlessLine, shortened, shortenedInside } from '../../support/terminal-text';

export interface RunTable {
  readonly snapshot: RunSnapshot;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Characters that fit in a line; `Infinity`: a file or a pipe. */
  readonly width: number;
  /** Rows of tasks that fit on the screen; running tasks take precedence. */
  readonly maxRows?: number;
  readonly style?: Style;
  /** Errors are printed elsewhere, and left out here. */
  readonly saysErrors?: boolean;
}

/** Characters of the columns that have the same width in every layout, including padding. */
const fixed = { index: 4, phase: 18, elapsed: 13 } as const;
/** Characters from which endpoints and messages fit into the table. */
const wideEnough = 110;
/** Messages shown below the table; more would push it off the screen. */
const mostMessages = 6;

/** Returns how many lines below the table messages may take in a terminal of this width. Pure. */
export const linesBelow = (width: number): number => (width >= wideEnough ? 0 : mostMessages + 1);

/**
 * Table of a run's tasks, and of its shared endpoints below them. In a narrow terminal endpoints have no column, and messages are printed below; so they are in files
 * and pipes (`width: Infinity`), where nothing is shortened. Pure.
 */
export function runTable(request: RunTable): string {
  const { snapshot, maxRows = Infinity } = request;
  const parts = partsOf(snapshot);
  const shown = mostImportant(parts, maxRows);
  const hidden = parts.length - shown.length;
  const isWide = request.width >= wideEnough && request.width !== Infinity;
  return [
    isWide ? wideTable(shown, request) : plainTable(shown, request),
    ...(hidden > 0 ? [`  and ${hidden} more tasks`] : []),
    ...(isWide ? [] : messagesBelow(shown, request)),
  ].join('\n');
}

function wideTable(tasks: readonly TaskSnapshot[], { now, width, style = plainStyle }: RunTable): string {
  const flexible = width - fixed.index - fixed.phase - fixed.elapsed - 7;
  const name = Math.min(longest(tasks) + 2, Math.floor(flexible * 0.3));
  const endpoint = Math.min(38, Math.floor(flexible * 0.35));
  const message = flexible - name - endpoint;
  const table = new Table({
    head: ['#', 'Task', 'Phase', 'Endpoint', 'Elapsed', 'Last message'],
    colWidths: [fixed.index, name, fixed.phase, endpoint, fixed.elapsed, message],
    ...bare,
  });
  for (const task of tasks) {
    table.push([
      indexText(task.index),
      shortenedInside(task.name, name - 2),
      phaseCell(task, style),
      shortenedInside(endpointOf(task), endpoint - 2),
      elapsed(task, now),
      shortened(messageOf(task, now), message - 2),
    ]);
  }
  return table.toString();
}

function plainTable(tasks: readonly TaskSnapshot[], { now, width, style = plainStyle }: RunTable): string {
  const isFile = width === Infinity;
  const table = new Table({ head: ['#', 'Task', 'Phase', ...(isFile ? ['Endpoint'] : []), 'Elapsed'], ...bare });
  const name = Math.max(16, width - fixed.index - fixed.phase - fixed.elapsed - 7);
  for (const task of tasks) {
    table.push([
      indexText(task.index),
      shortenedInside(task.name, name),
      phaseCell(task, style),
      ...(isFile ? [harmlessLine(endpointOf(task))] : []),
      elapsed(task, now),
    ]);
  }
  return table.toString();
}

/** Returns each message once, with its tasks. Notes of ended tasks are printed elsewhere. */
function messagesBelow(tasks: readonly TaskSnapshot[], { now, width, saysErrors = false }: RunTable): string[] {
  const byText = new Map<string, string[]>();
  for (const task of tasks) {
    const text = task.error !== null && saysErrors ? '' : harmlessLine(messageOf(task, now));
    const isOver = task.phase === 'done' && task.error === null;
    if (text !== '' && !isOver) byText.set(text, [...(byText.get(text) ?? []), indexText(task.index)]);
  }
  const lines = [...byText].map(([text, indices]) => shortened(`${indices.join(', ')}: ${text}`, width - 2));
  const most = width === Infinity ? Infinity : mostMessages;
  const more = lines.length > most ? [`and ${lines.length - most} more messages`] : [];
  return [...lines.slice(0, most), ...more].map((line) => `  ${line}`);
}

const endpointOf = ({ endpoint }: TaskSnapshot): string => endpoint ?? 'existing';

/** What is worth knowing of a task now: its error, else which job it is, how far that is, and what the platform says. */
function messageOf({ phase, progress, error, message, attempt }: TaskSnapshot, now: number): string {
  if (error !== null) return error.message;
  const which =
    attempt && phase !== 'done' && !message?.includes(attemptWords(attempt)) ? attemptWords(attempt) : undefined;
  const soFar = phase === 'running job' && progress ? progressLine(progress, now) : undefined;
  return [which, soFar, message ?? undefined].filter((text) => text !== undefined).join('; ');
}

function phaseCell(task: TaskSnapshot, style: Style): string {
  const finished = task.phase === 'done' || task.phase === 'pending';
  const text = task.outcome !== null && finished ? task.outcome : task.phase;
  switch (task.outcome) {
    case 'succeeded':
      return style.good(text);
    case 'failed':
      return style.bad(text);
    case 'cancelled':
      return style.dim(text);
    case null:
      return text;
  }
}

/** If not all fit: running tasks first, then failed ones, then the rest. Keeps the order of the tasks. */
function mostImportant(tasks: readonly TaskSnapshot[], count: number): readonly TaskSnapshot[] {
  if (tasks.length <= count) return tasks;
  const rank = ({ phase, outcome }: TaskSnapshot): number =>
    phase !== 'pending' && phase !== 'done' ? 0 : outcome === 'failed' ? 1 : outcome === null ? 2 : 3;
  const chosen = [...tasks].sort((a, b) => rank(a) - rank(b) || a.index - b.index).slice(0, count);
  return chosen.sort((a, b) => a.index - b.index);
}

const longest = (tasks: readonly TaskSnapshot[]): number => Math.max(6, ...tasks.map(({ name }) => name.length));
