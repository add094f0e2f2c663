import { MockActivityEnvironment } from '@temporalio/testing';
import { performance } from 'node:perf_hooks';
import type { ActivityDependencies } from '../../../src/activities/dependencies';
import { isNotReady } from '../../../src/activities/failures';
import { EndpointHealth } from '../../../src/activities/watch';
import type { WatchEndpointInput } from '../../../src/contract/inputs/endpoint';
import type { Deployment, LeptonClient } from '../../../src/lepton/types';
import { clientThat } from '../../support/activity-client';
import { withTime } from '../../support/activity-times';

/** For how long an endpoint was without interruption not Ready, as one wait of one worker has seen it. */

const input = {
  ...{ platform: { kind: 'local', workspace: 'w' }, invocation: '0123456789abcdef', index: 0, name: 'vllm-0' },
  ...{ probe: {}, noTrafficSeconds: null, awaySeconds: 600, during: 'while its job ran' },
} as unknown as WatchEndpointInput;
const client = {
  deploymentIssues: () => Promise.resolve([]),
  deploymentEvents: () => Promise.resolve([]),
} as unknown as LeptonClient;
const starting = { metadata: { name: 'vllm-0' }, spec: {}, status: { state: 'Starting' } } as Deployment;
const ready = {
  ...starting,
  status: { state: 'Ready', endpoint: { external_endpoint: 'http://e' } },
} as unknown as Deployment;

let health: EndpointHealth;
let clock: jest.SpyInstance<number, []>;
beforeEach(() => {
  health = new EndpointHealth({} as ActivityDependencies);
  clock = jest.spyOn(performance, 'now');
});
afterEach(() => clock.mockRestore());

/** How the endpoint is judged by a wait this many seconds after the first look. */
function judgedAt(second: number, activity = 'run/1', deployment = starting): Promise<string> {
  clock.mockReturnValue(1_000_000 + second * 1_000);
  const look = { activity, client, deployment, again: 5_000, elapsedMs: 0, signal: new AbortController().signal };
  return new MockActivityEnvironment(withTime, { client: clientThat() }).run(async () => {
    const verdict = await health.judge(input, look);
    return isNotReady(verdict) ? 'fine' : verdict.message;
  });
}

async function lookUntil(end: number, from = 0): Promise<void> {
  for (let at = from; at < end; at += 30) expect(await judgedAt(at)).toBe('fine');
}

const failed = 'endpoint vllm-0 was not Ready for 600 s while its job ran: Starting';

test('it fails when it has been away for as long as it may', async () => {
  await lookUntil(600);
  expect(await judgedAt(600)).toBe(failed);
});

test('what an earlier wait has seen does not count: its job was lost while the endpoint was away', async () => {
  await lookUntil(300);
  expect(await judgedAt(3_600, 'run/2')).toBe('fine');
});

test('nor what this worker saw before another one had the wait', async () => {
  await lookUntil(300);
  await lookUntil(4_200, 3_600);
  expect(await judgedAt(4_200)).toBe(failed);
});

test('an endpoint that was Ready in between begins anew', async () => {
  await lookUntil(570);
  expect(await judgedAt(570, 'run/1', ready)).toBe('fine');
  expect(await judgedAt(600)).toBe('fine');
});
