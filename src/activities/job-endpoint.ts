import path from 'node:path';
import type { AwaitJobInput, CompletedJob, ReleasedEndpoint } from '../contract/inputs/job';
import { withTarget } from '../results/store/target';
import { messageOf } from '../support/error-message';
import { InARow } from './absences';
import type { Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { notReady } from './failures';
import type { LastRequests } from './last-requests';
import { fallbackOf } from './logs';
import { reportRelease } from './news';
import { release, releasedHere } from './release';
import type { EndpointHealth } from './watch';
import { secretsToMask } from './wording';

interface Parts {
  readonly dependencies: ActivityDependencies;
  readonly health: EndpointHealth;
  readonly lastRequests: LastRequests;
}

/** The endpoints of the jobs that this worker waits for. */
export class JobEndpoints {
  /** Questions to the logs of jobs whose endpoints are gone. */
  private readonly unanswered = new InARow(5);

  constructor(private readonly parts: Parts) {}

  /** Releases the endpoint of a job that has completed, if told where its log belongs, and unless that was done before. */
  async jobCompleted(input: AwaitJobInput, look: Attempt): Promise<CompletedJob> {
    const { dependencies, lastRequests } = this.parts;
    const client = lastRequests.isReleased(input) ? (await dependencies.platform(input.platform)).client : undefined;
    const released = client
      ? releasedHere({ client }, input.endpoint?.name ?? '')
      : await this.release(input, look, { isEarly: false });
    return released === undefined || released === 'gone' ? {} : { released: { note: released.note } };
  }

  /**
   * Watches the endpoint, or releases it once the job's last request is answered: then it may fail, or be gone. Throws if the endpoint
   * failed for good before.
   */
  async whileJobRuns(input: AwaitJobInput, look: Attempt): Promise<void> {
    const { health, lastRequests } = this.parts;
    if (!input.endpoint) return;
    if (!lastRequests.isAnswered(input)) {
      try {
        return await health.watchBeside(input.endpoint, look);
      } catch (failure) {
        // An earlier attempt, maybe on another worker, may have released it.
        if (!(await this.hasMadeLastRequest(input, look))) throw failure;
      }
    }
    const isReleased =
      lastRequests.isReleased(input) || (await this.release(input, look, { isEarly: true })) !== undefined;
    const news = isReleased ? lastRequests.released(input) : undefined;
    if (news && (await reportRelease(news.at))) news.told();
  }

  /** Returns as `release` does. */
  private async release(
    { endpoint, endpointLog, platform: ref, invocation }: AwaitJobInput,
    { signal }: Attempt,
    { isEarly }: { readonly isEarly: boolean },
  ): Promise<ReleasedEndpoint | 'gone' | undefined> {
    if (!endpoint || endpointLog === undefined) return undefined;
    const { dependencies } = this.parts;
    const platform = await dependencies.platform(ref);
    const logFallback = fallbackOf(dependencies, { invocation, target: endpointLog });
    const { dir, base } = path.posix.parse(endpointLog);
    const around = { staging: dependencies.stagingFolder, env: await dependencies.storeEnvironment() };
    return withTarget(dir, around, (target) => {
      const logTarget = path.join(target.folder, base);
      const store = (bounded: AbortSignal) => target.complete(bounded);
      return release({ platform, endpoint, logTarget, logFallback, store, secrets: secretsToMask(), signal, isEarly });
    });
  }

  private async hasMadeLastRequest(input: AwaitJobInput, { signal }: Attempt): Promise<boolean> {
    const { dependencies, lastRequests } = this.parts;
    if (!lastRequests.isKnown(input)) return false;
    const platform = await dependencies.platform(input.platform);
    const key = `${platform.client.access.url} ${input.id}`;
    try {
      const isFound = await lastRequests.find({ input, platform, signal });
      this.unanswered.isReached(key, false);
      return isFound;
    } catch (error) {
      signal.throwIfAborted();
      if (this.unanswered.isReached(key, true)) return false;
      throw notReady(`job ${input.name}: its log can't be read just now: ${messageOf(error)}`, 2_000);
    }
  }
}
