import type { RunDescription } from '../../src/client';
import { pendingTask, type RunSnapshot, type TaskSnapshot } from '../../src/contract/state';

/** Snapshots as a run returns them, with the changes that a test needs. */
export const invocation = '0123456789abcdef';

export function taskOf(change: Partial<TaskSnapshot> = {}): TaskSnapshot {
  return {
    ...pendingTask({ index: 0, name: 'hellaswag', endpointName: 'es-01234567-0' }),
    ...change,
  };
}

export function snapshotOf(tasks: readonly TaskSnapshot[], change: Partial<RunSnapshot> = {}): RunSnapshot {
  return {
    invocation,
    phase: 'deploying',
    platform: 'local',
    model: 'org/model',
    startedAt: '2026-01-02T03:04:05.000Z',
    tasks,
    left: tasks.flatMap(({ left }) => left),
    kept: tasks.flatMap(({ kept }) => kept),
    ...change,
  };
}

export function runOf(
  status: RunDescription['status'],
  tasks: readonly TaskSnapshot[],
  change: Partial<RunDescription> = {},
): RunDescription {
  const snapshot = snapshotOf(tasks, status === 'running' ? {} : { phase: 'done' });
  return {
    status,
    cancelRequested: false,
    snapshot,
    failure: null,
    taskQueue: 'evalsaga',
    isUnanswered: false,
    ...change,
  };
}
