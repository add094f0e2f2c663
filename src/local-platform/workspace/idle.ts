import { numberAt, objectAt, type JsonObject } from '../json';
import type { DeploymentView } from './deployments';

/**
 * Scale-down without traffic, as on the service: a deployment without a request for its `no_traffic_timeout` goes to
 * zero replicas and stays there until it is scaled up again. Requests do not wake it.
 */

/** Returns after how many seconds without a request the deployment scales to zero; 0 means never. Pure. */
export const noTrafficSeconds = (spec: JsonObject): number =>
  numberAt(objectAt(objectAt(spec, 'auto_scaler'), 'scale_down'), 'no_traffic_timeout') ?? 0;

export const idleMessage = (spec: JsonObject): string =>
  `scaled to zero: no request came for ${noTrafficSeconds(spec)} s (auto_scaler.scale_down.no_traffic_timeout)`;

/** Finds deployments that have had no traffic for too long. */
export class IdleWatch {
  readonly #readySince = new Map<string, number>();

  /** `lastRequestAt`: milliseconds since the epoch; `undefined` if the runtime doesn't know. */
  constructor(private readonly lastRequestAt: (name: string) => Promise<number | undefined>) {}

  /**
   * Returns those of `views` whose `no_traffic_timeout` is over at `nowMs`. Called periodically, with all
   * deployments.
   */
  async overdue(views: readonly DeploymentView[], nowMs: number): Promise<DeploymentView[]> {
    const candidates = views.filter(
      ({ record, observed }) => observed.state === 'Ready' && noTrafficSeconds(record.spec) > 0,
    );
    const names = new Set(candidates.map(({ record }) => record.name));
    for (const name of this.#readySince.keys()) if (!names.has(name)) this.#readySince.delete(name);
    const found = await Promise.all(
      candidates.map(async (view) => ((await this.#isOverdue(view, nowMs)) ? [view] : [])),
    );
    return found.flat();
  }

  async #isOverdue({ record: { name, spec } }: DeploymentView, nowMs: number): Promise<boolean> {
    const readySince = this.#readySince.get(name) ?? nowMs;
    this.#readySince.set(name, readySince);
    const lastRequestAt = await this.lastRequestAt(name);
    return lastRequestAt !== undefined && nowMs - Math.max(lastRequestAt, readySince) >= noTrafficSeconds(spec) * 1_000;
  }
}
