import { setTimeout as sleep } from 'node:timers/promises';
import { creations, emptyInventory, startBench, type Bench } from '../support/bench';
import { runPlan } from '../support/plans';
import { bareEnvironment, startProgram, type Running } from '../support/program';

/** What only a cluster shows, and takes minutes: part of `npm run test:cluster`. */

let bench: Bench;
const workers = new Set<Running>();
beforeAll(async () => {
  bench = await startBench();
});
afterAll(async () => {
  for (const worker of workers) worker.signal('SIGTERM');
  await Promise.all([...workers].map(({ finished }) => finished));
  await bench.close();
});

async function startWorker(at: { home: { root: string }; taskQueue: string }, settings = {}): Promise<Running> {
  const env = {
    ...bareEnvironment(),
    ...{ EVALSAGA_HOME: at.home.root, EVALSAGA_TASK_QUEUE: at.taskQueue, TEMPORAL_ADDRESS: bench.env.address },
    ...{ EVALSAGA_LOG_LEVEL: 'info', ...settings },
  };
  const worker = startProgram(['worker'], { cwd: at.home.root, env });
  workers.add(worker);
  await worker.untilStderr(/RUNNING/);
  return worker;
}

const tasks = (count: number): string[] => Array.from({ length: count }, (_, index) => `task-${index}`);
const limits = { endpointReadySeconds: 600, jobSeconds: 600, teardownSeconds: 600 };

test('three workers are restarted one by one under load: nothing fails, and nothing is created twice', async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '5s'], ['Ready']] } },
    jobs: { default: { states: [['Running', '20s'], ['Completed']] } },
  });
  await (
    await scenario.startWorker()
  )();
  let serving = await Promise.all([1, 2, 3].map(() => startWorker(scenario)));
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: tasks(30), limits });
  await scenario.start(plan);
  for (let round = 0; round < 3; round += 1) {
    const [oldest, ...others] = serving;
    const next = await startWorker(scenario);
    oldest?.signal('SIGTERM');
    expect((await oldest?.finished)?.code).toBe(0);
    serving = [...others, next];
    await sleep(2_000);
  }
  const { status, snapshot } = await scenario.closed(plan);
  expect({ status, left: snapshot.left }).toEqual({ status: 'succeeded', left: [] });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  expect(await creations(scenario.platform, '/deployments')).toBe(30);
  expect(await creations(scenario.platform, '/jobs')).toBe(30);
}, 300_000);

test('fairness: a small run beside a large one does not wait for its end, on a worker with few slots', async () => {
  const scenario = await bench.scenario();
  await (
    await scenario.startWorker()
  )();
  await startWorker(scenario, { EVALSAGA_MAX_ACTIVITIES: '8' });
  const large = runPlan({ outputRoot: scenario.outputRoot, tasks: tasks(60), limits });
  await scenario.start(large);
  await scenario.until(large, ({ tasks: seen }) => seen.some(({ phase }) => phase !== 'pending'));
  const small = runPlan({ outputRoot: scenario.outputRoot, tasks: ['small'], limits });
  await scenario.start(small);
  expect((await scenario.closed(small)).status).toBe('succeeded');
  const meanwhile = await scenario.describe(large);
  expect(meanwhile.status).toBe('running');
  const over = meanwhile.snapshot.tasks.filter(({ outcome }) => outcome !== null).length;
  // Turn by turn, the small run's seven activities pass before those of half of the large one.
  expect(over).toBeLessThan(30);
  expect((await scenario.closed(large)).status).toBe('succeeded');
}, 300_000);
