import { WorkflowNotFoundError } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancelRun } from '../../src/client';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { ChaosCase, ChaosEvent } from './cases';
import { lateAfterMs } from './faults';
import type { Answer, Gateway, Interference, Passage, Seen } from './gateway';
import type { Stand } from './stand';

/** What was done to a run, and whether it arrived. */
export interface Happening {
  /** Requests that the fault happened to. */
  hits: number;
  /** Whether Temporal took the event; `false`: the run or task was over already. */
  taken: boolean;
  terminatedTask: number | undefined;
  /** Requests that are still to land. */
  pending: Promise<unknown>[];
}

/** Interferes as the case says, from the point on. */
export function disturb(
  gateway: Gateway,
  parts: { readonly stand: Stand; readonly invocation: string; readonly one: ChaosCase },
): Happening {
  const { one } = parts;
  const { point, fault, times } = one;
  const happening: Happening = { hits: 0, taken: false, terminatedTask: undefined, pending: [] };
  const event = new EventOf(parts, happening);
  const interference: Interference = (passage, forward) => {
    if (passage.method !== point.method || passage.shape !== point.shape) return event.later(passage, forward);
    if (passage.nth < point.nth || passage.nth >= point.nth + times) return event.later(passage, forward);
    happening.hits += 1;
    const first = passage.nth === point.nth;
    return carryOut(fault.moment, {
      forward,
      event: () => (first ? event.now(passage) : Promise.resolve()),
      happening,
    }).then((done): Seen => {
      switch (fault.answer.kind) {
        case 'pass':
          return done ?? 'cut';
        case 'status':
          return answerOf(fault.answer);
        case 'cut':
        case 'silence':
          return fault.answer.kind;
      }
    });

    async function carryOut(
      moment: typeof fault.moment,
      what: { forward: () => Promise<Answer>; event: () => Promise<void>; happening: Happening },
    ): Promise<Answer | undefined> {
      switch (moment) {
        case 'before':
          await what.event();
          return fault.answer.kind === 'pass' ? what.forward() : undefined;
        case 'after': {
          const answer = await what.forward();
          await what.event();
          return answer;
        }
        case 'late':
          what.happening.pending.push(
            sleep(lateAfterMs)
              .then(what.forward)
              .catch(() => undefined),
          );
          await what.event();
          return undefined;
      }
    }
  };
  gateway.interfere(interference);
  return happening;
}

function answerOf({ status, retryAfter }: { status: number; retryAfter?: number }): Answer {
  const headers = {
    'content-type': 'application/json',
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
  };
  return { status, headers, body: Buffer.from(JSON.stringify({ code: 'Chaos', message: `made up: ${status}` })) };
}

/** The case's event: at the moment, and, for a second cancel, once more while teardown is under way. */
class EventOf {
  private cancelAgain = false;

  constructor(
    private readonly parts: { readonly stand: Stand; readonly invocation: string; readonly one: ChaosCase },
    private readonly happening: Happening,
  ) {}

  async now(passage: Passage): Promise<void> {
    const { one } = this.parts;
    this.happening.taken = await this.perform(one.event, passage);
    this.cancelAgain = one.event === 'second cancel';
  }

  later(passage: Passage, forward: () => Promise<Answer>): Promise<Seen> | undefined {
    if (!this.cancelAgain || passage.method !== 'DELETE') return undefined;
    this.cancelAgain = false;
    return this.cancel().then(forward);
  }

  private async perform(event: ChaosEvent, { task = 1 }: Passage): Promise<boolean> {
    const { stand } = this.parts;
    switch (event) {
      case 'nothing':
        return false;
      case 'cancel':
      case 'second cancel':
        return this.cancel();
      case 'terminate run':
        return this.terminate(undefined);
      case 'terminate task':
        return this.terminate(task);
      case 'terminate both': {
        const [run, one] = [await this.terminate(undefined), await this.terminate(task)];
        return run || one;
      }
      case 'kill worker':
        await stand.kill('worker');
        return true;
      case 'kill server':
        await stand.kill('server');
        return true;
      case 'kill platform':
        await stand.kill('platform');
        return true;
      case 'cut from server':
        await stand.cutFromServer();
        return true;
    }
  }

  private async cancel(): Promise<boolean> {
    const { stand, invocation } = this.parts;
    return (await patiently(() => cancelRun(stand.client, invocation))) === 'requested';
  }

  private async terminate(task: number | undefined): Promise<boolean> {
    const { stand, invocation } = this.parts;
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
