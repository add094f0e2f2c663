import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { RecordRunInput } from '../contract/inputs';
import type { RunPlan } from '../contract/plan';
import type { TaskSnapshot } from '../contract/state';
import { readJsonFile } from '../support/private-file';
import { productVersion } from '../support/version';
import { costDocument } from '../contract/cost';
import { withWholeMetrics } from '../results/scores/whole';

/** The content of `run.json`: what was asked for, with which versions, and what came of it. No secrets: the config is masked. */
export async function buildRunRecord(input: RecordRunInput, runsFolder: string): Promise<Record<string, unknown>> {
  const { run, snapshot } = input;
  return {
    invocation: run.invocation,
    outcome: input.outcome,
    model: run.model,
    platform: run.platform,
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
    tasks: await wholeTasks(input, runsFolder),
    teardown: { left: snapshot.left, kept: snapshot.kept },
    config: await readConfig(path.join(runsFolder, run.invocation, 'config.yaml')),
  };
}

/** Milliseconds for reading scores again: a record that says how many are missing is better than none. */
const readingMs = 30_000;

/** With the names and metrics that were left out of the snapshot to fit into a history, as far as this host has them. */
async function wholeTasks({ run, snapshot }: RecordRunInput, runsFolder: string): Promise<readonly TaskSnapshot[]> {
  const plan = (await readJsonFile(path.join(runsFolder, run.invocation, 'plan.json')).catch(() => undefined)) as
    RunPlan | undefined;
  const planned = new Map((plan?.tasks ?? []).map((task) => [task.index, task]));
  const folders = await readdir(run.outputDir).catch(() => []);
  const tasks = snapshot.tasks.map((task) => ({ ...task, name: planned.get(task.index)?.name ?? task.name }));
  const folderOf = ({ index }: TaskSnapshot): string | undefined => {
    const folder = planned.get(index)?.folder ?? folders.find((name) => name.startsWith(`${index}-`));
    return folder === undefined ? undefined : path.join(run.outputDir, folder);
  };
  return withWholeMetrics(tasks, folderOf, readingMs);
}

/** The resolved config as the launching host stored it; `null` on a worker of another host. */
async function readConfig(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return null;
  }
}
