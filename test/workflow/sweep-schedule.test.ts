import { randomUUID } from 'node:crypto';
import { ensureSweepSchedule, sweepScheduleId, type SweptPlatform } from '../../src/cleanup/sweep-schedule';
import { startBench, type Bench } from '../support/bench';

let bench: Bench;
beforeAll(async () => (bench = await startBench()));
afterAll(() => bench.close());

/** A separate platform for each test. */
const platformOf = (workspace = `ws-${randomUUID().slice(0, 8)}`): SweptPlatform['platform'] => ({
  kind: 'lepton',
  workspace,
  url: 'http://127.0.0.1:9',
});
const scheduleOf = (platform: SweptPlatform['platform'], home?: string) =>
  bench.client.schedule.getHandle(sweepScheduleId(platform, home));

test('a schedule created for another queue is moved to this one, and its sweep, which no worker serves, is terminated', async () => {
  const platform = platformOf();
  const handle = scheduleOf(platform);
  await ensureSweepSchedule(bench.client, { platform, taskQueue: 'nobody-works-here' });
  await handle.trigger();
  const begun = async () => (await handle.describe()).info.recentActions;
  while ((await begun()).length === 0) await new Promise((resolve) => setTimeout(resolve, 100));
  const [stuck] = await begun();
  await ensureSweepSchedule(bench.client, { platform, taskQueue: 'the-default' });
  const { action, spec, policies } = await handle.describe();
  expect({ queue: action.taskQueue, runTimeout: action.workflowRunTimeout }).toEqual({
    queue: 'the-default',
    runTimeout: 900_000,
  });
  expect(action.args).toEqual([{ platform, graceSeconds: 180 }]);
  expect([spec.intervals?.[0]?.every, policies.overlap]).toEqual([600_000, 'SKIP']);
  const { status } = await bench.client.workflow.getHandle(stuck?.action.workflow.workflowId ?? '').describe();
  expect(status.name).toBe('TERMINATED');
});

test('interval, arguments and run timeout of a schedule from an earlier build are updated, and its pause is kept', async () => {
  const platform = platformOf();
  const scheduleId = sweepScheduleId(platform);
  await bench.client.schedule.create({
    scheduleId,
    spec: { intervals: [{ every: '2 hours' }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'sweepPlatform',
      workflowId: scheduleId,
      args: [{ platform, graceSeconds: 7 }],
      taskQueue: 'q',
    },
  });
  const handle = scheduleOf(platform);
  await handle.pause('by an operator');
  await ensureSweepSchedule(bench.client, { platform, taskQueue: 'q' });
  const { action, spec, state } = await handle.describe();
  expect(action.args).toEqual([{ platform, graceSeconds: 180 }]);
  expect([spec.intervals?.[0]?.every, action.workflowRunTimeout]).toEqual([600_000, 900_000]);
  expect(state).toMatchObject({ paused: true, note: 'by an operator' });
});

test('an up-to-date schedule is not changed, and expires about 90 days after the last start', async () => {
  const platform = platformOf();
  const swept = { platform, taskQueue: 'q' };
  await ensureSweepSchedule(bench.client, swept);
  const before = await scheduleOf(platform).describe();
  await ensureSweepSchedule(bench.client, swept);
  const after = await scheduleOf(platform).describe();
  expect(after.info.lastUpdatedAt).toEqual(before.info.lastUpdatedAt);
  const days = ((after.spec.endAt?.getTime() ?? 0) - Date.now()) / 86_400_000;
  expect([days > 89, days <= 90]).toEqual([true, true]);
});

test('local platforms of two homes on one server get separate schedules; an older shared one is removed by the home whose queue it has', async () => {
  const platform = { kind: 'local', workspace: `local-${randomUUID().slice(0, 8)}` } as const;
  await ensureSweepSchedule(bench.client, { platform, taskQueue: 'evalsaga-home-a' });
  await ensureSweepSchedule(bench.client, { platform, taskQueue: 'evalsaga-home-b', home: 'b' });
  expect((await scheduleOf(platform).describe()).action.taskQueue).toBe('evalsaga-home-a');
  await ensureSweepSchedule(bench.client, { platform, taskQueue: 'evalsaga-home-a', home: 'a' });
  await expect(scheduleOf(platform).describe()).rejects.toThrow(/not found/i);
  const queues = await Promise.all(['a', 'b'].map((home) => scheduleOf(platform, home).describe()));
  expect(queues.map(({ action }) => action.taskQueue)).toEqual(['evalsaga-home-a', 'evalsaga-home-b']);
});
