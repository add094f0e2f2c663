import path from 'node:path';
import { compareEvidence, compareRuns } from '../../../src/compare/compare-runs';
import { unknownUsage, type Evidence, type Item, type TaskEvidence } from '../../../src/compare/evidence/evidence';
import type { Comparison, ScoreComparison } from '../../../src/compare/comparison';
import type { CompareOptions } from '../../../src/compare/options';
import { freshFolder } from '../../support/folders';
import { seeded, writeHarnessRun, writeNelRun, writeRun, type HarnessTask } from '../../support/harness-results';

let root: Awaited<ReturnType<typeof freshFolder>>;
beforeEach(async () => void (root = await freshFolder('compare')));
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

/** `losses` samples right in the base only, `gains` in the candidate only. */
function planted(n: number, { right, losses, gains }: { right: number; losses: number; gains: number }) {
  const base = Array.from({ length: n }, (_, id) => (id < right ? 1 : 0));
  const candidate = base.map((value, id) => (id < losses ? 0 : id >= n - gains ? 1 : value));
  return { base, candidate };
}

/** Results that lie in no file: values by task and sample. */
function inMemory(names: readonly string[], values: readonly (readonly number[])[]): Evidence {
  const tasks = names.map((name, task): TaskEvidence => {
    const own = values[task] ?? [];
    async function* read(): AsyncGenerator<Item> {
      await Promise.resolve();
      for (const [id, value] of own.entries())
        yield {
          kind: 'item',
          line: id + 1,
          hash: null,
          id: String(id),
          filter: null,
          prompt: null,
          target: null,
          values: { acc: value },
          category: null,
          content: {},
        };
    }
    const score = {
      path: [name],
      level: 'overall',
      metric: 'acc',
      filter: null,
      stderr: null,
      count: own.length,
      better: 'higher',
    } as const;
    return {
      name,
      index: null,
      incomplete: null,
      settings: [],
      usage: unknownUsage,
      notes: [],
      scores: [{ ...score, value: own.reduce((sum, one) => sum + one, 0) / own.length }],
      items: [{ path: [name], file: name, expected: own.length, isMean: false, read }],
    };
  });
  return {
    label: 'memory',
    kind: 'lm-eval',
    folder: '/',
    model: null,
    invocation: null,
    tasks,
    usage: { seconds: null, cost: null },
    notes: [],
  };
}

test('a drop of 3 points on 1,000 samples is found, and the reverse is none', async () => {
  const { base, candidate } = planted(1000, { right: 700, losses: 55, gains: 25 });
  harness('base', { name: 'hellaswag', values: { acc: base } });
  harness('candidate', { name: 'hellaswag', values: { acc: candidate } });
  const there = await compared();
  expect(only(there)).toMatchObject({
    method: 'paired',
    test: 'mcnemar',
    n: 1000,
    wins: 25,
    losses: 55,
    ties: 920,
    change: 'worse',
    verdict: 'regression',
    better: 'higher',
    betterGuessed: false,
  });
  expect(only(there).delta).toBeCloseTo(-0.03, 12);
  expect(there.verdict).toBe('regression');
  const back = await compareRuns({ base: { folder: at('candidate') }, candidate: { folder: at('base') } });
  expect(back.verdict).toBe('no regression');
  expect(only(back).change).toBe('better');
});

test('the same config twice says "no change" in at least 93 of 100 seeds, over three tasks together', async () => {
  const names = ['one', 'two', 'three'];
  let unchanged = 0;
  for (let seed = 1; seed <= 100; seed += 1) {
    const random = seeded(seed);
    const chances = names.map(() => Array.from({ length: 150 }, () => random()));
    const draw = (): Evidence =>
      inMemory(
        names,
        chances.map((own) => own.map((chance) => (random() < chance ? 1 : 0))),
      );
    const { tasks, pooled, verdict } = await compareEvidence(draw(), draw(), {});
    const changes = [...tasks.flatMap(({ scores }) => scores.map(({ change }) => change)), pooled?.change];
    if (changes.every((change) => change === 'not significant')) unchanged += 1;
    else expect(verdict).toBe(changes.includes('worse') ? 'regression' : 'no regression');
  }
  expect(unchanged).toBeGreaterThanOrEqual(93);
});

