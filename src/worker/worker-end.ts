import type { NativeConnection, Worker } from '@temporalio/worker';
import { InfrastructureError } from '../temporal/infrastructure-error';
import { explainFault } from '../temporal/grpc';

/** A worker gets into these when it is told to end. */
const ending: ReadonlySet<ReturnType<Worker['getState']>> = new Set(['STOPPING', 'DRAINING', 'DRAINED']);

/** How often a worker is looked at, milliseconds. */
const lookEveryMs = 1_000;
/** Milliseconds for the question why it failed. */
const answerWithinMs = 5_000;

/**
 * Serves until the worker is told to end. Whom Temporal refuses for a minute (credentials withdrawn, namespace gone), the SDK lets
 * fail; but then its `run` waits for pollers that nobody ends, and the process would stay, looking well and doing nothing.
 * Resolves at once then: whoever started the worker must see it end. `cut short`: it was told to end, and what it was doing
 * did not end in time; another worker takes that up.
 */
export async function serve(
  worker: Pick<Worker, 'run' | 'getState'>,
  { everyMs = lookEveryMs }: { readonly everyMs?: number } = {},
): Promise<'told to end' | 'cut short' | 'failed'> {
  const running = worker.run().then(() => 'told to end' as const);
  let timer: NodeJS.Timeout | undefined;
  let wasToldToEnd = false;
  const verdict = (): 'cut short' | 'failed' => (wasToldToEnd ? 'cut short' : 'failed');
  const failed = new Promise<'cut short' | 'failed'>((resolve) => {
    timer = setInterval(() => {
      const state = worker.getState();
      wasToldToEnd ||= ending.has(state);
      if (state === 'FAILED') resolve(verdict());
    }, everyMs);
  });
  try {
    return await Promise.race([running, failed]);
  } catch (error) {
    if (error instanceof Error && error.name === 'GracefulShutdownPeriodExpiredError') return 'cut short';
    if (worker.getState() === 'FAILED') return verdict();
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/** Why Temporal no longer lets a worker take tasks, as it tells whoever asks now. */
export async function whyFailed(
  connection: Pick<NativeConnection, 'withDeadline' | 'workflowService'>,
  { address, namespace }: { readonly address: string; readonly namespace: string },
): Promise<InfrastructureError> {
  const fault: unknown = await connection
    .withDeadline(Date.now() + answerWithinMs, () => connection.workflowService.describeNamespace({ namespace }))
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  const server = { name: `Temporal at ${address}`, namespace, isEmbedded: false };
  const why = explainFault(fault, server)?.message ?? `${server.name} has refused it for a minute; it answers again.`;
  return new InfrastructureError(`The worker gets no more tasks and ends; what it was doing waits for another. ${why}`);
}
