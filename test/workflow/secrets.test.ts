import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { FetchedFile } from '../../src/results/transfer/journal';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { startRun, type RunDescription } from '../../src/client';
import { createLeptonClient } from '../../src/lepton/client';
import { renderDeployment } from '../../src/lepton/render-spec';
import { statusText } from '../../src/cli/render/run-status';
import { runDocument } from '../../src/cli/render/run-document';
import { noteStorageGone } from '../../src/home/run-store';
import { secretsOfRun } from '../../src/secrets/secret-values';
import { cleanUp } from '../../src/cleanup/cleanup';
import { forgetStaleSecrets } from '../../src/cleanup/stale-secrets';
import { startBench, type Bench, type Scenario } from '../support/bench';
import { canariesIn, everythingOf, filesBelow, printedEnv, secrets } from '../support/canaries';
import { setFaults } from '../support/command';
import { sendJson, startServer } from '../support/http-server';
import { runPlan } from '../support/plans';
import { secretPlan, startSecretRun } from '../support/secret-run';
import type { SimulatedPlan } from '../support/simulated';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const canaries = [secrets.HF_TOKEN, secrets.NGC_API_KEY, secrets.ENDPOINT_KEY];

/** Expects no secret anywhere but on the platform, which was given them. */
async function expectNoCanary(scenario: Scenario, plan: RunPlan, run: RunDescription): Promise<void> {
  const all = [...canaries, scenario.platform.token];
  const ids = [
    runWorkflowId(plan.invocation),
    ...plan.tasks.map(({ index }) => taskWorkflowId(plan.invocation, index)),
  ];
  for (const id of ids)
    expect({ id, found: canariesIn(await everythingOf(scenario.client, id), all) }).toEqual({ id, found: [] });
  const said = statusText({ run, now: Date.now(), width: 200 }) + JSON.stringify(runDocument(run, null, Date.now()));
  expect(canariesIn(said, all)).toEqual([]);
  for (const { file, text } of await filesBelow(scenario.outputRoot))
    expect({ file, found: canariesIn(Buffer.from(text, 'latin1').toString('utf8'), all) }).toEqual({ file, found: [] });
  const private_ = (await filesBelow(scenario.home.root)).filter(
    ({ file }) => !file.startsWith('platform/') && !file.startsWith('plan-'),
  );
  for (const { file, text, forOthers } of private_) {
    const found = canariesIn(Buffer.from(text, 'latin1').toString('utf8'), all);
    expect({ file, forOthers, found }).toEqual({ file, forOthers: false, found: [] });
  }
}

/** Creates, if missing, the folder in which the platform stores a task's output. Resolves to its path. */
async function storageOf({ home }: Scenario, { storage }: RunPlan, taskFolder: string): Promise<string> {
  const folder = path.join(home.platform, 'storage', storage.fileSystem, storage.path, taskFolder);
  await mkdir(folder, { recursive: true });
  return folder;
}

const talkative: SimulatedPlan = {
  endpoints: { default: { states: [['Starting', '200ms'], ['Ready']], log: printedEnv } },
  jobs: { default: { states: [['Running', '400ms'], ['Completed']], log: printedEnv } },
};

test.concurrent('a successful run whose endpoints and jobs print their environment: secrets are masked', async () => {
  const scenario = await bench.scenario(talkative);
  const plan = secretPlan(scenario);
  await startSecretRun(scenario, plan);
  expect(await filesBelow(scenario.home.secrets)).toMatchObject([
    { file: `${plan.invocation}.json`, forOthers: false },
  ]);
  const run = await scenario.closed(plan);
  expect(run.status).toBe('succeeded');
  await expectNoCanary(scenario, plan, run);
  const logs = (await filesBelow(scenario.outputRoot)).filter(({ file }) => file.endsWith('.log'));
  expect(logs.length).toBeGreaterThanOrEqual(4);
  for (const { text } of logs) {
    expect(text).toContain('HF_TOKEN=***');
    // Public values stay readable.
    expect(text).toContain('mode staging, acc 0.123456');
  }
});

test.concurrent('files of a harness are fetched with secrets masked, verified, and otherwise unchanged', async () => {
  const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '8s'], ['Completed']] } } });
  const plan = secretPlan(scenario);
  await startSecretRun(scenario, plan);
  await scenario.until(plan, ({ tasks }) => tasks[0]?.phase === 'running job');
  const taskFolder = plan.tasks[0]?.folder ?? '';
  const folder = await storageOf(scenario, plan, taskFolder);
  const request = `{"headers":{"authorization":"Bearer ${secrets.ENDPOINT_KEY}"},"acc":0.1234567890123}\n`;
  await writeFile(path.join(folder, 'requests.jsonl'), request);
  await writeFile(path.join(folder, 'requests.jsonl.gz'), gzipSync(request.repeat(1_000)));
  await writeFile(path.join(folder, 'samples.jsonl'), '{"mode":"staging","acc":0.5}\n');
  const closed = await scenario.closed(plan);
  expect(closed.status).toBe('succeeded');
  await expectNoCanary(scenario, plan, closed);
  const home = (name: string): Promise<Buffer> => readFile(path.join(plan.outputDir, taskFolder, name));
  const masked = '{"headers":{"authorization":"Bearer ***"},"acc":0.1234567890123}\n';
  expect((await home('requests.jsonl')).toString()).toBe(masked);
  expect(gunzipSync(await home('requests.jsonl.gz')).toString()).toBe(masked.repeat(1_000));
  expect((await home('samples.jsonl')).toString()).toBe('{"mode":"staging","acc":0.5}\n');
  const { files } = JSON.parse((await home('manifest.json')).toString()) as { files: FetchedFile[] };
  const digest = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
  const record = files.find(({ path: name }) => name === 'requests.jsonl');
  expect(record).toMatchObject({ sha256: digest(masked), original: { sha256: digest(request) } });
  expect(files.find(({ path: name }) => name === 'samples.jsonl')?.original).toBeUndefined();
});

