import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { readNotes } from '../../../src/results/scores/notes';
import { MalformedResults, parseResults } from '../../../src/results/scores/parse';
import { flatMetrics } from '../../../src/contract/metric';
import { parseOffThread } from '../../../src/results/scores/parse-off-thread';
import { readHarnessResults } from '../../../src/results/validity/harness-results';
import { holds } from '../../support/fuzz';

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

const valuesOf = (text: string) =>
  Object.fromEntries(parseResults(text).metrics.map(({ name, value }) => [name, value]));

test("reads names by the launcher's rules, groups, sample counts and standard errors", () => {
  const { metrics, notes } = parseResults(real);
  expect(metrics.map(({ name, value, stderr, count, kind }) => [name, value, stderr, count, kind])).toEqual([
    ['mmlu_acc_micro', 0.5, null, null, 'group'],
    ['mmlu_stem_acc', 0.25, null, 100, 'group'],
    ['hellaswag_acc', 0.4, 0.163299, 10, 'task'],
    ['hellaswag_acc_norm', 0.00001, 'NaN', null, 'task'],
  ]);
  expect(metrics[1]?.path).toEqual(['mmlu', 'stem']);
  expect(notes).toEqual([]);
});

test('groups with the same name are distinguished by the groups around them', () => {
  const score = (value: number) => ({ metrics: { acc: { scores: { acc: { value, stats: { stderr: 0.02 } } } } } });
  const nested = stringify({
    results: { groups: { en: { groups: { math: score(0.4) } }, de: { groups: { math: score(0.8) } } } },
  });
  expect(flatMetrics(parseResults(nested).metrics)).toEqual({
    en_math_acc: 0.4,
    en_math_acc_stderr: 0.02,
    de_math_acc: 0.8,
    de_math_acc_stderr: 0.02,
  });
});

test('readable scores count, and a note names the others', () => {
  const { metrics, notes } = parseResults(`
results:
  groups:
    mmlu: {metrics: {acc: {scores: {acc: {value: 0.51, stats: {stderr: N/A}}}}}}
    bbh: {metrics: {}}
  tasks:
    mmlu: {metrics: {acc: {scores: {acc: {value: 0.50}}}}}
    parse: {metrics: {rate: {scores: {rate: {value: "n/a"}}}}}
    flag: {metrics: {ok: {scores: {ok: {value: true}}}}}
    only_stats: {metrics: {m: {scores: {m: {stats: {count: 10}}}}}}
    judge: {metrics: {score: {scores: {score: {value: .nan}}}}}
    bare: {metrics: {f1: 0.5, em: {scores: {strict: 0.25}}}}
    said: failed
`);
  expect(flatMetrics(metrics)).toEqual({
    'groups.mmlu.acc': 0.51,
    'tasks.mmlu.acc': 0.5,
    judge_score: 'NaN',
    bare_f1: 0.5,
    bare_em_strict: 0.25,
  });
  expect(notes).toEqual([
    'Not computed: judge_score (NaN).',
    'Not read as scores: parse.rate ("n/a"), flag.ok (true), only_stats.m (missing), said ("failed").',
    'Without a score of its own: group bbh.',
    '2 scores would be called mmlu_acc: they are shown as groups.mmlu.acc (0.51) and tasks.mmlu.acc (0.5).',
  ]);
});

test('a clash of names within a task keeps all its scores', () => {
  const text = `results:
  tasks:
    a: {metrics: {b_c: {scores: {b_c: {value: 1}}}, b: {scores: {c: {value: 2}}, d: {}}}}
    a_b: {metrics: {c: {scores: {c: {value: 3}}}}}
    a.b: {metrics: {c: {scores: {c: {value: 4}}}}}
`;
  expect(valuesOf(text)).toEqual({ 'tasks.a.b_c': 1, 'tasks.a.b.c': 2, 'tasks.a_b.c': 3, 'a.b_c': 4 });
});

