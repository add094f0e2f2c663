import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { runWorkflowId } from '../contract/identity';

/** The client adds a listener with each request, and the held one is repeated every 20 s: Node would warn of a leak. */
function longLived(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** Waits for the end of a run with one held request to Temporal, which costs nothing while the run continues. */
export class ClosingWait {
  private readonly asking = longLived();
  private isAsked = false;
  /** It has closed since the last wait ended. */
  private isNews = false;
  private wake: (() => void) | undefined;

  /** Resolves when the run has closed, after `intervalMs`, or when the signal aborts. */
  async orAfter(
    client: Client,
    invocation: string,
    { intervalMs, signal }: { readonly intervalMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    if (!this.isAsked) this.ask(client, invocation);
    if (this.isNews) return void (this.isNews = false);
    const pause = new AbortController();
    this.wake = () => pause.abort();
    signal.addEventListener('abort', this.wake, { once: true });
    await sleep(intervalMs, undefined, { signal: pause.signal }).catch(() => undefined);
    signal.removeEventListener('abort', this.wake);
    this.wake = undefined;
  }

  forget(): void {
    this.asking.abort();
  }

  private ask(client: Client, invocation: string): void {
    this.isAsked = true;
    const result = () => client.workflow.getHandle(runWorkflowId(invocation)).result();
    const isOver = client.withAbortSignal(this.asking.signal, result).then(
      () => true,
      (error: unknown) => error instanceof WorkflowFailedError,
    );
    void isOver.then((over) => {
      // After an outage the next look asks again.
      if (!over) this.isAsked = false;
      else if (this.wake) this.wake();
      else this.isNews = true;
    });
  }
}