test.concurrent('files that stayed in storage are also masked when a cleanup fetches them later', async () => {
  const scenario = await bench.scenario({
    jobs: { default: { states: [['Running', '8s'], ['Completed']] } },
    faults: [{ on: 'GET /storage/**/requests.jsonl', times: 'inf', respond: 403 }],
  });
  const plan = secretPlan(scenario);
  await startSecretRun(scenario, plan);
  await scenario.until(plan, ({ tasks }) => tasks[0]?.phase === 'running job');
  const taskFolder = plan.tasks[0]?.folder ?? '';
  const folder = await storageOf(scenario, plan, taskFolder);
  await writeFile(path.join(folder, 'requests.jsonl'), `{"key":"${secrets.HF_TOKEN}"}\n`);
  expect((await scenario.closed(plan)).snapshot.kept).toHaveLength(1);
  expect(await forgetStaleSecrets(bench.client, scenario.home)).toEqual([]);
  await setFaults(scenario.platform, []);
  const { invocation, outputDir } = plan;
  const known = await secretsOfRun(scenario.home, { invocation, env: {}, token: undefined });
  const request = { invocation, plan, origin: 'tests', outputDir, discard: false, report: () => undefined };
  const report = await cleanUp({ ...request, platform: createLeptonClient(scenario.platform), secrets: known });
  expect(report).toMatchObject({ left: [], kept: [] });
  expect(await readFile(path.join(plan.outputDir, taskFolder, 'requests.jsonl'), 'utf8')).toBe('{"key":"***"}\n');
});

test.concurrent('a job that fails with secrets in its message and log: they are masked', async () => {
  const words = `Traceback: refused key ${secrets.NGC_API_KEY} for ${encodeURIComponent(secrets.ENDPOINT_KEY)}`;
  const scenario = await bench.scenario({
    ...talkative,
    jobs: {
      default: { states: [['Running', '300ms'], ['Failed']], log: words, message: `exit 1: ${secrets.HF_TOKEN}` },
    },
  });
  const plan = secretPlan(scenario);
  await startSecretRun(scenario, plan);
  const run = await scenario.closed(plan);
  expect(run.snapshot.tasks[0]?.error?.message).toContain('refused key *** for ***');
  await expectNoCanary(scenario, plan, run);
});

test.concurrent(
  'an endpoint whose messages contain secrets while it starts and when it fails: they are masked',
  async () => {
    const scenario = await bench.scenario({
      endpoints: {
        default: {
          states: [['Starting', '1s', `pulling with ${secrets.HF_TOKEN}`], ['Error']],
          message: `denied: ${secrets.NGC_API_KEY}`,
        },
      },
    });
    const plan = secretPlan(scenario);
    await startSecretRun(scenario, plan);
    const run = await scenario.closed(plan);
    expect(run.snapshot.tasks[0]?.error).toMatchObject({
      type: 'EndpointFailed',
      message: expect.stringContaining('denied: ***'),
    });
    await expectNoCanary(scenario, plan, run);
  },
);

test.concurrent('a platform that echoes a request which it refuses: secrets are masked', async () => {
  const probe = await bench.scenario();
  const { endpoint } = secretPlan(probe);
  if (endpoint.kind !== 'dedicated') throw new Error('the plan deploys endpoints');
  const sent = renderDeployment(endpoint.spec, {
    marks: { invocation: '0123456789abcdef', index: 0, origin: 'x' },
    nodeGroupId: null,
    resolve: (name) => secrets[name as keyof typeof secrets],
  });
  const echo = { code: 'InvalidParameter', message: `cannot read ${JSON.stringify(sent)}` };
  const scenario = await bench.scenario({
    faults: [{ on: 'POST /deployments', times: 'inf', respond: 422, body: echo }],
  });
  const plan = secretPlan(scenario);
  await startSecretRun(scenario, plan);
  const run = await scenario.closed(plan);
  expect(run.snapshot.tasks[0]?.error?.message).toContain('422');
  await expectNoCanary(scenario, plan, run);
});

