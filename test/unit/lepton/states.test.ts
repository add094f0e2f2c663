import { describeDeployment, readDeploymentState, reasonsOf } from '../../../src/lepton/endpoint-state';
import { describeJob, readJobState, reasonOfFailure } from '../../../src/lepton/job-state';
import type { Deployment, Job, PlatformEvent } from '../../../src/lepton/types';

const deployment = (status: Record<string, unknown>, spec: Record<string, unknown> = {}): Deployment => ({
  metadata: { id: 'ep', name: 'ep' },
  spec,
  status: { state: 'Starting', ...status },
});
const url = { external_endpoint: 'https://ws-ep.example/' };
const event = (reason: string, at: number, message?: string): PlatformEvent => ({
  type: 'Normal',
  reason,
  count: 1,
  last_observed_time: new Date(at).toISOString(),
  ...(message === undefined ? {} : { message }),
});

describe('Ready', () => {
  test.each([
    ['the word, a URL and a replica', { state: 'Ready', endpoint: url, ready_replicas: 1 }, 'ready'],
    ['no count given', { state: 'Ready', endpoint: url }, 'ready'],
    ['no replica is up', { state: 'Ready', endpoint: url, ready_replicas: 0 }, 'pending'],
    ['no URL', { state: 'Ready', endpoint: { external_endpoint: null }, ready_replicas: 1 }, 'pending'],
    ['a state nobody knows', { state: 'Pondering', endpoint: url }, 'pending'],
    ['LeptonDeploymentState of newer servers', { state: 'Migrating', endpoint: url }, 'pending'],
    ['stopping behind "Not Ready"', { state: 'Not Ready', phase: 'Stopping' }, 'failed'],
    ['stopped behind "Not Ready"', { state: 'Not Ready', phase: 'Stopped' }, 'failed'],
    ['Error', { state: 'Error' }, 'failed'],
    ['failed, as only the launcher knows it', { state: 'failed' }, 'failed'],
  ])('%s', (_, status, kind) => {
    expect(readDeploymentState(deployment(status)).kind).toBe(kind);
  });

  test('a missing endpoint is absent', () => expect(readDeploymentState(undefined).kind).toBe('absent'));

  test('the URL has no trailing slash', () => {
    const state = readDeploymentState(deployment({ state: 'Ready', endpoint: url }));
    expect(state).toEqual({ kind: 'ready', url: 'https://ws-ep.example' });
  });
});

describe('the description of an endpoint', () => {
  const loading = { message: 'the server is loading' };

  test('a reason in both status and readiness appears once', () => {
    const issues = [{ reason: 'InProgress', message: 'the server is loading' }];
    expect(describeDeployment(deployment(loading), { issues, events: [] })).toBe('Starting: the server is loading');
    expect(describeDeployment(deployment({}), { issues, events: [] })).toBe('Starting: the server is loading');
    expect(describeDeployment(deployment(loading))).toBe('Starting: the server is loading');
  });

  test('equal reasons of replicas appear once, different ones each', () => {
    const issues = [
      { reason: 'NoCapacity', message: 'no h200 is free' },
      { reason: 'NoCapacity', message: 'no h200 is free' },
      { reason: 'Queueing', message: '' },
    ];
    const status = { ready_replicas: 0, autoscaler_status: { desired_replicas: 3 } };
    expect(describeDeployment(deployment(status), { issues, events: [] })).toBe(
      'Starting, 0 of 3 replicas ready: NoCapacity: no h200 is free; Queueing',
    );
  });

  test('a reason that says more than the state is kept if the status repeats its text', () => {
    const issues = [{ reason: 'ConfigError', message: 'bad image' }];
    expect(reasonsOf(deployment({ state: 'Error', message: 'bad image' }), { issues, events: [] })).toBe(
      'ConfigError: bad image',
    );
  });

  test('without any reason, the newest informative event is used', () => {
    const events = [
      event('FailedScheduling', 3),
      event('Pulling', 2, 'vllm:1'),
      event('Created', 4),
      event('Starting', 5),
    ];
    expect(describeDeployment(deployment({}), { issues: [], events })).toBe('Starting: FailedScheduling');
  });

  test('Ready, but not usable', () => {
    expect(describeDeployment(deployment({ state: 'Ready', endpoint: url, ready_replicas: 0 }))).toBe(
      'Ready, but no replica is up',
    );
    const starting = { type: 'Normal', reason: 'Starting', count: 1, last_observed_time: '2026-01-01T00:00:00Z' };
    const ready = deployment({ state: 'Ready', ready_replicas: 1 });
    expect(describeDeployment(ready)).toBe('Ready, no URL yet');
    expect(describeDeployment(ready, { issues: [], events: [starting] })).toBe('Ready, no URL yet');
    expect(describeDeployment(undefined)).toBe('not on the platform');
  });
});

