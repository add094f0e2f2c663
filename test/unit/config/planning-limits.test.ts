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

test('more than 1,000 tasks are refused', async () => {
  const [problem] = await problems(many(1001));
  expect(problem).toMatchObject({ path: 'evaluation.tasks', message: expect.stringContaining('1000') });
});

test('a plan that is too large is refused with its size', async () => {
  const [problem] = await problems(many(800));
  expect(problem?.message).toMatch(/[\d,]+ bytes, more than the 1,500,000/);
});
