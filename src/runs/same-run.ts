import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { parse } from 'yaml';
import type { RunPlan } from '../contract/plan';
import type { HomePaths } from '../home/paths';
import { hasRemovalNotes, storedPlan } from '../home/run-store';
import { findRecord } from '../results/scores/recorded';
import { refuseAnotherServer } from '../temporal/origin';
import { planInHistory } from './run-input';
import { RunDiffers, RunExists } from './run-errors';

/** Runs that are started under a name of the user's: whoever starts one again gets the run that there is. */

/**
 * Returns the id of the run that is started as `runId`: that id itself, or the one that belongs to the name. Two Temporal installations give
 * a name two ids: their runs must not take each other's endpoints for their own.
 */
export const invocationFor = (runId: string, origin: string): string =>
  /^[0-9a-f]{16}$/.test(runId) ? runId : createHash('sha256').update(`${origin}\n${runId}`).digest('hex').slice(0, 16);

/**
 * Returns the plan of the run with this plan's id, also of one that has ended and that Temporal has forgotten; `undefined` if there is
 * none. Throws `RunDiffers` if it evaluates something else, `RunExists` if nobody knows how it ended. `configYaml`: of the plan, to say what
 * differs.
 */
export async function sameRun(
  client: Client,
  { plan, configYaml, home }: { readonly plan: RunPlan; readonly configYaml: string; readonly home: HomePaths },
): Promise<RunPlan | undefined> {
  const there = (await planInHistory(client, plan.invocation)) ?? (await forgottenRun(client, plan.invocation, home));
  if (there === undefined) return undefined;
  const differences = await differencesBetween(there, { plan, configYaml, home });
  if (differences.length === 0) return there;
  const { invocation, name } = there;
  throw new RunDiffers(
    `run ${name === undefined ? invocation : `${name} (${invocation})`} exists, and evaluates something else: ${differences.join('; ')}. Choose another --run-id, or start the same config.`,
  );
}

/**
 * Returns the plan of a run of this host that has ended and that Temporal has forgotten. A plan alone is no run: the command that stored
 * it may have been killed before it started one.
 */
async function forgottenRun(client: Client, invocation: string, home: HomePaths): Promise<RunPlan | undefined> {
  const plan = await storedPlan(home, invocation);
  if (plan === undefined) return undefined;
  await refuseAnotherServer({ connection: client.connection, namespace: client.options.namespace });
  const found = await findRecord(plan, home);
  if (found.kind === 'found') return plan;
  const why = found.kind === 'unreadable' ? found.reason : await traceOf(plan, home);
  if (why === undefined) return undefined;
  throw new RunExists(
    `run ${invocation} was started before, and Temporal has forgotten how it ended: ${why}. Choose another --run-id. To remove what it may have left on the platform: evalsaga cleanup ${invocation}`,
  );
}

/** Says what shows that the run was under way; a second one would take its files for its own. */
async function traceOf({ invocation, outputDir, tasks }: RunPlan, home: HomePaths): Promise<string | undefined> {
  const unrecorded = 'and there is no record of its end';
  if (await hasRemovalNotes(home, invocation)) return `what it left was removed, ${unrecorded}`;
  for (const { folder } of tasks) {
    const place = path.join(outputDir, folder);
    if (await stat(place).catch(() => undefined)) return `it has written ${place}, ${unrecorded}`;
  }
  return undefined;
}

async function differencesBetween(
  there: RunPlan,
  { plan, configYaml, home }: { readonly plan: RunPlan; readonly configYaml: string; readonly home: HomePaths },
): Promise<string[]> {
  const places = [there, plan].map(({ platform }) =>
    platform.kind === 'local' ? 'the local platform' : `workspace ${platform.workspace} at ${platform.url}`,
  );
  const platforms = places[0] === places[1] ? [] : [`it runs on ${places[0]}, not on ${places[1]}`];
  if (there.provenance.configDigest === plan.provenance.configDigest) return platforms;
  const file = path.join(home.runs, plan.invocation, 'config.yaml');
  const before = await readFile(file, 'utf8').catch(() => undefined);
  const changed = before === undefined ? [] : changedKeys(before, configYaml);
  return [...platforms, ...(changed.length > 0 ? changed : ['its config is another one'])];
}

/** Most keys that are named. */
const mostNamed = 5;

/** Names the keys whose values differ, `a.b: 1, now 2`. Pure. */
export function changedKeys(before: string, after: string): string[] {
  const [one, other] = [before, after].map((text) => flat(parse(text)));
  const keys = [...new Set([...(one?.keys() ?? []), ...(other?.keys() ?? [])])].sort();
  const differing = keys.filter((key) => one?.get(key) !== other?.get(key));
  const words = (value: string | undefined): string => (value === undefined ? 'not set' : value.slice(0, 60));
  const named = differing
    .slice(0, mostNamed)
    .map((key) => `${key}: ${words(one?.get(key))}, now ${words(other?.get(key))}`);
  const more = differing.length - named.length;
  return more > 0 ? [...named, `and ${more} more`] : named;
}

function flat(value: unknown, at = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null) return new Map([[at, JSON.stringify(value)]]);
  const inner = Object.entries(value).flatMap(([key, child]) => [...flat(child, at === '' ? key : `${at}.${key}`)]);
  return new Map(inner);
}
