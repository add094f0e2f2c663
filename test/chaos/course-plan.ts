import path from 'node:path';
import { tokenSecretName } from '../../src/contract/endpoint-token';
import type { EndpointUse, EnvEntry, RunPlan, SharedEndpointPlan } from '../../src/contract/plan';
import { runPlan, withMadeTokens, withPackedResults } from '../support/plans';
import type { CaseEnvironment } from './case-environment';
import type { Course } from './courses';
import type { Limits } from './driver';

/** Returns the plan that the library starts for a course. */
export function planFor(
  course: Course,
  bounds: Limits,
  { testBed, names, access, ownEndpoint }: Pick<CaseEnvironment, 'testBed' | 'names' | 'access' | 'ownEndpoint'>,
): RunPlan {
  const { workspace, url } = access;
  const plan = runPlan({
    outputRoot: path.join(testBed.folder, 'results'),
    invocation: names.invocation ?? '',
    tasks: course.tasks,
    limits: { ...bounds, ...(course.jobs ? { jobRetries: Math.max(...course.jobs) } : {}) },
    change: {
      platform: { kind: 'lepton', workspace, url },
      startPolicy: course.startPolicy,
      ...(course.early ? { startJobsEarly: true as const } : {}),
    },
  });
  if (!ownEndpoint) {
    const packed = course.unpacked ? plan : withPackedResults(plan);
    return withSharedEndpoint(withRelease(withMadeTokens(packed), course), course);
  }
  return {
    ...plan,
    endpoint: { kind: 'existing', url: ownEndpoint.url, probe: { ...plan.endpoint.probe, healthPath: null } },
    tasks: plan.tasks.map((task) => ({ ...task, endpointName: null, endpointPath: '' })),
  };
}

function withRelease(plan: RunPlan, { releases }: Course): RunPlan {
  if (!releases) return plan;
  const tasks = plan.tasks.map((task) => ({ ...task, job: { ...task.job, tellsLastRequest: true as const } }));
  return { ...plan, releaseEndpoint: 'after_last_request', tasks };
}

function withSharedEndpoint(plan: RunPlan, { shared }: Course): RunPlan {
  if (shared === undefined) return plan;
  const name = `vllm-${shared}-e0-${plan.invocation.slice(0, 8)}`;
  const endpoint: SharedEndpointPlan = {
    name: shared,
    endpointName: name,
    endpoint: plan.endpoint,
    folder: `endpoint-${shared}`,
  };
  const key: EnvEntry = {
    name: 'EVALSAGA_API_KEY',
    secret: { kind: 'workspace', name: tokenSecretName(plan.invocation, name) },
  };
  const judge: EndpointUse = { endpoint: 0, variables: { JUDGE_CHAT_URL: '/v1/chat/completions' } };
  const model: EndpointUse = { endpoint: 0, variables: {}, servesModel: name };
  return {
    ...plan,
    sharedEndpoints: [endpoint],
    tasks: plan.tasks.map((task) => {
      const ownKey = task.job.envs.filter((entry) => entry.name !== key.name);
      return shared === 'judge'
        ? { ...task, uses: [judge], job: { ...task.job, envs: [...task.job.envs, { ...key, name: 'JUDGE_API_KEY' }] } }
        : { ...task, endpointName: null, uses: [model], job: { ...task.job, envs: [...ownKey, key] } };
    }),
  };
}
