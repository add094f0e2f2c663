import type { Difference, Flip, SampleComparison } from './comparison';
import { differencesOf, missingSamples, refusalOf, sampleComparison } from './comparability';
import { measureScore, type BothScores, type MeasuredScore } from './compare-score';
import { metricKey, type ScoreEvidence, type TaskEvidence } from './evidence/evidence';
import { readFlips } from './flips';
import type { Circumstances } from './judge';
import type { Settled } from './options';
import { readPairs, type PairedSamples } from './pairing/read-pairs';
import { stratumOf, type Stratum } from './pooled';

/** One task, measured but not judged: its numbers, without the samples behind them. */
export interface MeasuredTask {
  readonly name: string;
  readonly base: TaskEvidence;
  readonly candidate: TaskEvidence;
  readonly scores: readonly (Omit<MeasuredScore, 'samples'> & { readonly flips?: readonly Flip[] })[];
  readonly differences: readonly Difference[];
  readonly samples: readonly SampleComparison[];
  readonly circumstances: Circumstances;
  readonly stratum: Stratum | undefined;
  readonly notes: readonly string[];
}

/** Reads the samples of a task and measures its scores. Rejects with errors of the file system. */
export async function measureTask(
  base: TaskEvidence,
  candidate: TaskEvidence,
  options: Settled,
): Promise<MeasuredTask> {
  const notes = [...sided('base', base.notes), ...sided('candidate', candidate.notes)];
  const samples = await pairedSamples(base, candidate, { options, notes });
  const scores = bothScores(base, candidate, samples)
    .filter(({ base: one, candidate: other }) => isWanted(one ?? other, options))
    .map((both) => measureScore(both, samples, options));
  const sources = { base: base.items, candidate: candidate.items };
  const flips = options.flips === 0 ? undefined : await readFlips(scores.filter(isOverall), sources, options.flips);
  const differences = differencesOf({ base, candidate }, samples, options.accept);
  const missing = missingSamples({ base, candidate }, samples);
  return {
    name: base.name,
    base,
    candidate,
    scores: scores.map((score) => {
      const kept = withoutSamples(score);
      const own = flips?.get(score);
      return own ? { ...kept, flips: own } : kept;
    }),
    differences,
    samples: samples.map(sampleComparison),
    circumstances: {
      refusal: refusalOf(differences),
      incomplete: options.accept.includes('incomplete') ? null : missing.grave,
    },
    stratum: stratumOf(base.name, scores),
    notes: [...notes, ...missing.notes, ...unpairable(samples)],
  };
}

/** The samples of all tasks would not fit into memory. */
const withoutSamples = ({ samples: _samples, ...kept }: MeasuredScore): Omit<MeasuredScore, 'samples'> => kept;

const isOverall = ({ level }: MeasuredScore): boolean => level === 'overall';

const sided = (side: string, notes: readonly string[]): string[] => notes.map((note) => `${side}: ${note}`);

async function pairedSamples(
  base: TaskEvidence,
  candidate: TaskEvidence,
  { options, notes }: { readonly options: Settled; readonly notes: string[] },
): Promise<PairedSamples[]> {
  const others = new Map(candidate.items.map((source) => [source.path.at(-1), source]));
  const paired: PairedSamples[] = [];
  for (const source of base.items) {
    const name = source.path.at(-1);
    const other = others.get(name);
    others.delete(name);
    if (!other) notes.push(`candidate: no samples of ${name}`);
    else
      try {
        paired.push(await readPairs(source, other, { cluster: options.cluster }));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        notes.push(`no samples of ${name}: ${(error as NodeJS.ErrnoException).path} is missing`);
      }
  }
  for (const name of others.keys()) notes.push(`base: no samples of ${name}`);
  return paired;
}

/** Scores of both sides by their names; samples without a summary have scores of their own. */
function bothScores(base: TaskEvidence, candidate: TaskEvidence, samples: readonly PairedSamples[]): BothScores[] {
  const keyOf = (score: ScoreEvidence): string => `${score.path.at(-1)}\n${metricKey(score)}`;
  const [before, after] = [withSampleScores(base, samples), withSampleScores(candidate, samples)];
  const others = new Map(after.map((score) => [keyOf(score), score]));
  const both = before.map((score): BothScores => ({ base: score, candidate: others.get(keyOf(score)) }));
  const known = new Set(before.map(keyOf));
  return [
    ...both,
    ...after.filter((score) => !known.has(keyOf(score))).map((score) => ({ base: undefined, candidate: score })),
  ];
}

function withSampleScores({ scores }: TaskEvidence, samples: readonly PairedSamples[]): readonly ScoreEvidence[] {
  if (scores.length > 0) return scores;
  return samples.flatMap(({ path, columns }) =>
    [...columns.keys()].map((key): ScoreEvidence => {
      const [metric = '', filter = null] = key.split('__');
      return { path, level: 'overall', metric, filter, value: null, stderr: null, count: null, better: null };
    }),
  );
}

function isWanted(score: ScoreEvidence | undefined, { metrics }: Settled): boolean {
  if (!score || metrics.length === 0) return score !== undefined;
  return metrics.includes(score.metric) || metrics.includes(metricKey(score));
}

function unpairable(samples: readonly PairedSamples[]): string[] {
  return samples.flatMap(({ path, base, pairs: { byNumber, otherTarget } }) => [
    // `nel` knows its problems by nothing but their numbers.
    ...(byNumber > 0 && !base.isMean
      ? [
          `${byNumber} samples of ${path.at(-1)} are paired by number, with equal targets: their contents have no hash, or another one`,
        ]
      : []),
    ...(otherTarget > 0
      ? [`${otherTarget} samples of ${path.at(-1)} have another target on the other side: they are not paired`]
      : []),
  ]);
}
