import { indexText } from './identity';
import { progressWords } from './job-progress';
import { attemptWords } from './job-attempts';
import { metricsOf, valueText, type MetricValue } from './metric';
import type { RunSnapshot, TaskSnapshot } from './state';
import { verdictOf } from './verdict';

const invisible = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/g;

/** Escapes text from configs and platforms for a Markdown table cell; keeps at most 400 characters. Pure. */
export function cell(text: string): string {
  return text
    .slice(0, 400)
    .replace(invisible, ' ')
    .replace(/[\\`*_{}[\]()#+!|<>~&]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/**
 * Removes whatever could be markup, for a summary line of the Web UI. At most 130 characters: Temporal accepts 400 bytes, and
 * a UTF-16 unit takes at most three. Pure.
 */
export const plainWords = (text: string): string =>
  text
    .replace(invisible, ' ')
    .replace(/[\\`*{}[\]()#+!|<>~&]/g, ' ')
    .trim()
    .slice(0, 130);

/** Returns the Web UI's "current details" of one task. Pure. */
export function taskDetails(task: TaskSnapshot): string {
  const rows: [string, string | null][] = [
    [task.index < 0 ? 'Shared endpoint' : 'Task', `${indexText(task.index)} ${task.name}`],
    ['Phase', task.outcome === null ? task.phase : `${task.phase} (${task.outcome})`],
    ['Endpoint', task.endpoint],
    ['URL', task.endpointUrl],
    ['Job', task.job === null || !task.attempt ? task.job : `${task.job} (${attemptWords(task.attempt)})`],
    ['Platform says', task.message],
    ['Results', task.outputDir],
    ['Scores', scores(task)],
    ['Error', task.error?.message ?? null],
    ['Left behind', task.left.map(({ kind, name }) => `${kind} ${name}`).join(', ') || null],
    ['Storage kept', task.kept.map(({ path, command }) => `${path}: ${command}`).join(', ') || null],
  ];
  const shown = rows.filter((row): row is [string, string] => row[1] !== null && row[1] !== '');
  return ['| | |', '|---|---|', ...shown.map(([name, value]) => `| **${name}**${gap} | ${cell(value)} |`)].join('\n');
}

function stateOf(run: RunSnapshot): string {
  if (run.outcome !== undefined) return verdictOf(run.outcome, run);
  return run.phase === 'tearing down' ? run.phase : `${run.phase}. Cancel this workflow to tear everything down`;
}

/** The Web UI leaves no space between columns. */
const gap = '&#160;';

/** Names the platform of a run, for people. Pure. */
export function platformWords(run: { platform: RunSnapshot['platform']; simulated?: true | undefined }): string {
  if (run.simulated) return 'a simulated platform, which makes its scores up';
  return run.platform === 'local' ? 'the local platform' : 'Lepton';
}

/** Rows shown for a run with very many tasks; a query returns all of them in one answer. */
const maxRows = 200;

/** Returns the Web UI's "current details" of a run: one row per task. Pure; `nowMs` is the workflow's clock. */
export function runDetails(run: RunSnapshot, nowMs: number): string {
  const shown = run.tasks.slice(0, maxRows);
  const lines = [
    `**${cell(run.model)}** on ${platformWords(run)}: **${stateOf(run)}**`,
    '',
    // The page is narrow: the most informative columns come first.
    '| # | Task | Phase | Last message | Elapsed | Endpoint | Job |',
    '|---|---|---|---|---|---|---|',
    ...[...shown, ...(run.shared ?? [])].map((task) => {
      const phase =
        task.outcome === null ? task.phase : task.phase === 'done' ? task.outcome : `${task.phase} (${task.outcome})`;
      const message = task.error?.message ?? scores(task) ?? progress(task) ?? task.message ?? '';
      const columns = [
        indexText(task.index),
        task.name,
        phase,
        message,
        elapsed(task, nowMs),
        task.endpoint ?? 'existing',
        task.job ?? '',
      ];
      return `| ${columns.map((text) => `${cell(text)}${gap}`).join(' | ')} |`;
    }),
  ];
  if (run.tasks.length > maxRows) lines.push('', `and ${run.tasks.length - maxRows} more tasks`);
  for (const { kind, name, reason } of run.left)
    lines.push('', `**Left behind**: ${kind} ${cell(name)}: ${cell(reason)}`);
  return lines.join('\n');
}

/** The page is rendered when something changes, so it names the time of the expected end rather than what is left until then. */
function progress({ phase, progress: seen, message }: TaskSnapshot): string | null {
  if (phase !== 'running job' || !seen) return null;
  const end = seen.expectedEnd === null ? '' : `, expected end ${seen.expectedEnd.slice(0, 16).replace('T', ' ')} UTC`;
  return `${progressWords(seen)}${end}${message === null ? '' : `; ${message}`}`;
}

function scores(task: TaskSnapshot): string | null {
  const all = metricsOf(task);
  const text = all
    .slice(0, 4)
    .map(({ name, value }) => `${name} ${shortValue(value)}`)
    .join(', ');
  if (text === '') return null;
  const more = all.length > 4 || (task.metricsTotal ?? 0) > Object.keys(task.metrics).length ? ', …' : '';
  return `${task.partial ? 'partial: ' : ''}${text}${more}`;
}

function elapsed(task: TaskSnapshot, nowMs: number): string {
  if (task.startedAt === null) return '';
  const end = task.endedAt === null ? nowMs : Date.parse(task.endedAt);
  const seconds = Math.max(0, Math.round((end - Date.parse(task.startedAt)) / 1000));
  return seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Without zeros at its end. */
const shortValue = (value: MetricValue): string => String(typeof value === 'number' ? Number(valueText(value)) : value);
