import type { Comparison, Flip, TaskComparison } from '../comparison';
import { differenceText } from '../comparability';
import { confidenceOf } from '../options';
import {
  confidenceText,
  guessedDirections,
  numberText,
  pooledCells,
  scoreCells,
  scoreName,
  scoreNotes,
  sideText,
  usageLines,
  type ScoreCells,
} from './texts';

/** A comparison as Markdown, e.g. for a pull request. Pure. */

export function comparisonMarkdown(comparison: Comparison): string {
  const { verdict, reasons, base, candidate, tasks, pooled, options } = comparison;
  const overall = tasks.flatMap(({ name, scores }) =>
    scores.filter(({ level }) => level === 'overall').map((score) => scoreCells(name, score)),
  );
  const parts = tasks.flatMap(({ name, scores }) =>
    scores.filter(({ level }) => level === 'part').map((score) => scoreCells(name, score)),
  );
  const level = confidenceText(confidenceOf(options));
  return [
    `# Comparison: ${verdict}`,
    list([...reasons.map(inline), `base: ${inline(sideText(base))}`, `candidate: ${inline(sideText(candidate))}`]),
    scoreTable([...overall, ...(pooled ? [pooledCells(pooled)] : [])], level),
    `p is adjusted for several scores (Holm). "could see" is the smallest true difference that would have been found four times out of five.`,
    section('Differences between the runs', list(tasks.flatMap(differenceLines))),
    section('Worst parts', list(tasks.flatMap(worstLines))),
    section('Cost and time', usageTable(comparison)),
    section('Notes', list([...notesOf(comparison).map(inline)])),
    parts.length === 0 ? '' : details(`${parts.length} scores of parts`, scoreTable(parts, level)),
    ...tasks.flatMap(flipSections),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

export const notesOf = (comparison: Comparison): string[] => [
  ...comparison.base.notes.map((note) => `base: ${note}`),
  ...comparison.candidate.notes.map((note) => `candidate: ${note}`),
  ...comparison.tasks.flatMap(({ name, notes }) => notes.map((note) => `${name}: ${note}`)),
  ...scoreNotes(comparison),
  ...guessedDirections(comparison),
  ...comparison.onlyInCandidate.map((name) => `${name} is only in the candidate`),
];

const scoreTable = (rows: readonly ScoreCells[], level: string): string =>
  table(
    ['task', 'score', 'base', 'candidate', 'Δ', `${level} CI`, 'p', 'n', 'test', 'could see', 'result'],
    rows.map((row) => [
      row.task,
      row.score,
      row.base,
      row.candidate,
      row.delta,
      row.interval,
      row.p,
      row.n,
      row.test,
      row.detectable,
      row.change === 'worse' ? `**${row.change}**` : row.change,
    ]),
  );

/** Returns a table in Markdown; `|` in cells is escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map((row) => line(row.map(inline)))].join('\n');
}

function usageTable(comparison: Comparison): string {
  const rows = usageLines(comparison).map(({ task, what, base, candidate, change }) => [
    task,
    what,
    base,
    candidate,
    change,
  ]);
  return table(['task', 'what', 'base', 'candidate', 'change'], rows);
}

const differenceLines = ({ name, differences }: TaskComparison): string[] =>
  differences.map((difference) => {
    const mark = difference.accepted ? ' (accepted)' : difference.effect === 'refuses' ? ' **(not comparable)**' : '';
    return `${inline(`${name}: ${differenceText(difference)}`)}${mark}`;
  });

const worstLines = ({ name, scores }: TaskComparison): string[] =>
  scores
    .filter(({ level, worst }) => level === 'overall' && worst.length > 0)
    .map((score) => {
      const worst = score.worst.map((part) => `${part.name} ${numberText(part.delta).replace('-', '−')} (${part.n})`);
      return inline(`${name} ${scoreName(score)}: ${worst.join(', ')}`);
    });

const flipSections = ({ name, scores }: TaskComparison): string[] =>
  scores.flatMap((score) =>
    score.flips === undefined || score.flips.length === 0
      ? []
      : [
          details(
            `${name} ${scoreName(score)}: ${score.flips.length} samples that changed`,
            score.flips.map(flipText).join('\n\n'),
          ),
        ],
  );

function flipText(flip: Flip): string {
  const line = (name: string, text: string | null): string[] => (text === null ? [] : [`${name}:`, fenced(text)]);
  return [
    `**${inline(flip.task)} ${inline(flip.id ?? '')}**: ${numberText(flip.base)} → ${numberText(flip.candidate)}`,
    ...line('prompt', flip.prompt),
    ...line('target', flip.target),
    ...line('base', flip.baseAnswer),
    ...line('candidate', flip.candidateAnswer),
  ].join('\n');
}

/** A block that the text itself can't close. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}

export const list = (items: readonly string[]): string => items.map((item) => `- ${item}`).join('\n');

export const section = (title: string, body: string): string => (body === '' ? '' : `## ${title}\n\n${body}`);

export const details = (summary: string, body: string): string =>
  `<details><summary>${inline(summary)}</summary>\n\n${body}\n\n</details>`;

/** Text of others on one line, without a meaning in Markdown or HTML. */
export const inline = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('|', '\\|')
    .replaceAll(/(?<![\w\\])[*_`](?=\S)/g, '\\$&');
