import events from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { ClosingWait } from '../../../src/runs/closing-wait';

/** A client that holds its request until `result` resolves. */
const holding = (onSignal: (signal: AbortSignal) => void, result: () => Promise<unknown>): Client =>
  ({
    withAbortSignal: async (signal: AbortSignal, call: () => Promise<unknown>) => {
      onSignal(signal);
      return call();
    },
    workflow: { getHandle: () => ({ result }) },
  }) as unknown as Client;

test('a held request may be repeated for hours without a warning of Node', async () => {
  const limited = jest.spyOn(events, 'setMaxListeners');
  let held: AbortSignal | undefined;
  const client = holding(
    (signal) => (held = signal),
    () => new Promise(() => undefined),
  );
  const wait = new ClosingWait();
  await wait.orAfter(client, '0123456789abcdef', { intervalMs: 1, signal: new AbortController().signal });
  wait.forget();
  // 0: without limit. Each repetition adds a listener.
  expect(limited.mock.calls).toEqual([[0, held]]);
  expect(held?.aborted).toBe(true);
});

test('the end of the run ends the wait', async () => {
  let end = (_: unknown): void => undefined;
  const client = holding(
    () => undefined,
    () => new Promise((resolve) => (end = resolve)),
  );
  let isOver = false;
  const waiting = new ClosingWait().orAfter(client, '0123456789abcdef', {
    intervalMs: 600_000,
    signal: new AbortController().signal,
  });
  void waiting.then(() => (isOver = true));
  await sleep(5);
  expect(isOver).toBe(false);
  end(undefined);
  await waiting;
});
