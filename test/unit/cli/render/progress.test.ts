import { progressLines } from '../../../../src/cli/render/progress-lines';
import { snapshotOf, taskOf } from '../../../support/snapshots';

const step = (before: Parameters<typeof taskOf>[0] | undefined, after: Parameters<typeof taskOf>[0]): string[] =>
  progressLines(before && snapshotOf([taskOf(before)]), snapshotOf([taskOf(after)]));

test('the first snapshot shows what is in progress, not what is pending', () => {
  expect(step(undefined, {})).toEqual(['run: deploying']);
  expect(step(undefined, { phase: 'creating endpoint' })).toEqual([
    '0 hellaswag: creating endpoint es-01234567-0',
    'run: deploying',
  ]);
});

test('nothing is printed if nothing has changed', () => {
  const snapshot = snapshotOf([taskOf({ phase: 'running job', message: 'Running' })]);
  expect(progressLines(snapshot, snapshot)).toEqual([]);
});

test.each([
  ['a phase', { phase: 'creating endpoint' }, { phase: 'awaiting ready' }, 'awaiting ready'],
  [
    'a phase with a message',
    { phase: 'creating endpoint' },
    { phase: 'awaiting ready', message: 'Starting: pulling' },
    'awaiting ready: Starting: pulling',
  ],
  ['a message alone', { phase: 'awaiting ready', message: 'a' }, { phase: 'awaiting ready', message: 'b' }, 'b'],
  ['Ready', { phase: 'awaiting ready' }, { phase: 'ready', endpointUrl: 'http://e' }, 'endpoint is Ready at http://e'],
  [
    'a failure with its teardown',
    { phase: 'running job' },
    { phase: 'tearing down', outcome: 'failed', error: { type: 'JobFailed', message: 'CUDA out\nof memory' } },
    'tearing down: failed (CUDA out of memory)',
  ],
  ['the end', { phase: 'tearing down', outcome: 'succeeded' }, { phase: 'done', outcome: 'succeeded' }, 'torn down'],
  [
    'the end; its notes are shown with the results',
    { phase: 'tearing down', outcome: 'succeeded' },
    { phase: 'done', outcome: 'succeeded', message: '0-shot' },
    'torn down',
  ],
  ['a cancel before the start', { phase: 'pending' }, { phase: 'done', outcome: 'cancelled' }, 'cancelled'],
] as const)('%s', (_case, before, after, expected) => {
  expect(step(before, after)).toEqual([`0 hellaswag: ${expected}`]);
});

test('progress is told in tenths of a known total, and not at all where there are very many tasks', () => {
  const progress = (done: number) =>
    ({ done, total: 40, unit: 'requests', at: '2026-11-28T10:00:00Z', expectedEnd: '2026-11-28T10:04:00Z' }) as const;
  const at = (done: number) => ({ phase: 'running job', progress: progress(done) }) as const;
  expect(step(at(12), at(15))).toEqual([]);
  expect(step(at(15), at(16))).toEqual(['0 hellaswag: 16 of 40 requests, about 4 min left']);
  const many = (done: number) => snapshotOf(Array.from({ length: 60 }, (_, index) => taskOf({ index, ...at(done) })));
  expect(progressLines(many(12), many(20))).toEqual([]);
});

test('a resource left behind is reported once', () => {
  const left = [{ kind: 'endpoint', name: 'e', reason: '403' }] as const;
  const before = snapshotOf([taskOf({ phase: 'tearing down' })]);
  const after = snapshotOf([taskOf({ phase: 'tearing down', left })]);
  expect(progressLines(before, after)).toEqual(['left behind: endpoint e: 403']);
  expect(progressLines(after, after)).toEqual([]);
});

test('texts of the platform cannot control the terminal', () => {
  expect(step({}, { phase: 'awaiting ready', message: '\u001b[2Jgone' })).toEqual([
    '0 hellaswag: awaiting ready: gone',
  ]);
});
