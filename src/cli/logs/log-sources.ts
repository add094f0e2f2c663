import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { RunPlan, TaskPlan } from '../../contract/plan';
import { isMarkedWith } from '../../lepton/render-spec';
import type { Job, LeptonClient, LogRange } from '../../lepton/types';
import { readDeploymentState } from '../../lepton/endpoint-state';
import { readJobState, stateOf } from '../../lepton/job-state';

/** Where the log of a task's job or endpoint is at this moment. */
export type LogSource = SavedSource | LiveSource;

export interface SavedSource {
  readonly kind: 'file';
  readonly file: string;
}

export interface LiveSource {
  readonly kind: 'live';
  /** `null`: its replicas are gone or unknown, and the log can only be read by time. */
  readonly replica: string | null;
  readonly of: LogRange['of'];
  /** When the job or endpoint was created, milliseconds since the epoch. */
  readonly createdAt: number | undefined;
  /** Opens the log from its beginning; with `follow`, as it grows. */
  open(options: { readonly follow: boolean; readonly signal: AbortSignal }): AsyncIterable<Uint8Array>;
  /** Whether nothing writes to it any more: its replica is gone, or the job or endpoint has ended. */
  isOver(): Promise<boolean>;
  /** Whether the job or endpoint itself has ended: no other replica will follow. */
  hasEnded(): Promise<boolean>;
}

export type LogKind = 'job' | 'endpoint';

export interface LogRequest {
  readonly plan: RunPlan;
  readonly task: TaskPlan;
  readonly kind: LogKind;
  /** Folder of this host's records of runs. */
  readonly runsFolder: string;
  /** `undefined`: the platform can't be asked. */
  readonly client: LeptonClient | undefined;
  readonly signal: AbortSignal;
}

/**
 * Finds a task's logs: the saved ones, otherwise those on the platform, including archived jobs, otherwise those of earlier attempts,
 * as when no other endpoint could be made for the one that was lost. Empty: no log (yet).
 */
export async function logSources(request: LogRequest): Promise<LogSource[]> {
  const home = await savedLogs(request);
  if (home.length > 0) return home;
  const live = await liveLogs(request);
  return live.length > 0 ? live : savedLogs(request, '-attempt-(\\d+)');
}

/** Folders in which a task's logs may be saved: the second one if the first could not be written. */
export const logFolders = ({ plan, task, runsFolder }: Pick<LogRequest, 'plan' | 'task' | 'runsFolder'>): string[] => [
  path.join(plan.outputDir, task.folder, 'logs'),
  path.join(runsFolder, plan.invocation, 'logs', task.folder),
];

/** `attempt`: what the names have after the kind. */
export async function savedLogs(
  request: Omit<LogRequest, 'client' | 'signal'>,
  attempt = '()',
): Promise<SavedSource[]> {
  const own = new RegExp(`^${request.kind}${attempt}(?:\\.(\\d+))?\\.log$`);
  for (const folder of logFolders(request)) {
    const names = await readdir(folder).catch(() => []);
    const found = names.flatMap((name) => {
      const match = own.exec(name);
      return match
        ? [{ attempt: Number(match[1]), position: Number(match[2] ?? 0), file: path.join(folder, name) }]
        : [];
    });
    if (found.length === 0) continue;
    const inOrder = found.sort((a, b) => a.attempt - b.attempt || a.position - b.position);
    return inOrder.map(({ file }) => ({ kind: 'file', file }));
  }
  return [];
}

async function liveLogs({ plan, task, kind, client, signal }: LogRequest): Promise<LiveSource[]> {
  if (!client) return [];
  if (kind === 'endpoint') return task.endpointName === null ? [] : endpointLogs(client, task.endpointName, signal);
  const marks = { invocation: plan.invocation, index: task.index };
  for (const mode of ['alive_only', 'alive_and_archive'] as const) {
    const jobs = await client.listJobs({ name: task.jobName, mode }, { signal });
    const own = jobs.filter((job) => isMarkedWith(job.spec?.envs, marks) && stateOf(job) !== 'deleted');
    const sources = await Promise.all(own.map((job) => jobLogs(client, job, signal)));
    if (own.length > 0) return sources.flat();
  }
  return [];
}

async function jobLogs(client: LeptonClient, job: Job, signal: AbortSignal): Promise<LiveSource[]> {
  const { id = '', created_at } = job.metadata;
  const hasEnded = async (): Promise<boolean> => !isUnderWay(await client.getJob(id));
  const source = (replica: string | null): LiveSource => ({
    kind: 'live',
    replica,
    of: { job: id },
    createdAt: created_at ?? job.status?.creation_time,
    open: (options) => (replica === null ? nothing() : client.jobLog(id, replica, options)),
    isOver: async () => (await hasEnded()) || !(await isListed(client.jobReplicas(id), replica)),
    hasEnded,
  });
  const replicas = await client.jobReplicas(id, { signal });
  if (replicas.length > 0) return replicas.map((replica) => source(replica.id));
  // A waiting job has no log yet; an ended one may no longer have its replicas.
  return isUnderWay(job) ? [] : [source(null)];
}

const isUnderWay = (job: Job | undefined): boolean => ['pending', 'ending'].includes(readJobState(job).kind);

async function endpointLogs(client: LeptonClient, name: string, signal: AbortSignal): Promise<LiveSource[]> {
  const deployment = await client.getDeployment(name, { signal });
  if (deployment === undefined) return [];
  const hasEnded = async (): Promise<boolean> =>
    ['failed', 'absent'].includes(readDeploymentState(await client.getDeployment(name)).kind);
  const source = (replica: string | null): LiveSource => ({
    kind: 'live',
    replica,
    of: { deployment: name },
    createdAt: deployment.metadata.created_at,
    open: (options) => (replica === null ? nothing() : client.deploymentLog(name, replica, options)),
    isOver: async () => (await hasEnded()) || !(await isListed(client.deploymentReplicas(name), replica)),
    hasEnded,
  });
  const replicas = await client.deploymentReplicas(name, { signal });
  if (replicas.length > 0) return replicas.map(({ id }) => source(id));
  return readDeploymentState(deployment).kind === 'failed' ? [source(null)] : [];
}

async function isListed(listing: Promise<readonly { id: string }[]>, replica: string | null): Promise<boolean> {
  return replica === null || (await listing).some(({ id }) => id === replica);
}

// eslint-disable-next-line @typescript-eslint/require-await -- a source is asynchronous by nature
async function* nothing(): AsyncGenerator<Uint8Array> {
  yield* [];
}
