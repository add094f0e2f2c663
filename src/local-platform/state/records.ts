import path from 'node:path';
import { z } from 'zod';
import { readJsonFile, writePrivateJson } from '../../support/atomic-file';
import { RecordFolder } from './record-folder';

const body = z.record(z.string(), z.unknown());

/** An event in a resource's history, as `/events` shows it. `at`: milliseconds since the epoch. */
const eventSchema = z.object({
  at: z.number(),
  type: z.enum(['Normal', 'Warning']),
  reason: z.string(),
  message: z.string().optional(),
});

const deploymentSchema = z.object({
  name: z.string(),
  /** As posted, without `id`, `name`, `created_at` and `version`, which the platform sets. */
  metadata: body,
  /** As posted (classic shape), unknown keys included. */
  spec: body,
  createdAt: z.number(),
  modifiedAt: z.number(),
  version: z.number(),
  deletedAt: z.number().optional(),
  /** When it was scaled to zero for lack of traffic, unless it was scaled up since. */
  idleAt: z.number().optional(),
  events: z.array(eventSchema),
});

const jobStatusSchema = z.object({
  state: z.string(),
  message: z.string().optional(),
  completedAt: z.number().optional(),
});

const jobSchema = z.object({
  id: z.string(),
  name: z.string(),
  metadata: body,
  spec: body,
  createdAt: z.number(),
  version: z.number(),
  deletedAt: z.number().optional(),
  /** Set once the runtime has removed the job: its last status. */
  archived: z.object({ at: z.number(), reason: z.enum(['deleted', 'ttl']), status: jobStatusSchema }).optional(),
  events: z.array(eventSchema),
});

const secretSchema = z.object({
  name: z.string(),
  value: z.string(),
  visibility: z.string().optional(),
  tags: z.array(z.string()).optional(),
  createdAt: z.number(),
});

const nodeGroupSchema = z.object({
  id: z.string(),
  name: z.string(),
  createdAt: z.number(),
  nodes: z.array(z.object({ id: z.string() })),
});

export type StoredEvent = z.infer<typeof eventSchema>;
export type DeploymentRecord = z.infer<typeof deploymentSchema>;
export type JobStatus = z.infer<typeof jobStatusSchema>;
export type JobRecord = z.infer<typeof jobSchema>;
export type SecretRecord = z.infer<typeof secretSchema>;
export type NodeGroupRecord = z.infer<typeof nodeGroupSchema>;

/** The persistent state of the platform, except storage, which is plain folders. */
export interface PlatformState {
  readonly folder: string;
  readonly deployments: RecordFolder<DeploymentRecord>;
  readonly jobs: RecordFolder<JobRecord>;
  readonly secrets: RecordFolder<SecretRecord>;
  readonly nodeGroups: RecordFolder<NodeGroupRecord>;
  /** When this folder was first used, in milliseconds since the epoch. */
  readonly createdAt: number;
}

export async function openState(folder: string, now: () => number): Promise<PlatformState> {
  const open = <T extends object>(name: string, schema: z.ZodType<T>) =>
    RecordFolder.open(path.join(folder, name), schema);
  const [deployments, jobs, secrets, nodeGroups] = await Promise.all([
    open('deployments', deploymentSchema),
    open('jobs', jobSchema),
    open('secrets', secretSchema),
    open('node-groups', nodeGroupSchema),
  ]);
  return {
    folder,
    deployments,
    jobs,
    secrets,
    nodeGroups,
    createdAt: await creationTime(path.join(folder, 'state.json'), now),
  };
}

async function creationTime(file: string, now: () => number): Promise<number> {
  const known = z.object({ createdAt: z.number() }).safeParse(await readJsonFile(file));
  if (known.success) return known.data.createdAt;
  const createdAt = now();
  await writePrivateJson(file, { createdAt });
  return createdAt;
}
