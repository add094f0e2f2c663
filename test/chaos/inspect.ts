import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { quotaWorkflowId, type QuotaState } from '../../src/contract/endpoint-quota';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import { furtherJobNames } from '../../src/contract/job-attempts';
import { quotaClaim, quotaStatus } from '../../src/contract/messages';
import { partIndices, sharedAsTasks } from '../../src/contract/parts';
import type { RunPlan } from '../../src/contract/plan';
import type { KeptStorage, TaskSnapshot } from '../../src/contract/state';
import type { HomePaths } from '../../src/home/paths';
import type { LeptonClient } from '../../src/lepton/types';
import { cleanUp } from '../../src/cleanup/cleanup';
import { sweep } from '../../src/cleanup/sweep';
import { retryOutages } from './disturbance';
import type { Ledger } from './ledger';
import type { TestBed } from './test-bed';

/** Checks what is left of a run, and removes it with the product's own means. */

/** Returns what tasks report as kept, which a terminated run can't report. */
export async function keptByTasks(testBed: TestBed, plan: RunPlan): Promise<readonly KeptStorage[]> {
  const kept = plan.tasks.map(async ({ index }): Promise<readonly KeptStorage[]> => {
    try {
      const handle = testBed.client.workflow.getHandle(taskWorkflowId(plan.invocation, index));
      return ((await handle.result()) as TaskSnapshot).kept;
    } catch (error) {
      const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
      return cause instanceof ApplicationFailure ? ((cause.details?.[0] as TaskSnapshot | undefined)?.kept ?? []) : [];
    }
  });
  return (await Promise.all(kept)).flat();
}

export async function inventory(direct: LeptonClient, plan: RunPlan): Promise<string[]> {
  const ours = plan.invocation.slice(0, 8);
  const [deployments, jobs, secrets] = await Promise.all([
    direct.listDeployments(),
    direct.listJobs({ mode: 'alive_only' }),
    direct.listSecretNames(),
  ]);
  const { fileSystem, path: root } = plan.storage;
  const folders = (await direct.storage.list(fileSystem, root)) ?? [];
  const names = [
    ...deployments.map(({ metadata }) => `endpoint ${metadata.name}`),
    ...jobs.map(({ metadata }) => `job ${metadata.name}`),
    ...secrets.map((name) => `secret ${name}`),
  ].filter((name) => name.includes(ours));
  const storage = folders.map(({ name }) => `storage ${root}/${name}`);
  return [
    ...names,
    ...(storage.length === 0 && (await direct.storage.exists(fileSystem, root)) ? [`storage ${root}`] : storage),
  ];
}

/** Sweeps, and cleans up kept storage; resolves to whether the sweep removed anything. */
export async function tidy(
  testBed: TestBed,
  at: { plan: RunPlan; direct: LeptonClient; launch: HomePaths; ended: boolean; kept: number },
): Promise<boolean> {
  const { plan, direct, launch, ended, kept } = at;
  if (!ended)
    await Promise.all([undefined, ...partIndices(plan)].map((index) => terminateQuietly(testBed, plan, index)));
  const report = await retryOutages(() =>
    sweep({
      temporal: testBed.client,
      platform: only(direct, plan),
      ref: plan.platform,
      home: launch,
      origin: testBed.origin,
      secretsOf: () => Promise.resolve([]),
      graceSeconds: -60,
      dryRun: false,
    }),
  );
  if (kept > 0) {
    await cleanUp({
      platform: direct,
      origin: testBed.origin,
      invocation: plan.invocation,
      plan,
      outputDir: plan.outputDir,
      discard: false,
      secrets: [],
      report: () => undefined,
    });
  }
  return report.removed.length > 0;
}

async function terminateQuietly(testBed: TestBed, plan: RunPlan, index: number | undefined): Promise<void> {
  const id = index === undefined ? runWorkflowId(plan.invocation) : taskWorkflowId(plan.invocation, index);
  await retryOutages(() => testBed.client.workflow.getHandle(id).terminate('chaos: did not end')).catch(
    () => undefined,
  );
}

export const createsOf = (ledger: Ledger, index: number): number =>
  ledger.passed.filter(
    ({ border, method, shape, task, done }) =>
      border === 'platform' &&
      method === 'POST' &&
      shape === '/deployments' &&
      task === index &&
      done !== undefined &&
      done < 300,
  ).length;

export const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/** A log that was not saved although there was something to have one. */
export interface MissingLog {
  readonly what: 'endpoint' | 'job';
  /** Index of its task or shared endpoint. */
  readonly part: number;
}

