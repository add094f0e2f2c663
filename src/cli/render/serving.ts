import type { Build, Serving } from '../../stack/pollers';
import { harmlessLine } from '../../support/terminal-text';

/** Says why no worker continues an open run, and what to do; `undefined`: one does. Pure. */
export function servingText(
  serving: Serving,
  { taskQueue, program }: { readonly taskQueue: string; readonly program: string },
): string | undefined {
  switch (serving.kind) {
    case 'served':
      return undefined;
    case 'nobody':
      return `nobody serves task queue "${taskQueue}", so the run waits; it goes on with: ${program} up`;
    case 'other builds':
      return ofOtherBuilds(serving, { taskQueue, program });
  }
}

/** The server and task queue of a background worker. */
interface Serves {
  readonly address: string;
  readonly namespace: string;
  readonly taskQueue: string;
}

/** Says which server and task queue the background worker serves. Pure. */
export const servesText = ({ address, namespace, taskQueue }: Serves): string =>
  `worker: serves Temporal at ${address}, namespace ${namespace}, task queue "${taskQueue}"`;

/** Says that the background worker serves another server than this command uses; `undefined`: it doesn't. Pure. */
export function otherServerText(
  serves: Serves | undefined,
  asked: Pick<Serves, 'address' | 'namespace'> | undefined,
): string | undefined {
  if (!serves || !asked || (serves.address === asked.address && serves.namespace === asked.namespace)) return undefined;
  return `the background worker of this home serves Temporal at ${serves.address}, namespace ${serves.namespace}, not ${asked.address}, namespace ${asked.namespace}, which this command uses: check TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE`;
}

/** Says that a run's worker does not answer. Pure. */
export const unansweredText = (program: string): string =>
  `the run's worker does not answer, so this is what Temporal itself knows about its tasks. If it does not recover, restart it; for the background worker of this home: ${program} down --force, then ${program} up`;

function ofOtherBuilds(
  { builds, wanted, hasBegun }: Extract<Serving, { kind: 'other builds' }>,
  { taskQueue, program }: { readonly taskQueue: string; readonly program: string },
): string {
  const there = `task queue "${taskQueue}" is served by workers of ${list(builds)} only`;
  const [first] = wanted;
  if (hasBegun && first !== undefined && first !== 'unversioned') {
    return `${there}, but the run has begun on ${name(first)}, so it waits; it goes on with a worker of that build: EVALSAGA_DEPLOYMENT_NAME=${harmlessLine(first.deploymentName)} EVALSAGA_BUILD_ID=${harmlessLine(first.buildId)} ${program} worker. If it can't come back, give the run to another build: docs/changing-workflows.md`;
  }
  const [build] = builds.filter((one) => one !== 'unversioned');
  if (build === undefined)
    return `${there}, but Temporal gives what begins to ${list(wanted)}, so the run waits; it goes on with a worker of that.`;
  const current = wanted.every((one) => one === 'unversioned')
    ? 'and no build is current'
    : `but current is ${list(wanted)}`;
  return `${there}, ${current}, so the run waits; it goes on with: temporal worker deployment set-current-version --deployment-name ${harmlessLine(build.deploymentName)} --build-id ${harmlessLine(build.buildId)}`;
}

const list = (builds: readonly Build[]): string => builds.map(name).join(' and ');

const name = (build: Build): string =>
  build === 'unversioned'
    ? 'no build'
    : `build "${harmlessLine(build.buildId)}" of deployment "${harmlessLine(build.deploymentName)}"`;
