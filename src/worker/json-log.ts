import type { LogEntry } from '@temporalio/worker';
import { invocationOf, taskIndexOf } from '../contract/identity';

/** One log entry as a line of JSON, with the run and the task it is about. Pure. */
export function jsonLine({ message, level, timestampNanos, meta = {} }: LogEntry): string {
  const { error, workflowId, ...rest } = meta as Readonly<Record<string, unknown>>;
  const id = typeof workflowId === 'string' ? workflowId : undefined;
  return JSON.stringify(
    {
      time: new Date(Number(timestampNanos / 1_000_000n)).toISOString(),
      level: level.toLowerCase(),
      message,
      run: id === undefined ? undefined : invocationOf(id),
      task: id === undefined ? undefined : taskIndexOf(id),
      workflowId: id,
      error: error instanceof Error ? { type: error.name, message: error.message } : error,
      ...rest,
    },
    (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
  );
}
