import { withoutEndpoint, runOf } from '../../../src/contract/endpoint-plans';
import type { RunHeader } from '../../../src/contract/inputs/run';
import { metricPayload, type Metric } from '../../../src/contract/metric';
import type { RunPlan } from '../../../src/contract/plan';
import { tasksPerBatch } from '../../../src/contract/identity';
import { runArguments } from '../../../src/contract/run-arguments';
import { joinedSnapshot, tasksIn, type SentSnapshot } from '../../../src/contract/sent-snapshot';
import { startingRun, type RunSnapshot, type TaskSnapshot } from '../../../src/contract/state';
import { besideBatches, type BatchResult } from '../../../src/workflows/batched-result';
import { fitTasks, jsonBytes } from '../../../src/workflows/fitting';
import { runPlan } from '../../support/plans';
import { invocation, plan, runnable } from '../config/configs';

/** What any payload of a run may have, in bytes. */
const most = 65_536;
const count = 300;

const benchmarks = ['hellaswag', 'arc_challenge', 'winogrande'];
const configOf = (tasks: number): string =>
  `${runnable()}${Array.from({ length: tasks - 1 }, (_, at) => `    - name: ${benchmarks[at % 3] ?? ''}\n`).join('')}`;

/** As it is once all tasks have succeeded. */
function ended(run: RunSnapshot): RunSnapshot {
  const end = (task: TaskSnapshot, at: number): TaskSnapshot => {
    const time = new Date(1_790_000_000_000 + at * 137).toISOString();
    const place = { kind: 'task', path: [task.name], metric: 'acc', score: 'acc' } as const;
    const metrics: Metric[] = [0, 1].map((n) => ({
      ...{ name: `${task.name}_acc_${n}`, value: 1 / (at + 2 + n), stderr: 0.01 / (at + 1), count: 100, ...place },
    }));
    return {
      ...task,
      phase: 'done',
      outcome: 'succeeded',
      endpointUrl: `https://endpoint-${at}.example.com/v1/completions`,
      job: `job-${at}`,
      startedAt: time,
      endedAt: time,
      ...metricPayload(metrics),
      metricsTotal: 2,
      resultsDigest: String(at).padStart(64, '0'),
      outputDir: `/work/out/${run.invocation}/${at}-${task.name}`,
      usage: { endpoint: { from: time, until: time }, job: { from: time, until: time } },
    };
  };
  return { ...run, phase: 'done', outcome: 'succeeded', tasks: run.tasks.map(end) };
}

const batchesOf = ({ tasks }: RunSnapshot): BatchResult[] =>
  Array.from({ length: Math.ceil(tasks.length / tasksPerBatch) }, (_, batch) => ({
    batch,
    runId: '01990000-0000-7000-8000-000000000000',
    sent: fitTasks(tasks.slice(batch * tasksPerBatch, (batch + 1) * tasksPerBatch)),
  }));

describe(`a run of ${count} planned tasks`, () => {
  let whole: RunPlan;
  beforeAll(async () => {
    whole = (await plan(configOf(count))).plan;
  });

  test('passes nothing large to its batches and tasks', () => {
    const [first, ...parts] = runArguments(whole, { searchAttributes: true });
    if (first.pattern === undefined) throw new Error('the plan is not packed');
    const run = Object.fromEntries(Object.entries(whole).filter(([key]) => key !== 'tasks')) as unknown as RunHeader;
    const rows = parts.flat();
    const batches = Array.from({ length: count / tasksPerBatch }, (_, batch) => {
      const tasks = { pattern: first.pattern, rows: rows.slice(batch * tasksPerBatch, (batch + 1) * tasksPerBatch) };
      return { batch, run, tasks };
    });
    const tasks = whole.tasks.map((task) => ({ run: runOf(run, task), task: withoutEndpoint(task) }));
    const largest = (all: readonly unknown[]): number => Math.max(...all.map(jsonBytes));
    expect(largest([first, ...parts])).toBeLessThan(most);
    // Besides, some references to the run and its shared endpoints.
    expect(largest(batches)).toBeLessThan(most - 2_000);
    expect(largest(tasks)).toBeLessThan(most - 2_000);
  });

  test('has a small result, and so have its batches; together they say everything', () => {
    const run = ended(startingRun(whole, '2026-11-28T00:00:00.000Z'));
    const results = batchesOf(run);
    const sent = besideBatches(run, results);
    expect(jsonBytes(sent)).toBeLessThan(4_000);
    expect(Math.max(...results.map(({ sent }) => jsonBytes(sent)))).toBeLessThan(most);
    const read = joinedSnapshot(
      sent,
      results.map(({ sent }) => sent),
    );
    expect(read).toEqual(JSON.parse(JSON.stringify(run)));
  });
});

describe('the result of a run with batches', () => {
  const task = (index: number, change: Partial<TaskSnapshot> = {}): TaskSnapshot => ({
    ...startingRunOf(3).tasks[index % 3]!,
    index,
    name: `task-${index}`,
    phase: 'done',
    outcome: 'succeeded',
    ...change,
  });

  test('has what its batches do not know, or know otherwise', () => {
    const storage = { path: '/shared/x', reason: 'why', command: 'evalsaga cleanup x' };
    const told = [task(0, { kept: [storage] }), task(1, { outcome: 'cancelled' }), task(2)];
    const known = [told[0]!, task(1, { outcome: 'cancelled', error: { type: 'Aborted', message: 'task 0 failed' } })];
    const left = { kind: 'endpoint', name: 'e', reason: 'still there' } as const;
    const lost = [task(2), task(3, { outcome: 'failed', left: [left] })];
    const ofRun = { kind: 'storage', name: '/shared', reason: 'not empty' } as const;
    const tasks = [...known, ...lost];
    const run: RunSnapshot = { ...startingRunOf(4), tasks, left: [left, ofRun], kept: [storage] };
    const sent = besideBatches(run, [{ batch: 0, runId: 'r', sent: fitTasks(told) }]);
    expect(tasksIn(sent).map(({ index }) => index)).toEqual([1, 3]);
    expect({ left: sent.left, kept: sent.kept }).toEqual({ left: [ofRun], kept: [] });
    expect(joinedSnapshot(sent, [fitTasks(told)])).toEqual({ ...run, left: [left, ofRun] });
  });

  test('says of the tasks of an unreadable batch how they ended, and where the rest is', () => {
    const run: RunSnapshot = { ...startingRunOf(3), tasks: [task(0), task(1, { outcome: 'failed' }), task(2)] };
    const sent = besideBatches(run, [{ batch: 0, runId: 'r', sent: fitTasks(run.tasks) }]);
    const { tasks } = joinedSnapshot(sent, [{ unread: 'workflow eval-x-b0: not found' }]);
    expect(tasks.map(({ outcome }) => outcome)).toEqual(['succeeded', 'failed', 'succeeded']);
    expect(tasks[1]?.message).toMatch(/result of its batch, which can't be read: workflow eval-x-b0: not found/);
  });

  test('of an older build is read as it is', () => {
    const run: SentSnapshot = { ...startingRunOf(3), ...fitTasks([task(0), task(1)]) };
    expect(joinedSnapshot(run, []).tasks.map(({ name }) => name)).toEqual(['task-0', 'task-1']);
  });
});

const startingRunOf = (tasks: number): RunSnapshot =>
  startingRun(
    runPlan({ outputRoot: '/results', invocation, tasks: Array.from({ length: tasks }, (_, at) => `task-${at}`) }),
    '2026-11-28T00:00:00.000Z',
  );
