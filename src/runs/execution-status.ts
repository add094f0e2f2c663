export type ExecutionStatus = 'running' | 'completed' | 'failed' | 'cancelled' | 'terminated';

/** Translates Temporal's name of a workflow's status. Pure. */
export function executionStatus(name: string): ExecutionStatus {
  if (name === 'RUNNING') return 'running';
  if (name === 'COMPLETED') return 'completed';
  if (name === 'CANCELLED') return 'cancelled';
  return name === 'TERMINATED' ? 'terminated' : 'failed';
}
