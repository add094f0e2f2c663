import type { RunDescription } from '../../client';
import { failureTypes } from '../../contract/failure-types';
import { statusWordOf, type Verdict } from '../../contract/verdict';

/** Outcome of a run, as exit codes distinguish it: failures of the infrastructure are separate, and runs that created nothing. */
export type RunVerdict = 'running' | Verdict | 'infrastructure' | 'not admitted';

/** Returns the word for people. Pure. */
export const spoken = (verdict: RunVerdict): 'running' | Verdict =>
  verdict === 'infrastructure' || verdict === 'not admitted' ? 'failed' : verdict;

const infrastructureTypes: readonly string[] = [failureTypes.credentialsRefused, failureTypes.platformUnavailable];

/** Returns the verdict on a run. Pure. */
export function runVerdict(run: RunDescription): RunVerdict {
  const { snapshot, failure } = run;
  const word = statusWordOf(run);
  if (word !== 'failed') return word;
  if (failure?.type === failureTypes.runNotAdmitted) return 'not admitted';
  const types = snapshot.tasks.flatMap(({ error }) =>
    error && error.type !== failureTypes.aborted ? [error.type] : [],
  );
  if (failure && types.length === 0) types.push(failure.type);
  return types.length > 0 && types.every((type) => infrastructureTypes.includes(type)) ? 'infrastructure' : 'failed';
}

/** Returns the verdict on one task, independently of the others. Pure. */
export function taskVerdict({ tasks }: Pick<RunDescription['snapshot'], 'tasks'>, index: number): RunVerdict {
  const task = tasks.find((candidate) => candidate.index === index);
  if (task === undefined || task.phase !== 'done') return 'running';
  if (task.left.length > 0) return 'teardown incomplete';
  if (task.outcome === 'failed' && task.error && infrastructureTypes.includes(task.error.type)) return 'infrastructure';
  return task.outcome ?? 'running';
}
