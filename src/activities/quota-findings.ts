import type { MarkedResource } from '../cleanup/marked';
import type { Owners } from '../cleanup/owners';
import { defaultGraceSeconds } from '../cleanup/sweep';
import type { Finding } from '../contract/endpoint-quota';
import { sharedIndex } from '../contract/identity';
import type { LookedForRun } from '../contract/inputs/run';
import type { PlatformRef } from '../contract/plan';
import { within, type Within } from '../support/within';
import { serverNowMs } from './server-time';
import { unlessAborted } from './staying';

/** Returns `undefined` if nothing has changed for the quota. */
export async function findingOf(run: LookedForRun, owners: Owners, endpoints: Endpoints): Promise<Finding | undefined> {
  const { invocation, platform, held, lost } = run;
  if (!run.isOver && !(await isOver(run, owners))) {
    if (lost.length === 0) return undefined;
    const there = new Set((await endpoints(platform)).map(({ name }) => name));
    const names = lost.filter((name) => !there.has(name));
    return names.length === 0 ? undefined : { kind: 'gone', invocation, names };
  }
  const left = (await endpoints(platform)).filter((endpoint) => endpoint.invocation === invocation).length;
  return run.isOver && left === held ? undefined : { kind: 'over', invocation, endpoints: left };
}

/** Whether nobody can create anything for the run any more. */
async function isOver({ invocation, tasks, shared }: LookedForRun, owners: Owners): Promise<boolean> {
  const indices = [
    ...Array.from({ length: tasks }, (_, index) => index),
    ...Array.from({ length: shared }, (_, position) => sharedIndex(position)),
  ];
  const state = await owners.of(invocation, indices);
  switch (state.kind) {
    case 'live':
      return false;
    case 'closed':
      return !state.isForced || serverNowMs() - state.closedAt > defaultGraceSeconds * 1000;
    case 'unknown':
      return true;
  }
}

/** Returns the marked endpoints on a platform. */
export type Endpoints = (platform: PlatformRef) => Promise<readonly Pick<MarkedResource, 'name' | 'invocation'>[]>;

/** Lists each platform once. Rejects if it doesn't answer in time: then nothing is known to be gone. */
export function listedOnce(
  bounds: Within,
  list: (platform: PlatformRef, signal: AbortSignal) => ReturnType<Endpoints>,
): Endpoints {
  const listings = new Map<string, ReturnType<Endpoints>>();
  return (platform) => {
    const key = JSON.stringify(platform);
    const listing = listings.get(key) ?? within(bounds, (signal) => unlessAborted(list(platform, signal), signal));
    listings.set(key, listing);
    return listing;
  };
}
