import { numberAt, objectAt, type JsonObject } from '../json';
import type { DeploymentView } from './deployments';

/**
 * Scale-down without traffic, as the service does it: a deployment that nobody asked anything for its `no_traffic_timeout`
 * goes to zero replicas, and stays there until it is scaled up again. Requests do not wake it.
 */

/** Seconds without a request after which it scales to zero; 0: never. Pure. */
export const noTrafficSeconds = (spec: JsonObject): number =>
  numberAt(objectAt(objectAt(spec, 'auto_scaler'), 'scale_down'), 'no_traffic_timeout') ?? 0;

export const idleMessage = (spec: JsonObject): string =>
  `scaled to zero: no request came for ${noTrafficSeconds(spec)} s (auto_scaler.scale_down.no_traffic_timeout)`;

/** Tells which deployments have been without traffic for too long. */
export class IdleWatch {
  readonly #readySince = new Map<string, number>();

  /** `lastRequestAt`: milliseconds since the epoch; `undefined`: this runtime can't tell for that deployment. */
  constructor(private readonly lastRequestAt: (name: string) => Promise<number | undefined>) {}

  /** Those of `views` whose time without a request is over at `nowMs`. Called every moment, with all there are. */
  async overdue(views: readonly DeploymentView[], nowMs: number): Promise<DeploymentView[]> {
    const waiting = views.filter(
      ({ record, observed }) => observed.state === 'Ready' && noTrafficSeconds(record.spec) > 0,
    );
    const names = new Set(waiting.map(({ record }) => record.name));
    for (const name of this.#readySince.keys()) if (!names.has(name)) this.#readySince.delete(name);
    const judged = await Promise.all(waiting.map(async (view) => ((await this.#isOverdue(view, nowMs)) ? [view] : [])));
    return judged.flat();
  }

  async #isOverdue({ record: { name, spec } }: DeploymentView, nowMs: number): Promise<boolean> {
    const readySince = this.#readySince.get(name) ?? nowMs;
    this.#readySince.set(name, readySince);
    const asked = await this.lastRequestAt(name);
    return asked !== undefined && nowMs - Math.max(asked, readySince) >= noTrafficSeconds(spec) * 1_000;
  }
}
