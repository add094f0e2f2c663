import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { compareRuns } from '../../../src/compare/compare-runs';
import type { Comparison, ScoreComparison } from '../../../src/compare/comparison';
import type { CompareOptions } from '../../../src/compare/options';
import { freshFolder } from '../../support/folders';
import {
  writeHarnessRun,
  writeNelRun,
  writeRun,
  type HarnessRun,
  type HarnessTask,
} from '../../support/harness-results';

let root: Awaited<ReturnType<typeof freshFolder>>;
beforeEach(async () => void (root = await freshFolder('comparability')));
afterEach(() => root.dispose());

const at = (...names: string[]): string => path.join(root.path, ...names);

const compared = (options: CompareOptions = {}): Promise<Comparison> =>
  compareRuns({ base: { folder: at('base') }, candidate: { folder: at('candidate') } }, options);

const harness = (side: 'base' | 'candidate', ...tasks: HarnessTask[]): void => writeHarnessRun(at(side), { tasks });

function only({ tasks }: Comparison): ScoreComparison {
  const scores = tasks.flatMap((task) => task.scores);
  if (scores.length !== 1 || !scores[0]) throw new Error(`${scores.length} scores`);
  return scores[0];
}

const samplesFile = (side: string): string => {
  const folder = at(side, 'org__model');
  return path.join(folder, readdirSync(folder).find((name) => name.startsWith('samples_')) ?? '');
};

describe('comparability', () => {
  const values = { acc: Array.from({ length: 40 }, (_, id) => id % 2) };

  test.each<[string, Partial<HarnessRun>, Partial<HarnessTask>]>([
    ['few-shot', {}, { shots: 5 }],
    ['task-version', {}, { version: 2 }],
    ['generation', { config: { gen_kwargs: { temperature: 0.7 } } }, {}],
  ])('another %s gives no verdict, unless it is accepted', async (kind, run, task) => {
    writeHarnessRun(at('base'), { tasks: [{ name: 'gsm8k', generates: true, values }] });
    writeHarnessRun(at('candidate'), { ...run, tasks: [{ name: 'gsm8k', generates: true, values, ...task }] });
    const refused = await compared();
    expect(refused.verdict).toBe("can't tell");
    expect(refused.tasks[0]?.differences).toMatchObject([{ kind, effect: 'refuses', accepted: false }]);
    expect(refused.reasons.join()).toContain(`--accept ${kind}`);
    const accepted = await compared({ accept: [kind as 'few-shot'] });
    expect(accepted.verdict).toBe('no regression');
    expect(accepted.tasks[0]?.differences).toMatchObject([{ kind, accepted: true }]);
  });

  test('another temperature does not matter where nothing is generated', async () => {
    writeHarnessRun(at('base'), { tasks: [{ name: 'hellaswag', values }] });
    writeHarnessRun(at('candidate'), {
      tasks: [{ name: 'hellaswag', values }],
      config: { gen_kwargs: { temperature: 1 } },
    });
    expect((await compared()).tasks[0]?.differences).toEqual([]);
  });

  test('other prompts, limits and models are said; the samples in common are compared', async () => {
    const half = { acc: values.acc.slice(0, 20) };
    writeHarnessRun(at('base'), { tasks: [{ name: 'hellaswag', values }] });
    writeHarnessRun(at('candidate'), {
      tasks: [{ name: 'hellaswag', values: half, prompts: (id) => `Other ${id}` }],
      model: 'org/other',
      config: { limit: 20 },
    });
    const { tasks, verdict } = await compared();
    expect(tasks[0]?.differences.map(({ kind, effect }) => `${kind} ${effect}`)).toEqual([
      'limit warns',
      'samples warns',
      'prompts warns',
      'model notes',
    ]);
    expect(tasks[0]?.samples).toMatchObject([{ paired: 20, onlyBase: 20, otherPrompt: 20 }]);
    expect(verdict).toBe('no regression');
  });

  test('runs without a sample, or without a task in common', async () => {
    writeHarnessRun(at('base'), { tasks: [{ name: 'hellaswag', values }] });
    writeHarnessRun(at('candidate'), {
      tasks: [{ name: 'hellaswag', values, docs: (id) => ({ other: id }), ids: values.acc.map((_, id) => id + 1000) }],
    });
    expect((await compared()).reasons[0]).toContain('samples none in common: 40 samples → 40 samples');
    writeNelRun(at('third'), [{ name: 'mmlu', rewards: [[1]] }]);
    const strangers = await compareRuns({ base: { folder: at('base') }, candidate: { folder: at('third') } });
    expect(strangers).toMatchObject({ verdict: "can't tell", onlyInBase: ['hellaswag'], onlyInCandidate: ['mmlu'] });
  });
});

