import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { RunPlan } from '../contract/plan';
import type { HomePaths } from './paths';
import { readJsonFile, UnreadableFile, writePrivateJson } from '../support/atomic-file';
import { mapConcurrently } from '../support/map-concurrently';
import { messageOf } from '../support/error-message';
import { readVersionedJson } from '../support/versioned-json';
import { planFormat } from './plan-file';
import { goneResources } from './removed-resources';

/** What this host stores of a run: its plan, its masked config and, until it ends, the values of its host variables. */

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
  const { name } = run.plan;
  if (name !== undefined) await writePrivateJson(nameFile(home, run.plan.invocation), { name });
  if (Object.keys(run.secrets).length > 0) await writePrivateJson(secretsFile(home, run.plan.invocation), run.secrets);
}

/** Deletes what was stored of a run that was never started. */
export async function forgetRun(home: HomePaths, invocation: string): Promise<void> {
  await forgetSecrets(home, invocation);
  await rm(path.join(home.runs, invocation), { recursive: true, force: true });
}

const planFile = (home: Pick<HomePaths, 'runs'>, invocation: string): string =>
  path.join(home.runs, invocation, 'plan.json');

/** Returns the plan of a run that was started on this host. Throws `UnreadableFile` if it is damaged or of a newer version. */
export const storedPlan = (home: Pick<HomePaths, 'runs'>, invocation: string): Promise<RunPlan | undefined> =>
  readVersionedJson(planFile(home, invocation), planFormat(invocation));

/** Whether the run was started on this host, also if its plan can't be read. */
export const isStoredHere = (home: Pick<HomePaths, 'runs'>, invocation: string): Promise<boolean> =>
  stat(planFile(home, invocation)).then(
    () => true,
    () => false,
  );

/** As `storedPlan`, for callers that have the plan from elsewhere or can do without: `undefined` also if it can't be read. */
export const readablePlan = (home: Pick<HomePaths, 'runs'>, invocation: string): Promise<RunPlan | undefined> =>
  storedPlan(home, invocation).catch((error: unknown) => {
    if (error instanceof UnreadableFile) return undefined;
    throw error;
  });

/** Invocations started on this host whose id begins with `prefix`. */
export async function storedInvocations(home: Pick<HomePaths, 'runs'>, prefix: string): Promise<string[]> {
  const names = await readdir(home.runs).catch(() => []);
  return names.filter((name) => /^[0-9a-f]{16}$/.test(name) && name.startsWith(prefix));
}

const nameFile = (home: Pick<HomePaths, 'runs'>, invocation: string): string =>
  path.join(home.runs, invocation, 'name.json');

/** Runs of this host that have a name, which is read from a small file beside the plan. */
export async function storedNames(home: Pick<HomePaths, 'runs'>): Promise<{ invocation: string; name: string }[]> {
  const all = await mapConcurrently(await storedInvocations(home, ''), 20, async (invocation) => {
    const found = await readJsonFile(nameFile(home, invocation)).catch(() => undefined);
    const parsed = z.object({ name: z.string() }).safeParse(found);
    return parsed.success ? [{ invocation, name: parsed.data.name }] : [];
  });
  return [...all].flat();
}

/** Returns the values of the host variables that a run's plan references, as far as this host has them. Throws as `storedPlan`. */
export async function storedSecrets(
  home: Pick<HomePaths, 'secrets'>,
  invocation: string,
): Promise<Readonly<Record<string, string>>> {
  const file = secretsFile(home, invocation);
  const advice = `Move it away; what the variables of run ${invocation} held is masked only if they are set here.`;
  return (await readVersionedJson(file, { schema: secretsSchema, version: 1, advice })) ?? {};
}

/** Returns the same for each run of this host; skips files that can't be read. */
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

/** A run of this host whose storage is not known to be removed. */
export interface StoredRun {
  readonly plan: RunPlan;
  /** Milliseconds since the epoch. */
  readonly storedAt: number;
  /** The Temporal installation that owns the run; `undefined`: unknown, and then only a Temporal that knows the run can say that it is over. */
  readonly origin: string | undefined;
}

/** Such a run whose plan can't be read. */
export interface UnreadableRun extends Omit<StoredRun, 'plan'> {
  readonly invocation: string;
  readonly file: string;
  /** Names the file and says what to do. */
  readonly reason: string;
}

/** Returns the runs that were started on this host, without those whose storage is known to be gone, or whose plan can't be read. */
export async function openRuns(home: Pick<HomePaths, 'runs'>): Promise<StoredRun[]> {
  return (await allOpen(home)).flatMap((run) => ('plan' in run ? [run] : []));
}

/** Returns those whose plan can't be read: of them, only Temporal knows more. */
export async function unreadableRuns(home: Pick<HomePaths, 'runs'>): Promise<UnreadableRun[]> {
  return (await allOpen(home)).flatMap((run) => ('reason' in run ? [run] : []));
}

async function allOpen(home: Pick<HomePaths, 'runs'>): Promise<(StoredRun | UnreadableRun)[]> {
  const runs = (await storedInvocations(home, '')).map((invocation) => openRun(home, invocation));
  return (await Promise.all(runs)).filter((run) => run !== undefined);
}

async function openRun(
  home: Pick<HomePaths, 'runs'>,
  invocation: string,
): Promise<StoredRun | UnreadableRun | undefined> {
  if (await isStorageGone(home, invocation)) return undefined;
  const file = planFile(home, invocation);
  const found = await stat(file).catch(() => undefined);
  if (!found) return undefined;
  const stored = { storedAt: found.mtimeMs, origin: await storedOrigin(home, invocation) };
  try {
    const plan = await storedPlan(home, invocation);
    return plan && { plan, ...stored };
  } catch (error) {
    return { invocation, file, reason: messageOf(error), ...stored };
  }
}

/** Returns the Temporal installation that owns a run of this host, if that is recorded. */
export async function storedOrigin(home: Pick<HomePaths, 'runs'>, invocation: string): Promise<string | undefined> {
  const file = path.join(home.runs, invocation, 'origin.json');
  return originSchema.safeParse(await readJsonFile(file).catch(() => undefined)).data?.origin;
}

const originSchema = z.object({ origin: z.string() });

/** Whether anything of the run was noted as removed: then it had begun. */
export const hasRemovalNotes = async (home: Pick<HomePaths, 'runs'>, invocation: string): Promise<boolean> =>
  (await isStorageGone(home, invocation)) || (await goneResources(home, invocation)).length > 0;

/** Whether the run's storage is known to be removed. */
export const isStorageGone = async (home: Pick<HomePaths, 'runs'>, invocation: string): Promise<boolean> =>
  (await readJsonFile(path.join(home.runs, invocation, 'storage-gone.json')).catch(() => undefined)) !== undefined;

/** Records that the run's storage is removed, so that it isn't looked for again. */
export async function noteStorageGone(home: Pick<HomePaths, 'runs'>, invocation: string): Promise<void> {
  const folder = path.join(home.runs, invocation);
  const known = await stat(folder).catch(() => undefined);
  if (known) await writePrivateJson(path.join(folder, 'storage-gone.json'), { at: new Date().toISOString() });
}
