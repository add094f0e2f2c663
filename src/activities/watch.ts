import { ofTask } from '../contract/identity';
import { failureTypes } from '../contract/failure-types';
import type { ServingInput, WatchEndpointInput } from '../contract/inputs/endpoint';
import { revealed } from '../contract/url-placeholders';
import { watchDelayMs } from '../lepton/retry-timing';
import type { Deployment, LeptonClient } from '../lepton/types';
import { InARow, absencesToBelieve } from './absences';
import { attempt, type Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { readStateDetails, describeDeployment, readDeploymentState, reasonsOf } from '../lepton/endpoint-state';
import { finalFailure, isNotReady, notReady } from './failures';
import { reportObservation } from './news';
import { keepAwakeEveryMs } from './keep-awake';
import { requestModels, probeModel } from '../lepton/probe';
import { probeKeyOf, type AskedEndpoint } from './probe-key';
import { whyFailed } from './why-failed';

/** Timeout of the last request to a model server, milliseconds: a failure report waits for it. */
const lastQuestionMs = 10_000;

/** Activities that watch Ready endpoints and keep them from being scaled to zero. */
export function createWatchActivities(dependencies: ActivityDependencies, health: EndpointHealth) {
  return {
    /**
     * Never resolves; fails if the endpoint fails or is not Ready for too long. Sends a request now and then, because the
     * platform scales an endpoint without traffic to zero, and no request brings it back.
     */
    async watchEndpoint(input: WatchEndpointInput): Promise<never> {
      const subject = `endpoint ${input.name}${ofTask(input.index)}`;
      return attempt({ subject, purpose: 'reading', isWait: true }, async ({ activity, signal, elapsedMs }) => {
        const { client, lookups, pace } = await dependencies.platform(input.platform);
        const deployment = await lookups.deployment(input.name);
        const again = watchDelayMs({ elapsedMs, platform: pace });
        throw await health.judge(input, { activity, client, deployment, again, elapsedMs, signal });
      });
    },

    /** Describes whether the model answers now: the endpoint may be why a job made no progress. */
    async describeServing(input: ServingInput): Promise<string> {
      return attempt({ subject: `endpoint${ofTask(input.index)}`, purpose: 'step' }, async ({ signal }) => {
        const { client } = await dependencies.platform(input.platform);
        let asked: AskedEndpoint | undefined;
        if (input.name !== null) {
          const deployment = await client.getDeployment(input.name, { signal });
          if (readDeploymentState(deployment).kind !== 'ready')
            return describeDeployment(deployment, await readStateDetails(client, deployment, { signal }));
          asked = { client, name: input.name, deployment };
        }
        const verdict = await probeModel({
          url: revealed(input.url, await dependencies.hostSecrets(input)),
          kind: input.name === null ? 'existing' : 'dedicated',
          probe: input.probe,
          signal,
          key: await probeKeyOf(dependencies, input, asked),
          warmUpTimeoutMs: lastQuestionMs,
        });
        return verdict.kind === 'ready' ? 'answers requests' : verdict.message;
      });
    },
  };
}

interface Observation {
  /** The wait that it is made for. */
  readonly activity: string;
  readonly client: LeptonClient;
  readonly deployment: Deployment | undefined;
  /** Milliseconds until the next check. */
  readonly again: number;
  /** Milliseconds since the watch began. */
  readonly elapsedMs: number;
  readonly signal: AbortSignal;
}

/** An endpoint that is not Ready. Milliseconds, by a monotonic clock. */
interface Away {
  readonly since: number;
  /** When it was last seen so. */
  readonly seenAt: number;
}

/** Milliseconds without a look after which nothing is known of the time between: another worker may have seen it Ready. */
const longestGapMs = 60_000;

/** State of the watched endpoints between checks, in this worker's memory. */
export class EndpointHealth {
  /** Milliseconds since the epoch. */
  private readonly askedAt = new Map<string, number>();
  /** By wait: what an earlier one has seen says nothing of how long this one has been without its endpoint. */
  private readonly away = new Map<string, Away>();
  /** By a monotonic clock. */
  private readonly watchedAt = new Map<string, number>();
  private readonly missing = new InARow(absencesToBelieve);

  constructor(private readonly dependencies: ActivityDependencies) {}

  /**
   * Looks after an endpoint while something else is waited for: throws only if the endpoint failed for good. Where it can't be
   * seen, what is waited for tells its own fate.
   */
  async watchBeside(input: WatchEndpointInput, { activity, signal, elapsedMs }: Attempt): Promise<void> {
    const { client, lookups, pace } = await this.dependencies.platform(input.platform);
    const again = watchDelayMs({ elapsedMs, platform: pace });
    const nowMs = performance.now();
    if (nowMs - (this.watchedAt.get(keyOf(input)) ?? -Infinity) < again) return;
    remember(this.watchedAt, keyOf(input), nowMs);
    const seen = await lookups.deployment(input.name).then(
      (deployment) => ({ deployment }),
      () => undefined,
    );
    if (!seen) return;
    const verdict = await this.judge(input, { activity, client, ...seen, again, elapsedMs, signal });
    if (!isNotReady(verdict)) throw verdict;
  }

  /** Returns the failure that ends this attempt: NotReady, hence another check, while the endpoint is alive. */
  async judge(input: WatchEndpointInput, look: Observation): Promise<Error> {
    const state = readDeploymentState(look.deployment);
    const isGone = this.missing.isReached(look.activity, state.kind === 'absent');
    if (state.kind === 'absent' && !isGone)
      return notReady(`endpoint ${input.name} is not to be seen just now`, look.again);
    switch (state.kind) {
      case 'ready':
        if (this.away.delete(look.activity)) await reportObservation('its endpoint is Ready again');
        await this.keepAwake(input, state.url, look);
        return notReady(`endpoint ${input.name} is up`, look.again);
      case 'pending':
        return this.judgeAway(input, look);
      case 'failed':
      case 'absent': {
        this.away.delete(look.activity);
        const how = state.kind === 'absent' ? 'it is gone' : state.name;
        const message = `endpoint ${input.name} died ${input.during}: ${how}${await whyItDied(input, look)}`;
        return finalFailure(failureTypes.endpointFailed, message);
      }
    }
  }

  private async keepAwake(input: WatchEndpointInput, url: string, look: Observation): Promise<void> {
    const { elapsedMs, signal, client, deployment } = look;
    const everyMs = keepAwakeEveryMs(input.noTrafficSeconds);
    const nowMs = Date.now();
    if (everyMs === null || nowMs - (this.askedAt.get(keyOf(input)) ?? nowMs - elapsedMs) < everyMs) return;
    remember(this.askedAt, keyOf(input), nowMs);
    const key = await probeKeyOf(this.dependencies, input, { client, name: input.name, deployment });
    await requestModels({ url, key, signal });
  }

  /** Handles an endpoint that is temporarily not Ready, as when its engine restarts; fails after `awaySeconds`. */
  private async judgeAway(
    input: WatchEndpointInput,
    { activity, client, deployment, again, signal }: Observation,
  ): Promise<Error> {
    const nowMs = performance.now();
    const before = this.away.get(activity);
    const known = before && nowMs - before.seenAt <= Math.max(longestGapMs, 4 * again) ? before : undefined;
    const since = known?.since ?? nowMs;
    remember(this.away, activity, { since, seenAt: nowMs });
    const words = describeDeployment(deployment, await readStateDetails(client, deployment, { signal }));
    if (nowMs - since < input.awaySeconds * 1_000) {
      await reportObservation(`its endpoint is away: ${words}`, known === undefined ? { isAway: true } : {});
      return notReady(`endpoint ${input.name} is away: ${words}`, again);
    }
    this.away.delete(activity);
    const message = `endpoint ${input.name} was not Ready for ${input.awaySeconds} s ${input.during}: ${words}`;
    return finalFailure(failureTypes.endpointFailed, message);
  }
}

const keyOf = ({ platform, name }: WatchEndpointInput): string => `${platform.workspace}/${name}`;

/** Stores a time; bounds memory by forgetting all, which only restarts the intervals. */
function remember<T>(times: Map<string, T>, key: string, at: T): void {
  if (times.size > 10_000) times.clear();
  times.set(key, at);
}

async function whyItDied(
  { noTrafficSeconds }: WatchEndpointInput,
  { client, deployment, signal }: Observation,
): Promise<string> {
  const isStopped = /^stop/i.test(deployment?.status?.phase ?? deployment?.status?.state ?? '');
  const reasons = reasonsOf(deployment, await readStateDetails(client, deployment, { signal }));
  if (isStopped && noTrafficSeconds !== null && reasons === '')
    return ` (the platform scales it to zero after ${noTrafficSeconds} s without a request)`;
  const reason = await whyFailed(client, deployment, signal);
  return reason === '' ? '' : `: ${reason}`;
}
