import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { isAnsweredIn, nonceOf } from '../../src/contract/last-request';
import type { RunPlan, TaskPlan } from '../../src/contract/plan';
import type { Job, LeptonClient } from '../../src/lepton/types';
import { timeOfLog } from '../../src/results/logs/newest-lines';
import { readRemoteTree } from '../../src/results/transfer/remote-tree';
import type { Answer, Forwarded, Gateway } from './gateway';
import { jobNamesOf } from './inspect';

/** What was observed at the platform's border and can't be found out after the run. */
export interface Observations {
  /** Names of jobs that were created while another of the same task was running. */
  readonly concurrentJobs: readonly string[];
  /** Names of all evaluation jobs that were created. */
  readonly jobs: readonly string[];
  /** Files that were removed from storage before they had been fetched unchanged, with what is wrong. */
  readonly lost: readonly string[];
  readonly earlyDeletions: readonly EarlyDeletion[];
}

/** A request to delete an endpoint while a job was running that used it. */
export interface EarlyDeletion {
  readonly task: number;
  /** Whether the job's log said that its last request was answered. */
  readonly isAnswered: boolean;
}

export interface Witness {
  seen(): Observations;
  /** Compares again, as fetched files must not change. Resolves to the files that differ. */
  compareAgain(): Promise<readonly string[]>;
}

interface Written {
  readonly label: string;
  readonly file: string;
  readonly sha256: string;
}

const ended = new Set(['Completed', 'Failed', 'Stopped', 'Deleted', 'Archived', 'Deleting']);

export function watchPlatform(
  gateway: Gateway,
  { direct, planned }: { direct: LeptonClient; planned: () => Promise<RunPlan | undefined> },
): Witness {
  const concurrentJobs: string[] = [];
  const jobs: string[] = [];
  const lost: string[] = [];
  const earlyDeletions: EarlyDeletion[] = [];
  const written = new Map<string, Written>();

  const namesOf = (plan: RunPlan | undefined, name: string): readonly string[] | undefined =>
    plan?.tasks.map((task) => jobNamesOf(task, plan)).find((names) => names.includes(name));

  async function created(answer: Answer): Promise<void> {
    const { metadata } = JSON.parse(answer.body.toString('utf8')) as { metadata?: { name?: string } };
    const name = metadata?.name ?? '';
    const names = namesOf(await planned(), name);
    if (!names) return;
    jobs.push(name);
    const alive = await direct.listJobs({ mode: 'alive_only' });
    const running = alive.filter(
      ({ metadata, status }) => names.includes(metadata.name ?? '') && !ended.has(status?.state ?? ''),
    );
    if (running.length > 1) concurrentJobs.push(name);
  }

  async function deleting({ path: route }: Forwarded): Promise<void> {
    const plan = await planned();
    const name = decodeURIComponent(route.split('/').at(-1) ?? '');
    const tasks = plan?.tasks.filter((task) => usesEndpoint(plan, task, name)) ?? [];
    if (!plan || tasks.length === 0) return;
    const alive = await direct.listJobs({ mode: 'alive_only' });
    for (const task of tasks) {
      const names = jobNamesOf(task, plan);
      for (const job of alive)
        if (names.includes(job.metadata.name ?? '') && !ended.has(job.status?.state ?? ''))
          earlyDeletions.push({ task: task.index, isAnswered: await saysAnswered(direct, job) });
    }
  }

  async function removing({ path: route }: Forwarded): Promise<void> {
    const plan = await planned();
    const folder = decodeURIComponent(route.split('?')[0] ?? '').replace(/\/+$/, '');
    if (!plan?.tasks.length) return;
    for (const task of plan.tasks) {
      const whole = folder.endsWith(plan.invocation);
      if (!whole && !`${folder}/`.includes(`/${task.folder}/`)) continue;
      lost.push(...(await missingAtHome(direct, { plan, folder: task.folder, written })));
    }
  }

  gateway.observe({
    async before(request) {
      if (request.method === 'DELETE' && request.path.startsWith('/storage/')) await removing(request);
      if (request.method === 'DELETE' && request.path.startsWith('/deployments/')) await deleting(request);
    },
    async after({ method, path: route }, answer) {
      if (method === 'POST' && route === '/jobs' && answer.status < 300) await created(answer);
    },
  });
  return {
    seen: () => ({ concurrentJobs, jobs, lost, earlyDeletions }),
    async compareAgain() {
      const all = [...written.values()].map(async ({ label, file, sha256 }) =>
        (await digest(file)) === sha256 ? [] : [`${label} (was at home, and differs now)`],
      );
      return (await Promise.all(all)).flat();
    },
  };
}

const usesEndpoint = (plan: RunPlan, task: TaskPlan, name: string): boolean =>
  task.endpointName === name ||
  (task.uses ?? []).some(({ endpoint }) => plan.sharedEndpoints?.[endpoint]?.endpointName === name);

async function saysAnswered(direct: LeptonClient, { metadata, spec }: Job): Promise<boolean> {
  const nonce = nonceOf(spec?.envs);
  if (nonce === undefined) return false;
  const range = { of: { job: metadata.id ?? '' }, ...timeOfLog(metadata.created_at), limit: 60, newest: true };
  const lines = (await direct.logLines({ ...range, text: nonce })) ?? [];
  return isAnsweredIn(
    lines.map(({ text }) => text),
    nonce,
  );
}

async function missingAtHome(
  direct: LeptonClient,
  { plan, folder, written }: { plan: RunPlan; folder: string; written: Map<string, Written> },
): Promise<string[]> {
  const { fileSystem, path: root } = plan.storage;
  const tree = await readRemoteTree(direct.storage, {
    fileSystem,
    folder: path.posix.join(root, folder),
    options: {},
  });
  const lost: string[] = [];
  for (const { remote, local } of tree?.files ?? []) {
    const label = `${folder}/${local}`;
    const file = path.join(plan.outputDir, folder, local);
    const sha256 = await digestOf(direct.storage.read(fileSystem, remote));
    const home = await digest(file);
    if (home === undefined) lost.push(label);
    else if (home !== sha256) lost.push(`${label} (differs at home)`);
    else written.set(label, { label, file, sha256 });
  }
  return lost;
}

/** Returns `undefined` if there is no such file. */
async function digest(file: string): Promise<string | undefined> {
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() ? digestOf(createReadStream(file)) : undefined;
}

async function digestOf(chunks: AsyncIterable<unknown>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
