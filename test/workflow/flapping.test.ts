import type { TaskSnapshot } from '../../src/contract/state';
import { creations, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** Readiness is the current state of an endpoint, not an earlier one. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

type Step = readonly [state: string, lasts?: string, message?: string];

/** Alternates between Ready and Not Ready. Each Ready is shorter than `unhealthy`, so /health answers only 503. */
const flaps = (times: number, each: string): Step[] =>
  Array.from({ length: times }, (): Step[] => [
    ['Ready', each],
    ['Not Ready', each, 'the server is reloading'],
  ]).flat();

/** The messages of the first task that `status` showed. */
async function messagesUntil(
  scenario: Scenario,
  plan: ReturnType<typeof runPlan>,
  enough: (task: TaskSnapshot, seen: ReadonlySet<string>) => boolean,
): Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  await scenario.until(plan, ({ tasks: [task] }) => {
    if (task?.message) seen.add(task.message);
    return task !== undefined && enough(task, seen);
  });
  return seen;
}

test.concurrent(
  'a flapping endpoint is waited for until it stays Ready, and its messages show both states',
  async () => {
    const scenario = await bench.scenario({
      endpoints: { default: { states: [...flaps(3, '1500ms'), ['Ready']], unhealthy: '1700ms' } },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    await scenario.start(plan);
    const seen = await messagesUntil(scenario, plan, ({ phase }) => phase === 'running job');
    expect([...seen]).toEqual(
      expect.arrayContaining(['Ready, but /health answers 503', 'Not Ready: the server is reloading']),
    );
    expect((await scenario.closed(plan)).status).toBe('succeeded');
    expect(await creations(scenario.platform, '/deployments')).toBe(1);
  },
);

test.concurrent(
  'an endpoint that never stops flapping fails at the readiness timeout with its last message, and is removed',
  async () => {
    const scenario = await bench.scenario({
      endpoints: { default: { states: [...flaps(60, '700ms'), ['Ready']], unhealthy: '900ms' } },
    });
    const plan = runPlan({
      outputRoot: scenario.outputRoot,
      tasks: ['hellaswag'],
      limits: { endpointReadySeconds: 5 },
    });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('failed');
    expect(snapshot.tasks[0]?.error).toEqual({
      type: 'EndpointReadinessTimeout',
      message: expect.stringMatching(/after 5 s: .*(\/health answers 503|Not Ready).*endpoint_readiness_timeout/),
    });
    expect(await creations(scenario.platform, '/jobs')).toBe(0);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);
