import { homedir } from 'node:os';
import { plan, problems, runnable } from './configs';

/** Where workers write results. */

const withStore = (store: string): string =>
  runnable().replace('output_dir: ./out', `output_dir: ./out\n  results_store: ${store}`);

test.each([
  ['s3://bucket', 's3://bucket'],
  ['s3://bucket/', 's3://bucket'],
  ['s3://my.bucket-1/team a//b/', 's3://my.bucket-1/team a/b'],
  ['/shared/results/', 'file:///shared/results'],
  ['/shared/a b', 'file:///shared/a%20b'],
  ['~/results', `file://${homedir()}/results`],
])('%s is the place %s', async (store, place) => {
  expect((await plan(withStore(store))).plan.resultsStore).toBe(place);
});

test.each([
  ['s3://ab'],
  ['s3://Bucket/x'],
  ['s3://bucket/../x'],
  ['s3://key:secret@bucket/x'],
  ['s3://bucket/x?endpoint=y'],
  ['relative/folder'],
  ['https://bucket'],
])('%s is refused', async (store) => {
  const [problem, ...others] = await problems(withStore(store));
  expect(others).toEqual([]);
  expect(problem).toMatchObject({ path: 'execution.results_store', file: 'config.yaml' });
});

test('the variable counts where the config says nothing, and its name is in the message', async () => {
  const env = { EVALSAGA_RESULTS_STORE: 's3://from-env/x' };
  expect((await plan(runnable(), { env })).plan.resultsStore).toBe('s3://from-env/x');
  expect((await plan(withStore('s3://from-config'), { env })).plan.resultsStore).toBe('s3://from-config');
  expect((await plan(runnable())).plan.resultsStore).toBeUndefined();
  const [problem] = await problems(runnable(), { env: { EVALSAGA_RESULTS_STORE: 'relative' } });
  expect(problem?.message).toContain('EVALSAGA_RESULTS_STORE');
});
