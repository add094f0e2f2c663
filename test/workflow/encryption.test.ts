import type { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { listRuns, resolveInvocation } from '../../src/client';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { encryptionOf } from '../../src/temporal/encryption/data-converter';
import { createKeyFile, rotateKeyFile } from '../../src/temporal/encryption/key-file';
import { createLeptonClient } from '../../src/lepton/client';
import { sweep } from '../../src/cleanup/sweep';
import { planInHistory } from '../../src/runs/run-input';
import { ensureSweepSchedule } from '../../src/cleanup/sweep-schedule';
import { clientWith, emptyInventory, encryptedBundle, startBench, type Bench, type Scenario } from '../support/bench';
import { rawOf } from '../support/canaries';
import { until } from '../support/command';
import { freshFolder } from '../support/folders';
import { runPlan } from '../support/plans';

let bench: Bench;
let folder: Awaited<ReturnType<typeof freshFolder>>;
let keyFile: string;
beforeAll(async () => {
  folder = await freshFolder('keys');
  keyFile = path.join(folder.path, 'evalsaga.key');
  await createKeyFile(keyFile);
  bench = await startBench({ keyFile });
});
afterAll(async () => {
  await bench.close();
  await folder.dispose();
});

const idsOf = ({ invocation, tasks }: RunPlan): string[] => [
  runWorkflowId(invocation),
  ...tasks.map(({ index }) => taskWorkflowId(invocation, index)),
];

/** Words from plan, platform and results that must not be readable in Temporal; the first ones occur in every run. */
const privateWords = [
  'hellaswag',
  'arc_challenge',
  'arc-challenge',
  'test/model',
  // With the quote, because four letters alone may occur in ciphertext by chance.
  '"vllm',
  'http://',
  '/shared/evalsaga',
  'gpu.1xh200',
  'Evaluates',
];

async function expectCiphertext(plan: RunPlan, words: readonly string[] = privateWords): Promise<void> {
  for (const id of idsOf(plan)) {
    const raw = await rawOf(bench.client, id);
    const readable = words.filter((word) => raw.includes(word));
    expect({ id, encrypted: raw.includes('binary/encrypted'), readable }).toEqual({
      id,
      encrypted: true,
      readable: [],
    });
  }
}

const twoTasks = (scenario: Scenario): RunPlan =>
  runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag', 'arc_challenge'] });

/** A client of the bench's server with another key file, or without one. */
const clientOf = (file?: string): Client => clientWith(bench.env, file === undefined ? {} : { keyFile: file });

test.concurrent(
  'a run leaves only ciphertext in Temporal, can be read with the key, and its histories replay',
  async () => {
    const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '8s'], ['Completed']] } } });
    const plan = twoTasks(scenario);
    await scenario.start(plan);
    await scenario.until(plan, ({ tasks }) => tasks.every(({ phase }) => phase === 'running job'));
    // While the run is open, this includes pending activities and the details shown in the Web UI.
    await expectCiphertext(plan);
    const run = await scenario.closed(plan);
    expect(run.status).toBe('succeeded');
    expect(run.snapshot.tasks.map(({ metrics }) => Object.keys(metrics).length > 0)).toEqual([true, true]);
    await expectCiphertext(plan);
    expect(await planInHistory(bench.client, plan.invocation)).toEqual(plan);

    const { dataConverter } = encryptionOf({ EVALSAGA_ENCRYPTION_KEY_FILE: keyFile });
    for (const id of idsOf(plan)) {
      const history = await bench.client.workflow.getHandle(id).fetchHistory();
      const options = { workflowBundle: { codePath: encryptedBundle }, dataConverter };
      await expect(Worker.runReplayHistory(options, history, id)).resolves.toBeUndefined();
    }
  },
);

test.concurrent('errors and messages of the platform are encrypted, and readable with the key', async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '600ms', 'CANARY pulling'], ['Ready']] } },
    jobs: { default: { states: [['Running', '300ms'], ['Failed']], log: 'CANARY log', message: 'CANARY message' } },
  });
  const plan = twoTasks(scenario);
  await scenario.start(plan);
  const run = await scenario.closed(plan);
  expect(run.snapshot.tasks.map(({ error }) => error?.message)).toEqual([
    expect.stringContaining('CANARY'),
    expect.stringContaining('CANARY'),
  ]);
  await expectCiphertext(plan, [...privateWords, 'CANARY']);
});

test.concurrent('cancel, and a sweep after everything was terminated, work with encryption', async () => {
  const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '1h'], ['Completed']] } } });
  const [cancelled, terminated] = [twoTasks(scenario), twoTasks(scenario)];
  for (const plan of [cancelled, terminated]) {
    await scenario.start(plan);
    await scenario.until(plan, ({ tasks }) => tasks.every(({ phase }) => phase === 'running job'));
  }
  await scenario.cancel(cancelled);
  expect((await scenario.closed(cancelled)).status).toBe('cancelled');
  for (const id of idsOf(terminated)) await bench.client.workflow.getHandle(id).terminate();
  // The sweep needs no key to see which workflows have ended.
  const report = await sweep({
    temporal: clientOf(),
    platform: createLeptonClient(scenario.platform),
    ref: { kind: 'local', workspace: 'local' },
    home: scenario.home,
    origin: 'tests',
    secretsOf: () => Promise.resolve([]),
    graceSeconds: -60,
    dryRun: false,
  });
  expect(report.failed).toEqual([]);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  for (const plan of [cancelled, terminated]) await expectCiphertext(plan);
});

