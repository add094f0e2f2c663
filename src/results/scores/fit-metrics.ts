import { flatCount, metricPayload, type Metric, type MetricPayload } from '../../contract/metric';

/** Limits the metrics of one task in workflow history, so that a run of a thousand tasks fits. `results.yml` has all of them. */

/** Limit on the entries of the flat map, standard errors included. */
export const maxEntries = 200;
/** Limit on a metric's name, characters; metrics with longer names are left out. */
const maxNameLength = 200;
/** Limit on the metrics of a task, bytes of JSON. */
const maxBytes = 12_000;

/** Returns the first metrics, as many as fit into history. Pure. */
export function fitMetrics(all: readonly Metric[]): Required<MetricPayload> {
  const kept: Metric[] = [];
  let bytes = 0;
  let entries = 0;
  for (const metric of all) {
    if (metric.name.length > maxNameLength) continue;
    bytes += bytesOf([...kept.slice(-1), metric]) - bytesOf(kept.slice(-1));
    entries += flatCount([metric]);
    if (entries > maxEntries || bytes > maxBytes) break;
    kept.push(metric);
  }
  return metricPayload(kept);
}

function bytesOf(metrics: readonly Metric[]): number {
  const payload = metricPayload(metrics);
  return Buffer.byteLength(JSON.stringify(payload.metrics)) + Buffer.byteLength(JSON.stringify(payload.metricDetails));
}
