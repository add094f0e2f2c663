import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jobCommand } from '../../src/config/plan/job-script';
import { homePaths } from '../../src/home/paths';
import type { JobObservation, JobSpecBody, Runtime, RuntimeHost } from '../../src/local-platform/runtime';
import { provisionHarness } from '../../src/local-platform/harness/provision-harness';
import { hubReachable } from '../../src/local-platform/harness/data';
import { freshFolder, testCache } from '../support/folders';
import { startServer } from '../support/http-server';
import { hostIn, startRuntime, stateOf, textOf } from '../support/process-runtime';

/** Real harness and model server as jobs and deployments of the process runtime; main-job.test.ts checks scores. */

const MODEL = 'HuggingFaceTB/SmolLM2-135M-Instruct';
const IMAGE = 'nvcr.io/nvidia/eval-factory/lm-evaluation-harness:26.03';
const home = homePaths({ EVALSAGA_HOME: testCache });
const never = new AbortController().signal;

let root: string;
let dispose: () => Promise<void>;
let host: RuntimeHost;
let runtime: Runtime;
let url: string;
let online: boolean;

beforeAll(async () => {
  ({ path: root, dispose } = await freshFolder('harness'));
  host = hostIn(root);
  runtime = await startRuntime(host, home);
  online = await hubReachable(await provisionHarness({ home }));
  const command = ['vllm', 'serve', MODEL, '--port=8000', '--served-model-name=smol'];
  const spec = {
    container: { image: 'vllm/vllm-openai:latest', command },
    api_tokens: [{ value_from: { token_name_ref: 'KEY' } }],
  };
  runtime.createDeployment({ name: 'served', spec });
  url = (await stateOf(() => runtime.observeDeployment('served'), 'Ready')).url ?? '';
}, 300_000);

afterAll(async () => {
  await runtime.deleteDeployment('served');
  for (const id of await readdir(path.join(host.stateFolder, 'jobs'))) await runtime.deleteJob(id);
  await runtime.detach();
  await dispose();
});

/** The job's spec. Its script is base64-encoded in the command, and finds folders and URLs only through variables. */
function evaluation(task: string, params: Record<string, unknown>, folder: string): JobSpecBody {
  const config = {
    config: { type: task, params },
    target: { api_endpoint: { model_id: 'smol', type: 'completions', api_key_name: 'KEY' } },
  };
  const script = `set -e
    mkdir -p "$EVALSAGA_OUTPUT_DIR"
    echo '${JSON.stringify(config)}' > run_config.yml
    nemo-evaluator run_eval --eval_type ${task} --model_id smol --model_type completions --model_url "$EVALSAGA_MODEL_URL" \\
      --output_dir "$EVALSAGA_OUTPUT_DIR" --run_config run_config.yml`;
  return {
    container: {
      image: IMAGE,
      command: ['/bin/bash', '-c', `echo ${Buffer.from(script).toString('base64')} | base64 -d | bash`],
    },
    mounts: [{ from: 'node-nfs:fs', path: '/run', mount_path: '/workspace' }],
    envs: [
      { name: 'EVALSAGA_OUTPUT_DIR', value: `/workspace/${folder}` },
      { name: 'EVALSAGA_MODEL_URL', value: `${url}/v1/completions` },
      { name: 'KEY', value_from: { secret_name_ref: 'KEY' } },
    ],
  };
}

const isOver = (state: string): boolean => ['Completed', 'Failed'].includes(state);

async function runJob(id: string, spec: JobSpecBody): Promise<JobObservation> {
  runtime.createJob({ id, name: id, spec });
  const observe = () => ({ ...runtime.observeJob(id), over: isOver(runtime.observeJob(id).state) });
  await stateOf(() => ({ state: observe().over ? 'over' : 'going on', message: undefined }), 'over');
  return runtime.observeJob(id);
}

async function output(folder: string): Promise<string> {
  return path.join(await host.mountFolder({ from: 'node-nfs:fs', path: '/run' }), folder);
}

