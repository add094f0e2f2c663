import { randomUUID } from 'node:crypto';
import { ensureSweepSchedule, sweepScheduleId, type SweptPlatform } from '../../src/cleanup/sweep-schedule';
import { startBench, type Bench } from '../support/bench';

let bench: Bench;
beforeAll(async () => (bench = await startBench()));
afterAll(() => bench.close());

/** A platform of its own, so that tests do not meet. */
const platformOf = (workspace = `ws-${randomUUID().slice(0, 8)}`): SweptPlatform['platform'] => ({
  kind: 'lepton',
  workspace,
  url: 'http://127.0.0.1:9',
});
const scheduleOf = (platform: SweptPlatform['platform'], home?: string) =>
  bench.client.schedule.getHandle(sweepScheduleId(platform, home));

test('a schedule that another queue made goes over to this one, and the sweep that waits there for nobody ends', async () => {
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

test('interval, arguments and the lack of a run timeout that an earlier build left are brought up to date', async () => {
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

test('what is current is left alone; it ends by itself long after the last start', async () => {
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

test('the local platforms of two homes on one server have two schedules; the one they shared goes with its queue', async () => {
  const platform = { kind: 'local', workspace: `local-${randomUUID().slice(0, 8)}` } as const;
  await ensureSweepSchedule(bench.client, { platform, taskQueue: 'evalsaga-home-a' });
  await ensureSweepSchedule(bench.client, { platform, taskQueue: 'evalsaga-home-b', home: 'b' });
  expect((await scheduleOf(platform).describe()).action.taskQueue).toBe('evalsaga-home-a');
  await ensureSweepSchedule(bench.client, { platform, taskQueue: 'evalsaga-home-a', home: 'a' });
  await expect(scheduleOf(platform).describe()).rejects.toThrow(/not found/i);
  const queues = await Promise.all(['a', 'b'].map((home) => scheduleOf(platform, home).describe()));
  expect(queues.map(({ action }) => action.taskQueue)).toEqual(['evalsaga-home-a', 'evalsaga-home-b']);
});