test.concurrent('without the right key a run can be found and listed, and reading it fails with advice', async () => {
  const scenario = await bench.scenario();
  const plan = twoTasks(scenario);
  await scenario.start(plan);
  await scenario.closed(plan);
  const other = path.join(folder.path, 'other.key');
  await createKeyFile(other);
  const [{ id } = { id: '' }] = [encryptionOf({ EVALSAGA_ENCRYPTION_KEY_FILE: keyFile }).ring.newest];
  for (const [file, advice] of [
    [undefined, 'Set EVALSAGA_ENCRYPTION_KEY_FILE'],
    [other, `The key file ${other} does not have it`],
  ] as const) {
    const client = clientOf(file);
    const asked = planInHistory(client, plan.invocation);
    await expect(asked).rejects.toMatchObject({ name: 'EncryptionKeyError', message: expect.stringContaining(id) });
    await expect(asked).rejects.toThrow(advice);
    await expect(client.workflow.getHandle(runWorkflowId(plan.invocation)).result()).rejects.toThrow(advice);
    const runs = await listRuns(client, { limit: 100 });
    expect(runs.find(({ invocation }) => invocation === plan.invocation)?.model).toBe('(encrypted)');
    expect(await resolveInvocation(client, plan.invocation.slice(0, 12), scenario.home)).toBe(plan.invocation);
  }
});

test.concurrent(
  'after a rotation both keys decrypt, the newer one encrypts, and a process started before it reads the new key',
  async () => {
    const file = path.join(folder.path, 'rotated.key');
    const older = await createKeyFile(file);
    const before = encryptionOf({ EVALSAGA_ENCRYPTION_KEY_FILE: file });
    const newer = await rotateKeyFile(file);
    const after = encryptionOf({ EVALSAGA_ENCRYPTION_KEY_FILE: file });
    expect([before.ring.newest?.id, after.ring.newest?.id]).toEqual([older.id, newer.id]);
    const [old] = before.dataConverter.payloadCodecs ?? [];
    const [fresh] = after.dataConverter.payloadCodecs ?? [];
    const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"text"') };
    for (const [from, to] of [
      [old, fresh],
      [fresh, old],
    ]) {
      const [decoded] = (await to?.decode((await from?.encode([payload])) ?? [])) ?? [];
      expect(Buffer.from(decoded?.data ?? []).toString()).toBe('"text"');
    }
  },
);

test.concurrent(
  'a run started without encryption can be read with a key, and continues on a worker with one',
  async () => {
    const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '10s'], ['Completed']] } } }, {});
    const plan = twoTasks(scenario);
    await scenario.start(plan);
    await scenario.until(plan, ({ tasks }) => tasks.every(({ phase }) => phase === 'running job'));
    await scenario.startWorker({ keyFile });
    const id = runWorkflowId(plan.invocation);
    const result = await bench.client.workflow.getHandle(id).result();
    expect(result).toMatchObject({ phase: 'done', tasks: [{ outcome: 'succeeded' }, { outcome: 'succeeded' }] });
    expect(await planInHistory(bench.client, plan.invocation)).toEqual(plan);
    // The beginning of the history is plain text, its end is encrypted.
    const raw = await rawOf(bench.client, id);
    expect([raw.includes('hellaswag'), raw.includes('binary/encrypted')]).toEqual([true, true]);
  },
);

test.concurrent('a worker without the key fails no run, which continues on a worker that has it', async () => {
  const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '10s'], ['Completed']] } } });
  const plan = twoTasks(scenario);
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks }) => tasks.every(({ phase }) => phase === 'running job'));
  await scenario.startWorker({});
  const failed = async (): Promise<string> => rawOf(bench.client, taskWorkflowId(plan.invocation, 0));
  await until('it fails for want of the key', async () => (await failed()).includes('EncryptionKeyError'));
  await scenario.startWorker();
  expect((await scenario.closed(plan)).status).toBe('succeeded');
});

test.concurrent(
  "a schedule's arguments are rewritten when the encryption key is added, changed or removed",
  async () => {
    const scenario = await bench.scenario();
    const platform = { kind: 'local', workspace: 'keyed' } as const;
    const argumentsOf = async (): Promise<string> => {
      for await (const { scheduleId } of bench.client.schedule.list()) {
        if (!scheduleId.includes('keyed')) continue;
        const { schedule } = await bench.client.workflowService.describeSchedule({ namespace: 'default', scheduleId });
        const start = schedule?.action?.startWorkflow;
        const payloads = [...(start?.input?.payloads ?? []), start?.userMetadata?.summary];
        return payloads.map((payload) => Buffer.from(payload?.data ?? []).toString('latin1')).join('\n');
      }
      return '';
    };
    const ensure = (client: Client) => ensureSweepSchedule(client, { platform, taskQueue: scenario.taskQueue });
    await ensure(clientOf());
    const shown = async (client: Client, isClear: boolean): Promise<void> => {
      await ensure(client);
      const deadline = Date.now() + 60_000;
      let text = await argumentsOf();
      // Schedule listings are eventually consistent.
      while (text === '' && Date.now() < deadline) text = await argumentsOf();
      expect(text.includes('"keyed"')).toBe(isClear);
      expect(text.includes('Sweep of')).toBe(isClear);
    };
    await shown(clientOf(), true);
    await shown(bench.client, false);
    const other = path.join(folder.path, 'schedule.key');
    await createKeyFile(other);
    await shown(clientOf(other), false);
    await rm(other);
    await shown(clientOf(), true);
  },
);
