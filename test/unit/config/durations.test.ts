/** Durations mean the same in a file, an override and the environment, however they are written. */
import { parse } from 'yaml';
import { runConfigIn } from '../../../src/config/plan/read-script';
import { load, plan, problems, runnable } from './configs';

const timeout = 'execution.evaluation_tasks.timeout';
const file = (value: string) =>
  runnable().replace('output_dir: ./out', `output_dir: ./out\n  evaluation_tasks:\n    timeout: ${value}`);

test.each([
  ['14400', 14_400],
  ['04:00:00', 14_400],
  ['4:00:00', 14_400],
  ['"04:00:00"', 14_400],
  ['02:08:45', 7_725],
  ['12:30:00', 45_000],
  ['90:30', 5_430],
  ['08m', 480],
  ['5m', 300],
  ['1.5h', 5_400],
])('%s is %i seconds', async (written, seconds) => {
  const plain = written.replaceAll('"', '');
  const [inFile, inOverride, inEnvironment] = await Promise.all([
    load(file(written)),
    load(runnable(), { overrides: [`${timeout}=${written}`] }),
    load(file('${oc.env:WALLTIME}'), { env: { WALLTIME: plain } }),
  ]);
  for (const { resolved } of [inFile, inOverride, inEnvironment])
    expect(resolved.execution.evaluation_tasks.timeout).toBe(seconds);
});

test.each([
  ['0700', 'remove the leading zero'],
  ['"0900"', 'remove the leading zero'],
  ['1:2:3:4', 'base 60'],
  ['5 minutes', '02:30:00'],
  ['-5m', '02:30:00'],
  ['0', '02:30:00'],
])('%s is refused everywhere', async (written, hint) => {
  const found = [await problems(file(written)), await problems(runnable(), { overrides: [`${timeout}=${written}`] })];
  for (const [problem] of found) expect(problem).toMatchObject({ path: timeout, hint: expect.stringContaining(hint) });
});

test.each(['010', '1:30'])('a whole number is not written %s', async (written) => {
  const [problem] = await problems(runnable(`  port: ${written}\n`));
  expect(problem).toMatchObject({ path: 'deployment.port', message: expect.stringContaining('a whole number') });
});

test('the platform and the harness get whole seconds', async () => {
  const scaling = '{auto_scaler: {scale_down: {no_traffic_timeout: 30m, not_ready_timeout: 0}}}';
  const params = '  nemo_evaluator_config: {config: {params: {request_timeout: 5m}}}\n';
  const text = runnable(`  lepton_config: ${scaling}\n`).replace('evaluation:\n', `evaluation:\n${params}`);
  const { plan: planned } = await plan(text);
  const { endpoint, tasks } = planned;
  expect(endpoint).toMatchObject({
    spec: { body: { auto_scaler: { scale_down: { no_traffic_timeout: 1_800, not_ready_timeout: 0 } } } },
  });
  expect(parse(runConfigIn(tasks[0]?.job.container.command) ?? '')).toMatchObject({
    config: { params: { request_timeout: 300 } },
  });
});