describe('a job', () => {
  const job = (status: Record<string, unknown> | undefined): Job => ({ metadata: { id: 'j-1', name: 'j' }, status });

  test.each([
    [{ state: 'Completed' }, 'completed'],
    [{ state: 'Failed' }, 'failed'],
    [{ state: 'Stopped' }, 'failed'],
    [{ state: 'Terminating' }, 'ending'],
    [{ state: 'Archived', succeeded: 1 }, 'completed'],
    [{ state: 'Archived', failed: 1 }, 'failed'],
    [{ state: 'PendingRetry' }, 'pending'],
    [{ state: 'Awaiting' }, 'pending'],
    [{ state: 'Pondering' }, 'pending'],
    [undefined, 'pending'],
  ])('%j is %s', (status, kind) => expect(readJobState(job(status)).kind).toBe(kind));

  test('is described with the reason why it waits', () => {
    expect(describeJob(job({ state: 'Queueing', message: 'quota used up' }))).toBe('Queueing: quota used up');
    expect(describeJob(job({ state: 'Queueing' }), [event('Queueing', 1), event('InsufficientQuota', 2)])).toBe(
      'Queueing: InsufficientQuota',
    );
    expect(describeJob(job({ state: 'Running' }))).toBe('Running');
  });

  describe('that failed', () => {
    const warning = (reason: string, at: number, message?: string): PlatformEvent => ({
      ...event(reason, at, message),
      type: 'Warning',
    });
    const reasonOf = (status: Record<string, unknown>, events: readonly PlatformEvent[]): string =>
      reasonOfFailure(job(status), events);
    const killed = warning('OOMKilled', 2, 'evaluation exceeded 8Gi');

    test('says that it was killed for its memory, which its log can not', () => {
      const after = [warning('BackoffLimitExceeded', 3, 'Job has reached the specified backoff limit')];
      const events = [event('Running', 1), killed, ...after, event('Completed', 4)];
      expect(reasonOf({ state: 'Failed' }, events)).toBe('OOMKilled: evaluation exceeded 8Gi');
      expect(reasonOf({ state: 'Failed' }, after)).toBe(
        'BackoffLimitExceeded: Job has reached the specified backoff limit',
      );
    });

    test("its status' own reason comes first; without any there is none", () => {
      expect(reasonOf({ state: 'Failed', message: 'exit code 3' }, [killed])).toBe('exit code 3');
      expect(reasonOf({ state: 'Failed' }, [event('Running', 1)])).toBe('');
    });
  });

  test('an endpoint that is not restarted says why it ended, too', () => {
    const failed = { metadata: { name: 'e' }, spec: {}, status: { state: 'Error' } } as unknown as Deployment;
    const events = [event('OOMKilled', 1, 'model server'), event('BackOff', 2, 'Back-off restarting failed container')];
    expect(reasonsOf(failed, { issues: [], events })).toBe('OOMKilled: model server');
    // Not to be had from elsewhere: the image.
    expect(reasonsOf(failed, { issues: [], events: [event('BackOff', 2, 'Back-off pulling image x')] })).toBe(
      'BackOff: Back-off pulling image x',
    );
  });
});
