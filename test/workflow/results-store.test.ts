import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startRun } from '../../src/client';
import { failureTypes } from '../../src/contract/failure-types';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import { sealedSecretsName } from '../../src/contract/results-place';
import type { EndpointPlan, RunPlan } from '../../src/contract/plan';
import { homePaths, type HomePaths } from '../../src/home/paths';
import { openStore } from '../../src/results/store/open-store';
import { localResults, refreshCopy } from '../../src/runs/local-results';
import { readJsonFile, writePrivateJson } from '../../src/support/atomic-file';
import { createKeyFile, readKeyFile } from '../../src/temporal/encryption/key-file';
import { benchWorker, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { freshFolder } from '../support/folders';
import { runPlan } from '../support/plans';
import { openS3Proxy, type S3Proxy } from '../support/s3-faults';
import { s3Kinds, type S3Server } from '../support/s3-server';
import type { SimulatedPlan } from '../support/simulated';

/** Runs whose workers are on other machines than the one that started them: they share nothing but Temporal and a bucket. */

let bench: Bench;
let server: S3Server;
let proxy: S3Proxy;
let folder: { path: string; dispose: () => Promise<void> };
let keyFile: string;
const stops: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  folder = await freshFolder('results-store');
  keyFile = path.join(folder.path, 'key');
  await createKeyFile(keyFile);
  [bench, server] = await Promise.all([startBench({ keyFile }), s3Kinds[0]!.start()]);
  proxy = await openS3Proxy(server.port);
});
afterAll(async () => {
  await Promise.all(stops.map((stop) => stop()));
  await bench.close();
  await proxy.close();
  await server.close();
  await folder.dispose();
});
beforeEach(() => proxy.disturb(() => undefined));

const storeEnv = (): Record<string, string> => ({
  ...server.env,
  AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${proxy.port}`,
});

const secret = 'sk-0123456789abcdefghij';

/** Another machine's home, with the platform's credentials. */
async function machine(scenario: Scenario, name: string): Promise<HomePaths> {
  const home = homePaths({ EVALSAGA_HOME: path.join(path.dirname(scenario.home.root), name) });
  await mkdir(home.root, { recursive: true });
  await writePrivateJson(home.platformAccess, await readJsonFile(scenario.home.platformAccess));
  return home;
}

/** A scenario whose only worker is on another machine. */
async function elsewhere(
  environment: Record<string, string> = {},
  simulated: SimulatedPlan = {},
): Promise<Scenario & { worker: HomePaths }> {
  const scenario = await bench.scenario(simulated);
  await (
    await scenario.startWorker()
  )();
  const worker = await machine(scenario, 'worker');
  const { taskQueue } = scenario;
  stops.push(
    await benchWorker(bench.env, { taskQueue, home: worker, keyFile, environment: { ...storeEnv(), ...environment } }),
  );
  return { ...scenario, worker };
}

function storedPlan(scenario: Scenario, { hasVariable = false } = {}): RunPlan {
  const plan: RunPlan = { ...runPlan({ outputRoot: scenario.outputRoot }), resultsStore: 's3://bucket/team a' };
  if (!hasVariable || plan.endpoint.kind !== 'dedicated') return plan;
  const variable = { name: 'MY_KEY', secret: { kind: 'host', name: 'MY_KEY' } } as const;
  const { spec } = plan.endpoint;
  const endpoint: EndpointPlan = { ...plan.endpoint, spec: { ...spec, envs: [...spec.envs, variable] } };
  const tasks = plan.tasks.map((task) => ({ ...task, job: { ...task.job, envs: [...task.job.envs, variable] } }));
  return { ...plan, endpoint, tasks };
}

const start = ({ client, taskQueue, home }: Scenario, plan: RunPlan, hostSecrets: Record<string, string> = {}) =>
  startRun(client, {
    ...{ plan, taskQueue, homeQueue: `${taskQueue}-home`, home, hostSecrets, configYaml: 'a: 1\n' },
    ...{ searchAttributes: true, isEncrypted: true, sealingKey: readKeyFile(keyFile).at(-1), storeEnv: storeEnv() },
  });

test('results reach any machine, sealed secrets only the workers, and both the end of the run', async () => {
  const scenario = await elsewhere({ EVALSAGA_ENCRYPTION_KEY_FILE: keyFile });
  const plan = storedPlan(scenario, { hasVariable: true });
  const { invocation } = plan;
  await start(scenario, plan, { MY_KEY: secret });
  const store = await openStore(`${plan.resultsStore}/${invocation}`, storeEnv());
  const sealed = await store.read(sealedSecretsName);
  expect(sealed).toBeDefined();
  const run = await scenario.closed(plan);
  expect(run).toMatchObject({ status: 'succeeded', snapshot: { left: [], kept: [] } });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  expect(run.snapshot.tasks[0]?.outputDir).toBe(`s3://bucket/team a/${invocation}/${plan.tasks[0]?.folder}`);

  // Nothing is left on the worker's disk, and no secret anywhere.
  expect(await readdir(scenario.worker.staging)).toEqual([]);
  expect((await store.list()).map((file) => file.path)).not.toContain(sealedSecretsName);
  const ids = [runWorkflowId(invocation), ...plan.tasks.map(({ index }) => taskWorkflowId(invocation, index))];
  const histories = await Promise.all(ids.map((id) => bench.client.workflow.getHandle(id).fetchHistory()));
  expect(JSON.stringify(histories)).not.toContain(secret);

  const third = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'third') });
  const there = { invocation, home: third, client: scenario.client, env: storeEnv() };
  const { folder: copy, copied } = await localResults(there);
  expect(copied?.fetched).toBeGreaterThan(5);
  const record = JSON.parse(await readFile(path.join(copy, 'run.json'), 'utf8')) as Record<string, unknown>;
  expect(record).toMatchObject({ invocation, outcome: 'succeeded', config: 'a: 1\n' });
  for (const { folder: task } of plan.tasks)
    expect(await readdir(path.join(copy, task))).toEqual(
      expect.arrayContaining(['results.yml', 'manifest.json', 'logs']),
    );
  expect(await localResults(there)).toMatchObject({ copied: null });

  // What comes into the store later, as from `cleanup`, is not in a whole copy until that is renewed.
  const bytes = Buffer.from('late');
  const late = { path: 'late.txt', size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  await store.put({ bytes }, late);
  await refreshCopy(plan, { home: third, env: storeEnv(), isStored: false });
  expect(await readFile(path.join(copy, 'late.txt'), 'utf8')).toBe('late');
  const fourth = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'fourth') });
  await refreshCopy(plan, { home: fourth, env: storeEnv(), isStored: false });
  expect(existsSync(fourth.fetched)).toBe(false);
});

