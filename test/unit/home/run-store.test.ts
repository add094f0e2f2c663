import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { homePaths, type HomePaths } from '../../../src/home/paths';
import {
  allStoredSecrets,
  openRuns,
  readablePlan,
  storedPlan,
  storedSecrets,
  storeRun,
  unreadableRuns,
} from '../../../src/home/run-store';
import type { RunPlan } from '../../../src/contract/plan';
import { recordedHistories } from '../../replay/history-file';
import { freshFolder } from '../../support/folders';
import { runPlan } from '../../support/plans';

let folder: { path: string; dispose: () => Promise<void> };
let home: HomePaths;
let plan: RunPlan;
let file: string;
beforeEach(async () => {
  folder = await freshFolder('run-store');
  home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'home') });
  plan = runPlan({ outputRoot: folder.path });
  await storeRun(home, { plan, configYaml: 'a: 1\n', secrets: { HF_TOKEN: 'hf_CANARY' }, origin: 'home:a' });
  file = path.join(home.runs, plan.invocation, 'plan.json');
});
afterEach(() => folder.dispose());

test('a plan is read back as it was stored, with all its optional parts', async () => {
  expect(await storedPlan(home, plan.invocation)).toEqual(plan);
  const full: RunPlan = {
    ...plan,
    invocation: 'f'.repeat(16),
    platform: { kind: 'lepton', workspace: 'w', url: 'https://h/api' },
    simulated: true,
    skipResults: ['cache/'],
    budget: { limit: 1, currency: 'USD', endpointPerHour: 2, jobPerHour: 0 },
    home: { taskQueue: 'q', holdsSecrets: true },
    endpoint: { kind: 'existing', url: 'http://h/v1', probe: plan.endpoint.probe },
  };
  await storeRun(home, { plan: full, configYaml: '', secrets: {} });
  expect(await storedPlan(home, full.invocation)).toEqual(full);
  expect((await openRuns(home)).map((run) => run.plan.invocation).sort()).toEqual(
    [plan.invocation, full.invocation].sort(),
  );
  expect(await storedPlan(home, '0'.repeat(16))).toBeUndefined();
});

test('a plan without a version and with unknown keys is readable', async () => {
  const stored = JSON.parse(await readFile(file, 'utf8')) as RunPlan;
  await writeFile(file, JSON.stringify({ ...stored, version: undefined, added: { later: true } }));
  expect(await storedPlan(home, plan.invocation)).toMatchObject(plan);
});

test.each([
  ['cut short', '{"version": 1, "invoca', /is damaged: it isn't JSON/],
  ['empty', '', /is damaged: it isn't JSON/],
  ['of another kind', '[]', /is damaged/],
  ['without its tasks', '{"version":1}', /is damaged: invocation is missing/],
  ['of a newer version', '{"version":2}', /has version 2.*reads versions up to 1/],
])('a plan that is %s: the error names the file and what to do, and the run is not lost', async (_, text, expected) => {
  await writeFile(file, text);
  await expect(storedPlan(home, plan.invocation)).rejects.toMatchObject({
    name: 'UnreadableFile',
    message: expect.stringMatching(expected),
  });
  await expect(storedPlan(home, plan.invocation)).rejects.toThrow(file);
  await expect(storedPlan(home, plan.invocation)).rejects.toThrow(`evalsaga cleanup ${plan.invocation}`);
  expect(await readablePlan(home, plan.invocation)).toBeUndefined();
  expect(await openRuns(home)).toEqual([]);
  expect(await unreadableRuns(home)).toEqual([
    {
      invocation: plan.invocation,
      file,
      origin: 'home:a',
      storedAt: expect.any(Number),
      reason: expect.stringContaining(file),
    },
  ]);
});

test('damaged stored variables of a run are not taken for empty, and are not quoted', async () => {
  const secrets = path.join(home.secrets, `${plan.invocation}.json`);
  await writeFile(secrets, 'hf_CANARY and more');
  const error = await storedSecrets(home, plan.invocation).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: 'UnreadableFile', message: expect.stringContaining(secrets) });
  expect(String(error)).not.toContain('hf_CANARY');
  expect(await allStoredSecrets(home)).toEqual([{}]);
});

test('plans in recorded histories, some of earlier builds, can be stored and read', async () => {
  let seen = 0;
  for (const { history } of recordedHistories()) {
    const [payload] = history.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    const text = Buffer.from(payload?.data ?? []).toString('utf8');
    if (!text.includes('"plan"')) continue;
    const { plan: recorded } = JSON.parse(text) as { plan: RunPlan };
    await storeRun(home, { plan: recorded, configYaml: '', secrets: {} });
    expect(await storedPlan(home, recorded.invocation)).toEqual(recorded);
    seen += 1;
  }
  expect(seen).toBeGreaterThan(0);
});
