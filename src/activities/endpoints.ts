import { failureTypes } from '../contract/failure-types';
import type { AwaitReadyInput, CreateEndpointInput, NamedEndpoint, ProbeExistingInput } from '../contract/inputs';
import { revealed } from '../contract/url-placeholders';
import { LeptonError } from '../lepton/lepton-error';
import { isMarkedWith, renderDeployment } from '../lepton/render';
import { goneDelayMs, pollDelayMs } from '../lepton/retry-timing';
import type { Deployment, LeptonClient } from '../lepton/types';
import { attempt, reportObservation, type Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { DoneOnce, InARow, looksThatAgree } from './absences';
import { circumstancesOf, describeDeployment, isDeleting, readDeploymentState } from '../lepton/endpoint-state';
import { finalFailure, notReady } from './failures';
import { resolveNodeGroup } from '../lepton/node-groups';
import { probeModel, type ProbeVerdict } from '../lepton/probe';
import { probeKeyOf } from './probe-key';
import { describeWithLog, whyFailed } from './why-failed';

/** Creating, awaiting and removing the endpoints of tasks. Every one is safe to repeat: names are deterministic. */
export const createEndpointActivities = (dependencies: ActivityDependencies) => ({
  /**
   * Creates the endpoint, or adopts it when an earlier attempt did (the answer was lost, the worker died). The request
   * is never aborted half-way: a cancelled task waits for its outcome and then removes what came of it. `lost`: earlier
   * attempts had no answer, and what they asked for may still be carried out.
   */
  createEndpoint: (input: CreateEndpointInput): Promise<{ lost: boolean }> =>
    attempt({ subject: subjectOf(input), purpose: 'step' }, async ({ isAnswerMissing }) => {
      await create(dependencies, input);
      return { lost: isAnswerMissing };
    }),

  /** Looks once: resolves to the endpoint's base URL when it is Ready (platform's word and probe), else NotReady. */
  awaitEndpointReady: (input: AwaitReadyInput): Promise<{ url: string }> =>
    attempt({ subject: subjectOf(input), purpose: 'reading' }, (look) => lookWhetherReady(dependencies, input, look)),

  /** Probes an endpoint of the user's own: the same questions as for a dedicated one, and never more than questions. */
  probeExistingEndpoint: (input: ProbeExistingInput): Promise<void> =>
    attempt({ subject: `existing endpoint of task ${input.index}`, purpose: 'step' }, (look) =>
      probeExisting(dependencies, input, look),
    ),

  /** The endpoint's state in words, for the report of a wait that timed out. */
  describeEndpoint: (input: NamedEndpoint): Promise<string> =>
    attempt({ subject: subjectOf(input), purpose: 'step' }, async ({ signal }) => {
      const { client } = await dependencies.platform(input.platform);
      const deployment = await client.getDeployment(input.name, { signal });
      return describeWithLog(client, deployment, signal);
    }),

  /**
   * Deletes the endpoint, whatever is seen of it, and resolves when neither a get nor the listing knows it any more. Until
   * then throws NotReady, and deletes again what is not being deleted. An endpoint of the same name that is not this task's is
   * somebody else's, and left alone.
   */
  removeEndpoint: (input: NamedEndpoint): Promise<void> =>
    attempt({ subject: subjectOf(input), purpose: 'teardown' }, (look) => remove(dependencies, input, look)),
});

/** Removals that have sent their DELETE. */
const told = new DoneOnce();
const missing = new InARow(looksThatAgree);
/** Probes of endpoints of the user's own that found no model where it should be. */
const unserved = new InARow(looksThatAgree);

const subjectOf = ({ name, index }: { name: string; index: number }) => `endpoint ${name} of task ${index}`;

async function create(dependencies: ActivityDependencies, input: CreateEndpointInput): Promise<void> {
  const { client } = await dependencies.platform(input.platform);
  const spec = renderDeployment(input.spec, {
    marks: { invocation: input.invocation, index: input.index, origin: dependencies.origin },
    nodeGroupId: await resolveNodeGroup(client, input.spec.nodeGroup),
    resolve: await dependencies.hostSecrets(input.invocation),
  });
  try {
    await client.createDeployment({ name: input.name, spec });
  } catch (error) {
    if (!(error instanceof LeptonError && error.kind === 'conflict')) throw error;
    await adopt(client, input);
  }
}

async function adopt(client: LeptonClient, input: CreateEndpointInput): Promise<void> {
  const existing: Deployment | undefined = await client.getDeployment(input.name);
  if (!existing) throw notReady(`endpoint ${input.name}: the name was taken and is free again`, 1_000);
  // Whose it is does not matter: the name is about to be free.
  if (isDeleting(existing)) {
    throw notReady(`endpoint ${input.name}: an earlier one of this name is still being deleted`, 2_000);
  }
  if (!isMarkedWith(existing.spec.envs, input)) {
    throw finalFailure(
      failureTypes.requestRefused,
      `endpoint ${input.name} of task ${input.index}: an endpoint of this name exists and is not of this run. Remove it, or start the run again: it gets new names.`,
    );
  }
}

async function lookWhetherReady(
  dependencies: ActivityDependencies,
  input: AwaitReadyInput,
  { signal, elapsedMs }: Attempt,
): Promise<{ url: string }> {
  const { client, lookups, pace } = await dependencies.platform(input.platform);
  const again = pollDelayMs({ elapsedMs, platform: pace });
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
        key: await probeKeyOf(dependencies, input),
        onSlow: (message) => void reportObservation(`Ready, but ${message}`),
      });
      await reportObservation(verdict.kind === 'ready' ? 'Ready' : `Ready, but ${verdict.message}`);
      return settleProbe(verdict, state.url, again);
    }
    case 'pending': {
      const message = describeDeployment(deployment, await circumstancesOf(client, deployment, { signal }));
      await reportObservation(message);
      throw notReady(`endpoint ${input.name}: ${message}`, again);
    }
    case 'failed':
    case 'absent': {
      const reason = await whyFailed(client, deployment, signal);
      throw finalFailure(
        failureTypes.endpointFailed,
        `endpoint ${input.name} ${state.kind === 'absent' ? 'is gone: something outside this run removed it' : `went to ${state.name}`}` +
          (reason === '' ? '' : `: ${reason}`),
      );
    }
  }
}

