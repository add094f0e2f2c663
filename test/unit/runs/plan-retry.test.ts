import { readRunSettings } from '../../../src/config/run-settings';
import { jobCommand } from '../../../src/config/plan/job-script';
import { withTimeLimit } from '../../../src/config/plan/time-limit';
import type { RunPlan } from '../../../src/contract/plan';
import { pendingTask, type TaskSnapshot } from '../../../src/contract/state';
import { planRetry } from '../../../src/runs/plan-retry';
import { runPlan, withPool } from '../../support/plans';
import { gunzipSync } from 'node:zlib';

const old = runPlan({
  outputRoot: '/results',
  tasks: ['hellaswag', 'gsm8k', 'mmlu'],
  invocation: 'aaaaaaaa11111111',
  change: { name: 'first', tags: { team: 'search' }, home: { taskQueue: 'q', holdsSecrets: false } },
});
const invocation = 'bbbbbbbb22222222';
const ended = (index: number, change: Partial<TaskSnapshot>): TaskSnapshot => ({
  ...pendingTask(old.tasks[index] ?? { index, name: '', endpointName: null }),
  phase: 'done',
  outputDir: `/results/${old.invocation}/x`,
  ...change,
});
const tasks = [
  ended(0, { outcome: 'succeeded' }),
  ended(1, { outcome: 'failed' }),
  ended(2, { outcome: 'cancelled', outputDir: null }),
];
const request = { plan: old, snapshot: { tasks }, invocation, owner: 'me', command: 'retry' };

test('what succeeded is taken over, the rest is run under names of its own', () => {
  const plan = planRetry(request);
  expect(plan).toMatchObject({
    invocation,
    retryOf: old.invocation,
    outputDir: `/results/${invocation}`,
    tags: { team: 'search' },
    storage: { path: `/shared/evalsaga/${invocation}` },
  });
  expect([plan.name, plan.home]).toEqual([undefined, undefined]);
  expect(plan.tasks.map(({ earlier, jobName, folder }) => [earlier?.use, jobName, folder])).toEqual([
    ['results', 'eval-hellaswag-0-bbbbbbbb', '0-hellaswag'],
    ['caches', 'eval-gsm8k-1-bbbbbbbb', '1-gsm8k'],
    ['caches', 'eval-mmlu-2-bbbbbbbb', '2-mmlu'],
  ]);
  expect(plan.tasks[1]?.earlier).toEqual({
    use: 'caches',
    invocation: old.invocation,
    index: 1,
    place: `/results/${old.invocation}`,
    folder: '1-gsm8k',
  });
  const text = JSON.stringify(plan, (key, value: unknown) => (['earlier', 'retryOf'].includes(key) ? null : value));
  expect(text).not.toMatch(/aaaaaaaa/);
});

test('of some tasks: indices, names and folders follow', () => {
  const [only] = planRetry({ ...request, indices: [2] }).tasks;
  expect(only).toMatchObject({
    index: 0,
    jobName: 'eval-mmlu-0-bbbbbbbb',
    endpointName: 'vllm-mmlu-0-bbbbbbbb',
    folder: '0-mmlu',
    earlier: { index: 2, folder: '2-mmlu' },
  });
  expect(only?.job.envs).toContainEqual({ name: 'EVALSAGA_OUTPUT_DIR', value: '/workspace/0-mmlu' });
});

