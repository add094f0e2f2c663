import type { EndpointInput, TaskInput } from '../contract/inputs/task';
import { asTask } from '../contract/parts';

/** Returns what the workflow of a shared endpoint works on: a task without a job. Pure. */
export const endpointUnit = ({ run, position, shared, execution }: EndpointInput): TaskInput => ({
  // Its run waits for it to be Ready, whatever it does about tasks.
  run: { ...run, endpoint: shared.endpoint, startPolicy: 'all_ready' },
  task: asTask(shared, position),
  course: 'quiet',
  execution,
});
