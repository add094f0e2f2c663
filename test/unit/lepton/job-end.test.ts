import { toldToStop } from '../../../src/contract/job-attempts';
import { asksReleased } from '../../../src/contract/last-request';
import { readJobEnd } from '../../../src/lepton/job-end';
import type { Job, PlatformEvent } from '../../../src/lepton/types';

const job = (state: string, message?: string): Job => ({
  metadata: { id: 'j-1', name: 'j' },
  spec: {},
  status: { state, ...(message === undefined ? {} : { message }) },
});
const event = (reason: string, message: string, at = '2026-11-28T10:00:00Z'): PlatformEvent => ({
  type: 'Warning',
  reason,
  message,
  count: 1,
  last_observed_time: at,
});
const endOf = (message: string | undefined, events: PlatformEvent[] = [], lines: string[] = []) =>
  readJobEnd({ job: job('Failed', message), events, lines });

test.each([
  ['Preempted: to accommodate a workload with higher priority', 'preempted'],
  ['Pod was evicted because of a taint: NodeNotReady', 'its node was lost'],
  ['The node node-7 was not ready for 5 minutes', 'its node was lost'],
  ['Pod was terminated in response to imminent node shutdown; node is shutting down', 'its node was lost'],
  ['Evicted: drained for maintenance', 'evicted'],
  [
    'ErrImagePull: failed to pull image "nvcr.io/x": dial tcp: i/o timeout',
    'its image could not be pulled at the moment',
  ],
  ['Back-off pulling image "x": 503 Service Unavailable', 'its image could not be pulled at the moment'],
])('passes: %s', (message, why) => {
  expect(endOf(message)).toEqual({ kind: 'from outside', why });
  expect(endOf(undefined, [event(message.split(':')[0] ?? '', message)])).toEqual({ kind: 'from outside', why });
});

test.each([
  [undefined],
  ['exit code 1'],
  ['OOMKilled: the container ran out of memory'],
  ['Evicted: The node was low on resource: memory. Container main was using 60Gi'],
  ['Evicted: Pod ephemeral local storage usage exceeds the total limit of containers 10Gi'],
  ['ErrImagePull: manifest unknown'],
  ['ErrImagePull: pull access denied, repository does not exist or may require authorization'],
  ['DeadlineExceeded: Job was active longer than specified deadline'],
])('does not pass: %s', (message) => {
  expect(endOf(message)).toEqual({ kind: 'by itself' });
});

test('out of memory wins over the eviction that followed it', () => {
  expect(endOf('Evicted', [event('OOMKilling', 'Out of memory: killed process 7')])).toEqual({ kind: 'by itself' });
});

test('what happened before the platform started the job again did not end it', () => {
  const events = [
    event('Preempted', 'by a workload of higher priority', '2026-11-28T10:00:00Z'),
    event('Started', 'container main', '2026-11-28T10:05:00Z'),
  ];
  expect(endOf('exit code 1', events)).toEqual({ kind: 'by itself' });
  expect(endOf('exit code 143', events.slice(0, 1))).toMatchObject({ kind: 'from outside' });
});

test('a script that was told to stop says so in the log, unless somebody stopped the job', () => {
  expect(endOf(undefined, [], ['a', toldToStop])).toEqual({ kind: 'from outside', why: 'told to stop' });
  expect(endOf(undefined, [], [asksReleased, 'a'])).toMatchObject({
    kind: 'from outside',
    why: expect.stringContaining('without its endpoint'),
  });
  expect(readJobEnd({ job: job('Stopped'), events: [], lines: [toldToStop] })).toEqual({ kind: 'by itself' });
});
