import { commandBench, type CommandBench } from '../support/command';
import { emptyInventory, type SimulatedPlan } from '../support/simulated';

/** Time and budget limits of a run, seen through the CLI. */

let bench: CommandBench;
beforeAll(async () => (bench = await commandBench('bounds')));
afterAll(() => bench.dispose());

const endless: SimulatedPlan = { jobs: { default: { states: [['Running', '10m'], ['Completed']] } } };
/** 3,600 per hour and endpoint, that is 1 per second. */
const budget = 'execution.budget={limit: 30, currency: EUR, prices: {gpu.1xh200: 3600}}';

test('budget: the dry run estimates the cost, status shows what was spent, and at the limit the run is torn down (exit 1)', async () => {
  const platform = await bench.lepton(endless);
  const dry = await bench.run(['start', bench.config, '--dry-run', '--json', '-o', budget], platform.env);
  expect(dry.code).toBe(0);
  const { cost } = JSON.parse(dry.stdout) as { cost: object };
  // Three endpoints, each with up to 1,200 s until Ready and 3,600 s of evaluation.
  expect(cost).toMatchObject({ currency: 'EUR', limit: 30, per_hour: 10_800, upper_bound: 14_400 });
  expect(cost).toMatchObject({ note: expect.stringContaining('torn down if it reaches the limit') });

  const running = bench.start(['start', bench.config, '-o', budget], platform.env);
  const [, id = ''] = await running.untilStderr(/run ([0-9a-f]{16}) started/);
  await running.untilStderr(/(?:awaiting ready|running job)/);
  const status = await bench.run(['status', id], platform.env);
  expect(status).toMatchObject({ code: 0, stdout: expect.stringMatching(/cost: [\d.]+ of 30 EUR/) });
  const { code, stderr } = await running.finished;
  expect(code).toBe(1);
  expect(stderr).toMatch(/reached execution\.budget\.limit \(30 EUR\) and was torn down; it cost [\d.]+ EUR/);
  expect(await platform.inventory()).toEqual(emptyInventory);

  const after = await bench.run(['status', id, '--json'], platform.env);
  const document = JSON.parse(after.stdout) as { cost: { spent: number; perHour: number } };
  // Teardown counts toward the cost; after it, the hourly cost is 0.
  expect(document.cost.spent).toBeGreaterThanOrEqual(30);
  expect(document.cost.perHour).toBe(0);
});

test('execution.max_run_time: a run that exceeds it is torn down (exit 1), and the reason is printed', async () => {
  const platform = await bench.lepton(endless);
  const { code, stderr } = await bench.run(
    ['start', bench.config, '-t', 'hellaswag', '-o', 'execution.max_run_time=4s'],
    platform.env,
  );
  expect(code).toBe(1);
  expect(stderr).toContain('the run took longer than execution.max_run_time (4 s) and was torn down');
  expect(await platform.inventory()).toEqual(emptyInventory);
});

test.each([
  [
    'a shape without a price',
    'execution.budget={limit: 12, prices: {gpu.8xh200: 3}}',
    /no price for the shape gpu\.1xh200/,
  ],
  ['an invalid duration', 'execution.max_run_time=soon', /max_run_time/],
])('%s is refused with exit code 2, and nothing is created', async (_case, override, said) => {
  const platform = await bench.lepton();
  const { code, stderr } = await bench.run(['start', bench.config, '-o', override], platform.env);
  expect({ code, said: said.test(stderr) }).toEqual({ code: 2, said: true });
  expect(await platform.inventory()).toEqual(emptyInventory);
});
