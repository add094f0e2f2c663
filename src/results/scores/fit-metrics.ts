import { flatCount, metricPayload, type Metric, type MetricPayload } from '../../contract/metric';

/** Metrics of one task in workflow history: as many as a run of a thousand tasks can hold. The others are in `results.yml`. */

/** Entries of the flat map, standard errors included. */
export const maxEntries = 200;
/** Characters of a metric's name; a metric with a longer one is left out. */
const maxName = 200;
/** Bytes of JSON. */
const maxBytes = 12_000;

/** Returns the first metrics, as many as fit into history. Pure. */
export function fitMetrics(all: readonly Metric[]): Required<MetricPayload> {
  const kept: Metric[] = [];
  let bytes = 0;
  let entries = 0;
  for (const metric of all) {
    if (metric.name.length > maxName) continue;
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
