import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { RecordRunInput } from '../contract/inputs';
import { wholeSnapshot } from '../contract/sent-snapshot';
import type { RunSnapshot, TaskSnapshot } from '../contract/state';
import { readablePlan } from '../home/run-store';
import { productVersion } from '../support/version';
import { costDocument } from '../contract/cost';
import type { RunRecord } from '../results/scores/run-record';
import { taskRecord, type TaskRecord } from '../results/scores/task-record';
import { withAllMetrics } from '../results/scores/all-metrics';
import { imagesIn, readSummaries, usefulShareOf } from '../results/summary/task-summary';

/** Builds `run.json`: the request, the versions, and the outcome. Holds no secrets: the config is masked. */
export async function buildRunRecord(input: RecordRunInput, runsFolder: string): Promise<RunRecord> {
  const { run } = input;
  const snapshot = wholeSnapshot(input.snapshot);
  const tasks = await wholeTasks({ run, snapshot }, runsFolder);
  const usefulShare = usefulShareOf(tasks, { budget: snapshot.budget, nowMs: Date.now() });
  return {
    invocation: run.invocation,
    outcome: input.outcome,
    model: run.model,
    platform: run.platform,
    ...(snapshot.simulated ? { simulated: true } : {}),
    owner: run.owner,
    startedAt: snapshot.startedAt,
    endedAt: new Date().toISOString(),
    versions: { evalsaga: productVersion(), node: process.version },
    command: run.provenance.command,
    policies: {
      startPolicy: run.startPolicy,
      onTaskFailure: run.onTaskFailure,
      maxParallelEndpoints: run.maxParallelEndpoints,
    },
    limits: run.limits,
    cost: costDocument(snapshot, Date.now()),
    budget: snapshot.budget ?? null,
    usefulShare,
    tasks,
    teardown: { left: snapshot.left, kept: snapshot.kept },
    config: await readConfig(path.join(runsFolder, run.invocation, 'config.yaml')),
  };
}

/** Milliseconds for reading scores again, and as many for what else is in the results; what isn't reached is missing in the record. */
const readingMs = 30_000;

/** Restores names and metrics that were shortened to fit into history, as far as this host has them. */
async function wholeTasks(
  { run, snapshot }: Pick<RecordRunInput, 'run'> & { readonly snapshot: RunSnapshot },
  runsFolder: string,
): Promise<readonly TaskRecord[]> {
  const plan = await readablePlan({ runs: runsFolder }, run.invocation).catch(() => undefined);
  const planned = new Map((plan?.tasks ?? []).map((task) => [task.index, task]));
  const folders = await readdir(run.outputDir).catch(() => []);
  const tasks = snapshot.tasks.map((task) => ({ ...task, name: planned.get(task.index)?.name ?? task.name }));
  const folderOf = ({ index }: TaskSnapshot): string | undefined => {
    const folder = planned.get(index)?.folder ?? folders.find((name) => name.startsWith(`${index}-`));
    return folder === undefined ? undefined : path.join(run.outputDir, folder);
  };
  const whole = await withAllMetrics(tasks, folderOf, readingMs);
  const summaries = await readSummaries({
    tasks: whole,
    folderOf,
    imagesOf: ({ index }) => imagesIn(planned.get(index)),
    withinMs: readingMs,
  });
  return whole.map((task) => taskRecord(task, summaries.get(task.index)));
}

/** Reads the resolved config stored by the launching host; `null` on another host. */
async function readConfig(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return null;
  }
}