describe('what is missing or damaged', () => {
  const values = { acc: Array.from({ length: 200 }, (_, id) => id % 2) };
  beforeEach(() => {
    harness('base', { name: 'hellaswag', values });
    harness('candidate', { name: 'hellaswag', values });
  });

  test('a cut file gives no verdict, and says how much is missing', async () => {
    truncateSync(samplesFile('candidate'), Math.floor(readFileSync(samplesFile('candidate')).length / 2));
    const { verdict, tasks, reasons } = await compared();
    expect(verdict).toBe("can't tell");
    expect(reasons.join()).toMatch(
      /candidate: \d+ of 200 samples of hellaswag are missing in .*1 damaged lines; line \d+: not JSON, or cut/,
    );
    expect(tasks[0]?.samples[0]?.damaged).toEqual({ base: 0, candidate: 1 });
    expect((await compared({ accept: ['incomplete'] })).verdict).toBe('no regression');
  });

  test('a single damaged line of many is said, and no more', async () => {
    const lines = readFileSync(samplesFile('candidate'), 'utf8').split('\n');
    writeFileSync(samplesFile('candidate'), ['{"doc_id": 7,', ...lines.slice(1)].join('\n'));
    const { verdict, tasks } = await compared();
    expect(verdict).toBe('no regression');
    expect(tasks[0]?.notes.join()).toContain('1 of 200 samples');
  });

  test('NaN, blank lines and lines of others do no harm', async () => {
    appendFileSync(samplesFile('base'), '\n\n[]\n{"note": "no sample"}\n');
    const text = readFileSync(samplesFile('base'), 'utf8');
    writeFileSync(samplesFile('base'), text.replace('"acc":1', '"acc":NaN'));
    const score = only(await compared());
    expect(score.n).toBe(199);
  });

  test('a task that the candidate lacks gives no verdict', async () => {
    harness('base', { name: 'hellaswag', values }, { name: 'piqa', values });
    const { verdict, reasons, onlyInBase } = await compared();
    expect([verdict, onlyInBase, reasons]).toEqual(["can't tell", ['piqa'], ['piqa is missing in the candidate']]);
  });
});

test('what holds no results, or several, is refused with what to do', async () => {
  await expect(compared()).rejects.toThrow('there is no such folder');
  writeRun(at('runs', '3f2a9c0b1d2e4f56'), { tasks: [{ name: 'piqa', values: { acc: [1, 0] } }] });
  const open = (folder: string) => compareRuns({ base: { folder }, candidate: { folder } });
  await expect(open(at('runs'))).rejects.toThrow('holds 1 runs. Give the folder of one');
  writeHarnessRun(at('two'), { tasks: [{ name: 'piqa', values: { acc: [1, 0] } }] });
  writeHarnessRun(at('two'), { tasks: [{ name: 'arc', values: { acc: [1, 0] } }], model: 'org/other' });
  await expect(open(at('two'))).rejects.toThrow('results of 2 models');
  writeFileSync(at('notes.txt'), 'nothing');
  await expect(open(at('notes.txt'))).rejects.toThrow('no file of results');
});