test('workers know a variable from a mounted file, and what they write into a shared folder is there', async () => {
  const mounted = path.join(folder.path, 'mounted');
  await mkdir(mounted, { recursive: true });
  await writeFile(path.join(mounted, 'MY_KEY'), `${secret}\n`);
  const scenario = await elsewhere({ EVALSAGA_SECRETS_DIR: mounted });
  const shared = path.join(folder.path, 'shared');
  const plan: RunPlan = { ...storedPlan(scenario, { hasVariable: true }), resultsStore: `file://${shared}` };
  await start(scenario, plan);
  expect(await scenario.closed(plan)).toMatchObject({ status: 'succeeded', snapshot: { left: [], kept: [] } });
  const [task] = plan.tasks;
  const files = await readdir(path.join(shared, plan.invocation, task?.folder ?? ''));
  expect(files).toEqual(expect.arrayContaining(['results.yml', 'manifest.json', 'logs']));
  const { folder: copy } = await localResults({
    ...{ invocation: plan.invocation, home: scenario.home, client: undefined, env: {} },
  });
  expect(copy).toBe(plan.outputDir);
  expect(await readdir(copy)).toContain('run.json');
});

test('a store that refuses ends the run before anything is created, with one failure', async () => {
  proxy.disturb(({ method }) => (method === 'PUT' ? { kind: 'answer', status: 404, code: 'NoSuchBucket' } : undefined));
  const scenario = await elsewhere();
  const plan = storedPlan(scenario);
  const warnings: string[] = [];
  const { client, taskQueue, home } = scenario;
  await startRun(client, {
    ...{ plan, taskQueue, homeQueue: `${taskQueue}-home`, home, hostSecrets: {}, configYaml: 'a: 1\n' },
    ...{ searchAttributes: true, storeEnv: storeEnv(), warn: (text: string) => warnings.push(text) },
  });
  expect(warnings).toEqual([expect.stringContaining('NoSuchBucket')]);
  const run = await scenario.closed(plan);
  expect(run.failure).toMatchObject({
    type: failureTypes.runNotAdmitted,
    message: expect.stringContaining('before anything was created'),
  });
  expect(run.snapshot.tasks.map(({ error }) => error)).toEqual(plan.tasks.map(() => null));
  const changes = (await scenario.platform.requests()).filter(({ method }) => method !== 'GET' && method !== 'HEAD');
  expect(changes).toEqual([]);
});

test('a store that is full during a run: the files stay on the platform, named, and the endpoints are gone', async () => {
  const scenario = await elsewhere({}, { jobs: { default: { states: [['Running', '8s'], ['Completed']] } } });
  const plan = storedPlan(scenario);
  await start(scenario, plan);
  await scenario.until(plan, ({ tasks }) => tasks.some(({ phase }) => phase !== 'pending'));
  proxy.disturb(({ method }) => (method === 'PUT' ? { kind: 'answer', status: 507, code: 'StorageFull' } : undefined));
  const run = await scenario.closed(plan);
  expect(run.snapshot.left).toEqual([]);
  expect(run.snapshot.kept).toHaveLength(plan.tasks.length);
  for (const { reason, command } of run.snapshot.kept) {
    expect(reason).toContain('StorageFull');
    expect(command).toBe(`evalsaga cleanup ${plan.invocation}`);
  }
  const { deployments, jobs, storage } = await scenario.platform.inventory();
  expect({ deployments, jobs }).toEqual({ deployments: [], jobs: [] });
  expect(storage).not.toEqual([]);
});
