import { exitCodeOf, exitCodeOfError } from '../../../../src/cli/exit-code';
import { Interrupted, UsageError } from '../../../../src/cli/usage-error';
import { AmbiguousRun, MalformedId, RunExists, RunNotFound } from '../../../../src/client';
import { PlanTooLarge } from '../../../../src/runs/run-errors';
import { RunNotAdmitted } from '../../../../src/doctor/admission';
import { EncryptionKeyError } from '../../../../src/temporal/encryption/key-error';
import { ConfigError } from '../../../../src/config/yaml/problems';
import { failureTypes } from '../../../../src/contract/failure-types';
import { runVerdict, taskVerdict } from '../../../../src/cli/render/outcome';
import { statusOf } from '../../../../src/runs/describe';
import { InfrastructureError } from '../../../../src/temporal/infrastructure-error';
import { runOf, taskOf } from '../../../support/snapshots';

const succeeded = taskOf({ phase: 'done', outcome: 'succeeded' });
const failed = taskOf({
  index: 1,
  phase: 'done',
  outcome: 'failed',
  error: { type: failureTypes.jobFailed, message: 'x' },
});
const refused = { ...failed, error: { type: failureTypes.credentialsRefused, message: '401' } };
const cancelled = taskOf({ index: 2, phase: 'done', outcome: 'cancelled' });
const leaking = { ...cancelled, left: [{ kind: 'endpoint', name: 'e', reason: '403' }] } as const;

describe('status of a closed run', () => {
  const ended = (execution: string, change: Partial<Parameters<typeof statusOf>[1]>) =>
    statusOf(execution, {
      last: runOf('failed', [succeeded]).snapshot,
      failure: undefined,
      cancelRequested: false,
      isCleared: false,
      ...change,
    });
  const incomplete = failureTypes.teardownIncomplete;

  test('of an older build, whose runs completed even if tasks had failed', () => {
    expect(ended('COMPLETED', { last: runOf('failed', [succeeded, failed]).snapshot })).toBe('failed');
    expect(ended('COMPLETED', {})).toBe('succeeded');
  });

  test('that left resources: follows the outcomes of its tasks once the resources are removed', () => {
    expect(ended('FAILED', { failure: incomplete })).toBe('failed');
    expect(ended('FAILED', { failure: incomplete, isCleared: true })).toBe('succeeded');
    const last = runOf('failed', [cancelled]).snapshot;
    expect(ended('FAILED', { failure: incomplete, isCleared: true, cancelRequested: true, last })).toBe('cancelled');
    expect(ended('FAILED', { failure: failureTypes.runTimeout, isCleared: true, last })).toBe('failed');
  });
});

describe('exit code of a run', () => {
  test.each([
    ['all succeeded', runOf('succeeded', [succeeded]), 0],
    ['one failed', runOf('failed', [succeeded, failed]), 1],
    ['cancelled', runOf('cancelled', [succeeded, cancelled]), 4],
    ['cancelled after a task had failed', runOf('cancelled', [failed, cancelled]), 4],
    ['cancelled, with a resource left', runOf('failed', [leaking]), 5],
    ['succeeded, with a resource left', runOf('failed', [{ ...succeeded, left: leaking.left }]), 5],
    [
      'teardown incomplete by type',
      runOf('failed', [succeeded], { failure: { type: failureTypes.teardownIncomplete, message: '' } }),
      5,
    ],
    ['credentials refused during the run', runOf('failed', [refused]), 3],
    [
      'credentials refused, siblings aborted',
      runOf('failed', [refused, { ...cancelled, error: { type: failureTypes.aborted, message: '' } }]),
      3,
    ],
    ['one task refused, one failed by itself', runOf('failed', [refused, failed]), 1],
    ['run timeout', runOf('failed', [cancelled], { failure: { type: failureTypes.runTimeout, message: '' } }), 1],
    ['terminated', runOf('failed', [taskOf()], { failure: { type: 'Terminated', message: '' } }), 1],
    ['still running, detached', runOf('running', [taskOf()]), 0],
  ])('%s', (_case, run, code) => {
    expect(exitCodeOf({ kind: 'run', verdict: runVerdict(run) })).toBe(code);
  });

  test('of one task does not depend on its siblings', () => {
    const { snapshot } = runOf('running', [
      succeeded,
      failed,
      leaking,
      taskOf({ index: 3, phase: 'tearing down', outcome: 'cancelled' }),
    ]);
    expect([0, 1, 2, 3].map((index) => taskVerdict(snapshot, index))).toEqual([
      'succeeded',
      'failed',
      'teardown incomplete',
      'running',
    ]);
  });
});

describe('exit code of an error', () => {
  test.each([
    [new ConfigError([]), 2],
    [new UsageError(''), 2],
    [new MalformedId(''), 2],
    [new AmbiguousRun('a', ['aa', 'ab']), 2],
    [new RunExists(''), 2],
    [new PlanTooLarge(''), 2],
    [new RunNotAdmitted(''), 2],
    [new EncryptionKeyError(''), 2],
    [new RunNotFound(''), 3],
    [new InfrastructureError(''), 3],
    [new Interrupted(''), 130],
    [new TypeError('a bug'), 3],
  ])('%s', (error, code) => {
    expect(exitCodeOfError(error)).toBe(code);
  });
});
