import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { goneResources, noteGone } from '../../../src/home/removed-resources';
import { homePaths } from '../../../src/home/paths';
import { storeRun } from '../../../src/home/run-store';
import { costDocument } from '../../../src/contract/cost';
import { runDocument } from '../../../src/cli/render/run-document';
import { statusText } from '../../../src/cli/render/run-status';
import { scoresCaveats } from '../../../src/cli/render/scores';
import { withChangesAfterEnd, readChangesAfterEnd, withOmittedParts } from '../../../src/runs/changes-after-end';
import { freshFolder } from '../../support/folders';
import { runPlan } from '../../support/plans';
import { invocation, runOf, snapshotOf, taskOf } from '../../support/snapshots';

const hour = (at: number): string => new Date(Date.UTC(2026, 0, 1, at)).toISOString();
const budget = { currency: 'USD', limit: 100, endpointPerHour: 4, jobPerHour: 1 };
const left = [{ kind: 'endpoint', name: 'es-01234567-0', reason: '403' }] as const;
const kept = [{ path: `/shared/${invocation}/0-hellaswag`, reason: '403', command: 'evalsaga cleanup' }];
const usage = { endpoint: { from: hour(0), until: null }, job: { from: hour(0), until: hour(1) } };
const snapshot = snapshotOf([taskOf({ phase: 'done', outcome: 'succeeded', left, kept, usage })], { budget });
const since = {
  removed: [
    { kind: 'endpoint', name: 'es-01234567-0', at: hour(2) },
    { kind: 'storage', name: `/shared/${invocation}`, at: hour(3) },
  ],
  scores: [{ index: 0, file: '/r/0-hellaswag/results.yml', metrics: { acc: 0.5 } }],
} as const;

test('resources removed after the end no longer count as left or kept nor in the cost; scores fetched since are shown', () => {
  const late = Date.UTC(2026, 0, 2);
  expect(costDocument(snapshot, late)).toMatchObject({ spent: 97, perHour: 4 });
  const now = withChangesAfterEnd(snapshot, since);
  expect([now.left, now.kept, now.tasks[0]?.left, now.tasks[0]?.kept]).toEqual([[], [], [], []]);
  expect(costDocument(now, late)).toMatchObject({ spent: 9, perHour: 0 });
  const run = { ...runOf('failed', []), snapshot: now, changesAfterEnd: since };
  expect(runDocument(run, null, Date.now()).tasks).toMatchObject([
    { metrics: { acc: 0.5 }, metricsFrom: '/r/0-hellaswag/results.yml' },
  ]);
  const said = statusText({ run, now: late, width: 100 });
  expect(said).toContain(`removed after the run's end: endpoint es-01234567-0 (${hour(2)})`);
  expect(said).toMatch(/0\.5000[^]*scores of task 0 are from \/r\/0-hellaswag\/results\.yml, which was fetched after/);
});

test('the removal of another resource changes nothing', () => {
  const other = { removed: [{ kind: 'endpoint', name: 'another', at: hour(2) }], scores: [] } as const;
  expect(withChangesAfterEnd(snapshot, other)).toEqual(snapshot);
});

test('this host records removals after the end with their first time, and finds scores in the folders of its runs', async () => {
  const folder = await freshFolder('since');
  try {
    const home = homePaths({ EVALSAGA_HOME: folder.path });
    const plan = runPlan({ outputRoot: path.join(folder.path, 'results'), invocation });
    await noteGone(home, invocation, [{ kind: 'job', name: 'j' }]);
    expect(await goneResources(home, invocation)).toEqual([]);
    await storeRun(home, { plan, configYaml: '', secrets: {} });
    expect(await readChangesAfterEnd(snapshot, home)).toBeUndefined();
    await noteGone(home, invocation, [left[0]]);
    const [noted] = await goneResources(home, invocation);
    await noteGone(home, invocation, [left[0], { kind: 'job', name: 'j' }]);
    expect((await goneResources(home, invocation)).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'endpoint es-01234567-0',
      'job j',
    ]);
    const results = path.join(plan.outputDir, plan.tasks[0]?.folder ?? '');
    mkdirSync(results, { recursive: true });
    writeFileSync(
      path.join(results, 'results.yml'),
      'results: {tasks: {t: {metrics: {acc: {scores: {acc: {value: 0.25}}}}}}}',
    );
    expect(await readChangesAfterEnd(snapshot, home)).toEqual({
      removed: [noted],
      scores: [
        {
          index: 0,
          file: path.join(results, 'results.yml'),
          metrics: { t_acc: 0.25 },
          metricDetails: [{ path: ['t'], metric: 'acc' }],
        },
      ],
    });
    writeFileSync(path.join(results, 'results.yml'), 'results: 7');
    expect((await readChangesAfterEnd(snapshot, home))?.scores).toEqual([]);
  } finally {
    await folder.dispose();
  }
});

test('parts that the history omits are read from the files; without the files, they are reported as missing', async () => {
  const folder = await freshFolder('whole');
  try {
    const home = homePaths({ EVALSAGA_HOME: folder.path });
    const plan = runPlan({ outputRoot: path.join(folder.path, 'results'), invocation });
    const short = snapshotOf([
      taskOf({ name: 'hella…', phase: 'done', outcome: 'succeeded', job: 'j', metrics: { t_a: 1 }, metricsTotal: 3 }),
    ]);
    const said = 'task 0 has 3 metrics, of which 1 are shown: all are in its results.yml';
    expect(scoresCaveats(await withOmittedParts(short, home))).toEqual([said]);
    expect(runDocument({ ...runOf('succeeded', []), snapshot: short }, null, Date.now()).tasks).toMatchObject([
      { metrics: { t_a: 1 }, metricsTotal: 3, metricsTruncated: true },
    ]);

    await storeRun(home, { plan, configYaml: '', secrets: {} });
    const results = path.join(plan.outputDir, plan.tasks[0]?.folder ?? '');
    mkdirSync(results, { recursive: true });
    const scores = 'a: 1, b: 2, c: {scores: {c: {value: 3, stats: {stderr: 0.5}}}}';
    writeFileSync(path.join(results, 'results.yml'), `results: {tasks: {t: {metrics: {${scores}}}}}`);
    const whole = await withOmittedParts(short, home);
    expect(whole.tasks[0]).toMatchObject({
      name: 'hellaswag',
      outputDir: results,
      metrics: { t_a: 1, t_b: 2, t_c: 3, t_c_stderr: 0.5 },
      metricsTotal: 4,
      metricDetails: [{ path: ['t'], metric: 'a' }, { metric: 'b' }, { metric: 'c' }],
    });
    expect(scoresCaveats(whole)).toEqual([]);
    expect(runDocument({ ...runOf('succeeded', []), snapshot: whole }, null, Date.now()).tasks[0]).not.toHaveProperty(
      'metricsTruncated',
    );
  } finally {
    await folder.dispose();
  }
});
