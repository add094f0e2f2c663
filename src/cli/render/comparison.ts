import Table from 'cli-table3';
import type { Comparison, Flip } from '../../compare/comparison';
import { differenceText } from '../../compare/comparability';
import { notesOf } from '../../compare/render/markdown';
import { confidenceOf } from '../../compare/options';
import {
  confidenceText,
  numberText,
  pooledCells,
  scoreCells,
  scoreName,
  sideText,
  usageLines,
  type ScoreCells,
} from '../../compare/render/texts';
import { harmlessLine, harmlessText, shortened } from '../../support/terminal-text';
import { bare } from './overview';
import type { Style } from './style';

export interface ComparisonView {
  readonly style: Style;
  /** Scores of parts too, such as the subjects of MMLU. */
  readonly withParts: boolean;
}

/** A comparison for a terminal. Pure. */
export function comparisonText(comparison: Comparison, { style, withParts }: ComparisonView): string {
  const { verdict, reasons, base, candidate, tasks, pooled, options } = comparison;
  const level = confidenceText(confidenceOf(options));
  const rows = tasks.flatMap(({ name, scores }) =>
    scores.filter(({ level }) => withParts || level === 'overall').map((score) => scoreCells(name, score)),
  );
  const hidden = tasks.flatMap(({ scores }) => scores.filter(({ level }) => level === 'part')).length;
  const flips = tasks.flatMap(({ name, scores }) =>
    scores.flatMap((score) => (score.flips ?? []).map((flip) => flipText(`${name} ${scoreName(score)}`, flip))),
  );
  return [
    `base       ${harmlessLine(sideText(base))}`,
    `candidate  ${harmlessLine(sideText(candidate))}`,
    ...tasks.flatMap((task) => task.differences.map((difference) => differenceLine(task.name, difference, style))),
    scoresTable([...rows, ...(pooled ? [pooledCells(pooled)] : [])], { style, level }),
    ...(withParts || hidden === 0 ? [] : [style.dim(`${hidden} scores of parts: --parts`)]),
    ...worstLines(comparison),
    usageTable(comparison),
    ...notesOf(comparison).map((note) => `note: ${harmlessLine(note)}`),
    ...flips,
    `${paintedVerdict(verdict, style)}${reasons.length === 0 ? '' : ':'}`,
    ...reasons.map((reason) => `  ${harmlessLine(reason)}`),
  ]
    .filter((line) => line !== '')
    .join('\n');
}

export function paintedVerdict(verdict: Comparison['verdict'], style: Style): string {
  switch (verdict) {
    case 'no regression':
      return style.good(verdict);
    case 'regression':
      return style.bad(verdict);
    case "can't tell":
      return style.warn(verdict);
  }
}

function differenceLine(
  task: string,
  difference: Comparison['tasks'][number]['differences'][number],
  style: Style,
): string {
  const text = harmlessLine(`${task}: ${differenceText(difference)}`);
  if (difference.accepted) return `differs (accepted)  ${text}`;
  if (difference.effect === 'refuses') return style.bad(`not comparable  ${text}`);
  return difference.effect === 'warns' ? style.warn(`differs  ${text}`) : style.dim(`differs  ${text}`);
}

function scoresTable(
  rows: readonly ScoreCells[],
  { style, level }: { readonly style: Style; readonly level: string },
): string {
  if (rows.length === 0) return '';
  const table = new Table({
    head: ['Task', 'Score', 'Base', 'Candidate', 'Δ', `${level} CI`, 'p (Holm)', 'n', 'Could see', ''],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right', 'right', 'left'],
    ...bare,
  });
  for (const row of rows)
    table.push([
      harmlessLine(row.task),
      harmlessLine(row.score),
      row.base,
      row.candidate,
      row.delta,
      row.interval,
      row.p,
      row.n,
      row.detectable,
      row.change === 'worse' ? style.bad(row.change) : row.change === 'better' ? style.good(row.change) : row.change,
    ]);
  return table.toString();
}

function worstLines({ tasks }: Comparison): string[] {
  return tasks.flatMap(({ name, scores }) =>
    scores
      .filter(({ level, worst }) => level === 'overall' && worst.length > 0)
      .map((score) => {
        const worst = score.worst.map((part) => `${part.name} ${numberText(part.delta)} (${part.n})`);
        return harmlessLine(`worst of ${name} ${scoreName(score)}: ${worst.join(', ')}`);
      }),
  );
}

function usageTable(comparison: Comparison): string {
  const lines = usageLines(comparison);
  if (lines.length === 0) return '';
  const table = new Table({
    head: ['', 'Took', 'Base', 'Candidate', ''],
    colAligns: ['left', 'left', 'right', 'right', 'right'],
    ...bare,
  });
  for (const { task, what, base, candidate, change } of lines)
    table.push([harmlessLine(task), harmlessLine(what), base, candidate, change]);
  return table.toString();
}

/** Characters of a text; the other formats have all. */
const shownText = 600;

function flipText(score: string, { task, id, base, candidate, ...texts }: Flip): string {
  const line = (name: string, text: string | null): string[] =>
    text === null ? [] : [`  ${name.padEnd(10)} ${shortened(harmlessText(text), shownText)}`];
  return [
    '',
    harmlessLine(`${score}, sample ${id ?? '?'} of ${task}: ${numberText(base)} → ${numberText(candidate)}`),
    ...line('prompt', texts.prompt),
    ...line('target', texts.target),
    ...line('base', texts.baseAnswer),
    ...line('candidate', texts.candidateAnswer),
  ].join('\n');
}
