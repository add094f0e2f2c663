import { priorityOf } from '../../../src/runs/start';
import { runPlan } from '../../support/plans';

test('steps of a small run go ahead of those that queue for a large one; each run has a fairness key of its own', () => {
  const plan = runPlan({ outputRoot: '/o' });
  const [task] = plan.tasks;
  if (!task) throw new Error('no task');
  const tasks = Array.from({ length: 51 }, () => task);
  expect(priorityOf(plan)).toEqual({ fairnessKey: plan.invocation, priorityKey: 2 });
  expect(priorityOf({ ...plan, tasks })).toEqual({ fairnessKey: plan.invocation });
});