describe('of tasks that share two endpoints', () => {
  const pooled = withPool(old);
  const named = ({ sharedEndpoints = [] }: RunPlan) => sharedEndpoints.map(({ endpointName }) => endpointName);
  const used = ({ tasks: all, sharedEndpoints = [] }: RunPlan) =>
    all.map(({ uses = [] }) =>
      uses.map(({ endpoint, servesModel }) => [sharedEndpoints[endpoint]?.endpointName, servesModel]),
    );
  const [first, second] = ['vllm-shared-e0-bbbbbbbb', 'vllm-shared-e1-bbbbbbbb'];

  test('one that no task needs is not created', () => {
    const again = [tasks[0], ended(1, { outcome: 'failed' }), ended(2, { outcome: 'succeeded' })].flatMap(
      (task) => task ?? [],
    );
    const plan = planRetry({ ...request, plan: pooled, snapshot: { tasks: again } });
    expect(named(plan)).toEqual([second]);
    expect(used(plan)).toEqual([[], [[second, second]], []]);
  });

  test('one that some task needs is kept, also for those that are taken over', () => {
    const plan = planRetry({ ...request, plan: pooled });
    expect(named(plan)).toEqual([first, second]);
    expect(used(plan)).toEqual([[[first, first]], [[second, second]], [[first, first]]]);
    const some = planRetry({ ...request, plan: pooled, indices: [1] });
    expect(named(some)).toEqual([second]);
    expect(used(some)).toEqual([[[second, second]]]);
  });

  test('a retry of the retry has it again if it must run its tasks', () => {
    const again = [0, 1, 2].map((index) => ended(index, { outcome: index === 1 ? 'failed' : 'succeeded' }));
    const plan = planRetry({ ...request, plan: pooled, snapshot: { tasks: again } });
    const lost = [0, 1, 2].map((index) => ended(index, { outcome: index === 1 ? 'succeeded' : 'failed' }));
    const invocationThen = 'cccccccc33333333';
    const then = planRetry({ ...request, plan, snapshot: { tasks: lost }, invocation: invocationThen });
    const other = 'vllm-shared-e0-cccccccc';
    expect(named(then)).toEqual([other]);
    expect(used(then)).toEqual([[[other, other]], [], [[other, other]]]);
    const both = planRetry({ ...request, plan, snapshot: { tasks: [] }, invocation: invocationThen });
    expect(used(both)).toEqual([
      [[other, other]],
      [['vllm-shared-e1-cccccccc', 'vllm-shared-e1-cccccccc']],
      [[other, other]],
    ]);
    expect(both.tasks.map(({ spared }) => spared)).toEqual([undefined, undefined, undefined]);
  });
});

test('the time limit is in the script as well', () => {
  const script = { task: 'a.b', runConfig: 'x: 1\n', preCmd: null, postCmd: null, modelUrl: null, ownUrl: false };
  const command = jobCommand({ ...script, timeoutSeconds: 60, runtimeVariables: [] });
  const [, , loader = ''] = withTimeLimit(command, 7200);
  const packed = [...loader.matchAll(/printf %s '([^']+)' \| base64/g)].map(([, text = '']) => text);
  const text = packed.map((part) => gunzipSync(Buffer.from(part, 'base64')).toString()).join('');
  expect(text).toContain('bound="timeout -k 60 7200"');
  expect(text).toContain('its limit of 7200 s');
  expect(withTimeLimit(command, 60)).toEqual(command);
  expect(withTimeLimit(['/bin/bash', '-c', 'true'], 60)).toEqual(['/bin/bash', '-c', 'true']);
});

test('settings that do not decide scores may change, and no others', () => {
  expect(
    readRunSettings(['execution.retries=2', 'execution.max_run_time=null', '++execution.keep_storage=true']),
  ).toEqual({
    kind: 'settings',
    settings: { 'execution.retries': 2, 'execution.max_run_time': null, 'execution.keep_storage': true },
  });
  expect(readRunSettings(['execution.evaluation_tasks.timeout=2h'])).toMatchObject({
    settings: { 'execution.evaluation_tasks.timeout': 7200 },
  });
  expect(readRunSettings(['evaluation.tasks.0.name=x'])).toMatchObject({
    kind: 'refused',
    reason: expect.stringContaining('only these can change'),
  });
  expect(readRunSettings(['execution.retries=many'])).toMatchObject({
    kind: 'refused',
    reason: expect.stringContaining('expected a whole number'),
  });
});
