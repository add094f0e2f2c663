import type { EndpointInput, TaskInput } from '../contract/inputs';
import { sharedIndex } from '../contract/identity';
import type { JobSpec } from '../contract/plan';

const noJob: JobSpec = { container: { image: '' }, envs: [], mounts: [], nodeGroup: null, body: {} };

/** Returns a shared endpoint as a task that has no job, so that it is created, watched and removed as every other one. Pure. */
export function endpointUnit({ run, position, shared, execution }: EndpointInput): TaskInput {
  const { name, endpointName, endpoint, folder } = shared;
  return {
    // Its run waits for it to be Ready, whatever it does about tasks.
    run: { ...run, endpoint, startPolicy: 'all_ready' },
    task: {
      index: sharedIndex(position),
      name,
      task: name,
      endpointName,
      jobName: '',
      endpointPath: '',
      folder,
      job: noJob,
    },
    course: 'quiet',
    execution,
  };
}
