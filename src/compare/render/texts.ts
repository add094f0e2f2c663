import { formatDuration } from '../../support/duration';
import type { TaskUsage } from '../evidence/evidence';
import type { Comparison, PooledComparison, ScoreComparison } from '../comparison';

/** Numbers and words of a comparison, as every format shows them. Pure. */

/** Four decimals, or three digits of a smaller number. */
export function numberText(value: number | null): string {
  if (value === null) return '–';
  if (value === 0 || Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 0.01 ? value.toFixed(size >= 1000 ? 1 : 4) : String(Number(value.toPrecision(3)));
}

export const signedText = (value: number | null): string =>
  value !== null && value > 0 ? `+${numberText(value)}` : numberText(value).replace('-', '−');

export const intervalText = (interval: readonly [number, number] | null): string =>
  interval === null ? '–' : `[${signedText(interval[0])}, ${signedText(interval[1])}]`;

/** `95 %`. */
export const confidenceText = (confidence: number): string => `${Number((confidence * 100).toPrecision(12))} %`;

export function pText(p: number | null): string {
  if (p === null) return '–';
  return p < 0.0001 ? '<0.0001' : p.toFixed(p < 0.01 ? 4 : 3);
}

export const scoreName = ({ metric, filter }: Pick<ScoreComparison, 'metric' | 'filter'>): string =>
  filter === null ? metric : `${metric} (${filter})`;

/** What a difference means: for the verdict where there is one, else whether it is significant. */
export function changeText({ verdict, change }: Pick<ScoreComparison, 'verdict' | 'change'>): string {
  if (verdict === "can't tell") return "can't tell";
  if (verdict === 'regression') return 'worse';
  return change === 'not significant' ? 'no change seen' : change === 'unknown' ? '–' : change;
}

export const testNames: Readonly<Record<NonNullable<ScoreComparison['test']>, string>> = {
  mcnemar: 'McNemar, exact',
  'sign-flip': 'sign flips',
  'clustered t': 'clustered t',
  z: 'z, unpaired',
};

export interface ScoreCells {
  readonly task: string;
  readonly score: string;
  readonly base: string;
  readonly candidate: string;
  readonly delta: string;
  readonly interval: string;
  readonly p: string;
  readonly n: string;
  readonly test: string;
  readonly detectable: string;
  readonly change: string;
}

export function scoreCells(task: string, score: ScoreComparison): ScoreCells {
  const { level, path, base, candidate, delta, interval, pAdjusted, n, test, detectable } = score;
  return {
    task: level === 'part' ? path.join(' / ') : task,
    score: scoreName(score),
    base: numberText(base.value),
    candidate: numberText(candidate.value),
    delta: signedText(delta),
    interval: intervalText(interval),
    p: pText(pAdjusted),
    n: n === null ? '' : String(n),
    test: test === null ? '' : testNames[test],
    detectable: numberText(detectable),
    change: changeText(score),
  };
}

export function pooledCells(pooled: PooledComparison): ScoreCells {
  const { delta, interval, pAdjusted, n, test, detectable, change } = pooled;
  const about = { task: 'all tasks', score: 'together', base: '', candidate: '' };
  return {
    ...about,
    delta: signedText(delta),
    interval: intervalText(interval),
    p: pText(pAdjusted),
    n: String(n),
    test: testNames[test],
    detectable: numberText(detectable),
    change: changeText({ verdict: null, change }),
  };
}

/** Names of runs and folders beside which a verdict stands. */
export function sideText({ label, model, invocation, folder }: Comparison['base']): string {
  const run = invocation !== null && !label.startsWith(invocation) ? `run ${invocation}` : '';
  return [label, model === null ? '' : `model ${model}`, run, folder === label ? '' : folder]
    .filter((part) => part !== '')
    .join(', ');
}

export interface UsageLine {
  readonly task: string;
  readonly what: string;
  readonly base: string;
  readonly candidate: string;
  /** `+12 %`. */
  readonly change: string;
}

const seconds = (value: number): string => formatDuration(value * 1000);
const count = (value: number): string => String(Math.round(value));

const usages: readonly (readonly [key: keyof TaskUsage, what: string, text: (value: number) => string])[] = [
  ['endpointSeconds', 'endpoint time', seconds],
  ['jobSeconds', 'job time', seconds],
  ['inferenceSeconds', 'inference time', seconds],
  ['requests', 'requests', count],
  ['promptTokens', 'prompt tokens', count],
  ['completionTokens', 'completion tokens', count],
  ['meanLatencyMs', 'mean latency, ms', (value) => value.toFixed(0)],
];

/** Cost and time side by side; what neither side knows is left out. */
export function usageLines({ base, candidate, tasks }: Comparison): UsageLine[] {
  const ofRun = (
    what: string,
    one: number | null,
    other: number | null,
    text: (value: number) => string,
  ): UsageLine[] => (one === null && other === null ? [] : [{ task: 'run', what, ...sides(one, other, text) }]);
  const currency = base.usage.cost?.currency ?? candidate.usage.cost?.currency;
  return [
    ...tasks.flatMap(({ name, usage }) =>
      usages.flatMap(([key, what, text]): UsageLine[] => {
        const [one, other] = [usage.base[key], usage.candidate[key]];
        return one === null && other === null ? [] : [{ task: name, what, ...sides(one, other, text) }];
      }),
    ),
    ...ofRun('time', base.usage.seconds, candidate.usage.seconds, seconds),
    ...ofRun(`cost, ${currency ?? ''}`, base.usage.cost?.amount ?? null, candidate.usage.cost?.amount ?? null, String),
  ];
}

function sides(
  one: number | null,
  other: number | null,
  text: (value: number) => string,
): Pick<UsageLine, 'base' | 'candidate' | 'change'> {
  const share = one === null || other === null || one === 0 ? null : Math.round((other / one - 1) * 100);
  return {
    base: one === null ? '–' : text(one),
    candidate: other === null ? '–' : text(other),
    change: share === null ? '' : share === 0 ? '±0 %' : `${share > 0 ? '+' : '−'}${Math.abs(share)} %`,
  };
}

/** Notes on single scores, with the score they belong to; equal ones once. */
export function scoreNotes({ tasks }: Comparison): string[] {
  const notes = new Map<string, string[]>();
  for (const { name, scores } of tasks)
    for (const score of scores.filter(({ level }) => level === 'overall'))
      for (const note of score.notes) notes.set(note, [...(notes.get(note) ?? []), `${name} ${scoreName(score)}`]);
  return [...notes].map(([note, of]) => `${of.join(', ')}: ${note}`);
}

/** Directions that nothing in the files tells. */
export function guessedDirections({ tasks }: Comparison): string[] {
  const guessed = tasks.flatMap(({ scores }) =>
    scores.flatMap(({ level, metric, better, betterGuessed }) =>
      level === 'overall' && betterGuessed ? [`${metric} (${better === 'higher' ? 'more' : 'less'} is better)`] : [],
    ),
  );
  return guessed.length === 0 ? [] : [`guessed from the names of metrics: ${[...new Set(guessed)].join(', ')}`];
}
