import { ApplicationFailure, patched } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import type { TaskPlan } from '../contract/plan';

/** Returns the name of the task's own endpoint. Throws if it has none: a request without a name is about something else. */
export function ownEndpointOf({ endpointName, index }: Pick<TaskPlan, 'endpointName' | 'index'>): string {
  if (endpointName !== null) return endpointName;
  // 2026-11-29: older builds asked the platform all the same.
  if (!patched('endpoints-have-names')) return '';
  throw ApplicationFailure.nonRetryable(`task ${index} has no endpoint of its own`, failureTypes.requestRefused);
}
