import type { ConnectionLike } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { NotOnThisWorker } from '../activities/elsewhere';
import { isAway } from '../temporal/retry-during-outages';
import { InfrastructureError } from '../temporal/infrastructure-error';
import { namespaceId } from '../temporal/origin';

export interface InstallationGuardOptions {
  readonly connection: Pick<ConnectionLike, 'workflowService' | 'withDeadline'>;
  readonly namespace: string;
  /** Of the server. */
  readonly address: string;
  /** The id that the namespace had when the worker started. */
  readonly id: string;
  /** Whether it is the home's own server. */
  readonly embedded: boolean;
  /** Default: `looks`. */
  readonly timing?: Timing;
}

interface Timing {
  /** Milliseconds for which one answer serves all steps that begin. */
  readonly servesMs: number;
  /** Milliseconds between two looks while no step begins. */
  readonly everyMs: number;
  /** Milliseconds until a server that doesn't answer is asked again. */
  readonly againMs: number;
}

/**
 * An embedded server takes longer to start than its answers serve, so that no step of another one gets through. The database behind a
 * cluster's address is replaced rarely, and by people.
 */
const looks = {
  embedded: { servesMs: 200, everyMs: 2_000, againMs: 500 },
  cluster: { servesMs: 10_000, everyMs: 30_000, againMs: 500 },
} as const satisfies Record<string, Timing>;

export interface InstallationGuard {
  /**
   * Resolves if this worker's own installation has answered just now. Throws `NotOnThisWorker` if another one has, or if the signal
   * aborts before any server answers.
   */
  readonly admit: (signal: AbortSignal) => Promise<void>;
  /** Calls `listener` once, when another installation has answered. */
  onReplaced(listener: (fault: InfrastructureError) => void): void;
  close(): void;
}

/**
 * Guards a worker against the server of another installation at the address of its own: an embedded server that has died leaves its
 * port to whichever home starts one next, with the same namespace and task queue. What the worker made for those runs would carry the
 * mark of its own installation, and a sweep would compare its own endpoints with the runs of the other.
 */
export function guardInstallation(options: InstallationGuardOptions): InstallationGuard {
  const { connection, namespace, address, id, embedded } = options;
  const { timing = embedded ? looks.embedded : looks.cluster } = options;
  const listeners: ((fault: InfrastructureError) => void)[] = [];
  let fault: InfrastructureError | undefined;
  let seenAt = performance.now();
  let asking: Promise<void> | undefined;

  const ask = async (): Promise<void> => {
    const begun = performance.now();
    const answered = await namespaceId({ connection, namespace }, { withinMs: 0 });
    seenAt = begun;
    if (answered === id || fault) return;
    fault = replacedFault(options);
    for (const listener of listeners) listener(fault);
  };
  const askOnce = (): Promise<void> => (asking ??= ask().finally(() => (asking = undefined)));

  /** Waits for a server that doesn't answer: it can't be told the end of a step either. One that refuses gives no tasks. */
  const untilKnown = async (signal: AbortSignal): Promise<void> => {
    while (!fault && performance.now() - seenAt >= timing.servesMs) {
      try {
        return await askOnce();
      } catch (error) {
        if (!isAway(error)) return;
      }
      await sleep(timing.againMs, undefined, { signal });
    }
  };

  const timer = setInterval(() => void askOnce().catch(() => undefined), timing.everyMs);
  timer.unref();
  return {
    async admit(signal) {
      await untilKnown(signal).catch(() => {
        throw new NotOnThisWorker(`Temporal at ${address} does not answer`);
      });
      if (fault) throw new NotOnThisWorker('a worker of another installation got this step and leaves it to others');
    },
    onReplaced: (listener) => void (fault ? listener(fault) : listeners.push(listener)),
    close: () => clearInterval(timer),
  };
}

/** The error with which a worker ends whose server is another one now. Pure. */
export function replacedFault({
  address,
  namespace,
  embedded,
}: Pick<InstallationGuardOptions, 'address' | 'namespace' | 'embedded'>): InfrastructureError {
  const seen = embedded
    ? `At ${address}, where this home's own Temporal server was, another one answers`
    : `Temporal at ${address} has another namespace "${namespace}" than when this worker started`;
  const advice = embedded
    ? "Start this home's server and worker again: evalsaga up"
    : 'Start the worker again to serve it, or correct TEMPORAL_ADDRESS.';
  return new InfrastructureError(`${seen}. The worker takes nothing from it and ends. ${advice}`);
}
