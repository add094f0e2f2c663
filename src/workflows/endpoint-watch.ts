import { condition } from '@temporalio/workflow';
import type { WatchEndpointInput } from '../contract/inputs/endpoint';
import type { TaskInput } from '../contract/inputs/task';
import type { EndpointPlan } from '../contract/plan';
import { poll } from './activity-groups';
import { guardedBy } from './deadline';
import { ownEndpointOf } from './own-endpoint';
import { hasBarrier, ownerOf } from './task-owner';

/** Backstop on the wait for the run's signal, which arrives once the slowest endpoint is Ready or has failed. */
const longestBarrierSeconds = 7 * 24 * 3600;

/** Most waits for the run's signal are short; only a longer one justifies the history events of a watch. Milliseconds. */
const longestQuietMs = 60_000;

/** Seconds without a request after which the platform scales the endpoint to zero; `null`: never. Pure. */
export function noTrafficSecondsOf(endpoint: EndpointPlan): number | null {
  if (endpoint.kind !== 'dedicated') return null;
  const scaler = endpoint.spec.body['auto_scaler'] as { scale_down?: { no_traffic_timeout?: number } } | undefined;
  const seconds = scaler?.scale_down?.no_traffic_timeout ?? 0;
  return seconds > 0 ? seconds : null;
}

/** Rejects when the task's endpoint fails, or is not Ready for `endpointReadySeconds`; otherwise runs until it is cancelled. */
export async function watchEndpoint(
  input: TaskInput,
  { seconds, during }: { readonly seconds: number; readonly during: string },
): Promise<never> {
  return poll(`watch endpoint ${during}`, seconds).watchEndpoint(watchOf(input, during));
}

/** What there is to know for watching the task's endpoint. */
export function watchOf(input: TaskInput, during: string): WatchEndpointInput {
  const { run, task } = input;
  return {
    ...ownerOf(input),
    name: ownEndpointOf(task),
    probe: run.endpoint.probe,
    noTrafficSeconds: noTrafficSecondsOf(run.endpoint),
    awaySeconds: run.limits.endpointReadySeconds,
    during,
  };
}

/** Waits until `open` holds. Watches an endpoint that waits long for its siblings: it may fail or be scaled to zero. */
export async function awaitOpen(input: TaskInput, open: () => boolean): Promise<void> {
  if (!hasBarrier(input)) return;
  if (input.task.endpointName === null) return condition(open);
  const sleepy = noTrafficSecondsOf(input.run.endpoint) ?? Infinity;
  if (await condition(open, Math.min(longestQuietMs, sleepy * 250))) return;
  const during = 'while it waited for the others';
  await guardedBy(
    () => condition(open),
    () => watchEndpoint(input, { seconds: longestBarrierSeconds, during }),
  );
}
