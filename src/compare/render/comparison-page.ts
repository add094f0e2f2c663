import { html, type Html } from '../../report/page/html';
import { pageHtml, type Section } from '../../report/page/page';
import { intervalsHtml, type IntervalRow } from '../../report/page/plots';
import { tableHtml } from '../../report/page/table';
import type { Comparison, Flip, ScoreComparison, TaskComparison } from '../comparison';
import { differenceText } from '../comparability';
import { notesOf } from './markdown';
import { confidenceOf } from '../options';
import {
  confidenceText,
  intervalText,
  numberText,
  pooledCells,
  scoreCells,
  scoreName,
  sideText,
  signedText,
  usageLines,
  type ScoreCells,
} from './texts';

/** A comparison as one HTML file. Loads the plotting library. Pure. */

export interface WrittenBy {
  /** ISO 8601. */
  readonly writtenAt: string;
  readonly version: string;
}

export function comparisonPage(comparison: Comparison, written: WrittenBy): string {
  const { verdict, base, candidate } = comparison;
  const sections = [
    verdictSection(comparison),
    scoresSection(comparison),
    partsSection(comparison),
    differencesSection(comparison),
    usageSection(comparison),
    flipsSection(comparison),
    section('notes', 'Notes', list(notesOf(comparison))),
  ];
  return pageHtml({
    title: `Comparison: ${verdict}`,
    summary: html`base: ${sideText(base)}<br />candidate: ${sideText(candidate)}`,
    sections: sections.filter((one) => one !== undefined),
    ...written,
  });
}

const section = (id: string, title: string, body: Html | undefined): Section | undefined => body && { id, title, body };

const list = (items: readonly (string | Html)[]): Html | undefined =>
  items.length === 0
    ? undefined
    : html`<ul>
        ${items.map((item) => html`<li>${item}</li>`)}
      </ul>`;

const looks = { 'no regression': 'good', regression: 'bad', "can't tell": 'warn' } as const;

function verdictSection({ verdict, reasons }: Comparison): Section {
  const body = html`<p class="${looks[verdict]}"><strong>${verdict}</strong></p>
    ${list(reasons)}`;
  return { id: 'verdict', title: 'Verdict', body };
}

const scoresOf = (
  { tasks }: Comparison,
  level: ScoreComparison['level'],
): { readonly task: string; readonly score: ScoreComparison }[] =>
  tasks.flatMap(({ name, scores }) =>
    scores.filter((score) => score.level === level).map((score) => ({ task: name, score })),
  );

function scoresSection(comparison: Comparison): Section | undefined {
  const { pooled } = comparison;
  const level = levelOf(comparison);
  const scores = scoresOf(comparison, 'overall');
  if (scores.length === 0) return undefined;
  const rows = [...scores.map(({ task, score }) => scoreCells(task, score)), ...(pooled ? [pooledCells(pooled)] : [])];
  const body = html`${plots(scores, level)} ${scoresTable(rows, level)}
    <p class="note">
      p is adjusted for all scores together (Holm). "Could see": the smallest true difference that would have been found
      four times out of five.
    </p>`;
  return { id: 'scores', title: 'Scores', body };
}

const levelOf = ({ options }: Comparison): string => confidenceText(confidenceOf(options));

/** Differences on scales of their own (right answers, BLEU, perplexity) don't share a plot. */
function plots(scores: readonly { readonly task: string; readonly score: ScoreComparison }[], level: string): Html[] {
  const measured = scores.flatMap(({ task, score }) => {
    const row = intervalRow(`${task} ${scoreName(score)}`, score);
    return row ? [{ row, isShare: isShare(score) }] : [];
  });
  const shares = measured.flatMap(({ row, isShare: is }) => (is ? [row] : []));
  const others = measured.flatMap(({ row, isShare: is }) => (is ? [] : [row]));
  return [
    ...(shares.length === 0 ? [] : [plot(`Candidate less base, with ${level} intervals`, shares)]),
    ...others.map((row) => plot(`Candidate less base: ${row.label}`, [row])),
  ];
}

const isShare = ({ base, candidate }: ScoreComparison): boolean =>
  [base.value, candidate.value].every((value) => value !== null && value >= 0 && value <= 1);

