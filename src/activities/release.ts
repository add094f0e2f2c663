import { isDeleting } from '../lepton/endpoint-state';
import { isMarkedWith } from '../lepton/render-spec';
import type { Platform } from '../lepton/platforms';
import type { NamedEndpoint } from '../contract/inputs/endpoint';
import type { ReleasedEndpoint } from '../contract/inputs/job';
import { removalPollDelayMs } from '../lepton/retry-timing';
import { saveDeploymentLogs } from '../results/logs/replica-logs';
import { within } from '../support/within';
import { removeToken } from './endpoint-token';
import { pause, Waker } from './staying';

/**
 * Endpoints whose deletion this worker has begun the moment their job had ended, or had made its last request: they cost money until
 * then, and the steps of the task that would delete them come later. Their teardown verifies the deletion, or does it if this did not.
 */

/** Milliseconds for the log, for the times of its lines, and for log and deletion together. */
interface Patience {
  readonly logMs: number;
  readonly timesMs: number;
  readonly allMs: number;
}

/** Once the job has ended, what takes longer is left to the teardown, which has more patience. */
const untilTeardown: Patience = { logMs: 5_000, timesMs: 2_500, allMs: 5_000 };
/** While the job still runs, the teardown is far away: as patient as it is. */
const farFromTeardown: Patience = { logMs: 15_000, timesMs: 5_000, allMs: 45_000 };
/** Silence after which the log counts as complete: a server without requests writes nothing. Milliseconds. */
const quietMs = 1_500;

export interface ReleaseRequest {
  readonly platform: Pick<Platform, 'client' | 'lookups'>;
  readonly endpoint: NamedEndpoint;
  /** Absolute path of the log's file. */
  readonly logTarget: string;
  /** Used when that can't be written. */
  readonly logFallback: string;
  /** Puts the saved log into the run's results store. Default: there is none. */
  readonly store?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Masked in the log. */
  readonly secrets: readonly string[];
  readonly signal: AbortSignal;
  /** The job still runs. */
  readonly isEarly?: boolean;
}

interface Released extends ReleasedEndpoint {
  /** When the platform had created it: another endpoint may have its name later. */
  readonly createdAt: number | undefined;
  readonly isEarly: boolean;
}

const released = new Map<string, Released>();

const keyOf = ({ client }: Pick<Platform, 'client'>, name: string): string => `${client.access.url} ${name}`;

/**
 * Saves the endpoint's log, then has the endpoint deleted; returns what was released. `gone`: it is gone, or going, already. Never rejects:
 * what fails here is done by the teardown.
 */
export async function release(request: ReleaseRequest): Promise<ReleasedEndpoint | 'gone' | undefined> {
  const { platform, endpoint, signal, isEarly = false } = request;
  const { allMs, ...patience } = isEarly ? farFromTeardown : untilTeardown;
  try {
    return await within({ ms: allMs, signal }, async (bounded) => {
      const listed = await platform.lookups.listedDeployment(endpoint.name);
      if (!listed) {
        const isGone = isEarly && (await platform.lookups.deployment(endpoint.name)) === undefined;
        return isGone ? 'gone' : undefined;
      }
      if (!isMarkedWith(listed.spec.envs, endpoint) || isDeleting(listed)) return 'gone';
      const note = await saveDeploymentLogs(
        {
          client: platform.client,
          signal: bounded,
          target: request.logTarget,
          fallback: request.logFallback,
          secrets: request.secrets,
          budget: { ...patience, quietMs },
        },
        { metadata: { ...listed.metadata, name: endpoint.name } },
      );
      await request.store?.(bounded);
      bounded.throwIfAborted();
      if (!(await platform.client.deleteDeployment(endpoint.name))) return 'gone';
      // Bounds memory: of one that is forgotten, the deletion is only sent once more.
      if (released.size > 10_000) released.clear();
      released.set(keyOf(platform, endpoint.name), { note, isEarly, createdAt: listed.metadata.created_at });
      return { note };
    });
  } catch {
    // The teardown follows.
    return undefined;
  }
}

/**
 * Waits until a released endpoint is gone, and removes its made token; resolves to whether both are gone once they are, or the signal
 * aborts. Never rejects: the teardown has more patience.
 */
export async function seeGone(
  { client, lookups, pace }: Platform,
  endpoint: NamedEndpoint,
  signal: AbortSignal,
): Promise<boolean> {
  const waker = new Waker();
  const begunAt = performance.now();
  try {
    waker.listen((wake) => lookups.onChange('deployments', endpoint.name, wake));
    for (;;) {
      waker.rest();
      const listed = await lookups.listedDeployment(endpoint.name, { isFresh: true });
      // The second witness, after the accepted deletion of one that the listing had shown.
      if (!listed) break;
      if (!isMarkedWith(listed.spec.envs, endpoint)) return false;
      if (!isDeleting(listed)) await client.deleteDeployment(endpoint.name);
      const elapsedMs = performance.now() - begunAt;
      await pause(removalPollDelayMs({ elapsedMs, platform: pace }), signal, waker.subscribe);
    }
    return endpoint.hasMadeToken !== true || (await removeToken(client, endpoint)) === undefined;
  } catch {
    return false;
  } finally {
    waker.close();
  }
}

/** Returns what was released here; its listing has shown it, and the platform has accepted its deletion. */
export const releasedHere = (platform: Pick<Platform, 'client'>, name: string): Released | undefined =>
  released.get(keyOf(platform, name));

/**
 * Returns the note on the log that was saved when the endpoint was released here; `undefined`: it was not, or another endpoint has its name
 * since, as after a job that was lost.
 */
export async function noteOfReleased(
  platform: Pick<Platform, 'client' | 'lookups'>,
  name: string,
): Promise<string | null | undefined> {
  const known = releasedHere(platform, name);
  if (!known?.isEarly) return known?.note;
  const now = await platform.lookups.deployment(name);
  return now === undefined || now.metadata.created_at === known.createdAt ? known.note : undefined;
}
