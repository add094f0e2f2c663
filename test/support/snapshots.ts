import type { RunDescription } from '../../src/client';
import type { RunSnapshot, TaskSnapshot } from '../../src/contract/state';

/** Snapshots as a run would give them, with what a test cares about. */
export const invocation = '0123456789abcdef';

export function taskOf(change: Partial<TaskSnapshot> = {}): TaskSnapshot {
  return {
    index: 0,
    name: 'hellaswag',
    phase: 'pending',
    outcome: null,
    endpoint: 'es-01234567-0',
    endpointUrl: null,
    job: null,
    message: null,
    startedAt: null,
    endedAt: null,
    metrics: {},
    outputDir: null,
    error: null,
    left: [],
    kept: [],
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
  return { status, cancelRequested: false, snapshot, failure: null, taskQueue: 'evalsaga', ...change };
}
