/**
 * Schemas of the platform's answers. They are tolerant: unknown keys pass, unknown states stay text, and `null`, which Go
 * writes for empty values, counts as absent. Only what evalsaga cannot work without is required.
 */
import { z } from 'zod';
import type {
  Deployment,
  Job,
  Metadata,
  NodeGroup,
  PlatformEvent,
  ReadinessIssue,
  Replica,
  StorageEntry,
  WireEnv,
  WorkspaceInfo,
} from './types';

const absent = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

const listOf = <T extends z.ZodType>(schema: T) =>
  z
    .array(schema)
    .nullish()
    .transform((value) => value ?? undefined);

const metadata = z.looseObject({ id: absent(z.string()), name: absent(z.string()), created_at: absent(z.number()) });

const env = z.looseObject({
  name: z.string(),
  value: absent(z.string()),
  value_from: absent(z.looseObject({ secret_name_ref: absent(z.string()) })),
}) satisfies z.ZodType<WireEnv>;

const specWithEnvs = z.looseObject({ envs: listOf(env) });

const nonNull = <T extends z.ZodType>(schema: T) => z.preprocess((value) => value ?? {}, schema);

const deploymentStatus = z.looseObject({
  // Only `Ready` and the final states matter, so a status without a state counts as pending.
  state: z
    .string()
    .nullish()
    .transform((state) => state ?? 'Unknown'),
  phase: absent(z.string()),
  endpoint: absent(z.looseObject({ external_endpoint: absent(z.string()) })),
  ready_replicas: absent(z.number()),
  message: absent(z.string()),
});

/** A deployment's id and name are the same: if one is missing, the other is used for both. */
export const deploymentSchema: z.ZodType<Deployment> = z
  .looseObject({ metadata: nonNull(metadata), spec: nonNull(specWithEnvs), status: absent(deploymentStatus) })
  .transform((deployment) => ({ ...deployment, metadata: withBothNames(deployment.metadata) }));

function withBothNames<T extends Metadata>(data: T): T {
  const name = data.name ?? data.id;
  return name === undefined ? data : { ...data, name, id: data.id ?? name };
}

const jobStatus = z.looseObject({
  state: absent(z.string()),
  creation_time: absent(z.number()),
  completion_time: absent(z.number()),
  message: absent(z.string()),
});

/** A job needs an id: without one it cannot be read again. */
export const jobSchema: z.ZodType<Job> = z.looseObject({
  metadata: metadata.refine((data) => data.id !== undefined && data.id !== '', 'has no id'),
  spec: absent(specWithEnvs),
  status: absent(jobStatus),
});

/** Paths use `metadata.id`; the top-level `id` is its older form. */
export const replicaSchema: z.ZodType<Replica> = z
  .looseObject({ id: absent(z.string()), metadata: absent(metadata) })
  .transform((replica, context) => {
    const id = replica.metadata?.id ?? replica.id;
    if (id !== undefined) return { id };
    context.addIssue({ code: 'custom', message: 'has no id' });
    return z.NEVER;
  });

const textOrNumber = z.union([z.string(), z.number()]).transform(String);

export const eventSchema: z.ZodType<PlatformEvent> = z.looseObject({
  type: z
    .string()
    .nullish()
    .transform((type) => type ?? ''),
  reason: z
    .string()
    .nullish()
    .transform((reason) => reason ?? ''),
  count: z
    .number()
    .nullish()
    .transform((count) => count ?? 1),
  last_observed_time: textOrNumber.nullish().transform((time) => time ?? ''),
  message: absent(z.string()),
});

const readinessIssue: z.ZodType<ReadinessIssue> = z.looseObject({
  reason: z.string(),
  message: z
    .string()
    .nullish()
    .transform((message) => message ?? ''),
});

/** By replica id. */
export const readinessSchema = z.record(z.string(), listOf(readinessIssue));

export const fileSystemSchema = z.looseObject({ metadata: z.looseObject({ name: z.string().nullish() }).nullish() });

export const storageEntrySchema: z.ZodType<StorageEntry> = z.looseObject({
  type: z.enum(['dir', 'file']),
  name: z.string(),
  path: z
    .string()
    .nullish()
    .transform((path) => path ?? ''),
});

const named = z.looseObject({ id: absent(z.string()), name: absent(z.string()) });

const volumes = listOf(z.looseObject({ from: absent(z.string()), name: absent(z.string()) }));

export const nodeGroupSchema: z.ZodType<NodeGroup> = z
  .looseObject({ metadata: named, spec: absent(z.looseObject({ volumes: volumes.catch(undefined) })) })
  .transform(({ metadata: data, spec }, context) => {
    const known = (spec?.volumes ?? []).flatMap(({ from, name }) =>
      from === undefined || name === undefined ? [] : [{ from, name }],
    );
    if (data.id !== undefined) return { id: data.id, name: data.name ?? data.id, volumes: known };
    context.addIssue({ code: 'custom', message: 'has no id' });
    return z.NEVER;
  });

export const namedSchema = z.looseObject({ metadata: named });

export const dataSourcesSchema = z.looseObject({
  items: listOf(z.looseObject({ spec: z.looseObject({ name: z.string() }) })),
});

export const nodeSchema = z.looseObject({ metadata: z.looseObject({ id: z.string() }) });

/** A shape's name is in `spec`, or in its metadata. */
export const shapeSchema = z
  .looseObject({ metadata: absent(named), spec: absent(z.looseObject({ name: absent(z.string()) })) })
  .transform(({ metadata: data, spec }) => spec?.name ?? data?.name ?? data?.id ?? '');

const logValue = z.tuple([z.string().regex(/^\d{1,20}$/), z.string()], z.unknown());

/** Loki's format: streams, each with its lines. */
export const logAnswerSchema = z.looseObject({
  data: z.looseObject({
    result: listOf(z.looseObject({ stream: absent(z.looseObject({ bytes: z.unknown() })), values: listOf(logValue) })),
  }),
});

export const secretSchema = z.looseObject({ name: z.string() });

/** As in the service's own client, only a boolean `true` selects the new dialect. */
export const workspaceSchema: z.ZodType<WorkspaceInfo> = z.looseObject({
  workspace_name: z
    .string()
    .nullish()
    .transform((name) => name ?? ''),
  workspace_state: z
    .string()
    .nullish()
    .transform((state) => state ?? 'unknown'),
  supported_shapes: z
    .record(z.string(), z.unknown())
    .nullish()
    .transform((shapes) => shapes ?? {}),
  features: absent(
    z.looseObject({
      enable_new_deployment_api: z
        .unknown()
        .optional()
        .transform((flag) => flag === true),
    }),
  ),
  evalsaga_runtime: z.string().optional().catch(undefined),
});
