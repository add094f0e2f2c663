import { startRun } from '../../src/client';
import type { EndpointPlan, RunPlan } from '../../src/contract/plan';
import type { Scenario } from './bench';
import { secrets } from './canaries';
import { runPlan } from './plans';

/** A plan whose endpoints and jobs refer to all `secrets`. */
export function secretPlan(scenario: Scenario, change: Partial<RunPlan> = {}): RunPlan {
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag', 'arc_challenge'], change });
  const host = (name: string) => ({ kind: 'host', name }) as const;
  const variables = Object.keys(secrets).map((name) => ({ name, secret: host(name) }));
  const endpoint = plan.endpoint;
  if (endpoint.kind !== 'dedicated') throw new Error('deploys none');
  const guarded: EndpointPlan = {
    ...endpoint,
    spec: { ...endpoint.spec, envs: [...endpoint.spec.envs, ...variables], apiTokens: [host('ENDPOINT_KEY')] },
    probe: { ...endpoint.probe, token: host('ENDPOINT_KEY') },
  };
  const tasks = plan.tasks.map((task) => ({ ...task, job: { ...task.job, envs: [...task.job.envs, ...variables] } }));
  return { ...plan, endpoint: guarded, tasks };
}

/** Starts it from a home that is given their values. */
export async function startSecretRun(scenario: Scenario, plan: RunPlan): Promise<void> {
  await startRun(scenario.client, {
    plan,
    taskQueue: scenario.taskQueue,
    hostSecrets: secrets,
    configYaml: 'a: 1\n',
    home: scenario.home,
    searchAttributes: true,
  });
}
