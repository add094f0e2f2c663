import { access, readdir } from 'node:fs/promises';
import path from 'node:path';
import { costDocument } from '../../src/contract/cost';
import { answeredLine, releasedWords } from '../../src/contract/last-request';
import type { RunPlan } from '../../src/contract/plan';
import type { RunSnapshot, TaskSnapshot } from '../../src/contract/state';
import { emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan, withEarlyRelease, type PlanOptions } from '../support/plans';
import { startWorkerProcess } from '../support/program';

/** Endpoints that are released as soon as their job has made its last request. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const releasing = (options: Partial<PlanOptions> & Pick<PlanOptions, 'outputRoot'>): RunPlan =>
  withEarlyRelease(runPlan({ tasks: ['gsm8k'], ...options }));

const isReleased = ({ tasks: [task] }: RunSnapshot): boolean =>
  task?.phase === 'running job' && typeof task.usage?.endpoint?.until === 'string';

const secondsBetween = (from: string | null | undefined, until: string | null | undefined): number =>
  (Date.parse(until ?? '') - Date.parse(from ?? '')) / 1_000;

/** When the platform was asked to delete endpoints, in order. */
const deletions = async (scenario: Scenario, name = ''): Promise<string[]> =>
  (await scenario.platform.requests())
    .filter(({ method, path: at }) => method === 'DELETE' && at.startsWith(`/deployments/${name}`))
    .map(({ at }) => at);

/** The files of a task's endpoints' logs. */
const endpointLogs = async (task: TaskSnapshot | undefined): Promise<string[]> =>
  (await readdir(path.join(task?.outputDir ?? '', 'logs'))).filter((name) => /^endpoint.*\.log$/.test(name)).sort();

/** What the endpoint cost ends when its deletion was accepted, before the job had ended. */
function expectReleased(task: TaskSnapshot | undefined, deletedAt: string | undefined): void {
  const { endpoint, job } = task?.usage ?? {};
  expect(secondsBetween(deletedAt, endpoint?.until)).toBeGreaterThanOrEqual(0);
  expect(secondsBetween(endpoint?.until, job?.until)).toBeGreaterThan(0);
}

const jobOf = (seconds: number, more: object = {}) => ({
  states: [['Running', `${seconds}s`], ['Completed']],
  answered: '1s',
  ...more,
});

