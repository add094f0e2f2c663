import type { Client } from '@temporalio/client';
import type { CommandInput } from '../../../src/cli/command';
import { runFilterOf } from '../../../src/cli/run-filter';
import { temporalNow } from '../../../src/cli/temporal-clock';

/** `ls --since` on a machine whose clock is wrong: Temporal dates the runs, so its clock counts. */

const input = (options: CommandInput['options']): CommandInput => ({ arguments: [], options });
const temporalTime = Date.parse('2026-05-04T10:00:00Z');
const minute = 60_000;

/** Answers as Temporal does: a worker has asked for work just now, by its own clock. */
const client = {
  options: { namespace: 'default' },
  withDeadline: (_: number, call: () => Promise<unknown>) => call(),
  workflowService: {
    describeTaskQueue: () => Promise.resolve({ pollers: [{ lastAccessTime: { seconds: temporalTime / 1_000 } }] }),
  },
} as unknown as Client;

afterEach(() => {
  jest.useRealTimers();
});

test.each([10, -10])('with this clock %i min off, --since 5m begins five minutes ago by Temporal', async (offset) => {
  jest.useFakeTimers({ now: temporalTime + offset * minute });
  const warnings: string[] = [];
  const wanted = runFilterOf(input({ since: '5m', status: 'running' }));
  expect(wanted.isByClock).toBe(true);
  const now = await temporalNow(client, 'evalsaga', { warn: (text) => void warnings.push(text) });
  expect(wanted.at(now)).toEqual({ since: new Date(temporalTime - 5 * minute), status: 'running' });
  // A run that began a minute ago is in it; by this machine's clock alone it would not be, or too many would.
  expect(wanted.at(now).since?.getTime()).toBeLessThan(temporalTime - minute);
  expect(warnings).toEqual([expect.stringContaining(`10 min ${offset > 0 ? 'ahead of' : 'behind'} Temporal's`)]);
});

test('a written time does not depend on a clock; without --since none is asked for', () => {
  const written = '2026-05-04T09:00:00Z';
  const fixed = runFilterOf(input({ since: written }));
  expect(fixed.at(temporalTime)).toEqual(fixed.at(temporalTime + 10 * minute));
  expect(fixed.at(0)).toEqual({ since: new Date(written) });
  const all = runFilterOf(input({ name: 'nightly', tag: ['a'] }));
  expect(all.isByClock).toBe(false);
  expect(all.at(0)).toEqual({ name: 'nightly', tags: ['a'] });
});

test('an option that cannot be read is refused before anything is asked', () => {
  expect(() => runFilterOf(input({ since: 'yesterday' }))).toThrow('--since takes a duration');
});