test('few-shot prompts, whose examples only the hub has, are refused when the hub is unreachable', async () => {
  const seen = await runJob(
    'few-shot',
    evaluation('hellaswag', { limit_samples: 1, extra: { num_fewshot: 3 } }, 'few-shot'),
  );
  const log = await textOf(runtime.jobLog('few-shot', { follow: false, signal: never }));
  if (online) expect(seen.state).toBe('Completed');
  else {
    expect(seen.state).toBe('Failed');
    expect(log).toContain('3-shot prompts for hellaswag need its train split');
  }
}, 300_000);

test('without num_fewshot, the task runs 0-shot when the hub is unreachable, and its results say so', async () => {
  const seen = await runJob('default', evaluation('winogrande', { limit_samples: 2 }, 'default'));
  expect(seen).toMatchObject({ state: 'Completed' });
  const notes = await readFile(path.join(await output('default'), 'evalsaga_notes.json'), 'utf8').catch(() => '');
  if (online) expect(notes).toBe('');
  else expect(notes).toContain('0-shot, not 5-shot');
}, 300_000);

test('a job that is stopped between requests leaves an interruption marker and its partial report', async () => {
  const { container, ...rest } = evaluation('hellaswag', {}, 'stopped');
  const config = { params: { limit_samples: 100, parallelism: 1, extra: { num_fewshot: 0 } }, type: 'hellaswag' };
  const target = { api_endpoint: { model_id: 'smol', type: 'completions', api_key_name: 'KEY' } };
  const command = jobCommand({
    ...{ task: 'lm-evaluation-harness.hellaswag', runConfig: JSON.stringify({ config, target }) },
    ...{ preCmd: null, postCmd: null, timeoutSeconds: 600, modelUrl: null, ownUrl: false, runtimeVariables: [] },
  });
  let answered = 0;
  const way = await startServer(async ({ method, url: asked, headers, body }, response) => {
    const { authorization = '', 'content-type': type = '' } = headers;
    const answer = await fetch(url + asked, { method, headers: { authorization, 'content-type': type }, body });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
    answered += 1;
  });
  try {
    const envs = (rest.envs ?? []).map((env) =>
      env.name === 'EVALSAGA_MODEL_URL' ? { name: env.name, value: `${way.url}/v1/completions` } : env,
    );
    // The proxy is not a known endpoint: this variable names the real one, which decides the job's tokenizer.
    envs.push({ name: 'BEHIND_THE_WAY', value: `${url}/v1/completions` });
    const spec = { ...rest, envs, container: { ...container, command: [...command] } };
    runtime.createJob({ id: 'stopped', name: 'stopped', spec });
    // Requests are sequential: when the second is answered, the job has received the first answer.
    while (answered < 2) {
      if (isOver(runtime.observeJob('stopped').state))
        throw new Error(await textOf(runtime.jobLog('stopped', { follow: false, signal: never })));
      await sleep(50);
    }
    await runtime.stopJob('stopped');
  } finally {
    await way.close();
  }
  expect(runtime.observeJob('stopped')).toMatchObject({ state: 'Stopped' });
  const left = await output('stopped');
  expect(await readdir(left)).toEqual(expect.arrayContaining(['.evalsaga_interrupted', 'report.json']));
  const report = JSON.parse(await readFile(path.join(left, 'report.json'), 'utf8')) as object[];
  expect(report[0]).toHaveProperty('response');
  expect(await readdir(left)).not.toContain('results.yml');
}, 300_000);

test('a deployment whose weights are not available ends in Error at once, and names a model that can be served', async () => {
  const asked = Date.now();
  const command = ['vllm', 'serve', 'meta-llama/Llama-3.1-8B-Instruct', '--served-model-name=llama'];
  runtime.createDeployment({ name: 'llama', spec: { container: { command } } });
  const state = () => (runtime.observeDeployment('llama').state === 'Error' ? 'over' : 'going on');
  await stateOf(() => ({ state: state(), message: undefined }), 'over');
  expect(Date.now() - asked).toBeLessThan(60_000);
  expect(runtime.observeDeployment('llama').message).toContain(MODEL);
  await runtime.deleteDeployment('llama');
});
