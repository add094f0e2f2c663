import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Context } from '@temporalio/activity';
import type { RecordRunInput, TaskImages } from '../contract/inputs/run';
import { runStatus } from '../contract/messages';
import { wholeSnapshot, type SentSnapshot } from '../contract/sent-snapshot';
import type { RunSnapshot, TaskSnapshot } from '../contract/state';
import { readablePlan } from '../home/run-store';
import { isInStore, storedConfigName } from '../contract/results-place';
import { readStoredText } from '../results/store/local-copy';
import { openStore } from '../results/store/open-store';
import type { StoreEnv } from '../results/store/store';
import { withResultFiles } from '../results/store/result-files';
import { productVersion } from '../support/version';
import { costDocument } from '../contract/cost';
import type { RunRecord } from '../results/scores/run-record';
import { taskRecord, type TaskRecord } from '../results/scores/task-record';
import { withAllMetrics } from '../results/scores/all-metrics';
import { imagesIn, readSummaries, usefulShareOf } from '../results/summary/task-summary';
import { serverNow, serverNowMs } from './server-time';

/** Where to find what a history does not hold. */
export interface RecordSurroundings {
  /** See HomePaths.runs. */
  readonly runsFolder: string;
  /** Of the run's results. */
  readonly place: string;
  readonly env: StoreEnv;
  /** See HomePaths.staging. */
  readonly staging: string;
}

/** A run with the snapshot that its record is made of. */
export type RunToRecord = RecordRunInput & { readonly snapshot: SentSnapshot };

/** Milliseconds for the answer of a run of thousands of tasks. */
const answerWithinMs = 30_000;

/** Returns the snapshot of the run that this activity belongs to. */
export async function askRun(): Promise<SentSnapshot> {
  const { info, client } = Context.current();
  const { workflowId, runId } = info.workflowExecution ?? {};
  if (workflowId === undefined) throw new Error('this activity belongs to no run');
  const run = client.workflow.getHandle(workflowId, runId);
  return client.withDeadline(Date.now() + answerWithinMs, () => run.query(runStatus));
}

/** Builds `run.json`: the request, the versions, and the outcome. Holds no secrets: the config is masked. */
export async function buildRunRecord(input: RunToRecord, around: RecordSurroundings): Promise<RunRecord> {
  const { run } = input;
  const snapshot = wholeSnapshot(input.snapshot);
  const tasks = await wholeTasks({ run, snapshot, images: input.images ?? {} }, around);
  const usefulShare = usefulShareOf(tasks, {
    shared: snapshot.shared,
    budget: snapshot.budget,
    nowMs: serverNowMs(),
  });
  return {
    invocation: run.invocation,
    outcome: input.outcome,
    model: run.model,
    platform: run.platform,
    ...(snapshot.simulated ? { simulated: true } : {}),
    owner: run.owner,
    ...(run.name === undefined ? {} : { name: run.name }),
    ...(run.tags === undefined ? {} : { tags: run.tags }),
    ...(run.retryOf === undefined ? {} : { retryOf: run.retryOf }),
    startedAt: snapshot.startedAt,
    endedAt: serverNow(),
    versions: { evalsaga: productVersion(), node: process.version },
    command: run.provenance.command,
    policies: {
      startPolicy: run.startPolicy,
      onTaskFailure: run.onTaskFailure,
      maxParallelEndpoints: run.maxParallelEndpoints,
    },
    limits: run.limits,
    cost: costDocument(snapshot, serverNowMs()),
    budget: snapshot.budget ?? null,
    usefulShare,
    tasks,
    ...(snapshot.shared === undefined ? {} : { shared: snapshot.shared.map((endpoint) => taskRecord(endpoint)) }),
    ...exportsIn(snapshot),
    teardown: { left: snapshot.left, kept: snapshot.kept },
    config: await readConfig(run.invocation, around),
  };
}

/** Milliseconds for reading scores again, and as many for what else is in the results; what isn't reached is missing in the record. */
const readingMs = 30_000;

/** Restores names and metrics that were shortened to fit into history, as far as this host has them. */
async function wholeTasks(
  {
    run,
    snapshot,
    images,
  }: Pick<RecordRunInput, 'run'> & { readonly snapshot: RunSnapshot; readonly images: TaskImages },
  { runsFolder, place, env, staging }: RecordSurroundings,
): Promise<readonly TaskRecord[]> {
  const plan = await readablePlan({ runs: runsFolder }, run.invocation).catch(() => undefined);
  const planned = new Map((plan?.tasks ?? []).map((task) => [task.index, task]));
  const tasks = snapshot.tasks.map((task) => ({ ...task, name: planned.get(task.index)?.name ?? task.name }));
  const around = { place, env, staging, withinMs: readingMs };
  return withResultFiles(around, async (root) => {
    const folders = await readdir(root).catch(() => []);
    const folderOf = ({ index }: TaskSnapshot): string | undefined => {
      const folder = planned.get(index)?.folder ?? folders.find((name) => name.startsWith(`${index}-`));
      return folder === undefined ? undefined : path.join(root, folder);
    };
    const whole = await withAllMetrics(tasks, folderOf, readingMs);
    const summaries = await readSummaries({
      tasks: whole,
      folderOf,
      imagesOf: ({ index }) => imagesIn(planned.get(index)),
      withinMs: readingMs,
    });
    return whole.map((task) => {
      const summary = summaries.get(task.index);
      const image = planned.get(task.index)?.job.container.image ?? imageIn(images, task.index);
      return taskRecord(task, { ...(summary ? { summary } : {}), ...(image === undefined ? {} : { image }) });
    });
  });
}

/** Of an export that is being made, nothing is known yet. */
function exportsIn({ exports = [] }: RunSnapshot): Pick<RunRecord, 'exports'> {
  const ended = exports.filter(({ outcome }) => outcome !== 'running');
  return ended.length === 0 ? {} : { exports: ended };
}

const imageIn = (images: TaskImages, index: number): string | undefined =>
  Object.entries(images).find(([, indices]) => indices.includes(index))?.[0];

/** Reads the resolved config that the launching host stored at home or in the results store; `null` if neither has it. */
async function readConfig(invocation: string, { runsFolder, place, env }: RecordSurroundings): Promise<string | null> {
  try {
    return await readFile(path.join(runsFolder, invocation, 'config.yaml'), 'utf8');
  } catch {
    if (!isInStore(place)) return null;
    const stored = openStore(place, env).then((store) => readStoredText(store, storedConfigName));
    return (await stored.catch(() => undefined)) ?? null;
  }
}
