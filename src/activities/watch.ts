import { failureTypes } from '../contract/failure-types';
import type { ServingInput, WatchEndpointInput } from '../contract/inputs';
import { revealed } from '../contract/url-placeholders';
import { pollDelayMs } from '../lepton/retry-timing';
import type { Deployment, LeptonClient } from '../lepton/types';
import { InARow, looksThatAgree } from './absences';
import { attempt, reportObservation } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { circumstancesOf, describeDeployment, readDeploymentState, reasonsOf } from '../lepton/endpoint-state';
import { finalFailure, notReady } from './failures';
import { keepAwakeEveryMs } from './keep-awake';
import { askForModels, probeModel } from '../lepton/probe';
import { probeKeyOf } from './probe-key';
import { whyFailed } from './why-failed';

/** How long the last question to a model server may take, milliseconds: a report waits for it. */
const lastQuestionMs = 10_000;

/** Looking after endpoints that are up: whether they stay so, and that they do. */
export function createWatchActivities(dependencies: ActivityDependencies) {
  const watched = new Watched(dependencies);
  return {
    /**
     * Resolves never while the endpoint lives; fails when it dies or stays away for too long. One look per attempt. Now and
     * then it asks the endpoint something: one without traffic is scaled to zero by the platform, and no request brings it back.
     */
    async watchEndpoint(input: WatchEndpointInput): Promise<never> {
      const subject = `endpoint ${input.name} of task ${input.index}`;
      return attempt({ subject, purpose: 'reading' }, async ({ signal, elapsedMs }) => {
        const { client, lookups, pace } = await dependencies.platform(input.platform);
        const deployment = await lookups.deployment(input.name);
        const again = pollDelayMs({ elapsedMs, platform: pace });
        throw await watched.judge(input, { client, deployment, again, elapsedMs, signal });
      });
    },

    /** Whether the model answers at this moment, in words: why a job got nowhere may lie with its endpoint. */
    async describeServing(input: ServingInput): Promise<string> {
      return attempt({ subject: `endpoint of task ${input.index}`, purpose: 'step' }, async ({ signal }) => {
        const { client } = await dependencies.platform(input.platform);
        if (input.name !== null) {
          const deployment = await client.getDeployment(input.name, { signal });
          if (readDeploymentState(deployment).kind !== 'ready')
            return describeDeployment(deployment, await circumstancesOf(client, deployment, { signal }));
        }
        const verdict = await probeModel({
          url: revealed(input.url, await dependencies.hostSecrets(input.invocation)),
          kind: input.name === null ? 'existing' : 'dedicated',
          probe: input.probe,
          signal,
          key: await probeKeyOf(dependencies, input),
          warmUpTimeoutMs: lastQuestionMs,
        });
        return verdict.kind === 'ready' ? 'answers requests' : verdict.message;
      });
    },
  };
}

interface Look {
  readonly client: LeptonClient;
  readonly deployment: Deployment | undefined;
  /** Milliseconds until the next one. */
  readonly again: number;
  /** Since the watch began. */
  readonly elapsedMs: number;
  readonly signal: AbortSignal;
}

/** What this worker remembers of the endpoints it watches, between one look and the next. Milliseconds since the epoch. */
class Watched {
  private readonly askedAt = new Map<string, number>();
  private readonly awaySince = new Map<string, number>();
  private readonly missing = new InARow(looksThatAgree);

  constructor(private readonly dependencies: ActivityDependencies) {}

  /** How the attempt ends: with NotReady, that is another look, while the endpoint lives. */
  async judge(input: WatchEndpointInput, look: Look): Promise<Error> {
    const state = readDeploymentState(look.deployment);
    const isGone = this.missing.isReached(keyOf(input), state.kind === 'absent');
    if (state.kind === 'absent' && !isGone)
      return notReady(`endpoint ${input.name} is not to be seen just now`, look.again);
    switch (state.kind) {
      case 'ready':
        if (this.awaySince.delete(keyOf(input))) await reportObservation('its endpoint is Ready again');
        await this.keepAwake(input, state.url, look);
        return notReady(`endpoint ${input.name} is up`, look.again);
      case 'pending':
        return this.away(input, look);
      case 'failed':
      case 'absent': {
        this.awaySince.delete(keyOf(input));
        const how = state.kind === 'absent' ? 'it is gone' : state.name;
        const message = `endpoint ${input.name} died ${input.during}: ${how}${await whyItDied(input, look)}`;
        return finalFailure(failureTypes.endpointFailed, message);
      }
    }
  }

  private async keepAwake(input: WatchEndpointInput, url: string, { elapsedMs, signal }: Look): Promise<void> {
    const everyMs = keepAwakeEveryMs(input.noTrafficSeconds);
    const nowMs = Date.now();
    if (everyMs === null || nowMs - (this.askedAt.get(keyOf(input)) ?? nowMs - elapsedMs) < everyMs) return;
    remember(this.askedAt, keyOf(input), nowMs);
    await askForModels({ url, key: await probeKeyOf(this.dependencies, input), signal });
  }

  /** Neither Ready nor given up: engines restart, routes settle. What comes back within its time does no harm. */
  private async away(input: WatchEndpointInput, { client, deployment, again, signal }: Look): Promise<Error> {
    const since = this.awaySince.get(keyOf(input)) ?? Date.now();
    remember(this.awaySince, keyOf(input), since);
    const words = describeDeployment(deployment, await circumstancesOf(client, deployment, { signal }));
    if (Date.now() - since < input.awaySeconds * 1_000) {
      await reportObservation(`its endpoint is away: ${words}`);
      return notReady(`endpoint ${input.name} is away: ${words}`, again);
    }
    this.awaySince.delete(keyOf(input));
    const message = `endpoint ${input.name} was not Ready for ${input.awaySeconds} s ${input.during}: ${words}`;
    return finalFailure(failureTypes.endpointFailed, message);
  }
}

const keyOf = ({ platform, name }: WatchEndpointInput): string => `${platform.workspace}/${name}`;

/** Bounded: what a worker forgot it learns anew. */
function remember(times: Map<string, number>, key: string, atMs: number): void {
  if (times.size > 10_000) times.clear();
  times.set(key, atMs);
}

async function whyItDied(
  { noTrafficSeconds }: WatchEndpointInput,
  { client, deployment, signal }: Look,
): Promise<string> {
  const isStopped = /^stop/i.test(deployment?.status?.phase ?? deployment?.status?.state ?? '');
  const told = reasonsOf(deployment, await circumstancesOf(client, deployment, { signal }));
  if (isStopped && noTrafficSeconds !== null && told === '')
    return ` (the platform scales it to zero after ${noTrafficSeconds} s without a request)`;
  const reason = await whyFailed(client, deployment, signal);
  return reason === '' ? '' : `: ${reason}`;
}
