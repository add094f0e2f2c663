import { readRunSettings } from '../../../src/config/run-settings';
import { jobCommand } from '../../../src/config/plan/job-script';
import { withTimeLimit } from '../../../src/config/plan/time-limit';
import { pendingTask, type TaskSnapshot } from '../../../src/contract/state';
import { planRetry } from '../../../src/runs/plan-retry';
import { runPlan } from '../../support/plans';
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
