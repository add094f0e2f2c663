import { tokenOwnerOf } from '../contract/endpoint-token';
import { endpointsOf } from '../contract/endpoint-plans';
import type { EndpointSpec, EnvEntry, MountSpec, RunPlan, TokenEntry } from '../contract/plan';

/** What a run's plan needs from a workspace. Pure. */
export interface Needs {
  readonly shapes: readonly Named[];
  readonly nodeGroups: readonly Named[];
  /** Secrets by `secret_name_ref`. */
  readonly secrets: readonly Named[];
  /** Tokens by `token_name_ref`. */
  readonly tokens: readonly Named[];
  readonly images: readonly Named[];
  readonly pullSecrets: readonly Named[];
  readonly mounts: readonly { readonly mount: MountSpec; readonly by: string }[];
  /** Endpoints and jobs that may exist at the same time. */
  readonly endpoints: readonly { readonly count: number; readonly shape: string | null; readonly replicas: number }[];
  readonly jobs: { readonly count: number; readonly shape: string | null };
}

export interface Named {
  readonly name: string;
  /** What needs it: `endpoints`, `jobs`, `job of task 2`. */
  readonly by: string;
}

export function needsOf(plan: RunPlan): Needs {
  const specs = endpointsOf(plan).flatMap(({ endpoint, tasks }) =>
    endpoint.kind === 'dedicated'
      ? [{ spec: endpoint.spec, tasks: tasks.filter(({ endpointName: own }) => own !== null).length }]
      : [],
  );
  const shared = (plan.sharedEndpoints ?? []).flatMap(({ name, endpoint }) =>
    endpoint.kind === 'dedicated' ? [{ spec: endpoint.spec, by: name }] : [],
  );
  const deployed = [...specs.map(({ spec }) => ({ spec, by: 'endpoints' })), ...shared];
  const jobs = plan.tasks.map(({ job, index }) => ({ job, by: `job of task ${index}` }));
  const jobShape = textOrNull(jobs[0]?.job.body['resource_shape']);
  const ofEndpoint = <T>(read: (spec: EndpointSpec) => readonly T[]): { value: T; by: string }[] =>
    deployed.flatMap(({ spec, by }) => read(spec).map((value) => ({ value, by })));
  const ofJobs = <T>(read: (job: (typeof jobs)[number]['job']) => readonly T[]): { value: T; by: string }[] =>
    jobs.flatMap(({ job, by }) => read(job).map((value) => ({ value, by })));
  const listed = (asked: Parameters<typeof named>[0]): Named[] => named(asked, plan.tasks.length);
  const count = plan.maxParallelEndpoints ?? plan.tasks.length;
  return {
    shapes: listed([
      ...ofEndpoint((spec) => given(textOrNull(requirementOf(spec)['resource_shape']))),
      ...ofJobs(({ body }) => given(textOrNull(body['resource_shape']))),
    ]),
    nodeGroups: listed([...ofEndpoint((spec) => given(spec.nodeGroup)), ...ofJobs((job) => given(job.nodeGroup))]),
    secrets: listed([...ofEndpoint((spec) => secretNames(spec.envs)), ...ofJobs((job) => secretNames(job.envs))]),
    tokens: listed(ofEndpoint((spec) => spec.apiTokens.flatMap(workspaceName))),
    images: listed([...ofEndpoint((spec) => [spec.container.image]), ...ofJobs((job) => [job.container.image])]),
    pullSecrets: listed([...ofEndpoint((spec) => pullSecrets(spec.body)), ...ofJobs((job) => pullSecrets(job.body))]),
    mounts: distinct([...ofEndpoint((spec) => spec.mounts), ...ofJobs((job) => job.mounts)], plan.tasks.length),
    endpoints: [...atOnce(specs, count), ...shared.map(({ spec }) => ({ spec, tasks: 1 }))].map(({ spec, tasks }) => ({
      count: tasks,
      shape: textOrNull(requirementOf(spec)['resource_shape']),
      replicas: numberOr(requirementOf(spec)['min_replicas'], 1),
    })),
    jobs: { count: Math.min(count, plan.tasks.length), shape: jobShape },
  };
}

interface SpecOfTasks {
  readonly spec: EndpointSpec;
  readonly tasks: number;
}

/** Takes as many of them as may exist at the same time. */
function atOnce(specs: readonly SpecOfTasks[], most: number): SpecOfTasks[] {
  let left = most;
  return specs.flatMap(({ spec, tasks }) => {
    const taken = Math.min(tasks, left);
    left -= taken;
    return taken === 0 ? [] : [{ spec, tasks: taken }];
  });
}

const requirementOf = ({ body }: EndpointSpec): Record<string, unknown> =>
  (body['resource_requirement'] ?? {}) as Record<string, unknown>;

const textOrNull = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
const numberOr = (value: unknown, otherwise: number): number => (typeof value === 'number' ? value : otherwise);
const given = (name: string | null): string[] => (name === null ? [] : [name]);

/** A secret that the run itself makes is none that it needs. */
const workspaceName = (secret: TokenEntry): string[] =>
  secret.kind === 'workspace' && tokenOwnerOf(secret.name) === undefined ? [secret.name] : [];
const secretNames = (envs: readonly EnvEntry[]): string[] =>
  envs.flatMap((entry) => ('secret' in entry ? workspaceName(entry.secret) : []));

function pullSecrets(body: Readonly<Record<string, unknown>>): string[] {
  const names = body['image_pull_secrets'];
  return Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string') : [];
}

/** Returns each name once, with what needs it. */
function named(asked: readonly { value: string; by: string }[], tasks: number): Named[] {
  const by = new Map<string, Set<string>>();
  for (const { value, by: who } of asked) by.set(value, (by.get(value) ?? new Set()).add(who));
  return [...by].map(([name, who]) => ({ name, by: briefly([...who], tasks) }));
}

function distinct(
  asked: readonly { value: MountSpec; by: string }[],
  tasks: number,
): { mount: MountSpec; by: string }[] {
  const texts = named(
    asked.map(({ value, by }) => ({ value: JSON.stringify(value), by })),
    tasks,
  );
  return texts.map(({ name, by }) => ({ mount: JSON.parse(name) as MountSpec, by }));
}

/** Shortens the list: `endpoints and jobs` if all of the run's jobs are in it. */
function briefly(who: readonly string[], tasks: number): string {
  const jobs = who.filter((name) => name.startsWith('job '));
  const all = jobs.length === tasks ? [tasks === 1 ? 'job' : 'jobs'] : jobs;
  const named = [...who.filter((name) => !name.startsWith('job ')), ...all];
  return named.length <= 3 ? named.join(' and ') : `${named.slice(0, 2).join(', ')} and ${named.length - 2} more`;
}
