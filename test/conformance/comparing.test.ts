import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { compareRuns } from '../../src/compare/compare-runs';
import { gateRuns } from '../../src/compare/gate/gate-runs';
import oracle from '../fixtures/comparing/oracle.json';
import { freshFolder } from '../support/folders';
import { seeded, writeNelRun, type NelBenchmark } from '../support/harness-results';
import { pythonEnvironment } from './lep';
import { newPython } from './new-python';

/** SciPy, statsmodels and the real `nel` 0.3.0 on the same numbers. */

jest.setTimeout(600_000);

let bin: string;
let root: Awaited<ReturnType<typeof freshFolder>>;
beforeAll(async () => {
  const requirements = ['nemo-evaluator==0.3.0', 'scipy==1.18.1', 'statsmodels==0.15.0'];
  bin = path.join(await pythonEnvironment('nel-0.3.0', requirements, newPython), 'bin');
  root = await freshFolder('comparing');
});
afterAll(() => root.dispose());

const at = (...names: string[]): string => path.join(root.path, ...names);

test('the stored oracle is what SciPy and statsmodels say', async () => {
  const input = readFileSync(path.join(__dirname, '..', 'fixtures', 'comparing', 'vectors.json'), 'utf8');
  const script = path.join(__dirname, 'comparing', 'oracle.py');
  const { stdout } = await execa(path.join(bin, 'python'), [script], { input });
  expect(rounded(JSON.parse(stdout))).toEqual(rounded(oracle));
});

/** Versions of libraries differ in the last digits. */
const rounded = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, one: unknown) => (typeof one === 'number' ? Number(one.toPrecision(9)) : one)),
  );

/** Benchmarks as two runs of one model give them, the second one with a lower chance of being right. */
function twoRuns(): readonly NelBenchmark[][] {
  const random = seeded(4);
  const chances = Array.from({ length: 300 }, () => random());
  const answers = (lost: number): number[][] => chances.map((chance) => [random() < chance - lost ? 1 : 0]);
  const categories = chances.map((_, problem) => `c${problem % 15}`);
  const side = (lost: number): NelBenchmark[] => [
    { name: 'same', rewards: answers(0) },
    { name: 'worse', rewards: answers(lost) },
    { name: 'grouped', rewards: answers(lost / 4), categories },
    { name: 'graded', rewards: chances.map((chance) => [Math.round(chance * (10 - 5 * lost)) / 10]) },
    {
      name: 'repeated',
      rewards: chances.slice(0, 100).map((chance) => [0, 1, 2, 3].map(() => Number(random() < chance))),
    },
    { name: 'tiny', rewards: answers(0).slice(0, 8) },
  ];
  return [side(0), side(0.2)];
}

const policy = `
version: 1
defaults: { tier: supporting, metric: mean_reward, max_drop: 0.02 }
benchmarks:
  same: { tier: critical, max_drop: 0.2 }
  worse: { tier: critical }
  graded: { max_relative_drop: 0.05 }
  repeated: { max_drop: 0.15 }
  tiny: { tier: advisory }
  absent: { max_drop: 0.1 }
`;

/** Of what `nel` prints, what is looked at. */
interface Report {
  readonly score_deltas: { readonly mean_reward: { readonly delta: number } };
  readonly test_used: string;
  readonly permutation_test: { readonly p_value: number };
  readonly mcnemar: { readonly p_value: number };
  readonly flip_report: {
    readonly contingency: { readonly baseline_only_correct: number; readonly candidate_only_correct: number };
  };
}

interface Gated {
  readonly verdict: string;
  readonly benchmarks: readonly {
    readonly benchmark: string;
    readonly status: string;
    readonly delta_ci_lower: number;
    readonly delta_ci_upper: number;
  }[];
}

async function nel<T>(...args: string[]): Promise<T> {
  const { stdout } = await execa(path.join(bin, 'nel'), args, { reject: false, stdin: 'ignore' });
  return JSON.parse(stdout.slice(stdout.indexOf('{'))) as T;
}

describe('nel', () => {
  beforeAll(() => {
    const [base = [], candidate = []] = twoRuns();
    writeNelRun(at('base'), base);
    writeNelRun(at('candidate'), candidate);
    writeFileSync(at('policy.yaml'), policy);
  });

  test('compare: differences, counts of changed samples and one-sided p values agree', async () => {
    const reports = await nel<Record<string, Report>>(
      'compare',
      at('base'),
      at('candidate'),
      '--format',
      'json',
      '--no-report',
    );
    const { tasks } = await compareRuns({ base: { folder: at('base') }, candidate: { folder: at('candidate') } });
    expect(Object.keys(reports).sort()).toEqual(tasks.map(({ name }) => name).sort());
    for (const { name, scores } of tasks) {
      const [score] = scores;
      const report = reports[name];
      if (!report) throw new Error(`nel says nothing about ${name}`);
      expect(score?.delta).toBeCloseTo(report.score_deltas.mean_reward.delta, 4);
      if (report.test_used === 'permutation')
        expect(Math.abs((score?.pWorse ?? NaN) - report.permutation_test.p_value)).toBeLessThan(0.02);
      else {
        const { baseline_only_correct: losses, candidate_only_correct: wins } = report.flip_report.contingency;
        expect(score).toMatchObject({ losses, wins });
        if (score?.test === 'mcnemar') expect(score.pWorse).toBeCloseTo(report.mcnemar.p_value, 6);
      }
    }
  });

  test('gate: the same policy gives the same verdict, statuses and intervals', async () => {
    const report = await nel<Gated>(
      'gate',
      at('base'),
      at('candidate'),
      '--policy',
      at('policy.yaml'),
      '--format',
      'json',
    );
    const sides = { base: { folder: at('base') }, candidate: { folder: at('candidate') } };
    const own = await gateRuns({ ...sides, policy: at('policy.yaml') });
    expect(own.verdict).toBe(report.verdict);
    // With fewer than 10 pairs theirs goes by the intervals of the two scores, ours says that it can't tell.
    const theirs = new Map(
      report.benchmarks.filter(({ benchmark }) => benchmark !== 'tiny').map((one) => [one.benchmark, one]),
    );
    const ours = own.benchmarks.filter(({ benchmark }) => benchmark !== 'tiny');
    expect(Object.fromEntries(ours.map(({ benchmark, status }) => [benchmark, status]))).toEqual(
      Object.fromEntries([...theirs].map(([benchmark, { status }]) => [benchmark, status])),
    );
    for (const { benchmark, interval } of ours) {
      // Theirs is normal where samples are clustered.
      if (interval === null || benchmark === 'grouped') continue;
      expect(interval[0]).toBeCloseTo(theirs.get(benchmark)?.delta_ci_lower ?? NaN, 5);
      expect(interval[1]).toBeCloseTo(theirs.get(benchmark)?.delta_ci_upper ?? NaN, 5);
    }
  });
});
