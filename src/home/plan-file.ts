import { z } from 'zod';
import { exportTargets, type ExportPlan } from '../contract/export';
import type {
  BudgetPlan,
  ContainerSpec,
  EndpointPlan,
  EndpointUse,
  EnvEntry,
  JobSpec,
  MountSpec,
  PlatformRef,
  ProbeSpec,
  RunPlan,
  SecretRef,
  SharedEndpointPlan,
  TaskPlan,
  TokenEntry,
} from '../contract/plan';
import type { VersionedFormat } from '../support/versioned-json';

/** The form of `plan.json`, in which this host keeps what a run does. Types and meaning: `contract/plan.ts`. */

const text = z.string();
const count = z.number();
const body = z.record(text, z.unknown());

const platform: z.ZodType<PlatformRef> = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('lepton'), workspace: text, url: text }),
  z.looseObject({ kind: z.literal('local'), workspace: text }),
]);

const secret: z.ZodType<SecretRef> = z.looseObject({ kind: z.enum(['host', 'workspace']), name: text });

const token: z.ZodType<TokenEntry> = z.union([secret, z.looseObject({ kind: z.literal('made') })]);

const env: z.ZodType<EnvEntry> = z.union([
  z.looseObject({ name: text, secret }),
  z.looseObject({ name: text, value: text }),
]);

const mount: z.ZodType<MountSpec> = z.looseObject({
  path: text,
  from: text,
  mount_path: text,
  mount_options: z
    .looseObject({ local_cache_size_mib: count.exactOptional(), read_only: z.boolean().exactOptional() })
    .exactOptional(),
});

const container: z.ZodType<ContainerSpec> = z.looseObject({
  image: text,
  command: z.array(text).exactOptional(),
  ports: z.array(z.looseObject({ container_port: count, protocol: text.exactOptional() })).exactOptional(),
});

const spec = {
  container,
  envs: z.array(env),
  mounts: z.array(mount),
  nodeGroup: text.nullable(),
  allowedNodes: z.array(text).exactOptional(),
  body,
};

const probe: z.ZodType<ProbeSpec> = z.looseObject({
  servedModel: text,
  healthPath: text.nullable(),
  warmUp: z.enum(['chat', 'completions', 'none']),
  token: token.nullable(),
});

const endpoint: z.ZodType<EndpointPlan> = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('dedicated'), spec: z.looseObject({ ...spec, apiTokens: z.array(token) }), probe }),
  z.looseObject({ kind: z.literal('existing'), url: text, probe }),
]);

const job: z.ZodType<JobSpec> = z.looseObject({ ...spec, tellsLastRequest: z.literal(true).exactOptional() });

const use: z.ZodType<EndpointUse> = z.looseObject({
  endpoint: count,
  variables: z.record(text, text),
  servesModel: text.exactOptional(),
});

const shared: z.ZodType<SharedEndpointPlan> = z.looseObject({
  name: text,
  endpointName: text.nullable(),
  endpoint,
  folder: text,
  endpointPerHour: count.exactOptional(),
});

const task: z.ZodType<TaskPlan> = z.looseObject({
  index: count,
  name: text,
  model: text.exactOptional(),
  endpoint: endpoint.exactOptional(),
  endpointPerHour: count.exactOptional(),
  task: text,
  endpointName: text.nullable(),
  jobName: text,
  endpointPath: text,
  folder: text,
  cataloguedImage: text.exactOptional(),
  uses: z.array(use).exactOptional(),
  spared: z.array(z.looseObject({ endpoint: shared, use })).exactOptional(),
  job,
  earlier: z
    .looseObject({
      use: z.enum(['results', 'caches']),
      invocation: text,
      index: count,
      place: text,
      folder: text,
    })
    .exactOptional(),
});

const budget: z.ZodType<BudgetPlan> = z.looseObject({
  limit: count,
  currency: text,
  endpointPerHour: count,
  jobPerHour: count,
});

/** Settings are checked when the config is read, and kept as they are. */
const exportPlan = z.custom<ExportPlan>(
  (value) =>
    z.looseObject({ to: z.enum(exportTargets), settings: z.looseObject({}), envs: z.array(env) }).safeParse(value)
      .success,
);

const plan: z.ZodType<RunPlan> = z.looseObject({
  version: z.literal(1).default(1),
  invocation: text,
  platform,
  simulated: z.literal(true).exactOptional(),
  owner: text,
  name: text.exactOptional(),
  tags: z.record(z.string(), text).exactOptional(),
  retryOf: text.exactOptional(),
  model: text,
  outputDir: text,
  resultsStore: text.exactOptional(),
  sealedSecrets: z.literal(true).exactOptional(),
  startPolicy: z.enum(['all_ready', 'as_ready']),
  startJobsEarly: z.literal(true).exactOptional(),
  releaseEndpoint: z.literal('after_last_request').exactOptional(),
  onTaskFailure: z.enum(['abort', 'continue']),
  maxParallelEndpoints: count.nullable(),
  keepStorage: z.boolean(),
  skipResults: z.array(text).exactOptional(),
  packsResults: z.literal(true).exactOptional(),
  limits: z.looseObject({
    endpointReadySeconds: count,
    jobSeconds: count,
    teardownSeconds: count,
    runSeconds: count.nullable(),
    resultBytes: count,
    jobRetries: count.exactOptional(),
  }),
  budget: budget.nullable().exactOptional(),
  endpoint,
  storage: z.looseObject({ fileSystem: text, path: text, mount }),
  sharedEndpoints: z.array(shared).exactOptional(),
  home: z.looseObject({ taskQueue: text, holdsSecrets: z.boolean() }).exactOptional(),
  tasks: z.array(task),
  exports: z.array(exportPlan).exactOptional(),
  provenance: z.looseObject({ configDigest: text, command: text }),
});

/** How `plan.json` of this run is read. */
export const planFormat = (invocation: string): VersionedFormat<RunPlan> => ({
  schema: plan,
  version: 1,
  advice: `Nothing of the run is lost by it: its results stay where they are, and evalsaga cleanup ${invocation} removes what it left on the platform.`,
});
