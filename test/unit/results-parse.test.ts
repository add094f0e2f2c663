import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { readNotes } from '../../src/results/notes';
import { MalformedResults, metricsWithErrors, parseResults } from '../../src/results/parse';
import { readSampleCounts } from '../../src/results/samples';
import { holds } from '../support/fuzz';

const real = `
git_hash: ''
command: lm-eval --tasks hellaswag
config:
  params: {limit_samples: 10}
results:
  groups:
    mmlu:
      groups:
        stem:
          metrics:
            acc: {scores: {acc: {value: 0.25, stats: {count: 100}}}}
      metrics:
        acc: {scores: {micro: {value: 0.5, stats: {}}}}
  tasks:
    hellaswag:
      metrics:
        acc:
          scores:
            acc:
              stats: {count: 10, stddev: 0.51639, stderr: 0.163299, variance: null}
              value: 0.4
        acc_norm:
          scores:
            acc_norm: {stats: {stderr: .nan}, value: 1e-05}
`;

test('flattens by the harness rules, with groups, sample counts and statistics', () => {
  const { metrics, tasks } = parseResults(real);
  expect(metrics).toEqual({ mmlu_acc_micro: 0.5, stem_acc: 0.25, hellaswag_acc: 0.4, hellaswag_acc_norm: 0.00001 });
  expect(tasks.map(({ name, kind, samples }) => [name, kind, samples])).toEqual([
    ['mmlu', 'group', undefined],
    ['stem', 'group', 100],
    ['hellaswag', 'task', 10],
  ]);
  expect(tasks[2]?.scores[0]?.stats).toEqual({ count: 10, stddev: 0.51639, stderr: 0.163299 });
});

test('what is not a number is said, in valid JSON, and is not 0', () => {
  const text = (value: string) => `results: {tasks: {t: {metrics: {m: {scores: {m: {value: ${value}}}}}}}}`;
  const read = (value: string) => parseResults(text(value)).metrics['t_m'];
  expect(['.nan', 'NaN', 'nan', 'null'].map(read)).toEqual(Array(4).fill('NaN'));
  expect(['.inf', 'inf', 'Infinity', '+.inf'].map(read)).toEqual(Array(4).fill('Infinity'));
  expect(['-.inf', '-inf', '-Infinity'].map(read)).toEqual(Array(3).fill('-Infinity'));
  expect(['1e-07', '0', '-3.5', '"2.5"'].map(read)).toEqual([1e-7, 0, -3.5, 2.5]);
  expect(JSON.parse(JSON.stringify(parseResults(text('.nan')).metrics))).toEqual({ t_m: 'NaN' });
});

test.each([
  ['nothing', '', 'it is empty'],
  ['half a file', 'results:\n  tasks: {a: {metrics: {m', 'not YAML'],
  ['a list', '- 1', 'the file is a list'],
  ['no results', 'command: x', 'no section "results"'],
  ['null results', 'results:', 'no section "results"'],
  ['no scores', 'results: {tasks: {a: {metrics: {}}}}', 'no score'],
  ['a text for a task', 'results: {tasks: {a: failed}}', 'results.tasks.a is "failed", not a mapping'],
  ['no scores mapping', 'results: {tasks: {a: {metrics: {m: 0.5}}}}', 'results.tasks.a.metrics.m is 0.5'],
  ['no value', 'results: {tasks: {a: {metrics: {m: {scores: {s: {}}}}}}}', 'm.scores.s.value is missing'],
  [
    'a text value',
    'results: {tasks: {a: {metrics: {m: {scores: {s: {value: high}}}}}}}',
    'value is "high", not a number',
  ],
  [
    'a clash',
    'results: {tasks: {a: {metrics: {b_c: {scores: {b_c: {value: 1}}}, b: {scores: {c: {value: 2}}}}}}}',
    'two scores are called a_b_c, with the values 1 and 2',
  ],
])('%s is malformed, and says where', (_, text, expected) => {
  expect(() => parseResults(text)).toThrow(MalformedResults);
  expect(() => parseResults(text)).toThrow(expected);
});

test('the same score twice is one', () => {
  const scores = { metrics: { acc: { scores: { acc: { value: 0.5 } } } } };
  expect(parseResults(stringify({ results: { groups: { mmlu: scores }, tasks: { mmlu: scores } } })).metrics).toEqual({
    mmlu_acc: 0.5,
  });
});

test('chained aliases do not blow up', () => {
  const layers = Array.from(
    { length: 20 },
    (_, at) => `a${at}: &a${at} [${at === 0 ? '1' : `*a${at - 1}, *a${at - 1}`}]`,
  );
  expect(() => parseResults(`${layers.join('\n')}\nresults: {}`)).toThrow(MalformedResults);
});

test('any text is read or refused in words', () => {
  holds(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json().map((json) => `results: ${json}`),
      ),
      (text) => {
        try {
          expect(Object.keys(parseResults(text).metrics).length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedResults);
        }
      },
    ),
  );
});

test('notes: of our form, of none, and absent', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'evalsaga-notes-'));
  try {
    expect(await readNotes(folder)).toEqual([]);
    const write = (text: string) => writeFile(path.join(folder, 'evalsaga_notes.json'), text);
    await write('{"notes": ["few-shot from evaluation rows"]}');
    expect(await readNotes(folder)).toEqual(['few-shot from evaluation rows']);
    await write('{"notes": 7}');
    expect(await readNotes(folder)).toEqual([expect.stringContaining('passed over')]);
    await write('{');
    expect(await readNotes(folder)).toEqual([expect.stringContaining('passed over')]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('sample counts from the harness own summary: newest first, damaged ones passed over', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'evalsaga-samples-'));
  try {
    expect(await readSampleCounts(path.join(folder, 'none'))).toEqual({});
    await mkdir(path.join(folder, 'smol'));
    const write = (name: string, text: string) => writeFile(path.join(folder, 'smol', name), text);
    await write('results_2025-01-01T00-00-00.json', '{"n-samples": {"arc": {"original": 2344, "effective": 5}}}');
    await write(
      'results_2025-01-02T00-00-00.json',
      '{"results": {"arc": {"acc_stderr,none": NaN}}, "n-samples": {"arc": {"original": 2344, "effective": 10}}}',
    );
    await write('results_2025-01-03T00-00-00.json', '{"n-samples": {"arc"');
    await write('samples_arc.jsonl', '{}');
    expect(await readSampleCounts(folder)).toEqual({ arc: { original: 2344, effective: 10 } });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('standard errors follow their metric', () => {
  const text =
    'results:\n  tasks:\n    hellaswag:\n      metrics:\n        acc: { scores: { acc: { value: 0.3, stats: { stderr: 0.15 } } } }\n        f1: { scores: { micro: { value: 0.5 } } }\n';
  expect(Object.entries(metricsWithErrors(parseResults(text)))).toEqual([
    ['hellaswag_acc', 0.3],
    ['hellaswag_acc_stderr', 0.15],
    ['hellaswag_f1_micro', 0.5],
  ]);
});
