import type { NativeConnection, Worker } from '@temporalio/worker';
import { InfrastructureError } from '../temporal/infrastructure-error';
import { explainFault } from '../temporal/grpc';

/** States of a worker after SIGINT or SIGTERM. */
const shutDownStates: ReadonlySet<ReturnType<Worker['getState']>> = new Set(['STOPPING', 'DRAINING', 'DRAINED']);

/** Milliseconds between two checks of the worker's state. */
const checkEveryMs = 200;
/** Milliseconds for finding out why it failed. */
const answerWithinMs = 5_000;

/** Shuts a worker down that runs, or else has begun to shut down by itself. */
export function endWorker(worker: Pick<Worker, 'shutdown' | 'getState'>): void {
  if (worker.getState() === 'RUNNING') worker.shutdown();
}

/**
 * Runs a worker until it is shut down. If Temporal refuses it for a minute (credentials withdrawn, namespace deleted), the SDK lets
 * it fail, but `run` then never returns: the process would live on, doing nothing. This returns at once.
 * `onShutdown` is called once when the signal has come.
 * - `shut down`: after a signal.
 * - `cut short`: after a signal, but its work did not finish in time; another worker takes that over.
 * - `failed`: Temporal refused it.
 */
export async function serve(
  worker: Pick<Worker, 'run' | 'getState'>,
  { everyMs = checkEveryMs, onShutdown }: { readonly everyMs?: number; readonly onShutdown?: () => void } = {},
): Promise<'shut down' | 'cut short' | 'failed'> {
  const running = worker.run().then(() => 'shut down' as const);
  let timer: NodeJS.Timeout | undefined;
  let isShuttingDown = false;
  const verdict = (): 'cut short' | 'failed' => (isShuttingDown ? 'cut short' : 'failed');
  const failed = new Promise<'cut short' | 'failed'>((resolve) => {
    timer = setInterval(() => {
      const state = worker.getState();
      if (!isShuttingDown && shutDownStates.has(state)) {
        isShuttingDown = true;
        onShutdown?.();
      }
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

/** Returns why Temporal no longer gives tasks to a worker, from its answer to a call now. */
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
  const why = explainFault(fault, server)?.message ?? `${server.name} refused it for a minute; it answers again.`;
  return new InfrastructureError(`The worker gets no more tasks and ends; its work waits for another worker. ${why}`);
}
