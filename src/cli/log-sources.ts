import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { RunPlan, TaskPlan } from '../contract/plan';
import type { TaskSnapshot } from '../contract/state';
import { isMarkedWith } from '../lepton/render';
import type { LeptonClient, LogRange } from '../lepton/types';
import { readDeploymentState } from '../activities/endpoint-state';
import { readJobState } from '../activities/job-state';

/** Where the log of a task's job or endpoint is at this moment. */
export type LogSource = { readonly kind: 'file'; readonly file: string } | LiveSource;

export interface LiveSource {
  readonly kind: 'live';
  readonly replica: string;
  readonly of: LogRange['of'];
  /** The log from its beginning; with `follow`, as it grows. */
  open(options: { readonly follow: boolean; readonly signal: AbortSignal }): AsyncIterable<Uint8Array>;
  /** Whether what writes it has ended. */
  isOver(): Promise<boolean>;
}

export type LogKind = 'job' | 'endpoint';

export interface LogRequest {
  readonly plan: RunPlan;
  readonly task: TaskPlan;
  readonly snapshot: TaskSnapshot;
  readonly kind: LogKind;
  /** `undefined`: the platform cannot be asked. */
  readonly client: LeptonClient | undefined;
  readonly signal: AbortSignal;
}

/** What was brought home, else what the platform has; empty when there is no log (yet). */
export async function logSources(request: LogRequest): Promise<LogSource[]> {
  const home = await savedLogs(request);
  return home.length > 0 ? home : liveLogs(request);
}

async function savedLogs({ plan, task, kind }: LogRequest): Promise<LogSource[]> {
  const folder = path.join(plan.outputDir, task.folder, 'logs');
  const names = await readdir(folder).catch(() => []);
  const own = new RegExp(`^${kind}(\\.\\d+)?\\.log$`);
  return names
    .filter((name) => own.test(name))
    .sort()
    .map((name) => ({ kind: 'file', file: path.join(folder, name) }));
}

async function liveLogs(request: LogRequest): Promise<LogSource[]> {
  return request.kind === 'job' ? jobLogs(request) : endpointLogs(request);
}

async function jobLogs({ plan, task, snapshot, client, signal }: LogRequest): Promise<LogSource[]> {
  if (!client || snapshot.job === null) return [];
  const marks = { invocation: plan.invocation, index: task.index };
  const jobs = await client.listJobs({ name: task.jobName, mode: 'alive_only' }, { signal });
  const own = jobs.filter((job) => isMarkedWith(job.spec?.envs, marks));
  const replicas = own.map(async ({ metadata: { id = '' } }) =>
    (await client.jobReplicas(id, { signal })).map((replica): LiveSource => ({
      kind: 'live',
      replica: replica.id,
      of: { job: id },
      open: (options) => client.jobLog(id, replica.id, options),
      isOver: async () => readJobState(await client.getJob(id, { mode: 'alive_only' })).kind !== 'pending',
    })),
  );
  return (await Promise.all(replicas)).flat();
}

async function endpointLogs({ task, client, signal }: LogRequest): Promise<LogSource[]> {
  const name = task.endpointName;
  if (!client || name === null || (await client.getDeployment(name, { signal })) === undefined) return [];
  const replicas = await client.deploymentReplicas(name, { signal });
  return replicas.map(({ id }): LiveSource => ({
    kind: 'live',
    replica: id,
    of: { deployment: name },
    open: (options) => client.deploymentLog(name, id, options),
    isOver: async () => ['failed', 'absent'].includes(readDeploymentState(await client.getDeployment(name)).kind),
  }));
}
