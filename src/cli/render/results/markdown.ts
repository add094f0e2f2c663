import { cell } from '../../../contract/details';
import { valueText } from '../../../contract/metric';
import type { RunDocument } from '../run-document';
import { sampleCount } from '../scores';
import { byModel, matrixOf, runNames } from './matrix';
import { costColumns } from './task-costs';
import { usefulShareLine } from './useful-share';

/** Scores as Markdown, for a pull request or a wiki. Pure. */
export function markdownOf(runs: readonly RunDocument[]): string {
  const [only, ...others] = runs;
  if (only === undefined) return '';
  return others.length === 0 ? oneRun(only) : manyRuns(runs);
}

function oneRun(run: RunDocument): string {
  const scores = run.tasks.flatMap(({ index, name, scores: own, samples, partial }) =>
    own.map((score) => [
      String(index),
      `${cellOf(name)}${partial ? ' (partial)' : ''}`,
      cellOf(score.name),
      valueText(score.value),
      score.stderr === null ? '' : valueText(score.stderr),
      (samples && sampleCount(samples)) || String(score.count ?? ''),
    ]),
  );
  const costs = costColumns(run);
  return [
    `## ${cellOf(run.model)}`,
    '',
    `Run \`${run.invocation}\`: ${run.status}${run.simulated ? '; **a simulated platform, the scores are made up**' : ''}`,
    ...modelColumns(run),
    ...section(['#', 'Task', 'Metric', 'Value', '± stderr', 'Samples'], scores, [0, 3, 4, 5]),
    ...section(
      ['#', 'Task', ...costs.head],
      costs.head.length === 0
        ? []
        : costs.rows.map(({ task, cells }) => [String(task.index), cellOf(task.name), ...cells.map(cellOf)]),
      [0, ...costs.head.keys()].map((at, position) => (position === 0 ? at : at + 2)),
    ),
    ...paragraph(usefulShareLine(run)),
    ...problems(run),
    ...findings([run]),
    ...notes([run]),
  ].join('\n');
}

const manyRuns = (runs: readonly RunDocument[]): string =>
  [`## ${runs.length} runs`, ...columns(runs.flatMap(byModel)), ...findings(runs), ...notes(runs)].join('\n');

/** The scores of a run of several models beside each other. */
function modelColumns(run: RunDocument): string[] {
  const models = byModel(run);
  return models.length === 1 ? [] : columns(models);
}

function columns(runs: readonly RunDocument[]): string[] {
  const matrix = matrixOf(runs);
  return section(
    ['Task', 'Metric', ...matrix.runs.map(cellOf)],
    matrix.rows.map(({ task, metric, cells }) => [cellOf(task), cellOf(metric), ...cells]),
    runs.map((_, at) => at + 2),
  );
}

function problems({ tasks }: RunDocument): string[] {
  const failed = tasks.filter(({ status, error }) => status !== 'succeeded' && error !== null);
  if (failed.length === 0) return [];
  return [
    '',
    '### Tasks that did not succeed',
    '',
    ...failed.map(({ index, name, error }) => `- ${index} ${cellOf(name)}: ${cellOf(error?.message ?? '')}`),
  ];
}

function findings(runs: readonly RunDocument[]): string[] {
  const names = runNames(runs);
  const lines = runs.flatMap((run, at) =>
    run.findings.map(({ index, task, message, advice }) => {
      const whose = runs.length === 1 ? '' : `${cellOf(names[at] ?? '')}, `;
      return `- ${whose}task ${index} ${cellOf(task)}: ${cellOf(message)}. ${cellOf(advice)}`;
    }),
  );
  return lines.length === 0 ? [] : ['', '### Validity', '', ...lines];
}

/** What scores must not be read without, such as "0-shot", and what of the results was not read as a score. */
function notes(runs: readonly RunDocument[]): string[] {
  const names = runNames(runs);
  const lines = runs.flatMap((run, at) =>
    run.tasks.flatMap(({ index, name, notes: own }) =>
      own.map((note) => {
        const whose = runs.length === 1 ? '' : `${cellOf(names[at] ?? '')}, `;
        return `- ${whose}task ${index} ${cellOf(name)}: ${cellOf(note)}`;
      }),
    ),
  );
  return lines.length === 0 ? [] : ['', '### Notes', '', ...lines];
}

const paragraph = (lines: readonly string[]): string[] => lines.flatMap((line) => ['', line]);

function section(head: readonly string[], rows: readonly (readonly string[])[], numbers: readonly number[]): string[] {
  if (rows.length === 0) return [];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, at) => (numbers.includes(at) ? '---:' : '---'));
  return ['', line(head), line(rule), ...rows.map(line)];
}

/** Whole, where `cell` would shorten it: it is escaped piece by piece. */
function cellOf(text: string): string {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += 200) pieces.push(cell(text.slice(at, at + 200)));
  return pieces.join('');
}
