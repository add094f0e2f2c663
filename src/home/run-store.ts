import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { RunPlan } from '../contract/plan';
import type { HomePaths } from './paths';
import { readJsonFile, writePrivateJson } from '../support/atomic-file';

/** What this host keeps of a run: its plan and masked config, and, until it ends, the values of its host variables. */

const secretsSchema = z.record(z.string(), z.string());

/** Stores a run before it is started. `secrets` by variable name; mode 0600. */
export async function storeRun(
  home: HomePaths,
  run: {
    readonly plan: RunPlan;
    readonly configYaml: string;
    readonly secrets: Readonly<Record<string, string>>;
    /** Of the Temporal installation that will own the run. */
    readonly origin?: string | undefined;
  },
): Promise<void> {
  const folder = path.join(home.runs, run.plan.invocation);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(path.join(folder, 'config.yaml'), run.configYaml, { mode: 0o600 });
  if (run.origin !== undefined) await writePrivateJson(path.join(folder, 'origin.json'), { origin: run.origin });
  await writePrivateJson(path.join(folder, 'plan.json'), run.plan);
  if (Object.keys(run.secrets).length > 0) await writePrivateJson(secretsFile(home, run.plan.invocation), run.secrets);
}

/** Takes back what was stored of a run that did not begin. */
export async function forgetRun(home: HomePaths, invocation: string): Promise<void> {
  await forgetSecrets(home, invocation);
  await rm(path.join(home.runs, invocation), { recursive: true, force: true });
}

/** The plan of a run that was started on this host. */
export async function storedPlan(home: Pick<HomePaths, 'runs'>, invocation: string): Promise<RunPlan | undefined> {
  return (await readJsonFile(path.join(home.runs, invocation, 'plan.json'))) as RunPlan | undefined;
}

/** Invocations started on this host whose id begins with `prefix`. */
export async function storedInvocations(home: HomePaths, prefix: string): Promise<string[]> {
  const names = await readdir(home.runs).catch(() => []);
  return names.filter((name) => /^[0-9a-f]{16}$/.test(name) && name.startsWith(prefix));
}

/** Values of the host variables that a run's plan references, as far as this host was given them. */
export async function storedSecrets(
  home: Pick<HomePaths, 'secrets'>,
  invocation: string,
): Promise<Readonly<Record<string, string>>> {
  const parsed = secretsSchema.safeParse(await readJsonFile(secretsFile(home, invocation)));
  return parsed.success ? parsed.data : {};
}

/** Values of the host variables of all runs of this host, run by run; a file that can't be read is left out. */
export async function allStoredSecrets(
  home: Pick<HomePaths, 'secrets'>,
): Promise<readonly Readonly<Record<string, string>>[]> {
  const names = await readdir(home.secrets).catch(() => []);
  const invocations = names.flatMap((name) => /^([0-9a-f]{16})\.json$/.exec(name)?.[1] ?? []);
  return Promise.all(invocations.map((invocation) => storedSecrets(home, invocation).catch(() => ({}))));
}

export async function forgetSecrets(home: HomePaths, invocation: string): Promise<void> {
  await rm(secretsFile(home, invocation), { force: true });
}

const secretsFile = (home: Pick<HomePaths, 'secrets'>, invocation: string): string =>
  path.join(home.secrets, `${invocation}.json`);

/** A run of this host whose storage nobody has accounted for yet. */
export interface StoredRun {
  readonly plan: RunPlan;
  /** Milliseconds since the epoch. */
  readonly storedAt: number;
  /** `undefined`: not known; then only a Temporal that knows the run may judge it. */
  readonly origin: string | undefined;
}

/** Runs that were started on this host, without those whose storage is known to be gone. */
export async function openRuns(home: Pick<HomePaths, 'runs'>): Promise<StoredRun[]> {
  const names = (await readdir(home.runs).catch(() => [])).filter((name) => /^[0-9a-f]{16}$/.test(name));
  const runs = await Promise.all(names.map((name) => openRun(path.join(home.runs, name)).catch(() => undefined)));
  return runs.filter((run) => run !== undefined);
}

async function openRun(folder: string): Promise<StoredRun | undefined> {
  if (await isMarkedGone(folder)) return undefined;
  const file = path.join(folder, 'plan.json');
  const plan = (await readJsonFile(file)) as RunPlan | undefined;
  if (!plan) return undefined;
  const owner = originSchema.safeParse(await readJsonFile(path.join(folder, 'origin.json')));
  return { plan, storedAt: (await stat(file)).mtimeMs, origin: owner.success ? owner.data.origin : undefined };
}

/** The Temporal installation that owns a run of this host, where that is recorded. */
export async function storedOrigin(home: HomePaths, invocation: string): Promise<string | undefined> {
  const owner = originSchema.safeParse(await readJsonFile(path.join(home.runs, invocation, 'origin.json')));
  return owner.success ? owner.data.origin : undefined;
}

const originSchema = z.object({ origin: z.string() });

const isMarkedGone = async (folder: string): Promise<boolean> =>
  (await readJsonFile(path.join(folder, 'storage-gone.json'))) !== undefined;

/** Whether the run's storage is known to be gone. */
export const isStorageGone = (home: Pick<HomePaths, 'runs'>, invocation: string): Promise<boolean> =>
  isMarkedGone(path.join(home.runs, invocation));

/** From now on nobody needs to look for the run's storage. */
export async function noteStorageGone(home: Pick<HomePaths, 'runs'>, invocation: string): Promise<void> {
  const folder = path.join(home.runs, invocation);
  const known = await stat(folder).catch(() => undefined);
  if (known) await writePrivateJson(path.join(folder, 'storage-gone.json'), { at: new Date().toISOString() });
}