test('samples are paired by content: order, duplicates, filters and repeats', async () => {
  const values = [1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 0, 1];
  const ids = values.map((_, id) => id);
  const docs = (id: number): object => ({ question: id < 2 ? 'the same' : `question ${id}` });
  const task = {
    name: 'gsm8k',
    docs,
    values: { 'exact_match,strict-match': values, 'exact_match,flexible-extract': values },
  };
  harness('base', { ...task, ids });
  const reversed = values.map((_, id) => values.length - 1 - id);
  // Equal samples keep their order; the others come in the reverse one.
  const order = [0, 1, ...reversed.filter((id) => id > 1)];
  const sorted = order.map((id) => values[id]);
  harness('candidate', {
    ...task,
    ids: order,
    values: { 'exact_match,strict-match': sorted, 'exact_match,flexible-extract': sorted.map(() => 1) },
  });
  const { tasks, verdict } = await compared();
  expect(tasks[0]?.scores).toMatchObject([
    { filter: 'strict-match', n: 12, delta: 0, ties: 12 },
    { filter: 'flexible-extract', n: 12, wins: 4, losses: 0 },
  ]);
  expect(tasks[0]?.samples).toMatchObject([{ paired: 12, onlyBase: 0, onlyCandidate: 0, byNumber: 0, otherPrompt: 0 }]);
  expect(verdict).toBe('no regression');
});

test('documents that changed are paired by number only if the target is the same', async () => {
  const values = Array.from({ length: 20 }, (_, id) => id % 2);
  harness('base', { name: 'drop', values: { acc: values } });
  harness('candidate', { name: 'drop', values: { acc: values }, docs: (id) => ({ rewritten: id }) });
  const { tasks } = await compared();
  expect(tasks[0]?.samples).toMatchObject([{ paired: 20, byNumber: 20 }]);
  expect(tasks[0]?.notes.join()).toContain('20 samples of drop are paired by number');
});

test('scores between 0 and 1 are tested by sign flips, lists of them by their samples', async () => {
  const random = seeded(3);
  const base = Array.from({ length: 60 }, () => random());
  const lists = base.map((value) => [value > 0.3, value > 0.6]);
  harness('base', { name: 'ifeval', values: { f1: base, inst_level: lists } });
  harness('candidate', {
    name: 'ifeval',
    values: { f1: base.map((value) => value * 0.8), inst_level: lists.map(([one]) => [one, false]) },
  });
  const { tasks } = await compared({ flips: 1 });
  expect(tasks[0]?.scores).toMatchObject([
    {
      metric: 'f1',
      test: 'sign-flip',
      n: 60,
      change: 'worse',
      betterGuessed: true,
      flips: [{ target: expect.stringContaining('target'), baseAnswer: expect.stringContaining('answer of') }],
    },
    { metric: 'inst_level', test: 'sign-flip', n: 60, change: 'worse' },
  ]);
});

test('a score that is no mean of its samples is compared by its standard errors', async () => {
  const values = Array.from({ length: 50 }, (_, id) => -1 - (id % 7));
  const task = { name: 'wikitext', values: { word_perplexity: values }, reported: { word_perplexity: 12.5 } };
  harness('base', task);
  harness('candidate', { ...task, reported: { word_perplexity: 25 } });
  const score = only(await compared());
  expect(score).toMatchObject({
    method: 'unpaired',
    test: 'z',
    better: 'lower',
    change: 'worse',
    verdict: 'regression',
    delta: 12.5,
  });
  expect(score.notes[0]).toContain('not the mean of its samples');
});

test('a group of tasks is compared over all their samples, clustered, with the worst parts', async () => {
  const random = seeded(5);
  const subjects = Array.from({ length: 12 }, (_, id) => `mmlu_subject_${id}`);
  const values = subjects.map(() => Array.from({ length: 40 }, () => (random() < 0.7 ? 1 : 0)));
  const taskOf = (side: 'base' | 'candidate') =>
    subjects.map((name, subject): HarnessTask => ({
      name,
      group: 'mmlu',
      values: { acc: (values[subject] ?? []).map((value) => (side === 'candidate' && subject === 3 ? 0 : value)) },
    }));
  harness('base', ...taskOf('base'));
  harness('candidate', ...taskOf('candidate'));
  const { tasks } = await compared();
  const [overall, ...parts] = tasks[0]?.scores ?? [];
  expect(tasks).toHaveLength(1);
  expect(overall).toMatchObject({
    level: 'overall',
    path: ['mmlu'],
    method: 'paired',
    n: 480,
    test: 'clustered t',
    clusters: { by: 'parts of the task', count: 12 },
    worst: [{ name: 'mmlu/mmlu_subject_3', n: 40 }],
  });
  expect(parts).toHaveLength(12);
  expect(parts.map(({ verdict }) => verdict)).toEqual(parts.map(() => null));
  expect(parts.filter(({ change }) => change === 'worse').map((part) => part.path)).toEqual([
    ['mmlu', 'mmlu_subject_3'],
  ]);
});

