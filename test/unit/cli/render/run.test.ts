import { runDetails } from '../../../../src/contract/details';
import { closingLines, resultNotes } from '../../../../src/cli/render/closing';
import { runsTable, stackTable } from '../../../../src/cli/render/overview';
import { runDocument } from '../../../../src/cli/render/run-document';
import { statusText } from '../../../../src/cli/render/run-status';
import { runTable } from '../../../../src/cli/render/run-table';
import { valueText, type Metric } from '../../../../src/contract/metric';
import { scoresTable } from '../../../../src/cli/render/scores';
import { invocation, runOf, snapshotOf, taskOf } from '../../../support/snapshots';

const now = Date.parse('2026-01-02T03:05:05.000Z');
const lines = (text: string): string[] => text.split('\n');

describe('table of a run', () => {
  const tasks = Array.from({ length: 30 }, (_, index) =>
    taskOf({
      index,
      name: `task-${index}`,
      phase: index < 27 ? 'done' : 'running job',
      outcome: index < 27 ? 'succeeded' : null,
    }),
  );

  test.each([60, 80, 120, 200])('fits in %i columns', (width) => {
    const message = 'a very long message '.repeat(20);
    const table = runTable({ snapshot: snapshotOf([taskOf({ message, phase: 'awaiting ready' })]), now, width });
    expect(Math.max(...lines(table).map((line) => line.length))).toBeLessThanOrEqual(width);
  });

  const waiting = [0, 1].map((index) =>
    taskOf({
      index,
      name: 'lm-evaluation-harness.arc_challenge',
      endpoint: 'vllm-arc-challenge-1-53cb6d0f',
      phase: 'running job',
      message: 'Queueing: tokenizer: reading it from gemma-3-270m.gguf',
    }),
  );

  test('in 80 columns task and message are readable; tasks with the same message share a line', () => {
    const table = runTable({ snapshot: snapshotOf(waiting), now, width: 79 });
    expect(table).toContain('lm-evaluation-harness.arc_challenge');
    expect(table).toContain('\n  0, 1: Queueing: tokenizer: reading it from gemma-3-270m.gguf');
    expect(table).not.toContain('vllm-arc');
    expect(lines(table).filter((line) => line.includes('Queueing'))).toHaveLength(1);
  });

  test('nothing is cut in a pipe', () => {
    const message = 'a very long message '.repeat(20).trim();
    const snapshot = snapshotOf([{ ...(waiting[0] ?? taskOf()), name: 'n'.repeat(300), message }]);
    const table = runTable({ snapshot, now, width: Infinity });
    for (const whole of ['n'.repeat(300), message, 'vllm-arc-challenge-1-53cb6d0f']) expect(table).toContain(whole);
    expect(table).not.toContain('…');
  });

  test('shows running tasks if not all fit, and says how many it hides', () => {
    const table = runTable({ snapshot: snapshotOf(tasks), now, width: 100, maxRows: 5 });
    expect(table).toContain('task-29');
    expect(table).toContain('and 25 more tasks');
  });

  test('shows the time elapsed so far while a task runs', () => {
    const snapshot = snapshotOf([taskOf({ phase: 'running job', startedAt: '2026-01-02T03:04:05.000Z' })]);
    expect(runTable({ snapshot, now, width: 120 })).toContain('1 min 0 s');
  });
});