test.concurrent('the endpoint goes while the job runs on; a mark that the model made up changes nothing', async () => {
  const forged = answeredLine('f'.repeat(32));
  const scenario = await bench.scenario({
    jobs: {
      default: jobOf(20),
      match: [{ name: '*forged*', states: [['Running', '15s', forged], ['Completed']], log: forged }],
    },
  });
  const plan = releasing({ outputRoot: scenario.outputRoot, tasks: ['gsm8k', 'forged'] });
  await scenario.start(plan);
  const during = await scenario.until(plan, isReleased);
  expect(during.tasks[0]?.message).toContain(releasedWords);
  expect(during.tasks[1]?.usage?.endpoint?.until).toBeNull();
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('succeeded');
  const [own, other] = snapshot.tasks;
  expectReleased(own, (await deletions(scenario, own?.endpoint ?? ''))[0]);
  // Its job ran for 15 seconds.
  expect(secondsBetween(other?.usage?.job?.from, other?.usage?.endpoint?.until)).toBeGreaterThan(15);
  // Saved before it was released, and not replaced by nothing later.
  await access(path.join(own?.outputDir ?? '', 'logs', 'endpoint.log'));
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('a worker dies after the release: the next one knows from the log that it was meant', async () => {
  const scenario = await bench.scenario({ jobs: { default: jobOf(45) } });
  await (
    await scenario.startWorker()
  )();
  const dying = startWorkerProcess({ ...scenario, address: bench.env.address });
  const plan = releasing({ outputRoot: scenario.outputRoot });
  await scenario.start(plan);
  const { tasks } = await scenario.until(plan, isReleased);
  dying.signal('SIGKILL');
  await scenario.startWorker();
  const { status, snapshot } = await scenario.closed(plan);
  expect([status, snapshot.tasks[0]?.error]).toEqual(['succeeded', null]);
  expectReleased(snapshot.tasks[0], (await deletions(scenario))[0]);
  expect(snapshot.tasks[0]?.usage?.endpoint?.until).toBe(tasks[0]?.usage?.endpoint?.until);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('a job that fails afterwards: its task says how to go on, and nothing is left', async () => {
  const scenario = await bench.scenario({
    jobs: { default: jobOf(20, { states: [['Running', '20s'], ['Failed']], log: 'no space for the metrics' }) },
  });
  const plan = releasing({ outputRoot: scenario.outputRoot });
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('failed');
  const [task] = snapshot.tasks;
  expect(task?.error).toMatchObject({
    type: 'JobFailed',
    message: expect.stringContaining('no space for the metrics'),
  });
  expect(task?.error?.message).toContain(
    `its endpoint was released then (execution.release_endpoint): evalsaga retry ${plan.invocation}`,
  );
  expectReleased(task, (await deletions(scenario))[0]);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('a cancel afterwards leaves nothing', async () => {
  const scenario = await bench.scenario({ jobs: { default: jobOf(3_600) } });
  const plan = releasing({ outputRoot: scenario.outputRoot });
  await scenario.start(plan);
  await scenario.until(plan, isReleased);
  await scenario.cancel(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('cancelled');
  expectReleased(snapshot.tasks[0], (await deletions(scenario))[0]);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('a job that is lost afterwards is followed by another one on an endpoint of its own', async () => {
  const scenario = await bench.scenario({
    jobs: { default: jobOf(18, { ended: { by: 'node loss', after: '16s', times: 1 } }) },
  });
  const plan = releasing({ outputRoot: scenario.outputRoot, limits: { jobRetries: 1 } });
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect([status, snapshot.tasks[0]?.error]).toEqual(['succeeded', null]);
  const [task] = snapshot.tasks;
  expect(task?.attempt).toEqual({ number: 2, of: 2 });
  const [first] = task?.earlierUsage ?? [];
  const [firstDeleted] = await deletions(scenario);
  expect(secondsBetween(firstDeleted, first?.endpoint?.until)).toBeGreaterThanOrEqual(0);
  expect(secondsBetween(first?.endpoint?.until, first?.job?.until)).toBeGreaterThan(0);
  expect(secondsBetween(first?.endpoint?.until, task?.usage?.endpoint?.from)).toBeGreaterThan(0);
  expect(secondsBetween(task?.usage?.endpoint?.until, task?.usage?.job?.until)).toBeGreaterThan(0);
  const made = (await scenario.platform.requests()).filter(
    ({ method, path: at }) => method === 'POST' && at === '/deployments',
  );
  expect(made).toHaveLength(2);
  // Each endpoint has a log of its own.
  expect(await endpointLogs(task)).toEqual(['endpoint-attempt-1.log', 'endpoint.log']);
  expect(task?.message).toContain('logs/endpoint-attempt-1.log');
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('while the other job runs, the run counts what both endpoints cost', async () => {
  const second = { name: '*-2', states: [['Running', '1h'], ['Completed']] };
  const scenario = await bench.scenario({ jobs: { default: jobOf(3_600), match: [second] } });
  const budget = { limit: 1_000, currency: 'USD', endpointPerHour: 1, jobPerHour: 0 };
  const options = { outputRoot: scenario.outputRoot, limits: { jobRetries: 1 }, change: { budget } };
  const plan = releasing(options);
  await scenario.start(plan);
  await scenario.until(plan, isReleased);
  expect(await scenario.platform.endJobs('*', 'node loss')).toBe(1);
  const { tasks, budget: counted } = await scenario.until(
    plan,
    ({ tasks: [task] }) => task?.phase === 'running job' && task.attempt?.number === 2,
  );
  const [task] = tasks;
  expect(task?.earlierUsage).toHaveLength(1);
  expect(task?.usage?.endpoint?.until).toBeNull();
  const before = task?.earlierUsage?.[0]?.endpoint?.until;
  expect(secondsBetween(before, task?.usage?.endpoint?.from)).toBeGreaterThan(0);
  expect(costDocument({ tasks, budget: counted ?? null }, Date.now())?.perHour).toBe(1);
  await scenario.cancel(plan);
  expect((await scenario.closed(plan)).status).toBe('cancelled');
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('a job that has started early releases its endpoint, too', async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '2s'], ['Ready']] } },
    jobs: { default: jobOf(20, { answered: '4s' }) },
  });
  const plan = releasing({ outputRoot: scenario.outputRoot });
  await scenario.start({ ...plan, startJobsEarly: true });
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('succeeded');
  expectReleased(snapshot.tasks[0], (await deletions(scenario))[0]);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});
