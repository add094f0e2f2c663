import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';

/** What a workflow's history holds. */
export interface HistoryCounts {
  readonly events: number;
  /** Workflow tasks that were completed. */
  readonly turns: number;
  readonly signals: number;
  readonly activities: number;
  readonly bytes: number;
  /** Of the largest payload, and the kind of event that it is in. */
  readonly largest: { readonly bytes: number; readonly kind: string };
}

export async function historyCounts(client: Client, workflowId: string): Promise<HistoryCounts> {
  const handle = client.workflow.getHandle(workflowId);
  const { raw } = await handle.describe();
  const { events } = await handle.fetchHistory();
  const all = events ?? [];
  const count = (name: keyof temporal.api.history.v1.IHistoryEvent): number =>
    all.filter((event) => event[name] !== undefined && event[name] !== null).length;
  const payloads = all.flatMap((event) => {
    const kind = temporal.api.enums.v1.EventType[event.eventType ?? 0] ?? '';
    return sizesIn(event).map((bytes) => ({ bytes, kind }));
  });
  return {
    events: all.length,
    turns: count('workflowTaskCompletedEventAttributes'),
    signals: count('workflowExecutionSignaledEventAttributes'),
    activities: count('activityTaskScheduledEventAttributes'),
    bytes: Number(raw.workflowExecutionInfo?.historySizeBytes ?? 0),
    largest: payloads.reduce((most, one) => (one.bytes > most.bytes ? one : most), { bytes: 0, kind: 'none' }),
  };
}

/** Returns the sizes of the payloads in an event. */
function sizesIn(node: unknown): number[] {
  if (typeof node !== 'object' || node === null || node instanceof Uint8Array) return [];
  const { data } = node as { data?: unknown };
  const own = data instanceof Uint8Array ? [data.byteLength] : [];
  return [...own, ...Object.values(node).flatMap(sizesIn)];
}