describe('scores', () => {
  test('shows a standard error beside its metric, and one without a metric in a row of its own', () => {
    const table = scoresTable({ tasks: [taskOf({ metrics: { acc: 0.25, acc_stderr: 0.01, lone_stderr: 0.5 } })] });
    expect(table).toMatch(/│ acc +│ 0\.2500 │ +0\.0100 │/);
    expect(table).toMatch(/│ lone_stderr +│ 0\.5000 │ +│/);
    expect(table).not.toContain('acc_stderr');
  });

  test.each([
    [0.00001, '0.00001'],
    [-0.00004, '-0.00004'],
    [0.0012345678, '0.001235'],
    [1e-9, '1e-9'],
    [-0, '0'],
    [0.5, '0.5000'],
    [12.345678, '12.3457'],
    [42, '42'],
    [123456.789, '123456.8'],
    [1e21, '1e+21'],
    ['Infinity', 'Infinity'],
  ] as const)('%p is shown as %s', (value, text) => {
    expect(valueText(value)).toBe(text);
  });

  const similar = {
    gsm8k_cot_zeroshot_exact_match__flexible_extract: 0.25,
    gsm8k_cot_zeroshot_exact_match__strict_match: 0.5,
  };

  test('no name is cut in a pipe', () => {
    const table = scoresTable({ tasks: [taskOf({ name: 'gsm8k_cot_zeroshot', metrics: similar })] });
    for (const name of Object.keys(similar)) expect(table).toContain(name);
  });

  test.each([79, 119])('in %i columns two metrics never look the same, and no line is too long', (width) => {
    const tasks = [taskOf({ name: 'lm-evaluation-harness.gsm8k_cot_zeroshot', metrics: similar })];
    const table = scoresTable({ tasks }, width);
    const rows = lines(table).filter((line) => /0\.\d{4}/.test(line));
    expect(new Set(rows.map((row) => row.split('│')[3])).size).toBe(2);
    expect(table).toMatch(/flexible/);
    expect(table).toMatch(/strict/);
    expect(Math.max(...lines(table).map((line) => line.length))).toBeLessThanOrEqual(width);
  });

  test('the number of samples is shown beside a score', () => {
    const tasks = [0, 1, 2].map((index) => taskOf({ index, metrics: { acc: 0.3 } }));
    const samplings = [
      { index: 0, limit: 10, evaluated: 10, of: 10_042 },
      { index: 1, limit: null, evaluated: 500, of: 500 },
      { index: 2, limit: 10, evaluated: null, of: null },
    ];
    const table = scoresTable({ tasks, samplings }, 79);
    for (const count of [/10 of 10042 │/, / 500 │/, /limit 10 │/]) expect(table).toMatch(count);
    expect(Math.max(...lines(table).map((line) => line.length))).toBeLessThanOrEqual(79);
    expect(scoresTable({ tasks })).not.toMatch(/│ +n │/);
    const metricDetails = [{ path: [], metric: 'acc', count: 77 }];
    const [, ...others] = tasks;
    const counted = scoresTable({ tasks: [taskOf({ metrics: { acc: 0.3 }, metricDetails }), ...others] });
    expect(counted).toMatch(/│ +n │/);
    expect(counted).toMatch(/│ 77 │/);
  });

  test('names that would be identical when cut are shown whole', () => {
    const long = (middle: string): string => `${'a'.repeat(40)}${middle}${'b'.repeat(40)}`;
    const tasks = [taskOf({ metrics: { [long('1')]: 0.1, [long('2')]: 0.2 } })];
    expect(scoresTable({ tasks }, 79)).toContain(long('1'));
  });

  test('a value that is not a number is shown as NaN', () => {
    expect(scoresTable({ tasks: [taskOf({ metrics: { acc: 'NaN' } })] })).toContain('NaN');
  });

  test('there is no table without scores', () => {
    expect(scoresTable({ tasks: [taskOf()] })).toBe('');
  });
});