test.concurrent('a cancelled run: secrets are masked', async () => {
  const scenario = await bench.scenario({
    ...talkative,
    jobs: { default: { states: [['Running', '1h'], ['Completed']], log: printedEnv } },
  });
  const plan = secretPlan(scenario);
  await startSecretRun(scenario, plan);
  await scenario.until(plan, ({ tasks }) => tasks.some(({ phase }) => phase === 'running job'));
  await scenario.cancel(plan);
  const run = await scenario.closed(plan);
  expect(run.status).toBe('cancelled');
  await expectNoCanary(scenario, plan, run);
});

test.concurrent(
  'secrets of a terminated run are deleted once its tasks have ended and its storage is gone; those of an open run stay',
  async () => {
    const endless: SimulatedPlan = { jobs: { default: { states: [['Running', '1h'], ['Completed']] } } };
    const scenario = await bench.scenario(endless);
    const [ended, living] = [secretPlan(scenario), secretPlan(scenario)];
    for (const plan of [ended, living]) {
      await startSecretRun(scenario, plan);
      await scenario.until(plan, ({ tasks }) => tasks.every(({ phase }) => phase === 'running job'));
    }
    await bench.client.workflow.getHandle(runWorkflowId(ended.invocation)).terminate();
    for (const { index } of ended.tasks)
      await expect(
        bench.client.workflow.getHandle(taskWorkflowId(ended.invocation, index)).result(),
      ).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
    // They are needed until its storage is gone, to mask what a sweep fetches.
    expect(await forgetStaleSecrets(bench.client, scenario.home)).toEqual([]);
    await noteStorageGone(scenario.home, ended.invocation);
    expect(await forgetStaleSecrets(bench.client, scenario.home)).toEqual([ended.invocation]);
    expect(await readdir(scenario.home.secrets)).toEqual([`${living.invocation}.json`]);
    await scenario.cancel(living);
    await scenario.closed(living);
    expect(await readdir(scenario.home.secrets)).toEqual([]);
  },
);

test.concurrent(
  'an existing endpoint whose URL contains a password and a key: both are sent, and masked elsewhere',
  async () => {
    const parts = { EVALSAGA_URL_SECRET_1: 'CANARYme:CANARY-url-pass', EVALSAGA_URL_SECRET_2: 'CANARYsignature012' };
    const server = await startServer((request, response) => {
      const basic = `Basic ${Buffer.from(parts.EVALSAGA_URL_SECRET_1).toString('base64')}`;
      const known =
        request.headers.authorization === basic && request.url.endsWith(`?sig=${parts.EVALSAGA_URL_SECRET_2}`);
      const body = request.method === 'GET' ? { data: [{ id: 'test/model' }] } : { choices: [] };
      sendJson(response, known ? body : { error: `refused ${request.url}` }, known ? 200 : 401);
    });
    try {
      const { host } = new URL(server.url);
      const url = (signature: string) => `http://***EVALSAGA_URL_SECRET_1***@${host}/v1/completions?sig=${signature}`;
      const scenario = await bench.scenario({
        jobs: {
          default: {
            states: [['Running', '300ms'], ['Completed']],
            log: `asked http://${parts.EVALSAGA_URL_SECRET_1}@${host}/?sig=${parts.EVALSAGA_URL_SECRET_2}\n`,
          },
        },
      });
      const existing = (signature: string): RunPlan => {
        const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
        const probe = { ...plan.endpoint.probe, healthPath: null, token: null };
        const variables = Object.keys(parts).map((name) => ({ name, secret: { kind: 'host', name } as const }));
        const tasks = plan.tasks.map((task) => ({
          ...task,
          endpointName: null,
          job: { ...task.job, envs: [...task.job.envs, ...variables] },
        }));
        return { ...plan, endpoint: { kind: 'existing', url: url(signature), probe }, tasks };
      };
      for (const [signature, status] of [
        ['***EVALSAGA_URL_SECRET_2***', 'succeeded'],
        ['wrong', 'failed'],
      ] as const) {
        const plan = existing(signature);
        await startRun(scenario.client, {
          plan,
          taskQueue: scenario.taskQueue,
          hostSecrets: parts,
          configYaml: 'a: 1\n',
          home: scenario.home,
          searchAttributes: true,
        });
        const run = await scenario.closed(plan);
        expect(run.status).toBe(status);
        if (status === 'succeeded')
          expect(run.snapshot.tasks[0]?.endpointUrl).toBe(`http://***@${host}/v1/completions?sig=***`);
        const ids = [runWorkflowId(plan.invocation), taskWorkflowId(plan.invocation, 0)];
        const kept = await Promise.all(ids.map((id) => everythingOf(scenario.client, id)));
        const said = JSON.stringify(runDocument(run, null, Date.now())) + kept.join('');
        expect(canariesIn(said, Object.values(parts))).toEqual([]);
        for (const folder of [scenario.outputRoot, scenario.home.runs])
          for (const { file, text } of await filesBelow(folder))
            expect({ file, found: canariesIn(text, Object.values(parts)) }).toEqual({ file, found: [] });
      }
    } finally {
      await server.close();
    }
  },
);
