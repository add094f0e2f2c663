import { ofTask } from '../contract/identity';
import { failureTypes } from '../contract/failure-types';
import type {
  AwaitReadyInput,
  AwaitUrlInput,
  CreateEndpointInput,
  NamedEndpoint,
  ProbeExistingInput,
  RemovedEndpoint,
} from '../contract/inputs/endpoint';
import { revealed } from '../contract/url-placeholders';
import { LeptonError } from '../lepton/lepton-error';
import { isMarkedWith, renderDeployment } from '../lepton/render-spec';
import { removalPollDelayMs, pollDelayMs } from '../lepton/retry-timing';
import type { Deployment, LeptonClient } from '../lepton/types';
import { attempt, type Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { DoneOnce, InARow, absencesToBelieve } from './absences';
import { readStateDetails, describeDeployment, isDeleting, readDeploymentState } from '../lepton/endpoint-state';
import { hasMadeToken, madeTokenFor, removeToken, storeToken } from './endpoint-token';
import { finalFailure, isRefusal, notReady } from './failures';
import { describeAndReport, reportObservation } from './news';
import { resolveNodeGroup } from '../lepton/node-groups';
import { probeModel, type ProbeDoubt, type ProbeVerdict } from '../lepton/probe';
import { probeKeyOf } from './probe-key';
import { releasedHere } from './release';
import { describeWithLog, whyFailed } from './why-failed';

/** Activities that create, await and remove the endpoints of tasks. All are idempotent: names are deterministic. */
export const createEndpointActivities = (dependencies: ActivityDependencies) => ({
  /**
   * Creates the endpoint, or adopts it if an earlier attempt created it (its answer was lost, its worker died). The request
   * is never aborted: a cancelled task waits for its outcome, then removes the endpoint. `lost`: an earlier attempt got no
   * answer, and its request may still take effect.
   */
  createEndpoint: (input: CreateEndpointInput): Promise<{ lost: boolean }> =>
    attempt({ subject: subjectOf(input), purpose: 'step' }, async ({ isAnswerMissing }) => {
      await create(dependencies, input);
      return { lost: isAnswerMissing };
    }),

  /** Returns the endpoint's base URL once both its state and a probe say Ready. */
  awaitEndpointReady: (input: AwaitReadyInput): Promise<{ url: string }> =>
    attempt({ subject: subjectOf(input), purpose: 'reading', isWait: true }, (look) =>
      lookWhetherReady(dependencies, input, look),
    ),

  /** Returns the endpoint's base URL as soon as the platform tells it, which is long before it is Ready. */
  awaitEndpointUrl: (input: AwaitUrlInput): Promise<{ url: string }> =>
    attempt({ subject: subjectOf(input), purpose: 'reading', isWait: true }, async (look) => ({
      url: await urlOf(dependencies, input, look),
    })),

  /** Probes an existing endpoint with the same requests as a dedicated one until it serves the model; never changes it. */
  probeExistingEndpoint: (input: ProbeExistingInput): Promise<void> =>
    attempt({ subject: `existing endpoint${ofTask(input.index)}`, purpose: 'step', isWait: true }, (look) =>
      probeExisting(dependencies, input, look),
    ),

  /** Describes the endpoint's state, for the failure message of a wait that timed out. */
  describeEndpoint: (input: NamedEndpoint): Promise<string> =>
    attempt({ subject: subjectOf(input), purpose: 'step' }, async ({ signal }) => {
      const { client } = await dependencies.platform(input.platform);
      const deployment = await client.getDeployment(input.name, { signal });
      return describeWithLog(client, deployment, signal);
    }),

  /**
   * Deletes the endpoint, even if it can't be seen, and resolves once neither a get nor the listing finds it. Deletes it again if it
   * is not being deleted. Leaves alone an endpoint of the same name without this task's marks. Then deletes its made token.
   */
  removeEndpoint: (input: NamedEndpoint): Promise<RemovedEndpoint> =>
    attempt({ subject: subjectOf(input), purpose: 'teardown', isWait: true }, async (look) => {
      await remove(dependencies, input, look);
      if (input.hasMadeToken !== true) return {};
      const { client } = await dependencies.platform(input.platform);
      const left = await removeToken(client, input);
      const isGivenUp = tokensLeft.isReached(look.activity, left !== undefined);
      if (left?.mayPass === true && !isGivenUp)
        throw notReady(`the secret with the token of endpoint ${input.name} is still there: ${left.reason}`, 1_000);
      return left === undefined ? {} : { tokenLeft: left.reason };
    }),
});

/** Consecutive probes that must find the same mismatch, where it may pass. */
const probesToBelieve: Readonly<Record<ProbeDoubt, number>> = {
  'model unknown': absencesToBelieve,
  // About 20 s: a gateway that is being updated has lost its routes for seconds, and waiting costs no GPU.
  'no route': 6,
  // About two minutes on Lepton.
  'new token': 12,
};

/** Removals that have sent their DELETE request. */
const deletesSent = new DoneOnce();
const missing = new InARow(absencesToBelieve);
const mismatches: Readonly<Record<ProbeDoubt, InARow>> = {
  'model unknown': new InARow(probesToBelieve['model unknown']),
  'no route': new InARow(probesToBelieve['no route']),
  'new token': new InARow(probesToBelieve['new token']),
};

/** Tries to remove a token's secret, a second apart, unless the platform refuses it. */
const tokensLeft = new InARow(20);

const subjectOf = ({ name, index }: { name: string; index: number }) => `endpoint ${name}${ofTask(index)}`;

async function create(dependencies: ActivityDependencies, input: CreateEndpointInput): Promise<void> {
  const { client } = await dependencies.platform(input.platform);
  const made = madeTokenFor(client, input);
  const spec = renderDeployment(input.spec, {
    made,
    marks: { invocation: input.invocation, index: input.index, origin: dependencies.origin },
    nodeGroupId: await resolveNodeGroup(client, input.spec.nodeGroup),
    resolve: await dependencies.hostSecrets(input),
  });
  if (hasMadeToken(input.spec)) await storeToken(client, input);
  try {
    await client.createDeployment({ name: input.name, spec });
  } catch (error) {
    if (error instanceof LeptonError && error.kind === 'conflict') return adopt(client, input);
    if (isRefusal(error)) await forgetToken(client, input);
    throw error;
  }
}

/** The task has no compensation for a create that was refused. */
async function forgetToken(client: LeptonClient, input: CreateEndpointInput): Promise<void> {
  if (hasMadeToken(input.spec)) await removeToken(client, input);
}

async function adopt(client: LeptonClient, input: CreateEndpointInput): Promise<void> {
  const existing: Deployment | undefined = await client.getDeployment(input.name);
  if (!existing) throw notReady(`endpoint ${input.name}: the name was taken and is free again`, 1_000);
  // Its owner does not matter: the name will soon be free.
  if (isDeleting(existing)) {
    throw notReady(`endpoint ${input.name}: an earlier one of this name is still being deleted`, 2_000);
  }
  if (!isMarkedWith(existing.spec.envs, input)) {
    await forgetToken(client, input);
    throw finalFailure(
      failureTypes.requestRefused,
      `endpoint ${input.name}${ofTask(input.index)}: an endpoint of this name exists and is not of this run. Remove it, or start the run again: it gets new names.`,
    );
  }
}

async function lookWhetherReady(
  dependencies: ActivityDependencies,
  input: AwaitReadyInput,
  { signal, elapsedMs, wakeOn }: Attempt,
): Promise<{ url: string }> {
  const platform = await dependencies.platform(input.platform);
  const { client, lookups, pace } = platform;
  wakeOn((wake) => lookups.onChange('deployments', input.name, wake));
  const again = pollDelayMs({ elapsedMs, platform: pace }) * lookups.patience('deployments');
  const deployment = await lookups.deployment(input.name);
  const state = readDeploymentState(deployment);
  const isGone = missing.isReached(`${client.access.url} ${input.name}`, state.kind === 'absent');
  if (state.kind === 'absent' && !isGone) throw notReady(`endpoint ${input.name} is not to be seen just now`, again);
  switch (state.kind) {
    case 'ready': {
      const verdict = await probeModel({
        url: state.url,
        kind: 'dedicated',
        probe: input.probe,
        signal,
        key: await probeKeyOf(dependencies, input, { client, name: input.name, deployment }),
        onSlow: (message) => void reportObservation(`Ready, but ${message}`),
      });
      if (verdict.kind !== 'ready') await reportObservation(`Ready, but ${verdict.message}`);
      refuseDoubtful(verdict, `${client.access.url} ${input.name}`, again);
      return settleProbe(verdict, state.url, again);
    }
    case 'pending': {
      const message = await describeAndReport(describeDeployment(deployment), platform, async () =>
        describeDeployment(deployment, await readStateDetails(client, deployment, { signal })),
      );
      throw notReady(`endpoint ${input.name}: ${message}`, again);
    }
    case 'failed':
    case 'absent':
      throw await failedEndpoint(client, { input, deployment, signal });
  }
}

async function urlOf(
  dependencies: ActivityDependencies,
  input: AwaitUrlInput,
  { signal, elapsedMs, wakeOn }: Attempt,
): Promise<string> {
  const platform = await dependencies.platform(input.platform);
  const { client, lookups, pace } = platform;
  wakeOn((wake) => lookups.onChange('deployments', input.name, wake));
  const deployment = await lookups.deployment(input.name);
  const state = readDeploymentState(deployment);
  const isGone = missing.isReached(`${client.access.url} ${input.name} url`, state.kind === 'absent');
  if (state.kind === 'failed' || isGone) throw await failedEndpoint(client, { input, deployment, signal });
  const url = deployment?.status?.endpoint?.external_endpoint ?? '';
  if (url !== '') return url.replace(/\/+$/, '');
  const message = await describeAndReport(describeDeployment(deployment), platform, async () =>
    describeDeployment(deployment, await readStateDetails(client, deployment, { signal })),
  );
  throw notReady(`endpoint ${input.name} has no URL yet: ${message}`, pollDelayMs({ elapsedMs, platform: pace }));
}

/** Describes an endpoint that is gone, or in a state from which it doesn't become Ready. */
async function failedEndpoint(
  client: LeptonClient,
  {
    input,
    deployment,
    signal,
  }: { readonly input: AwaitUrlInput; readonly deployment: Deployment | undefined; readonly signal: AbortSignal },
): Promise<Error> {
  const state = readDeploymentState(deployment);
  const reason = await whyFailed(client, deployment, signal);
  const what = state.kind === 'failed' ? `went to ${state.name}` : 'is gone: something outside this run removed it';
  return finalFailure(
    failureTypes.endpointFailed,
    `endpoint ${input.name} ${what}${reason === '' ? '' : `: ${reason}`}`,
  );
}

async function probeExisting(
  dependencies: ActivityDependencies,
  input: ProbeExistingInput,
  { activity, signal, elapsedMs }: Attempt,
): Promise<void> {
  const verdict = await probeModel({
    url: revealed(input.url, await dependencies.hostSecrets(input)),
    kind: 'existing',
    probe: input.probe,
    signal,
    key: await probeKeyOf(dependencies, input),
  });
  const again = pollDelayMs({ elapsedMs, platform: 'lepton' });
  if (verdict.kind === 'not yet' || (verdict.kind === 'mismatch' && verdict.doubt !== undefined))
    await reportObservation(verdict.message);
  refuseDoubtful(verdict, activity, again);
  settleProbe(verdict, input.url, again);
}

/** Throws `notReady` for a mismatch that may pass, until it was found often enough in a row. */
function refuseDoubtful(verdict: ProbeVerdict, key: string, againMs: number): void {
  const doubt = verdict.kind === 'mismatch' ? verdict.doubt : undefined;
  const reached = Object.entries(mismatches).filter(([kind, inARow]) => inARow.isReached(key, kind === doubt));
  if (verdict.kind === 'mismatch' && doubt !== undefined && reached.length === 0)
    throw notReady(verdict.message, againMs);
}

function settleProbe(verdict: ProbeVerdict, url: string, againMs: number): { url: string } {
  switch (verdict.kind) {
    case 'ready':
      return { url };
    case 'not yet':
      throw notReady(verdict.message, againMs);
    case 'mismatch':
      throw finalFailure(failureTypes.endpointMismatch, verdict.message);
  }
}

async function remove(
  dependencies: ActivityDependencies,
  input: NamedEndpoint,
  { activity, elapsedMs, wakeOn }: Attempt,
): Promise<void> {
  const { client, lookups, pace } = await dependencies.platform(input.platform);
  wakeOn((wake) => lookups.onChange('deployments', input.name, wake));
  const known = releasedHere({ client }, input.name);
  // After an early release another endpoint may have the name, for another job, and a listing that lags doesn't show it yet.
  const isReleased = known !== undefined && !known.isEarly;
  const listed = await lookups.listedDeployment(input.name, { isFresh: known !== undefined });
  if (isReleased && !listed) return;
  const deployment = listed ?? (await lookups.deployment(input.name));
  if (deployment && !isMarkedWith(deployment.spec.envs, input)) return;
  const isDeleteSent = isReleased || deletesSent.has(activity);
  if (!deployment && isDeleteSent) return;
  if (!isDeleteSent || (deployment && !isDeleting(deployment))) {
    const isAccepted = await client.deleteDeployment(input.name);
    deletesSent.add(activity);
    // A listing that has shown it and lacks it after an accepted DELETE needs no get as a second witness.
    const rest = isAccepted && listed !== undefined ? 'listedDeployment' : 'deployment';
    if (!(await lookups[rest](input.name, { isFresh: true }))) return;
  }
  const state = deployment?.status?.phase ?? deployment?.status?.state ?? 'unknown state';
  throw notReady(
    `endpoint ${input.name} is being deleted (${state})`,
    removalPollDelayMs({ elapsedMs, platform: pace }),
  );
}