describe('JSON document', () => {
  const task = taskOf({
    phase: 'done',
    outcome: 'succeeded',
    job: 'j',
    metrics: { acc: Number.NaN, n: 10 },
    outputDir: '/r/0',
    message: '0-shot',
  });

  const detailOf = (name: string): Omit<Metric, 'value'> => ({
    ...{ name, metric: name, score: name },
    ...{ stderr: null, count: null, kind: 'task', path: [] },
  });
  const resultsInfo = { outputDir: '/r', samplings: [{ index: 0, limit: 10, evaluated: 10, of: 10_042 }] };

  test('has the documented keys and is valid JSON, whatever the numbers', () => {
    const document = JSON.parse(
      JSON.stringify(runDocument(runOf('succeeded', [task], { resultsInfo }), 'http://ui', Date.now())),
    );
    expect(Object.keys(document)).toEqual([
      ...['invocation', 'status', 'phase', 'cancelRequested', 'platform', 'model', 'name', 'tags'],
      ...['webUi', 'startedAt', 'endedAt'],
      ...['outputDir', 'tasks', 'error', 'usefulShare', 'findings', 'teardown'],
    ]);
    expect(document.tasks[0]).toEqual({
      index: 0,
      name: 'hellaswag',
      status: 'succeeded',
      phase: 'done',
      message: null,
      notes: ['0-shot'],
      startedAt: null,
      endedAt: null,
      endpoint: 'es-01234567-0',
      endpointUrl: null,
      job: 'j',
      progress: null,
      samples: { limit: 10, evaluated: 10, of: 10042, asked: null, repeats: null },
      requests: null,
      latencyMs: null,
      tokens: null,
      costs: { endpointSeconds: null, jobSeconds: null, requestSeconds: null, usefulShare: null, cost: null },
      versions: {},
      metrics: { acc: 'NaN', n: 10 },
      scores: [
        { ...detailOf('acc'), value: 'NaN' },
        { ...detailOf('n'), value: 10 },
      ],
      metricsTotal: 2,
      outputDir: '/r/0',
      error: null,
    });
    expect(document.teardown).toEqual({ left: [], kept: [] });
  });

  test('a failure of the run is shown at tasks that have no error of their own', () => {
    const failure = { type: 'RunTimeout', message: 'too long' };
    const { tasks } = runDocument(
      runOf('failed', [task, taskOf({ index: 1, phase: 'done', outcome: 'cancelled' })], { failure }),
      null,
      Date.now(),
    );
    expect(tasks.map(({ error }) => error)).toEqual([null, failure]);
  });

  test('the tasks of a running run are pending or running', () => {
    const { tasks } = runDocument(runOf('running', [taskOf(), taskOf({ index: 1, phase: 'ready' })]), null, Date.now());
    expect(tasks.map(({ status }) => status)).toEqual(['pending', 'running']);
    expect(tasks.map(({ phase }) => phase)).toEqual(['pending', 'ready']);
  });
});

describe('closing lines', () => {
  const failed = taskOf({
    phase: 'done',
    outcome: 'failed',
    job: 'j',
    error: { type: 'JobFailed', message: 'CUDA out of memory' },
    endedAt: '2026-01-02T03:05:00.000Z',
  });
  const closing = { outputDir: '/results', program: 'evalsaga', now };

  test('name the reason and the command that shows more', () => {
    const text = closingLines({ run: runOf('failed', [failed]), verdict: 'failed', ...closing });
    expect(text[0]).toBe(`run ${invocation}: failed (1 failed; 55 s)`);
    expect(text).toContain('  0 hellaswag: failed (CUDA out of memory)');
    expect(text).toContain(`  evalsaga logs ${invocation}.0`);
  });

  test('give the reason once if several tasks failed for it', () => {
    const alike = [0, 1, 2, 3].map((index) => ({ ...failed, index, name: `task-${index}` }));
    const other = { ...failed, index: 4, name: 'other', error: { type: 'JobFailed', message: 'disk full' } };
    const text = closingLines({ run: runOf('failed', [...alike, other]), verdict: 'failed', ...closing });
    expect(text).toContain('  tasks 0, 1, 2, 3: failed (CUDA out of memory)');
    expect(text).toContain('  4 other: failed (disk full)');
    expect(text.join('\n').match(/CUDA/g)).toHaveLength(1);
  });

  test('name left resources, the command that removes them, and kept storage', () => {
    const left = [{ kind: 'endpoint', name: 'es-1', reason: '403' }] as const;
    const kept = [
      { path: '/mnt/x', reason: 'too large', command: 'evalsaga fetch' },
      { path: '/mnt/y', reason: 'CUDA out of memory', command: 'evalsaga fetch' },
    ];
    const text = closingLines({
      run: runOf('failed', [{ ...failed, left, kept }]),
      verdict: 'teardown incomplete',
      ...closing,
    });
    expect(text).toContain('  still exists: endpoint es-1: 403');
    expect(text).toContain('  storage kept: /mnt/x: too large: evalsaga fetch');
    // The same reason is already given for the task's failure.
    expect(text).toContain('  storage kept: /mnt/y: evalsaga fetch');
    expect(text).toContain(`  evalsaga cleanup ${invocation}`);
  });
});