async function probeExisting(
  dependencies: ActivityDependencies,
  input: ProbeExistingInput,
  { activity, signal, elapsedMs }: Attempt,
): Promise<void> {
  const verdict = await probeModel({
    url: revealed(input.url, await dependencies.hostSecrets(input.invocation)),
    kind: 'existing',
    probe: input.probe,
    signal,
    key: await probeKeyOf(dependencies, input),
  });
  const again = pollDelayMs({ elapsedMs, platform: 'lepton' });
  const isDoubtful = verdict.kind === 'mismatch' && verdict.doubtful === true;
  const isCertain = unserved.isReached(activity, isDoubtful);
  if (verdict.kind === 'not yet' || isDoubtful) await reportObservation(verdict.message);
  if (isDoubtful && !isCertain) throw notReady(verdict.message, again);
  settleProbe(verdict, input.url, again);
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
  { activity, elapsedMs }: Attempt,
): Promise<void> {
  const { client, pace } = await dependencies.platform(input.platform);
  const deployment = await client.getDeployment(input.name);
  if (deployment && !isMarkedWith(deployment.spec.envs, input)) return;
  const wasTold = told.has(activity);
  if (!deployment && wasTold) return;
  if (!wasTold || (deployment && !isDeleting(deployment))) {
    await client.deleteDeployment(input.name);
    told.add(activity);
    if (!(await client.getDeployment(input.name))) return;
  }
  const state = deployment?.status?.phase ?? deployment?.status?.state ?? 'unknown state';
  throw notReady(`endpoint ${input.name} is being deleted (${state})`, goneDelayMs({ elapsedMs, platform: pace }));
}
