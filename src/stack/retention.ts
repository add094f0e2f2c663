import type { Client } from '@temporalio/client';

/** How long the embedded server remembers runs that have ended. */

const daySeconds = 86_400;

/** What a development server gives its namespace when it makes it. */
const initialSeconds = daySeconds;

/** A year. Each task takes about 80 KB of the database, less than most results do, and the space of forgotten runs is used again. */
export const keptSeconds = 365 * daySeconds;

/** Milliseconds for either request. */
const withinMs = 3_000;

/**
 * Has the embedded server keep ended runs for a year instead of a day. Another retention than the initial one is the user's own and stays.
 * Never fails: the next `up` tries again. Not for servers of others.
 */
export async function keepEndedRuns(client: Client): Promise<void> {
  const { namespace } = client.options;
  try {
    const found = await client.withDeadline(Date.now() + withinMs, () =>
      client.workflowService.describeNamespace({ namespace }),
    );
    if (Number(found.config?.workflowExecutionRetentionTtl?.seconds ?? 0) !== initialSeconds) return;
    const { msToTs } = await import('@temporalio/common/lib/time.js');
    await client.withDeadline(Date.now() + withinMs, () =>
      client.workflowService.updateNamespace({
        namespace,
        config: { workflowExecutionRetentionTtl: msToTs(keptSeconds * 1000) },
      }),
    );
  } catch {
    // Runs go on without it.
  }
}