test('a note on the scores is printed once for all tasks that it applies to', () => {
  const done = (index: number, message: string | null) =>
    taskOf({ index, phase: 'done', outcome: 'succeeded', message });
  expect(resultNotes({ tasks: [done(0, '0-shot'), done(1, null), done(2, '0-shot'), done(3, 'other')] })).toEqual([
    'note on tasks 0, 2: 0-shot',
    'note on task 3: other',
  ]);
});

test('status shows a cancel in progress and every error', () => {
  const task = taskOf({ phase: 'tearing down', outcome: 'failed', error: { type: 'X', message: 'platform said no' } });
  const text = statusText({ run: runOf('running', [task], { cancelRequested: true }), now, width: 120 });
  expect(lines(text)[0]).toBe(
    `run ${invocation}: deploying (cancel requested); org/model on the local platform; started 1 min 0 s ago`,
  );
  expect(text).toContain('0 hellaswag: failed (platform said no)');
});

test('a run on a simulated platform never looks like one on Lepton', () => {
  const scored = taskOf({ phase: 'done', outcome: 'succeeded', metrics: { acc: 0.3 } });
  const real = runOf('succeeded', [scored]);
  const run = { ...real, snapshot: { ...real.snapshot, platform: 'lepton', simulated: true } } as const;
  const said = {
    status: statusText({ run, now, width: 120 }),
    closing: closingLines({ run, verdict: 'succeeded', outputDir: null, program: 'evalsaga', now }).join('\n'),
    webUi: runDetails(run.snapshot, now),
  };
  expect(said.status).toContain('on a simulated platform, which makes its scores up');
  for (const text of [said.status, said.closing]) expect(text).toContain('these scores are made up');
  expect(said.webUi).toContain('on a simulated platform, which makes its scores up');
  expect(runDocument(run, null, Date.now())).toMatchObject({ simulated: true });
  expect(runDocument(real, null, Date.now())).not.toHaveProperty('simulated');
});

test('the table of the Web UI begins with the most important columns', () => {
  const task = taskOf({ phase: 'done', outcome: 'failed', error: { type: 'X', message: 'out of memory' } });
  const [head, , row] = runDetails(snapshotOf([task]), now)
    .split('\n')
    .slice(2)
    .map((line) => line.split('|').map((text) => text.replace('&#160;', '').trim()));
  expect(head?.slice(1, 5)).toEqual(['#', 'Task', 'Phase', 'Last message']);
  expect(row?.slice(1, 5)).toEqual(['0', 'hellaswag', 'failed', 'out of memory']);
});

test('overview of processes and runs', () => {
  const service = { name: 'worker', state: 'died', pid: null, since: null, ports: {}, log: '/l' } as const;
  expect(stackTable([service], now)).toContain('died');
  const run = {
    invocation,
    status: 'completed',
    taskQueue: 'evalsaga',
    outcome: 'failed',
    model: 'm',
    owner: 'ann',
    name: null,
    tags: [],
    startedAt: new Date(now - 60_000),
    closedAt: new Date(now),
  } as const;
  expect(runsTable([run], now)).toMatch(/failed .*1 min 0 s/);
  const labelled = runsTable([run, { ...run, name: 'nightly', tags: ['team=search'] }], now);
  expect(labelled).toMatch(/Run.*Name.*Status.*Model.*Tags.*Started/);
  expect(labelled).toMatch(/nightly.*failed.*team=search/);
  expect(labelled).not.toContain('Owner');
  expect(runsTable([run, { ...run, owner: 'bob' }], now)).toMatch(/Run.*Owner.*Status[^]*ann.*failed[^]*bob.*failed/);
});
