import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { jobCommand } from '../../src/config/plan/job-script';
import { tokenSecretName } from '../../src/contract/endpoint-token';
import type { EndpointPlan, EnvEntry, RunPlan, TaskPlan } from '../../src/contract/plan';
import { defaultSkips } from '../../src/contract/skip-results';

export interface PlanOptions {
  readonly outputRoot: string;
  readonly tasks?: readonly string[];
  readonly change?: Partial<RunPlan>;
  readonly limits?: Partial<RunPlan['limits']>;
  readonly invocation?: string;
}

const mountPath = '/workspace';
const storageRoot = '/shared/evalsaga';

/** Returns the plan of a small run of the named tasks, with limits that suit tests. */
export function runPlan(options: PlanOptions): RunPlan {
  const invocation = options.invocation ?? randomBytes(8).toString('hex');
  const names = options.tasks ?? ['hellaswag', 'arc_challenge', 'winogrande'];
  return {
    version: 1,
    invocation,
    platform: { kind: 'local', workspace: 'local' },
    owner: 'tests',
    model: 'test/model',
    outputDir: path.join(options.outputRoot, invocation),
    startPolicy: 'all_ready',
    onTaskFailure: 'continue',
    maxParallelEndpoints: null,
    keepStorage: false,
    limits: {
      endpointReadySeconds: 90,
      jobSeconds: 90,
      teardownSeconds: 30,
      runSeconds: null,
      resultBytes: 1e8,
      ...options.limits,
    },
    endpoint: dedicated,
    storage: storageOf(invocation),
    tasks: names.map((name, index) => taskPlan(name, index, invocation)),
    provenance: { configDigest: 'none', command: 'test' },
    ...options.change,
  };
}

/** Returns the plan with a token of its own for each endpoint, as real plans have it: endpoint, probe and job refer to it. */
export function withMadeTokens(plan: RunPlan): RunPlan {
  if (plan.endpoint.kind !== 'dedicated') throw new Error('the plan deploys no endpoints');
  const { spec, probe } = plan.endpoint;
  const made = { kind: 'made' } as const;
  return {
    ...plan,
    endpoint: { ...plan.endpoint, spec: { ...spec, apiTokens: [made] }, probe: { ...probe, token: made } },
    tasks: plan.tasks.map((task) => {
      const key: EnvEntry = {
        name: 'EVALSAGA_API_KEY',
        secret: { kind: 'workspace', name: tokenSecretName(plan.invocation, task.endpointName ?? '') },
      };
      return { ...task, job: { ...task.job, envs: [...task.job.envs, key] } };
    }),
  };
}

/** Returns the plan with jobs that pack their results, as real plans have them. */
export function withPackedResults(plan: RunPlan): RunPlan {
  const tasks = plan.tasks.map((task) => {
    const script = { task: task.task, runConfig: `config:\n  type: ${task.name}\n`, preCmd: null, postCmd: null };
    const rest = { timeoutSeconds: 60, modelUrl: null, ownUrl: false, runtimeVariables: [] };
    const command = jobCommand({ ...script, ...rest, packs: { skip: defaultSkips } });
    return { ...task, job: { ...task.job, container: { ...task.job.container, command } } };
  });
  return { ...plan, tasks, packsResults: true };
}

/** Returns the plan with endpoints that are released after the last request of their job. */
export function withEarlyRelease(plan: RunPlan): RunPlan {
  const tasks = plan.tasks.map((task) => ({ ...task, job: { ...task.job, tellsLastRequest: true as const } }));
  return { ...plan, startPolicy: 'as_ready', releaseEndpoint: 'after_last_request', tasks };
}

/** Returns the plan with a judge that all tasks use. */
export function withJudge(plan: RunPlan): RunPlan {
  const { endpoint } = plan;
  const endpointName = `vllm-judge-e0-${plan.invocation.slice(0, 8)}`;
  return {
    ...plan,
    sharedEndpoints: [{ name: 'judge', endpointName, endpoint, folder: 'endpoint-judge' }],
    tasks: plan.tasks.map((task) => ({ ...task, uses: [{ endpoint: 0, variables: { JUDGE_URL: '/v1' } }] })),
  };
}

/** Returns the plan with so many endpoints that serve the model, which its tasks take in turn. */
export function withPool(plan: RunPlan, size = 2): RunPlan {
  const { endpoint } = plan;
  const nameOf = (position: number): string => `vllm-shared-e${position}-${plan.invocation.slice(0, 8)}`;
  return {
    ...plan,
    sharedEndpoints: Array.from({ length: size }, (_, position) => ({
      name: `model-${position}`,
      endpointName: nameOf(position),
      endpoint,
      folder: `endpoint-e${position}-model-${position}`,
    })),
    tasks: plan.tasks.map((task) => ({
      ...task,
      endpointName: null,
      uses: [{ endpoint: task.index % size, variables: {}, servesModel: nameOf(task.index % size) }],
    })),
  };
}

const dedicated: EndpointPlan = {
  kind: 'dedicated',
  spec: {
    container: {
      image: 'vllm/vllm-openai:latest',
      command: ['vllm', 'serve', 'test/model'],
      ports: [{ container_port: 8000 }],
    },
    envs: [{ name: 'SERVED_MODEL_NAME', value: 'test/model' }],
    apiTokens: [],
    mounts: [],
    nodeGroup: null,
    body: { resource_requirement: { resource_shape: 'gpu.1xh200', min_replicas: 1, max_replicas: 1 } },
  },
  probe: { servedModel: 'test/model', healthPath: '/health', warmUp: 'completions', token: null },
};

const storageOf = (invocation: string): RunPlan['storage'] => ({
  fileSystem: 'default',
  path: `${storageRoot}/${invocation}`,
  mount: { path: `${storageRoot}/${invocation}`, from: 'node-local', mount_path: mountPath },
});

function taskPlan(name: string, index: number, invocation: string): TaskPlan {
  const slug = name.replace(/[^a-z0-9]+/g, '-').slice(0, 14);
  const folder = `${index}-${slug}`;
  return {
    index,
    name,
    task: `lm-evaluation-harness.${name}`,
    endpointName: `vllm-${slug}-${index}-${invocation.slice(0, 8)}`,
    jobName: `eval-${slug}-${index}-${invocation.slice(0, 8)}`,
    endpointPath: '/v1/completions',
    folder,
    job: {
      container: { image: 'eval:1', command: ['/bin/bash', '-c', 'true'] },
      envs: [{ name: 'EVALSAGA_OUTPUT_DIR', value: `${mountPath}/${folder}` }],
      mounts: [storageOf(invocation).mount],
      nodeGroup: null,
      body: { resource_shape: 'cpu.small', completions: 1, parallelism: 1, ttl_seconds_after_finished: 3600 },
    },
  };
}
