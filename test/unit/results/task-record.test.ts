import { metricPayload } from '../../../src/contract/metric';
import { recordedTask, taskRecord } from '../../../src/results/scores/task-record';
import { taskOf } from '../../support/snapshots';

const place = { path: ['mmlu', 'stem'], metric: 'acc', score: 'acc' };
const score = { name: 'mmlu_stem_acc', value: 0.25, stderr: 0.01, count: 100, kind: 'group', ...place } as const;

test('run.json has the scores of a task in both forms, and the snapshot can be restored from it', () => {
  const task = taskOf({ ...metricPayload([score]), metricsTotal: 2 });
  const record = taskRecord(task);
  expect(record).toMatchObject({ metrics: { mmlu_stem_acc: 0.25, mmlu_stem_acc_stderr: 0.01 }, scores: [score] });
  expect(record).not.toHaveProperty('metricDetails');
  // Nothing ends with progress, so it is not recorded.
  expect(recordedTask(record)).toEqual({ ...task, progress: undefined });
});

test('a record of an older version has no scores but the flat ones', () => {
  const task = taskOf({ metrics: { acc: 0.5, acc_stderr: 0.1 } });
  expect(recordedTask(task)).toEqual(task);
  expect(recordedTask({ ...task, scores: [{ acc: 0.5 }] as unknown as [] })).toEqual(task);
  expect(taskRecord(task).scores).toMatchObject([{ name: 'acc', value: 0.5, stderr: 0.1, count: null, path: [] }]);
});