test('anchors, merge keys and duplicate keys are read as PyYAML reads them', () => {
  const tasks = Array.from({ length: 300 }, (_, at) => `    t${at}: {metrics: {acc: {scores: {acc: *score}}}}`);
  const text = `
base: &base {stats: &stats {stderr: 0.02, count: 40}, value: 0.1}
results:
  tasks:
    first: {metrics: {acc: {scores: {acc: &score {<<: *base, value: 0.4}}}}}
    twice: {metrics: {acc: {scores: {acc: {value: 0.1}, acc: {value: 0.2, stats: *stats}}}}}
${tasks.join('\n')}
`;
  const { metrics } = parseResults(text);
  expect(metrics).toHaveLength(302);
  expect(metrics.filter(({ name }) => name === 'first_acc' || name === 't299_acc')).toEqual([
    expect.objectContaining({ name: 'first_acc', value: 0.4, stderr: 0.02, count: 40 }),
    expect.objectContaining({ name: 't299_acc', value: 0.4, stderr: 0.02, count: 40 }),
  ]);
  expect(valuesOf(text)['twice_acc']).toBe(0.2);
});

test('aliases that expand to millions of groups, or to themselves, are refused', () => {
  const layers = Array.from({ length: 30 }, (_, at) =>
    at === 0
      ? 'g0: &g0 {metrics: {acc: {scores: {acc: {value: 1}}}}}'
      : `g${at}: &g${at} {groups: {x: *g${at - 1}, y: *g${at - 1}}}`,
  );
  expect(() => parseResults(`${layers.join('\n')}\nresults: {groups: {a: *g29}}`)).toThrow('more than 3000000');
  const circle = 'results: {tasks: {t: {metrics: {acc: 0.5}}}, groups: &a {x: {groups: *a}}}';
  expect(parseResults(circle).notes[0]).toMatch(/nested more than 50 deep/);
});

test('a long file is parsed without blocking the main thread', async () => {
  const task = (at: number) => `    t${at}: {metrics: {acc: {scores: {acc: {value: 0.5, stats: {stderr: 0.01}}}}}}`;
  const text = `results:\n  tasks:\n${Array.from({ length: 20_000 }, (_, at) => task(at)).join('\n')}\n`;
  let longest = 0;
  let last = Date.now();
  const pulse = setInterval(() => {
    longest = Math.max(longest, Date.now() - last);
    last = Date.now();
  }, 10);
  const { metrics } = await parseOffThread(text);
  clearInterval(pulse);
  expect(metrics).toHaveLength(20_000);
  const before = Date.now();
  parseResults(text);
  expect(longest).toBeLessThan(Math.max(300, (Date.now() - before) / 2));
  await expect(parseOffThread(`${text}: [`)).rejects.toThrow(MalformedResults);
});

test('not-a-number is noted, valid in JSON, and not 0', () => {
  const text = (value: string) => `results: {tasks: {t: {metrics: {m: {scores: {m: {value: ${value}}}}}}}}`;
  const read = (value: string) => valuesOf(text(value))['t_m'];
  expect(['.nan', 'NaN', 'nan', 'null'].map(read)).toEqual(Array(4).fill('NaN'));
  expect(['.inf', 'inf', 'Infinity', '+.inf'].map(read)).toEqual(Array(4).fill('Infinity'));
  expect(['-.inf', '-inf', '-Infinity'].map(read)).toEqual(Array(3).fill('-Infinity'));
  expect(['1e-07', '0', '-3.5', '"2.5"'].map(read)).toEqual([1e-7, 0, -3.5, 2.5]);
  expect(JSON.parse(JSON.stringify(flatMetrics(parseResults(text('.nan')).metrics)))).toEqual({ t_m: 'NaN' });
});

