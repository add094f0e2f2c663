import type { ReadyTask } from './messages';

/** Returns the tasks that a signal `endpointReady` tells of; none if its payload is something else. Pure. */
export function readyTasksIn(payload: unknown): ReadyTask[] {
  const { others } = (payload ?? {}) as { readonly others?: unknown };
  return [payload, ...(Array.isArray(others) ? (others as unknown[]) : [])].flatMap((told) => {
    const { index, endpointUrl } = (told ?? {}) as Partial<Record<keyof ReadyTask, unknown>>;
    if (typeof index !== 'number') return [];
    return [{ index, ...(typeof endpointUrl === 'string' ? { endpointUrl } : {}) }];
  });
}
