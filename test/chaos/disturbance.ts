import { WorkflowNotFoundError } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancelRun } from '../../src/client';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { ChaosCase, ChaosEvent } from './cases';
import { lateAfterMs, type Fault } from './faults';
import type { Interference, Ledger, Passage, VisibleAnswer } from './ledger';
import type { TestBed } from './test-bed';

/** What was done to a run. */
export interface Disturbance {
  /** Number of requests to which the fault was applied. */
  hits: number;
  /** Whether the event took place; `false` if the run or task was already over. */
  eventHappened: boolean;
  /** Index of the task or shared endpoint whose workflow was terminated. */
  terminatedTask: number | undefined;
  /** What a foreign sweep removed, or tried to, while the run was open. */
  readonly sweptWhileOpen: string[];
  /** Requests that have yet to take effect. */
  pending: Promise<unknown>[];
}

export const noDisturbance = (): Disturbance => ({
  hits: 0,
  eventHappened: false,
  terminatedTask: undefined,
  sweptWhileOpen: [],
  pending: [],
});

const severedForMs = 3_000;
/** Longer than the budgets of the runs concerned (`driver.ts`). */
export const awayForMs = 25_000;

/** What a case's event can act on. */
export interface Targets {
  readonly testBed: TestBed;
  /** Returns `undefined` until it is chosen. */
  readonly invocation: () => string | undefined;
  /** Cancels as the user would; resolves to whether there was something to cancel. */
  readonly cancel: () => Promise<boolean>;
  readonly killWorker: (awayMs?: number) => Promise<void>;
  readonly killCommand: () => Promise<boolean>;
  /** Breaks the disturbed side's connections to Temporal for this long. */
  readonly sever: (forMs: number) => Promise<void>;
  /** Sweeps from elsewhere; resolves to what it removed or tried to remove. */
  readonly sweepAs: (who: 'twin' | 'other home') => Promise<readonly string[]>;
}

/** Applies the case's fault and event from its point on. */
export function disturb(ledger: Ledger, parts: { readonly targets: Targets; readonly one: ChaosCase }): Disturbance {
  const { point, fault, times } = parts.one;
  const disturbance = noDisturbance();
  const event = new EventOf(parts, disturbance);
  const interference: Interference = (passage, forward) => {
    const isOfKind =
      passage.border === point.border && passage.method === point.method && passage.shape === point.shape;
    if (!isOfKind || passage.nth < point.nth || passage.nth >= point.nth + times) return event.later(passage, forward);
    disturbance.hits += 1;
    const runEvent = (): Promise<void> => (passage.nth === point.nth ? event.now(passage) : Promise.resolve());
    return applyFault(fault, { forward, runEvent, disturbance });
  };
  ledger.interfere(interference);
  return disturbance;
}

/** Applies the fault to one request, with the event at its moment; resolves to the answer that the run sees. */
async function applyFault<A extends object>(
  { moment, answer }: Fault,
  at: { forward: () => Promise<A>; runEvent: () => Promise<void>; disturbance: Disturbance },
): Promise<VisibleAnswer<A>> {
  const { forward, runEvent, disturbance } = at;
  const seen = (done: A | undefined): VisibleAnswer<A> => {
    switch (answer.kind) {
      case 'pass':
        return done ?? 'cut';
      case 'damage':
        return done ? { ...answer, answer: done } : 'cut';
      case 'refuse':
        return answer;
      case 'cut':
      case 'reset':
      case 'silence':
        return answer.kind;
    }
  };
  const forwardUnanswered = (request: Promise<A>): number => disturbance.pending.push(request.catch(() => undefined));
  switch (moment) {
    case 'before':
      await runEvent();
      return seen(answer.kind === 'pass' || answer.kind === 'damage' ? await forward() : undefined);
    case 'during':
      forwardUnanswered(forward());
      await runEvent();
      return seen(undefined);
    case 'after': {
      const done = await forward();
      await runEvent();
      return seen(done);
    }
    case 'late':
      forwardUnanswered(sleep(lateAfterMs).then(forward));
      await runEvent();
      return seen(undefined);
  }
}

/** The case's event; a second cancel comes during the teardown. */
class EventOf {
  private cancelAgain = false;

  constructor(
    private readonly parts: { readonly targets: Targets; readonly one: ChaosCase },
    private readonly disturbance: Disturbance,
  ) {}

  async now(passage: Passage): Promise<void> {
    const { one } = this.parts;
    this.disturbance.eventHappened = await this.perform(one.event, passage);
    this.cancelAgain = one.event === 'second cancel';
  }

  later<A extends object>(passage: Passage, forward: () => Promise<A>): Promise<VisibleAnswer<A>> | undefined {
    if (!this.cancelAgain || passage.method !== 'DELETE') return undefined;
    this.cancelAgain = false;
    const { testBed, invocation } = this.parts.targets;
    return retryOutages(() => cancelRun(testBed.client, invocation() ?? '')).then(forward);
  }

  private async perform(event: ChaosEvent, { task = 1 }: Passage): Promise<boolean> {
    const { testBed, cancel, killWorker, killCommand, sever, sweepAs } = this.parts.targets;
    switch (event) {
      case 'nothing':
        return false;
      case 'cancel':
      case 'second cancel':
        return cancel();
      case 'terminate run':
        return this.terminate(undefined);
      case 'terminate task':
        return this.terminate(task);
      case 'terminate both': {
        const [run, one] = [await this.terminate(undefined), await this.terminate(task)];
        return run || one;
      }
      case 'kill command':
        return killCommand();
      case 'kill worker':
        await killWorker();
        return true;
      case 'kill worker for long':
        await killWorker(awayForMs);
        return true;
      case 'kill server':
        await testBed.kill('server');
        return true;
      case 'kill database':
        await testBed.kill('database');
        return true;
      case 'kill platform':
        await testBed.kill('platform');
        return true;
      case 'cut from server':
        await sever(severedForMs);
        return true;
      case 'worker away':
        await sever(awayForMs);
        return true;
      case 'twin sweeps':
      case 'other home sweeps':
        this.disturbance.sweptWhileOpen.push(...(await sweepAs(event === 'twin sweeps' ? 'twin' : 'other home')));
        return true;
    }
  }

  private async terminate(task: number | undefined): Promise<boolean> {
    const { testBed, invocation: idOf } = this.parts.targets;
    const invocation = idOf();
    if (invocation === undefined) return false;
    const id = task === undefined ? runWorkflowId(invocation) : taskWorkflowId(invocation, task);
    try {
      await retryOutages(() => testBed.client.workflow.getHandle(id).terminate('chaos'));
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
    if (task !== undefined) this.disturbance.terminatedTask = task;
    return true;
  }
}

/** Retries a call to Temporal during outages: the server may have been killed a moment ago. */
export async function retryOutages<T>(ask: () => Promise<T>, withinMs = 60_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isOutage(error) || Date.now() > deadline) throw error;
      await sleep(250);
    }
  }
}

/** `unknown` (2) and `aborted` (10) come from a server whose database is away. */
const outageCodes = new Set([1, 2, 4, 8, 10, 13, 14]);

function isOutage(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'number' && outageCodes.has(at.code)) return true;
  }
  return false;
}
