import { stat } from 'node:fs/promises';
import path from 'node:path';
import { describeRun, resolveInvocation, type ResultsPlace } from '../client';
import type { RunPlan } from '../contract/plan';
import { readablePlan, storedInvocations, storedNames } from '../home/run-store';
import { localResults, ResultsElsewhere } from '../runs/local-results';
import type { CommandContext } from './command';
import { modelAddress, openSession, runAddress } from './session';
import { UsageError } from './usage-error';

/**
 * Finds the results that an argument names: a folder or file, a run's id, its first digits or its name, a task of it (`3f2a.0`) or a model (`3f2a/llama`). Temporal
 * is asked only for runs that were not started on this machine; results in a store are copied here. Throws `UsageError`, `StoreError`.
 */
export async function resultsPlace(given: string, context: CommandContext): Promise<ResultsPlace> {
  const folder = path.resolve(context.cwd, given);
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  if (isThere && !(await isRunHere(given, context))) return { label: given, folder };
  const ofModel = modelAddress(given);
  if (ofModel) return { ...(await runPlace(ofModel.run, given, context)), model: ofModel.model };
  if (given.includes(path.sep)) throw new UsageError(`${given}: there is no such folder or file.`);
  return runPlace(given, given, context);
}

/** `label`: what the user gave. */
async function runPlace(address: string, label: string, context: CommandContext): Promise<ResultsPlace> {
  const { prefix, index } = runAddress(address);
  const { invocation, plan } = await planOf(prefix, context);
  const outputDir = (await folderHere({ invocation, plan }, context)) ?? (await knownFolder(invocation, context));
  if (outputDir === undefined)
    throw new UsageError(`Where the results of run ${invocation} are is not known on this machine: give their folder.`);
  const jobImages = plan && new Map(plan.tasks.map((task) => [task.index, task.job.container.image]));
  return { label, folder: outputDir, index, jobImages };
}

/** A folder may have the name of a run's first digits: the run is meant. */
async function isRunHere(given: string, { home }: CommandContext): Promise<boolean> {
  if (!/^[0-9a-f]{1,16}$/.test(given)) return false;
  return (await storedInvocations(home, given)).length > 0;
}

interface Found {
  readonly invocation: string;
  readonly plan: RunPlan | undefined;
}

async function planOf(prefix: string, context: CommandContext): Promise<Found> {
  const invocation =
    (await knownHere(prefix, context)) ??
    (await resolveInvocation((await openSession(context)).client, prefix, context.home));
  return { invocation, plan: await readablePlan(context.home, invocation) };
}

/** Returns the only run of this machine with an id that begins so, or with this whole name, for which Temporal need not be asked. */
async function knownHere(prefix: string, { home }: CommandContext): Promise<string | undefined> {
  const isId = /^[0-9a-f]{1,16}$/.test(prefix);
  const byId = isId ? await storedInvocations(home, prefix) : [];
  const found =
    byId.length > 0
      ? byId
      : (await storedNames(home)).filter(({ name }) => name === prefix).map((run) => run.invocation);
  return found.length === 1 ? found[0] : undefined;
}

/** Returns the folder of a run that this machine knows, or whose results store it can read: they are copied from there. */
async function folderHere({ invocation, plan }: Found, context: CommandContext): Promise<string | undefined> {
  if (plan && plan.resultsStore === undefined) return plan.outputDir;
  const { home, env } = context;
  const client = plan ? undefined : (await openSession(context)).client;
  try {
    return (await localResults({ invocation, home, env, client })).folder;
  } catch (error) {
    if (error instanceof ResultsElsewhere) return undefined;
    throw error;
  }
}

async function knownFolder(invocation: string, context: CommandContext): Promise<string | undefined> {
  const { client } = await openSession(context);
  const { resultsInfo } = await describeRun(client, invocation, context.home);
  return resultsInfo?.outputDir ?? undefined;
}
