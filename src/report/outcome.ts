import type { RunDescription } from '../client';
import { failureTypes } from '../contract/errors';

/** What came of a run, as exit codes tell it apart. */
export type RunVerdict = 'running' | 'succeeded' | 'failed' | 'cancelled' | 'infrastructure' | 'teardown incomplete';

const infrastructureTypes: readonly string[] = [failureTypes.credentialsRefused, failureTypes.platformUnavailable];

/** Pure. What is left behind outranks everything: it costs money until somebody acts. */
export function runVerdict({ status, snapshot, failure }: RunDescription): RunVerdict {
  if (status === 'running') return 'running';
  if (snapshot.left.length > 0 || failure?.type === failureTypes.teardownIncomplete) return 'teardown incomplete';
  if (status === 'cancelled') return 'cancelled';
  if (status === 'succeeded' && snapshot.tasks.every(({ outcome }) => outcome === 'succeeded')) return 'succeeded';
  const types = snapshot.tasks.flatMap(({ error }) =>
    error && error.type !== failureTypes.aborted ? [error.type] : [],
  );
  if (failure && types.length === 0) types.push(failure.type);
  return types.length > 0 && types.every((type) => infrastructureTypes.includes(type)) ? 'infrastructure' : 'failed';
}

/** What came of one task, whatever the others do. Pure. */
export function taskVerdict({ tasks }: Pick<RunDescription['snapshot'], 'tasks'>, index: number): RunVerdict {
  const task = tasks.find((candidate) => candidate.index === index);
  if (task === undefined || task.phase !== 'done') return 'running';
  if (task.left.length > 0) return 'teardown incomplete';
  if (task.outcome === 'failed' && task.error && infrastructureTypes.includes(task.error.type)) return 'infrastructure';
  return task.outcome ?? 'running';
}
