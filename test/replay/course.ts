import type { RunPlan } from '../../src/contract/plan';
import type { RunSnapshot, TaskPhase } from '../../src/contract/state';
import type { Scenario } from '../support/bench';
import type { PlanOptions } from '../support/plans';
import type { SimulatedPlan } from '../support/simulated';

/** One course that a run can take, whose history every later version of the workflow code must be able to follow. */
export interface Course {
  readonly name: string;
  readonly platform: SimulatedPlan;
  readonly plan: Omit<PlanOptions, 'outputRoot'>;
  /** What happens to the run from outside once it is started. */
  readonly meanwhile?: (scenario: Scenario, plan: RunPlan) => Promise<void>;
  /** The tasks use one endpoint of the user's, which answers. */
  readonly endpoint?: 'existing';
  /** A batch runs the tasks. */
  readonly isBatched?: true;
  /** It has many tasks: the histories below the run's are like those of few, and not saved. */
  readonly savesRunOnly?: true;
  /** What the run left is swept up after it: a workflow of its own. */
  readonly swept?: true;
  /** Pure. */
  readonly adapt?: (plan: RunPlan) => RunPlan;
  /** The endpoints of the task queue are limited to so many: a workflow of its own hands them out. */
  readonly maxEndpoints?: number;
}

export const two = ['hellaswag', 'arc_challenge'];
export const one = ['hellaswag'];
export const endless = { default: { states: [['Running', '1h'], ['Completed']] } };
export const neverReady = { default: { states: [['Starting', '1h'], ['Ready']], message: 'pulling image' } };

const anyIn =
  (phase: TaskPhase) =>
  ({ tasks }: RunSnapshot): boolean =>
    tasks.some((task) => task.phase === phase);

export const when =
  (phase: TaskPhase, act: (scenario: Scenario, plan: RunPlan) => Promise<unknown>) =>
  async (scenario: Scenario, plan: RunPlan): Promise<void> => {
    await scenario.until(plan, anyIn(phase));
    await act(scenario, plan);
  };

/** Temporal's "running" is all that a create or a fetch under way shows: the platform has been asked. */
export const whenAsked =
  (method: string, route: RegExp, act: (scenario: Scenario, plan: RunPlan) => Promise<unknown>) =>
  async (scenario: Scenario, plan: RunPlan): Promise<void> => {
    const wasAsked = async (): Promise<boolean> =>
      (await scenario.platform.requests()).some((request) => request.method === method && route.test(request.path));
    while (!(await wasAsked())) await new Promise((resolve) => setTimeout(resolve, 20));
    await act(scenario, plan);
  };

export const cancel = (scenario: Scenario, plan: RunPlan): Promise<unknown> => scenario.cancel(plan);
export const terminate = (id: (plan: RunPlan) => string) => (scenario: Scenario, plan: RunPlan) =>
  scenario.client.workflow.getHandle(id(plan)).terminate();
