import { tokenSecretName } from '../../contract/endpoint-token';
import { endpointOf } from '../../contract/endpoint-plans';
import { sharedIndex } from '../../contract/identity';
import { sharedModelOf } from '../../contract/parts';
import type { EndpointPlan, RunPlan, SharedEndpointPlan, TaskPlan } from '../../contract/plan';
import { masked } from '../../contract/url-placeholders';
import { runConfigIn } from '../../config/plan/read-script';
import { costEstimate } from './cost';
import { releaseOf } from './release-choice';
import { sharingChoices } from './sharing-choices';
import { renderDeployment, renderJob } from '../../lepton/render-spec';

/** Returns what a run would create, in wire form except for values that are known only then; secrets are masked. Pure. */
export function dryRunDocument(plan: RunPlan): object {
  const { invocation, platform, model, owner, outputDir, startPolicy, onTaskFailure, maxParallelEndpoints } = plan;
  const cost = costEstimate(plan);
  return {
    invocation,
    platform: platform.kind === 'local' ? 'local' : { workspace: platform.workspace, url: platform.url },
    ...(plan.name === undefined ? {} : { name: plan.name }),
    ...(plan.tags === undefined ? {} : { tags: plan.tags }),
    model,
    owner,
    output_dir: outputDir,
    execution: {
      start_policy: startPolicy,
      ...(plan.startJobsEarly ? { start_jobs_early: true } : {}),
      ...(plan.releaseEndpoint === undefined ? {} : { release_endpoint: plan.releaseEndpoint }),
      on_task_failure: onTaskFailure,
      max_parallel_endpoints: maxParallelEndpoints,
      keep_storage: plan.keepStorage,
    },
    limits: plan.limits,
    ...(cost === undefined ? {} : { cost }),
    storage: plan.storage,
    ...(plan.exports === undefined ? {} : { exports: plan.exports }),
    ready_means: plan.endpoint.probe,
    ...(plan.endpoint.kind === 'existing' ? { existing_endpoint: masked(plan.endpoint.url) } : {}),
    ...(plan.retryOf === undefined ? {} : { retry_of: plan.retryOf }),
    ...sharingChoices(plan),
    ...(plan.sharedEndpoints === undefined
      ? {}
      : { shared_endpoints: plan.sharedEndpoints.map((shared, position) => sharedDocument(plan, shared, position)) }),
    tasks: plan.tasks.map((task) => taskDocument(plan, task)),
  };
}

function taskDocument(plan: RunPlan, task: TaskPlan): object {
  const { earlier } = task;
  const model = task.model === undefined ? {} : { model: task.model };
  const common = { index: task.index, name: task.name, ...model, task: task.task };
  const results = `${plan.outputDir}/${task.folder}`;
  if (earlier?.use === 'results') {
    const from = `${earlier.place}/${earlier.folder}`;
    return { ...common, taken_over: { run: earlier.invocation, task: earlier.index, from }, results };
  }
  const endpoint = endpointOf(plan, task);
  return {
    ...common,
    ...(task.endpoint === undefined ? {} : { ready_means: endpoint.probe }),
    ...(sharedModelOf(task) !== undefined
      ? { endpoint: { name: sharedModelOf(task)?.servesModel, shared: true } }
      : endpoint.kind === 'dedicated'
        ? {
            endpoint: {
              name: task.endpointName,
              spec: renderDeployment(endpoint.spec, {
                ...contextOf(plan, task.index, endpoint.spec.nodeGroup),
                made: { secret: tokenSecretName(plan.invocation, task.endpointName ?? ''), digest: null },
              }),
            },
          }
        : task.endpoint === undefined
          ? {}
          : { existing_endpoint: masked(endpoint.url) }),
    ...(plan.releaseEndpoint === undefined ? {} : { endpoint_released: releaseOf(task) }),
    job: {
      name: task.jobName,
      // In the spec it is encoded.
      run_config: runConfigIn(task.job.container.command) ?? null,
      spec: renderJob(task.job, {
        ...contextOf(plan, task.index, task.job.nodeGroup),
        modelUrl: modelUrl(endpoint, task.endpointPath),
        sharedUrls: sharedUrls(plan, task),
        nonce: '<made with the job>',
      }),
    },
    results,
  };
}

function sharedDocument(plan: RunPlan, shared: SharedEndpointPlan, position: number): object {
  const { name, endpoint, endpointName } = shared;
  const users = plan.tasks.filter(({ uses }) => uses?.some((use) => use.endpoint === position));
  return {
    name,
    used_by: users.map(({ index }) => index),
    ready_means: endpoint.probe,
    ...(endpoint.kind === 'existing'
      ? { existing_endpoint: masked(endpoint.url) }
      : {
          endpoint: {
            name: endpointName,
            spec: renderDeployment(endpoint.spec, {
              ...contextOf(plan, sharedIndex(position), endpoint.spec.nodeGroup),
              made: { secret: tokenSecretName(plan.invocation, endpointName ?? ''), digest: null },
            }),
          },
        }),
  };
}

function sharedUrls({ sharedEndpoints = [] }: RunPlan, { uses = [] }: TaskPlan): Record<string, string> {
  return Object.fromEntries(
    uses.flatMap(({ endpoint, variables }) =>
      Object.entries(variables).map(([name, path]) => [
        name,
        `<URL of ${sharedEndpoints[endpoint]?.name ?? ''}>${path}`,
      ]),
    ),
  );
}

function contextOf(plan: RunPlan, index: number, nodeGroup: string | null) {
  return {
    marks: { invocation: plan.invocation, index, origin: '<origin of this installation>' },
    // The id is looked up at creation; the name as written says more to a reader.
    nodeGroupId: nodeGroup,
    resolve: (name: string) => `<value of ${name}>`,
  };
}

function modelUrl(endpoint: EndpointPlan, endpointPath: string): string {
  return endpoint.kind === 'existing' ? masked(endpoint.url) : `<endpoint's URL>${endpointPath}`;
}