test('--cluster takes a field of the samples', async () => {
  const values = Array.from({ length: 60 }, (_, id) => (id % 3 === 0 ? 0 : 1));
  const docs = (id: number): object => ({ question: id, passage: `passage ${id % 15}` });
  harness('base', { name: 'drop', docs, values: { acc: values } });
  harness('candidate', { name: 'drop', docs, values: { acc: values.map((value, id) => (id % 15 === 1 ? 0 : value)) } });
  expect(only(await compared({ cluster: 'doc.passage' }))).toMatchObject({
    test: 'clustered t',
    clusters: { by: 'doc.passage', count: 15 },
  });
  expect(only(await compared({ cluster: 'doc.topic' })).notes).toContain(
    'not clustered: not all samples have the field doc.topic',
  );
});

test('with --max-drop it must be shown that no score is worse by more', async () => {
  const { base, candidate } = planted(400, { right: 200, losses: 10, gains: 9 });
  harness('base', { name: 'piqa', values: { acc: base } });
  harness('candidate', { name: 'piqa', values: { acc: candidate } });
  expect((await compared()).verdict).toBe('no regression');
  expect((await compared({ maxDrop: 0.05 })).verdict).toBe('no regression');
  const strict = await compared({ maxDrop: 0.005 });
  expect(strict.verdict).toBe("can't tell");
  expect(strict.reasons[0]).toContain('may be worse by more than 0.005');
});

test('only the named metrics count; an unknown one is refused with the known ones', async () => {
  const values = Array.from({ length: 30 }, (_, id) => id % 2);
  harness('base', { name: 'piqa', values: { acc: values, acc_norm: values } });
  harness('candidate', { name: 'piqa', values: { acc: values.map(() => 0), acc_norm: values } });
  expect((await compared({ metrics: ['acc_norm'] })).verdict).toBe('no regression');
  await expect(compared({ metrics: ['f1'] })).rejects.toThrow('No score is called f1. There are: acc, acc_norm.');
});

test("an evalsaga run, one task of it, and lm-eval's own folder compare with each other", async () => {
  const { base, candidate } = planted(100, { right: 60, losses: 20, gains: 0 });
  const tasks = [
    { name: 'hellaswag', values: { acc: base } },
    { name: 'piqa', values: { acc: base } },
  ];
  writeRun(at('base'), { tasks });
  writeRun(at('candidate'), { tasks: tasks.map((task) => ({ ...task, values: { acc: candidate } })) });
  const whole = await compared();
  expect(whole.tasks.map(({ name, verdict }) => `${name} ${verdict}`)).toEqual([
    'hellaswag regression',
    'piqa regression',
  ]);
  expect(whole.pooled).toMatchObject({ n: 200, losses: 40, wins: 0, test: 'mcnemar', change: 'worse' });
  expect(whole.base).toMatchObject({
    kind: 'evalsaga',
    invocation: '3f2a9c0b1d2e4f56',
    usage: { seconds: 53, cost: { amount: 3.42, currency: 'USD' } },
  });
  expect(whole.tasks[0]?.usage.base).toMatchObject({
    endpointSeconds: 53,
    requests: 40,
    promptTokens: 1420,
    meanLatencyMs: 260,
  });
  const one = await compareRuns({
    base: { folder: at('base'), index: 1 },
    candidate: { folder: at('candidate', '1-piqa') },
  });
  expect(one.tasks.map(({ name }) => name)).toEqual(['piqa']);
  writeHarnessRun(at('own'), { tasks });
  const mixed = await compareRuns({ base: { folder: at('own') }, candidate: { folder: at('candidate') } });
  expect(mixed.base.kind).toBe('lm-eval');
  expect(mixed.verdict).toBe('regression');
});

test('nel: repeats are averaged, categories are clusters, another target is another problem', async () => {
  const random = seeded(9);
  const rewards = Array.from({ length: 60 }, () => [0, 1, 2].map(() => (random() < 0.6 ? 1 : 0)));
  const categories = rewards.map((_, problem) => `c${problem % 12}`);
  writeNelRun(at('base'), [{ name: 'gpqa', rewards, categories }]);
  writeNelRun(at('candidate'), [
    { name: 'gpqa', rewards: rewards.map((one) => one.map((value, repeat) => (repeat === 0 ? 0 : value))), categories },
  ]);
  expect(only(await compared())).toMatchObject({
    metric: 'mean_reward',
    n: 60,
    test: 'clustered t',
    clusters: { by: 'category', count: 12 },
    change: 'worse',
  });
});
