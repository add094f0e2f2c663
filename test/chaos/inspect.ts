import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import type { KeptStorage, TaskSnapshot } from '../../src/contract/state';
import type { HomePaths } from '../../src/home/paths';
import type { LeptonClient } from '../../src/lepton/types';
import { cleanUp } from '../../src/cleanup/cleanup';
import { sweep } from '../../src/cleanup/sweep';
import { patiently } from './happening';
import type { Ledger } from './ledger';
import type { Stand } from './stand';

/** Looks at what is left of a run, and does what the design offers where something is. */

/** What tasks kept by themselves: a run that was terminated can't tell. */
export async function keptByTasks(stand: Stand, plan: RunPlan): Promise<readonly KeptStorage[]> {
  const told = plan.tasks.map(async ({ index }): Promise<readonly KeptStorage[]> => {
    try {
      const handle = stand.client.workflow.getHandle(taskWorkflowId(plan.invocation, index));
      return ((await handle.result()) as TaskSnapshot).kept;
    } catch (error) {
      const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
      return cause instanceof ApplicationFailure ? ((cause.details?.[0] as TaskSnapshot | undefined)?.kept ?? []) : [];
    }
  });
  return (await Promise.all(told)).flat();
}

export async function inventory(direct: LeptonClient, plan: RunPlan): Promise<string[]> {
  const ours = plan.invocation.slice(0, 8);
  const [deployments, jobs] = await Promise.all([direct.listDeployments(), direct.listJobs({ mode: 'alive_only' })]);
  const { fileSystem, path: root } = plan.storage;
  const folders = (await direct.storage.list(fileSystem, root)) ?? [];
  const names = [
    ...deployments.map(({ metadata }) => `endpoint ${metadata.name}`),
    ...jobs.map(({ metadata }) => `job ${metadata.name}`),
  ].filter((name) => name.includes(ours));
  const storage = folders.map(({ name }) => `storage ${root}/${name}`);
  return [
    ...names,
    ...(storage.length === 0 && (await direct.storage.exists(fileSystem, root)) ? [`storage ${root}`] : storage),
  ];
}

/** What the design offers when a run could not tear down by itself; whether anything was there to do. */
export async function tidy(
  stand: Stand,
  at: { plan: RunPlan; direct: LeptonClient; launch: HomePaths; ended: boolean; kept: number },
): Promise<boolean> {
  const { plan, direct, launch, ended, kept } = at;
  if (!ended)
    await Promise.all(
      [undefined, ...plan.tasks.map(({ index }) => index)].map((index) => terminateQuietly(stand, plan, index)),
    );
  const report = await patiently(() =>
    sweep({
      temporal: stand.client,
      platform: only(direct, plan),
      ref: plan.platform,
      home: launch,
      origin: stand.origin,
      secretsOf: () => Promise.resolve([]),
      graceSeconds: -60,
      dryRun: false,
    }),
  );
  if (kept > 0) {
    await cleanUp({
      platform: direct,
      origin: stand.origin,
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

async function terminateQuietly(stand: Stand, plan: RunPlan, index: number | undefined): Promise<void> {
  const id = index === undefined ? runWorkflowId(plan.invocation) : taskWorkflowId(plan.invocation, index);
  await patiently(() => stand.client.workflow.getHandle(id).terminate('chaos: did not end')).catch(() => undefined);
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

/** A log that was to come home, by task; `undefined`: there was nothing to keep a log of. */
export interface LogsAtHome {
  readonly endpoint: boolean | undefined;
  readonly job: boolean | undefined;
}

export async function logsAtHome(
  plan: RunPlan,
  made: { endpoints: readonly number[]; jobs: readonly string[] },
): Promise<LogsAtHome[]> {
  return Promise.all(
    plan.tasks.map(async ({ index, folder, jobName }) => {
      const at = (name: string): Promise<boolean> => exists(path.join(plan.outputDir, folder, 'logs', name));
      return {
        endpoint: (made.endpoints[index] ?? 0) > 0 ? await at('endpoint.log') : undefined,
        job: made.jobs.includes(jobName) ? await at('job.log') : undefined,
      };
    }),
  );
}

/** The platform as a sweep of this run alone sees it: others share it. */
export function only(direct: LeptonClient, { invocation }: Pick<RunPlan, 'invocation'>): LeptonClient {
  const isOurs = ({ metadata }: { metadata: { name?: string | undefined } }): boolean =>
    metadata.name?.includes(invocation.slice(0, 8)) ?? false;
  return {
    ...direct,
    listDeployments: async (options) => (await direct.listDeployments(options)).filter(isOurs),
    async *jobPages(filter, options) {
      for await (const page of direct.jobPages(filter, options)) yield page.filter(isOurs);
    },
  };
}
