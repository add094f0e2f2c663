import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { RunPlan, TaskPlan } from '../contract/plan';
import type { HomePaths } from '../home/paths';
import { maskSecrets } from '../secrets/masking';
import type { LeptonClient } from '../lepton/types';
import { saveDeploymentLogs, saveJobLogs, type LogBudget } from '../results/logs/replica-logs';
import { within } from '../support/within';
import type { MarkedResource } from './marked';
import { secretsInSpec, type WireSpec } from './spec-secrets';

/** What became of the log of something that is about to be deleted. Neither: there was none. */
export interface KeptLog {
  /** Absolute path. */
  readonly log?: string;
  readonly logLost?: string;
}

/** A log never holds up a deletion for long: what is deleted here may cost money by the minute. */
const budget: LogBudget = { logMs: 8_000, timesMs: 3_000, quietMs: 3_000 };
/** Milliseconds for all questions about one log together. */
const longestMs = 20_000;

export interface KeepLogRequest {
  readonly platform: LeptonClient;
  readonly place: LogPlace;
  /** Masked in the log, and in what is said of it. */
  readonly secrets: readonly string[];
  /** Of the run, where it is known here: tells which of a resource's variables hold secrets. */
  readonly plan: RunPlan | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface LogPlace {
  readonly target: string;
  /** Where to when the target can't be written. */
  readonly fallback: string;
}

/** With the run's results where this host is its home; else in the home of whoever removes it. Pure. */
export function logPlaceOf(
  { kind, name, index, invocation }: Pick<MarkedResource, 'kind' | 'name' | 'index' | 'invocation'>,
  { plan, home, outputDir }: PlaceOptions,
): LogPlace {
  const task = plan?.tasks.find((candidate) => candidate.index === index);
  const file = task && isOf(task, name) ? `${kind}.log` : `${fileName(name)}.log`;
  const folder = task?.folder ?? '.';
  const fallback = path.join(plan ? home.runs : home.swept, invocation, 'logs', folder, file);
  const root = outputDir ?? plan?.outputDir;
  return { target: root === undefined ? fallback : path.join(root, folder, 'logs', file), fallback };
}

export interface PlaceOptions {
  /** Of a run that was started on this host, or whose results come here. */
  readonly plan: RunPlan | undefined;
  readonly home: Pick<HomePaths, 'runs' | 'swept'>;
  /** Where results go that are brought home now; default: as planned. */
  readonly outputDir?: string | undefined;
}

/** Saves its log before it is deleted. Rejects only when the signal aborts. */
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

/** The one that the plan names: only that has the place which people look at. */
const isOf = ({ endpointName, jobName }: TaskPlan, name: string): boolean => name === endpointName || name === jobName;

const fileName = (name: string): string => name.replace(/[^A-Za-z0-9._-]/g, '-');
