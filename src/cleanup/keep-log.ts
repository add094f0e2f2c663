import { sharedAsTasks } from '../contract/parts';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { isFurtherJob } from '../contract/job-attempts';
import type { RunPlan, TaskPlan } from '../contract/plan';
import type { HomePaths } from '../home/paths';
import { maskSecrets } from '../secrets/masking';
import type { LeptonClient } from '../lepton/types';
import { saveDeploymentLogs, saveJobLogs, type LogBudget } from '../results/logs/replica-logs';
import { within } from '../support/within';
import type { MarkedResource } from './marked';
import { secretsInSpec, type WireSpec } from './spec-secrets';

/** Where the log of a deleted resource was saved, or why it was lost. Neither: there was no log. */
export interface KeptLog {
  /** Absolute path. */
  readonly log?: string;
  readonly logLost?: string;
}

/** Short, since saving a log delays the deletion of a resource that costs money by the minute. */
const budget: LogBudget = { logMs: 8_000, timesMs: 3_000, quietMs: 3_000 };
/** Milliseconds for all requests about one log. */
const longestMs = 20_000;

export interface KeepLogRequest {
  readonly platform: LeptonClient;
  readonly place: LogPlace;
  /** Masked in the log, and in messages about it. */
  readonly secrets: readonly string[];
  /** The run's plan, if this host has it: says which of a resource's variables hold secrets. */
  readonly plan: RunPlan | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface LogPlace {
  readonly target: string;
  /** Used if the target can't be written. */
  readonly fallback: string;
}

/** Returns where to save the log: with the run's results if this host has its plan, else below this home. Pure. */
export function logPlaceOf(
  { kind, name, index, invocation }: Pick<MarkedResource, 'kind' | 'name' | 'index' | 'invocation'>,
  { plan, home, outputDir }: PlaceOptions,
): LogPlace {
  const parts = plan === undefined ? [] : [...plan.tasks, ...sharedAsTasks(plan)];
  const task = parts.find((candidate) => candidate.index === index);
  const file = task && isOf(task, name) ? `${kind}.log` : `${fileName(name)}.log`;
  const folder = task?.folder ?? '.';
  const fallback = path.join(plan ? home.runs : home.swept, invocation, 'logs', folder, file);
  const root = outputDir ?? plan?.outputDir;
  return { target: root === undefined ? fallback : path.join(root, folder, 'logs', file), fallback };
}

export interface PlaceOptions {
  /** Known if the run was started on this host, or its results are fetched here. */
  readonly plan: RunPlan | undefined;
  readonly home: Pick<HomePaths, 'runs' | 'swept'>;
  /** Where results are fetched to; default: the plan's output folder. */
  readonly outputDir?: string | undefined;
}

/** Saves the log of a resource that is about to be deleted. Rejects only if the signal aborts. */
export async function keepLog(resource: MarkedResource, request: KeepLogRequest): Promise<KeptLog> {
  const { place, signal } = request;
  let secrets = request.secrets;
  try {
    await within({ ms: longestMs, signal }, async (bounded) => {
      const found = await find(resource, request, bounded);
      if (!found) return;
      secrets = [...secrets, ...secretsInSpec(found.spec, request.plan)];
      await found.save({ client: request.platform, signal: bounded, secrets, budget, ...place });
    });
  } catch (error) {
    signal?.throwIfAborted();
    return { ...(await savedIn(place)), logLost: maskSecrets((error as Error).message, secrets) };
  }
  return savedIn(place);
}

type Save = (saving: Parameters<typeof saveJobLogs>[0]) => Promise<unknown>;

async function find(
  { kind, id, name }: MarkedResource,
  { platform }: KeepLogRequest,
  signal: AbortSignal,
): Promise<{ readonly spec: WireSpec; readonly save: Save } | undefined> {
  switch (kind) {
    case 'endpoint': {
      const deployment = await platform.getDeployment(id, { signal });
      if (!deployment) return undefined;
      const metadata = { ...deployment.metadata, name: id };
      return { spec: deployment.spec, save: (saving) => saveDeploymentLogs(saving, { metadata }) };
    }
    case 'job': {
      const job = await platform.getJob(id, { signal, name });
      return { spec: job?.spec ?? {}, save: (saving) => saveJobLogs(saving, { id, job }) };
    }
  }
}

async function savedIn({ target, fallback }: LogPlace): Promise<Pick<KeptLog, 'log'>> {
  for (const file of [target, fallback]) {
    const size = await stat(file).then(
      (found) => found.size,
      () => 0,
    );
    if (size > 0) return { log: file };
  }
  return {};
}

/** Whether the plan names this resource. Others, such as a duplicate job, must not overwrite its log. */
const isOf = ({ endpointName, jobName }: TaskPlan, name: string): boolean =>
  name === endpointName || name === jobName || isFurtherJob(jobName, name);

const fileName = (name: string): string => name.replace(/[^A-Za-z0-9._-]/g, '-');
