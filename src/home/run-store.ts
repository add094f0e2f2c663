import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { RunPlan } from '../contract/plan';
import type { HomePaths } from './paths';
import { readJsonFile, writePrivateJson } from './private-file';

/** What this host keeps of a run: its plan and masked config, and, until it ends, the values of its host variables. */

const secretsSchema = z.record(z.string(), z.string());

/** Stores a run before it is started. `secrets` by variable name; mode 0600. */
export async function storeRun(
  home: HomePaths,
  run: { readonly plan: RunPlan; readonly configYaml: string; readonly secrets: Readonly<Record<string, string>> },
): Promise<void> {
  const folder = path.join(home.runs, run.plan.invocation);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(path.join(folder, 'config.yaml'), run.configYaml, { mode: 0o600 });
  await writePrivateJson(path.join(folder, 'plan.json'), run.plan);
  if (Object.keys(run.secrets).length > 0) await writePrivateJson(secretsFile(home, run.plan.invocation), run.secrets);
}

/** The plan of a run that was started on this host. */
export async function storedPlan(home: HomePaths, invocation: string): Promise<RunPlan | undefined> {
  return (await readJsonFile(path.join(home.runs, invocation, 'plan.json'))) as RunPlan | undefined;
}

/** Invocations started on this host whose id begins with `prefix`. */
export async function storedInvocations(home: HomePaths, prefix: string): Promise<string[]> {
  const names = await readdir(home.runs).catch(() => []);
  return names.filter((name) => /^[0-9a-f]{16}$/.test(name) && name.startsWith(prefix));
}

/** Values of the host variables that a run's plan references, as far as this host was given them. */
export async function storedSecrets(home: HomePaths, invocation: string): Promise<Readonly<Record<string, string>>> {
  const parsed = secretsSchema.safeParse(await readJsonFile(secretsFile(home, invocation)));
  return parsed.success ? parsed.data : {};
}

export async function forgetSecrets(home: HomePaths, invocation: string): Promise<void> {
  await rm(secretsFile(home, invocation), { force: true });
}

const secretsFile = (home: HomePaths, invocation: string): string => path.join(home.secrets, `${invocation}.json`);
