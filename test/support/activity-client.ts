import type { Client } from '@temporalio/client';

/** A client for mocked activities, whose signals go nowhere but to `hears`. */
export const clientThat = (hears: (argument: unknown) => void = () => undefined): Client =>
  ({
    withDeadline: (_: number, call: () => Promise<unknown>) => call(),
    // The activity's context wraps every call so that it ends with the activity.
    withAbortSignal: (_: AbortSignal, call: () => Promise<unknown>) => call(),
    workflow: { getHandle: () => ({ signal: (_: unknown, argument: unknown) => Promise.resolve(hears(argument)) }) },
  }) as unknown as Client;
