import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Metadata } from '@grpc/grpc-js';
import { Client, type ConnectionLike } from '@temporalio/client';
import { runDocument } from '../../../src/cli/render/run-document';
import { cancelRun, describeRun, RunNotFound, startRun, type StartRequest } from '../../../src/client';
import type { RunPlan } from '../../../src/contract/plan';
import { statusWordOf } from '../../../src/contract/verdict';
import { homePaths, type HomePaths } from '../../../src/home/paths';
import { noteGone } from '../../../src/home/removed-resources';
import { storeRun } from '../../../src/home/run-store';
import { grpcCodeOf } from '../../../src/temporal/grpc';
import { writeRunRecord, type RunRecord } from '../../../src/results/scores/run-record';
import { finishedInvocation, writeFinishedRun } from '../../support/finished-run';
import { freshFolder } from '../../support/folders';
import { runPlan } from '../../support/plans';

/** Runs that Temporal has forgotten: its retention has passed since they ended. */

let home: HomePaths;
let plan: RunPlan;
let record: RunRecord;
let dispose: () => Promise<void>;
beforeEach(async () => {
  const folder = await freshFolder('forgotten');
  dispose = folder.dispose;
  home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'home') });
  const outputRoot = path.join(folder.path, 'results');
  plan = runPlan({ outputRoot, invocation: finishedInvocation, tasks: ['hellaswag', 'gsm8k'] });
  await storeRun(home, { plan, configYaml: 'a: 1\n', secrets: {} });
  ({ record } = await writeFinishedRun(plan.outputDir));
});
afterEach(() => dispose());

/** A Temporal that knows no workflow, or answers with another gRPC status. `started` receives what is started. */
function temporal({ code = 5, started = [] as string[] } = {}): Client {
  const answer = { code, details: 'the answer', metadata: new Metadata() };
  const refuse = () => Promise.reject(Object.assign(new Error('the answer'), answer));
  const workflowService = {
    describeWorkflowExecution: refuse,
    getWorkflowExecutionHistory: refuse,
    requestCancelWorkflowExecution: refuse,
    startWorkflowExecution({ workflowId }: { workflowId: string }) {
      started.push(workflowId);
      return Promise.resolve({ runId: 'new' });
    },
  };
  const withDeadline = (_: number, call: () => unknown) => call();
  return new Client({ connection: { workflowService, withDeadline, plugins: [] } as unknown as ConnectionLike });
}

test('is described by its plan and its record', async () => {
  const run = await describeRun(temporal(), finishedInvocation, home);
  expect(run).toMatchObject({ status: 'succeeded', isRecorded: true, failure: null, isUnanswered: false });
  expect(run.snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['succeeded', 'succeeded']);
  expect(runDocument(run, 'http://127.0.0.1:8233/', Date.now())).toMatchObject({
    status: 'succeeded',
    webUi: null,
    startedAt: record.startedAt,
    outputDir: plan.outputDir,
    tasks: [{ metrics: { hellaswag_acc: expect.any(Number) } }, {}],
  });
});

test('whose teardown was incomplete stays so until what it left is removed', async () => {
  const left = [{ kind: 'endpoint', name: 'es-0', reason: '403' }] as const;
  const teardown = { left, kept: [] };
  const tasks = record.tasks.map((task) => ({ ...task, ...teardown }));
  await writeRunRecord(plan.outputDir, { ...record, outcome: 'teardown incomplete', tasks, teardown });
  expect(statusWordOf(await describeRun(temporal(), finishedInvocation, home))).toBe('teardown incomplete');
  await noteGone(home, finishedInvocation, left);
  expect(statusWordOf(await describeRun(temporal(), finishedInvocation, home))).toBe('succeeded');
});

test('is unknown without a record of its end, or without a plan: it may be another machine that has it', async () => {
  rmSync(path.join(plan.outputDir, 'run.json'));
  await expect(describeRun(temporal(), finishedInvocation, home)).rejects.toThrow(RunNotFound);
  await writeRunRecord(plan.outputDir, record);
  rmSync(path.join(home.runs, finishedInvocation, 'plan.json'));
  await expect(describeRun(temporal(), finishedInvocation, home)).rejects.toThrow(RunNotFound);
});

test.each([
  ['can not be reached', 14],
  ['answers too late', 4],
  ['refuses the credentials', 7],
])('nothing is concluded from a Temporal that %s', async (_, code) => {
  const started: string[] = [];
  const described = describeRun(temporal({ code }), finishedInvocation, home);
  expect(await described.catch(grpcCodeOf)).toBe(code);
  const begun = startRun(temporal({ code, started }), sameStart());
  expect(await begun.catch(grpcCodeOf)).toBe(code);
  expect(started).toEqual([]);
});

test('is over for a cancel; one without a record is unknown', async () => {
  expect(await cancelRun(temporal(), finishedInvocation, home)).toBe('already closed');
  rmSync(path.join(plan.outputDir, 'run.json'));
  await expect(cancelRun(temporal(), finishedInvocation, home)).rejects.toThrow(RunNotFound);
});

const sameStart = (change: Partial<StartRequest> = {}): StartRequest => ({
  ...{ plan, taskQueue: 'evalsaga', home, hostSecrets: {}, configYaml: 'a: 1\n' },
  ...{ searchAttributes: false, attachToSame: true },
  ...change,
});

test('a start under its id starts nothing: it is the run that there is', async () => {
  const started: string[] = [];
  const again = { ...plan, owner: 'somebody else' };
  const found = await startRun(temporal({ started }), sameStart({ plan: again }));
  expect(found).toMatchObject({ isNew: false, runId: undefined, plan: { owner: 'tests', outputDir: plan.outputDir } });
  const other = { ...plan, provenance: { ...plan.provenance, configDigest: 'other' } };
  await expect(startRun(temporal({ started }), sameStart({ plan: other, configYaml: 'a: 2\n' }))).rejects.toMatchObject(
    { name: 'RunDiffers', message: expect.stringContaining('a: 1, now 2') },
  );
  expect(started).toEqual([]);
});

test('without a record, its files keep a second run from being started among them', async () => {
  const started: string[] = [];
  writeFileSync(path.join(plan.outputDir, 'run.json'), '{ damaged');
  const start = () => startRun(temporal({ started }), sameStart());
  await expect(start()).rejects.toMatchObject({ name: 'RunExists', message: expect.stringContaining('run.json') });
  rmSync(path.join(plan.outputDir, 'run.json'));
  await expect(start()).rejects.toMatchObject({ name: 'RunExists', message: expect.stringContaining('0-hellaswag') });
  rmSync(plan.outputDir, { recursive: true });
  await noteGone(home, finishedInvocation, [{ kind: 'endpoint', name: 'es-0' }]);
  await expect(start()).rejects.toMatchObject({ name: 'RunExists', message: expect.stringContaining('was removed') });
  expect(started).toEqual([]);
});

test('a plan that a killed start left is no run: the same start starts it', async () => {
  const started: string[] = [];
  rmSync(plan.outputDir, { recursive: true });
  // The output folder alone is made before a run begins.
  mkdirSync(plan.outputDir, { recursive: true });
  const begun = await startRun(temporal({ started }), sameStart());
  expect([begun.isNew, started]).toEqual([true, [`eval-${finishedInvocation}`]]);
});
