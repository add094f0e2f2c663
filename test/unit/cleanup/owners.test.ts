import type { Client } from '@temporalio/client';
import { ownersOf } from '../../../src/cleanup/owners';
import { runWorkflowId } from '../../../src/contract/identity';

/** Whom Temporal is asked about. */

const described: string[] = [];
let isRunning: (workflowId: string) => boolean = () => false;

jest.mock('../../../src/temporal/encryption/unreadable', () => ({
  toleratingUnreadable: () => ({
    getHandle: (workflowId: string) => ({
      describe: () => {
        described.push(workflowId);
        const status = { name: isRunning(workflowId) ? 'RUNNING' : 'TERMINATED' };
        return Promise.resolve({ status, closeTime: new Date(1_000) });
      },
    }),
  }),
}));

const connection = { withDeadline: (_: number, call: () => Promise<unknown>) => call() };
const client = { connection, options: {} } as unknown as Client;
const invocation = '0123456789abcdef';
const indices = Array.from({ length: 3_000 }, (_, index) => index);

beforeEach(() => described.splice(0));

test('of a large run that was killed, one task that still runs is enough', async () => {
  isRunning = (workflowId) => workflowId !== runWorkflowId(invocation);
  expect(await ownersOf(client).of(invocation, indices)).toEqual({ kind: 'live' });
  expect(described.length).toBeLessThan(100);
});

test('it is over when all of them are; each is asked about once', async () => {
  isRunning = () => false;
  const owners = ownersOf(client);
  for (let times = 0; times < 2; times += 1)
    expect(await owners.of(invocation, indices)).toEqual({ kind: 'closed', closedAt: 1_000, isForced: true });
  expect(described.length).toBeGreaterThan(indices.length);
  expect(new Set(described).size).toBe(described.length);
});

test('after the signal nothing more is asked', async () => {
  await expect(ownersOf(client, AbortSignal.abort()).of(invocation, indices)).rejects.toThrow('aborted');
  expect(described).toEqual([]);
});
