import { WorkflowNotFoundError } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancelRun } from '../../src/client';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { ChaosCase, ChaosEvent } from './cases';
import { lateAfterMs, type Fault } from './faults';
import type { Interference, Ledger, Passage, Seen } from './ledger';
import type { Stand } from './stand';

/** What was done to a run, and whether it arrived. */
export interface Happening {
  /** Requests that the fault happened to. */
  hits: number;
  /** Whether the event took place; `false`: the run or task was over already. */
  taken: boolean;
  terminatedTask: number | undefined;
  /** What a sweep removed, or tried to, while the run was open. */
  readonly sweptAlive: string[];
  /** Requests that are still to land. */
  pending: Promise<unknown>[];
}

export const nothingHappened = (): Happening => ({
  hits: 0,
  taken: false,
  terminatedTask: undefined,
  sweptAlive: [],
  pending: [],
});

const severedForMs = 3_000;
/** Longer than the budgets of a run that is to meet it (`driver.ts`). */
export const awayForMs = 25_000;

/** What a case can be struck at, beside its requests. */
export interface Targets {
  readonly stand: Stand;
  /** `undefined`: not chosen yet. */
  readonly invocation: () => string | undefined;
  /** As the user of this case does it; resolves to whether there was something to cancel. */
  readonly cancel: () => Promise<boolean>;
  readonly killWorker: (awayMs?: number) => Promise<void>;
  readonly killCommand: () => Promise<boolean>;
  /** Breaks the connections to Temporal of what the case is about, for so long. */
  readonly sever: (forMs: number) => Promise<void>;
  /** A sweep by whom it is none of its business; resolves to what it would not leave alone. */
  readonly sweepAs: (who: 'twin' | 'other home') => Promise<readonly string[]>;
}

/** Interferes as the case says, from the point on. */
export function disturb(ledger: Ledger, parts: { readonly targets: Targets; readonly one: ChaosCase }): Happening {
  const { point, fault, times } = parts.one;
  const happening = nothingHappened();
  const event = new EventOf(parts, happening);
  const interference: Interference = (passage, forward) => {
    const isOfKind =
      passage.border === point.border && passage.method === point.method && passage.shape === point.shape;
    if (!isOfKind || passage.nth < point.nth || passage.nth >= point.nth + times) return event.later(passage, forward);
    happening.hits += 1;
    const meanwhile = (): Promise<void> => (passage.nth === point.nth ? event.now(passage) : Promise.resolve());
    return strike(fault, { forward, meanwhile, happening });
  };
  ledger.interfere(interference);
  return happening;
}

/** Lets the fault happen to one request, and the event at its moment; resolves to what the run sees. */
async function strike<A extends object>(
  { moment, answer }: Fault,
  at: { forward: () => Promise<A>; meanwhile: () => Promise<void>; happening: Happening },
): Promise<Seen<A>> {
  const { forward, meanwhile, happening } = at;
  const seen = (done: A | undefined): Seen<A> => {
    switch (answer.kind) {
      case 'pass':
        return done ?? 'cut';
      case 'refuse':
        return answer;
      case 'cut':
      case 'reset':
      case 'silence':
        return answer.kind;
    }
  };
  const unheard = (request: Promise<A>): number => happening.pending.push(request.catch(() => undefined));
  switch (moment) {
    case 'before':
      await meanwhile();
      return seen(answer.kind === 'pass' ? await forward() : undefined);
    case 'during':
      unheard(forward());
      await meanwhile();
      return seen(undefined);
    case 'after': {
      const done = await forward();
      await meanwhile();
      return seen(done);
    }
    case 'late':
      unheard(sleep(lateAfterMs).then(forward));
      await meanwhile();
      return seen(undefined);
  }
}

/** The case's event: at the moment, and, for a second cancel, once more while teardown is under way. */
class EventOf {
  private cancelAgain = false;

  constructor(
    private readonly parts: { readonly targets: Targets; readonly one: ChaosCase },
    private readonly happening: Happening,
  ) {}

  async now(passage: Passage): Promise<void> {
    const { one } = this.parts;
    this.happening.taken = await this.perform(one.event, passage);
    this.cancelAgain = one.event === 'second cancel';
  }

  later<A extends object>(passage: Passage, forward: () => Promise<A>): Promise<Seen<A>> | undefined {
    if (!this.cancelAgain || passage.method !== 'DELETE') return undefined;
    this.cancelAgain = false;
    const { stand, invocation } = this.parts.targets;
    return patiently(() => cancelRun(stand.client, invocation() ?? '')).then(forward);
  }

  private async perform(event: ChaosEvent, { task = 1 }: Passage): Promise<boolean> {
    const { stand, cancel, killWorker, killCommand, sever, sweepAs } = this.parts.targets;
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
      case 'kill platform':
        await stand.kill(event === 'kill server' ? 'server' : 'platform');
        return true;
      case 'cut from server':
        await sever(severedForMs);
        return true;
      case 'worker away':
        await sever(awayForMs);
        return true;
      case 'twin sweeps':
      case 'other home sweeps':
        this.happening.sweptAlive.push(...(await sweepAs(event === 'twin sweeps' ? 'twin' : 'other home')));
        return true;
    }
  }

  private async terminate(task: number | undefined): Promise<boolean> {
    const { stand, invocation: idOf } = this.parts.targets;
    const invocation = idOf();
    if (invocation === undefined) return false;
    const id = task === undefined ? runWorkflowId(invocation) : taskWorkflowId(invocation, task);
    try {
      await patiently(() => stand.client.workflow.getHandle(id).terminate('chaos'));
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
    if (task !== undefined) this.happening.terminatedTask = task;
    return true;
  }
}

/** Through outages of the server: it may have been killed a moment ago. */
export async function patiently<T>(ask: () => Promise<T>, withinMs = 60_000): Promise<T> {
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

const outageCodes = new Set([1, 4, 8, 13, 14]);

function isOutage(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'number' && outageCodes.has(at.code)) return true;
  }
  return false;
}
