/** Limits of a run. */
import { deploying, plan, problems } from './configs';

const many = (count: number, extra = ''): string =>
  deploying(
    'vllm',
    '{hf_model_handle: a/b}',
    `[${Array.from({ length: count }, () => `{name: hellaswag${extra}}`).join(', ')}]`,
  );

test("300 tasks are planned, well below Temporal's limit", async () => {
  const { plan: run } = await plan(many(300));
  expect(run.tasks).toHaveLength(300);
  expect(JSON.stringify(run).length).toBeLessThan(1_500_000);
});

test('more than 5,000 tasks are refused', async () => {
  const [problem] = await problems(many(5_001));
  expect(problem).toMatchObject({ path: 'evaluation.tasks', message: expect.stringContaining('5000') });
});

test('a plan that is too large is refused with its size', async () => {
  // What differs between tasks counts for each of them.
  const tasks = Array.from(
    { length: 400 },
    (_, index) => `{name: hellaswag, env_vars: {TEXT: "lit:${`${index} `.repeat(1_700)}"}}`,
  );
  const [problem] = await problems(deploying('vllm', '{hf_model_handle: a/b}', `[${tasks.join(', ')}]`));
  expect(problem?.message).toMatch(/[\d,]+ bytes, more than the 1,800,000/);
});
