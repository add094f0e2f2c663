import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buildRunRecord } from '../../../src/activities/run-record';
import type { RunPlan } from '../../../src/contract/plan';
import { startingRun, type RunSnapshot } from '../../../src/contract/state';
import { homePaths, type HomePaths } from '../../../src/home/paths';
import { storeRun } from '../../../src/home/run-store';
import { findRecord, recordedSnapshot, recordedTeardown, unreadableFiles } from '../../../src/results/scores/recorded';
import { readRunRecord, writeRunRecord } from '../../../src/results/scores/run-record';
import { freshFolder } from '../../support/folders';
import { runPlan } from '../../support/plans';

let folder: { path: string; dispose: () => Promise<void> };
let home: HomePaths;
let plan: RunPlan;
let file: string;
let snapshot: RunSnapshot;
beforeEach(async () => {
  folder = await freshFolder('run-record');
  home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'home') });
  plan = runPlan({ outputRoot: folder.path, tasks: ['hellaswag', 'arc_challenge'] });
  file = path.join(plan.outputDir, 'run.json');
  const started = startingRun(plan, '2026-11-28T00:00:00.000Z');
  const span = { from: '2026-11-28T00:00:00.000Z', until: null };
  const tasks = started.tasks.map((task) => ({
    ...task,
    phase: 'done' as const,
    outcome: 'failed' as const,
    metrics: { acc: 0.5, odd: 'NaN' },
    metricsTotal: 2,
    usage: { endpoint: span, job: null },
    error: { type: 'JobFailed', message: 'no' },
  }));
  const left = [{ kind: 'endpoint' as const, name: 'x', reason: '403' }];
  snapshot = { ...started, phase: 'done', tasks, left, kept: [] };
  await storeRun(home, { plan, configYaml: 'a: 1\n', secrets: {} });
  const around = { runsFolder: home.runs, place: plan.outputDir, env: {}, staging: home.staging };
  const record = await buildRunRecord({ run: plan, snapshot, outcome: 'teardown incomplete' }, around);
  await writeRunRecord(plan.outputDir, record);
});
afterEach(() => folder.dispose());

const content = async (): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;

test('what is written has a version, and is read back', async () => {
  const { version, ...record } = await content();
  expect(version).toBe(1);
  expect(record).toMatchObject({ invocation: plan.invocation, outcome: 'teardown incomplete', config: 'a: 1\n' });
  expect(await readRunRecord(plan.outputDir)).toMatchObject(record);
  const recorded = await recordedSnapshot(plan, home);
  expect(recorded).toMatchObject({ tasks: snapshot.tasks.map(({ error, usage }) => ({ error, usage })) });
  expect(await recordedTeardown(plan, home)).toEqual({ left: snapshot.left, kept: [] });
  expect(await unreadableFiles(home, plan.invocation)).toEqual([]);
});

test('a record of an earlier build, without version, usage and scores one by one, is read', async () => {
  const record = await content();
  const since = { usage: undefined, scores: undefined, metricsTotal: undefined };
  const tasks = (record['tasks'] as object[]).map((task) => ({ ...task, ...since }));
  await writeFile(file, JSON.stringify({ ...record, version: undefined, tasks, unheardOf: 1 }));
  const recorded = await recordedSnapshot(plan, home);
  expect(recorded?.tasks.map(({ metrics }) => metrics)).toEqual(snapshot.tasks.map(({ metrics }) => metrics));
});

test.each([
  ['cut short', '{"version": 1, "invoca', /is damaged: it isn't JSON/],
  ['with a task that is none', '{"version":1,"tasks":[{}]}', /is damaged/],
  ['of a newer version', '{"version":2}', /has version 2.*use the one that wrote it/],
])('a record that is %s: named with what to do, and nothing is made of it', async (_, text, expected) => {
  await writeFile(file, text);
  const found = await findRecord(plan, home);
  expect(found).toEqual({ kind: 'unreadable', reason: expect.stringMatching(expected) });
  expect(await unreadableFiles(home, plan.invocation)).toEqual([expect.stringContaining(`${file} `)]);
  expect(await unreadableFiles(home, plan.invocation)).toEqual([expect.stringContaining('Move it away')]);
  expect(await recordedSnapshot(plan, home)).toBeUndefined();
  expect(await recordedTeardown(plan, home)).toBeUndefined();
});

test('a whole record in the home counts, where the one beside the results is damaged', async () => {
  const whole = await readFile(file, 'utf8');
  await writeFile(file, '{');
  await writeFile(path.join(home.runs, plan.invocation, 'run.json'), whole);
  expect(await recordedTeardown(plan, home)).toEqual({ left: snapshot.left, kept: [] });
});

test('a folder of results that is a file has no record', async () => {
  await rm(plan.outputDir, { recursive: true });
  await mkdir(path.dirname(plan.outputDir), { recursive: true });
  await writeFile(plan.outputDir, 'a file');
  expect(await findRecord(plan, home)).toEqual({ kind: 'none' });
});