const plot = (caption: string, rows: readonly IntervalRow[]): Html =>
  intervalsHtml({ caption, rows, axis: 'difference', reference: 0 });

function intervalRow(label: string, { delta, interval, change }: ScoreComparison): IntervalRow | undefined {
  if (delta === null) return undefined;
  const title = `${label}: ${signedText(delta)} ${intervalText(interval)}, ${change}`;
  return { label, value: delta, title, ...(interval === null ? {} : { low: interval[0], high: interval[1] }) };
}

const scoresTable = (rows: readonly ScoreCells[], level: string): Html =>
  tableHtml(rows, [
    { title: 'Task', cell: ({ task }) => task },
    { title: 'Score', cell: ({ score }) => score },
    { title: 'Base', cell: ({ base }) => base, isNumber: true },
    { title: 'Candidate', cell: ({ candidate }) => candidate, isNumber: true },
    { title: 'Δ', cell: ({ delta }) => delta, isNumber: true },
    { title: `${level} CI`, cell: ({ interval }) => interval, isNumber: true },
    { title: 'p', cell: ({ p }) => p, isNumber: true },
    { title: 'n', cell: ({ n }) => n, isNumber: true },
    { title: 'Test', cell: ({ test }) => test },
    { title: 'Could see', cell: ({ detectable }) => detectable, isNumber: true },
    { title: 'Result', cell: ({ change }) => html`<span class="${lookOf(change)}">${change}</span>` },
  ]);

const lookOf = (change: string): string =>
  change === 'worse' ? 'bad' : change === 'better' ? 'good' : change === "can't tell" ? 'warn' : '';

function partsSection(comparison: Comparison): Section | undefined {
  const parts = scoresOf(comparison, 'part').map(({ task, score }) => scoreCells(task, score));
  return parts.length === 0
    ? undefined
    : {
        id: 'parts',
        title: 'Parts',
        body: html`<details>
          <summary>${parts.length} scores</summary>
          ${scoresTable(parts, levelOf(comparison))}
        </details>`,
      };
}

function differencesSection({ tasks }: Comparison): Section | undefined {
  const lines = tasks.flatMap(({ name, differences }) =>
    differences.map((difference) => {
      const isGrave = difference.effect === 'refuses' && !difference.accepted;
      const mark = difference.accepted ? ' (accepted)' : isGrave ? ' (not comparable)' : '';
      const look = isGrave ? 'bad' : difference.effect === 'warns' ? 'warn' : '';
      return html`<span class="${look}">${name}: ${differenceText(difference)}${mark}</span>`;
    }),
  );
  return section('differences', 'Differences between the runs', list(lines));
}

function usageSection(comparison: Comparison): Section | undefined {
  const lines = usageLines(comparison);
  if (lines.length === 0) return undefined;
  const body = tableHtml(lines, [
    { title: 'Task', cell: ({ task }) => task },
    { title: 'What', cell: ({ what }) => what },
    { title: 'Base', cell: ({ base }) => base, isNumber: true },
    { title: 'Candidate', cell: ({ candidate }) => candidate, isNumber: true },
    { title: 'Change', cell: ({ change }) => change, isNumber: true },
  ]);
  return { id: 'usage', title: 'Cost and time', body };
}

function flipsSection({ tasks }: Comparison): Section | undefined {
  const parts = tasks.flatMap(({ name, scores }: TaskComparison) =>
    scores.flatMap((score) =>
      (score.flips ?? []).length === 0
        ? []
        : [
            html`<h3>${name} ${scoreName(score)}</h3>
              ${(score.flips ?? []).map(flipHtml)}`,
          ],
    ),
  );
  return parts.length === 0 ? undefined : { id: 'flips', title: 'Samples that changed', body: html`${parts}` };
}

function flipHtml({ task, id, base, candidate, prompt, target, baseAnswer, candidateAnswer }: Flip): Html {
  const text = (name: string, value: string | null): Html | null =>
    value === null
      ? null
      : html`<p class="note">${name}</p>
          <pre>${value}</pre>`;
  return html`<details>
    <summary>${task} ${id}: ${numberText(base)} → ${numberText(candidate)}</summary>
    ${text('prompt', prompt)} ${text('target', target)} ${text('base', baseAnswer)}
    ${text('candidate', candidateAnswer)}
  </details> `;
}