test.each([
  ['nothing', '', 'it is empty'],
  ['half a file', 'results:\n  tasks: {a: {metrics: {m', 'not YAML'],
  ['a list', '- 1', 'the file is a list'],
  ['no results', 'command: x', 'no section "results"'],
  ['null results', 'results:', 'no section "results"'],
  ['no scores', 'results: {tasks: {a: {metrics: {}}}}', 'no score'],
  ['a text for a task', 'results: {tasks: {a: failed}}', 'holds no score; not read as scores: a ("failed")'],
  ['no value', 'results: {tasks: {a: {metrics: {m: {scores: {s: {}}}}}}}', 'a.m.s (missing)'],
  ['a list of tasks', 'results: {tasks: [1]}', 'tasks (a list)'],
])('%s is malformed, and says where', (_, text, expected) => {
  expect(() => parseResults(text)).toThrow(MalformedResults);
  expect(() => parseResults(text)).toThrow(expected);
});

test('the same score twice counts once', () => {
  const scores = { metrics: { acc: { scores: { acc: { value: 0.5 } } } } };
  expect(valuesOf(stringify({ results: { groups: { mmlu: scores }, tasks: { mmlu: scores } } }))).toEqual({
    mmlu_acc: 0.5,
  });
});

test('chained aliases take no exponential time', () => {
  const layers = Array.from(
    { length: 20 },
    (_, at) => `a${at}: &a${at} [${at === 0 ? '1' : `*a${at - 1}, *a${at - 1}`}]`,
  );
  expect(() => parseResults(`${layers.join('\n')}\nresults: {}`)).toThrow(MalformedResults);
});

test('any text is read, or refused with a reason', () => {
  holds(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json().map((json) => `results: ${json}`),
      ),
      (text) => {
        try {
          expect(parseResults(text).metrics.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedResults);
        }
      },
    ),
  );
});

test('reads notes of our form; ignores others; a missing file has none', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'evalsaga-notes-'));
  try {
    expect(await readNotes(folder)).toEqual([]);
    const write = (text: string) => writeFile(path.join(folder, 'evalsaga_notes.json'), text);
    await write('{"notes": ["few-shot from evaluation rows"]}');
    expect(await readNotes(folder)).toEqual(['few-shot from evaluation rows']);
    await write('{"notes": 7}');
    expect(await readNotes(folder)).toEqual([expect.stringContaining('ignored')]);
    await write('{');
    expect(await readNotes(folder)).toEqual([expect.stringContaining('ignored')]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("reads sample counts from the harness' summaries: the newest wins, damaged ones are ignored", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'evalsaga-samples-'));
  try {
    expect(await readHarnessResults(path.join(folder, 'none'))).toBeUndefined();
    await mkdir(path.join(folder, 'smol'));
    const write = (name: string, text: string) => writeFile(path.join(folder, 'smol', name), text);
    await write('results_2025-01-01T00-00-00.json', '{"n-samples": {"arc": {"original": 2344, "effective": 5}}}');
    await write(
      'results_2025-01-02T00-00-00.json',
      '{"results": {"arc": {"acc_stderr,none": NaN}}, "n-samples": {"arc": {"original": 2344, "effective": 10}}}',
    );
    await write('results_2025-01-03T00-00-00.json', '{"n-samples": {"arc"');
    await write('samples_arc.jsonl', '{}');
    expect((await readHarnessResults(folder))?.tasks).toMatchObject([
      { name: 'arc', samples: { original: 2344, effective: 10 }, outputType: null },
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('standard errors follow their metric', () => {
  const text =
    'results:\n  tasks:\n    hellaswag:\n      metrics:\n        acc: { scores: { acc: { value: 0.3, stats: { stderr: 0.15 } } } }\n        f1: { scores: { micro: { value: 0.5 } } }\n';
  expect(Object.entries(flatMetrics(parseResults(text).metrics))).toEqual([
    ['hellaswag_acc', 0.3],
    ['hellaswag_acc_stderr', 0.15],
    ['hellaswag_f1_micro', 0.5],
  ]);
});
