export type ExecutionStatus = 'running' | 'completed' | 'failed' | 'cancelled' | 'terminated';

/** Temporal's name for a workflow's state, in ours. Pure. */
export function executionStatus(name: string): ExecutionStatus {
  if (name === 'RUNNING') return 'running';
  if (name === 'COMPLETED') return 'completed';
  if (name === 'CANCELLED') return 'cancelled';
  return name === 'TERMINATED' ? 'terminated' : 'failed';
}