/** Returns the names that a task's jobs have, in their order. */
export const jobNamesOf = ({ jobName }: RunPlan['tasks'][number], { limits }: Pick<RunPlan, 'limits'>): string[] => [
  jobName,
  ...furtherJobNames(jobName, limits),
];

/** Each part's endpoint has a log, and each job of a task one of its own. */
export async function missingLogs(
  plan: RunPlan,
  made: { readonly endpoints: ReadonlyMap<number, number>; readonly jobs: readonly string[] },
): Promise<MissingLog[]> {
  const savedOf = async (folder: string, names: readonly string[]): Promise<number> => {
    const saved = await Promise.all(names.map((name) => exists(path.join(plan.outputDir, folder, 'logs', name))));
    return saved.filter(Boolean).length;
  };
  const endpoints = await Promise.all(
    partsIn(plan).map(async ({ index, folder }) => {
      const task = plan.tasks.find((one) => one.index === index);
      const names = task ? jobNamesOf(task, plan) : [''];
      const files = ['endpoint.log', ...names.map((_, at) => `endpoint-attempt-${at + 1}.log`)];
      // Another one is made only for another job; more creates are repeated ones.
      const jobs = names.filter((name) => made.jobs.includes(name)).length;
      const wanted = Math.min(made.endpoints.get(index) ?? 0, Math.max(1, jobs));
      return { what: 'endpoint' as const, part: index, isMissing: (await savedOf(folder, files)) < wanted };
    }),
  );
  const jobs = await Promise.all(
    plan.tasks.map(async (task) => {
      const names = jobNamesOf(task, plan);
      const files = ['job.log', ...names.map((_, at) => `job-attempt-${at + 1}.log`)];
      const wanted = names.filter((name) => made.jobs.includes(name)).length;
      return { what: 'job' as const, part: task.index, isMissing: (await savedOf(task.folder, files)) < wanted };
    }),
  );
  return [...endpoints, ...jobs].filter(({ isMissing }) => isMissing);
}

const partsIn = (plan: RunPlan): readonly { readonly index: number; readonly folder: string }[] => [
  ...plan.tasks,
  ...sharedAsTasks(plan),
];

/** Returns whether the quota of the queue still holds places for a run, some seconds after it closed. */
export async function holdsPlaces(testBed: TestBed, taskQueue: string, { invocation }: RunPlan): Promise<boolean> {
  const deadline = Date.now() + givenBackWithinMs;
  for (;;) {
    const accounts = await accountsOf(testBed, taskQueue);
    if (!accounts.some((account) => account.invocation === invocation)) return false;
    if (Date.now() > deadline) return true;
    await sleep(300);
  }
}

const givenBackWithinMs = 10_000;

/** The quota has no workflow before the first claim on its queue. */
async function accountsOf({ client }: TestBed, taskQueue: string): Promise<QuotaState['accounts']> {
  try {
    const quota = client.workflow.getHandle(quotaWorkflowId(taskQueue));
    return (await retryOutages(() => quota.query(quotaStatus))).accounts;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}

/**
 * Gives back what a terminated run has of the quota, and what the sweep has removed: the quota itself asks a platform three minutes later,
 * when that of the case is gone, and other cases wait.
 */
export async function giveBack(testBed: TestBed, taskQueue: string, { invocation }: RunPlan): Promise<void> {
  const account = (await accountsOf(testBed, taskQueue)).find((one) => one.invocation === invocation);
  if (!account) return;
  const handle = testBed.client.workflow.getHandle(quotaWorkflowId(taskQueue));
  const { granted, version } = account;
  const over = { wanted: granted, returned: granted, lost: [], version: version + 1, isOver: true } as const;
  await retryOutages(() => handle.signal(quotaClaim, { ...account, ...over }));
}

/** Limits listings to this run's resources, because other cases share the platform. */
export function only(direct: LeptonClient, { invocation }: Pick<RunPlan, 'invocation'>): LeptonClient {
  const isOurs = ({ metadata }: { metadata: { name?: string | undefined } }): boolean =>
    metadata.name?.includes(invocation.slice(0, 8)) ?? false;
  return {
    ...direct,
    listDeployments: async (options) => (await direct.listDeployments(options)).filter(isOurs),
    async *jobPages(filter, options) {
      for await (const page of direct.jobPages(filter, options)) yield page.filter(isOurs);
    },
    listSecretNames: async (options) =>
      (await direct.listSecretNames(options)).filter((name) => name.includes(invocation)),
  };
}
