import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { readJsonFile } from '../../src/support/atomic-file';
import { createLeptonClient } from '../../src/lepton/client';
import type { PlatformAccess } from '../../src/lepton/types';
import { readHarnessResults } from '../../src/results/validity/harness-results';
import { testHome, type Finished, type TestHome } from '../support/command';
import { emptyInventory } from '../support/simulated';

/** The main use case for a new user: an empty home, the shipped examples, a real model and harness. */

const examples = path.resolve(__dirname, '..', '..', 'examples');
const minutes = 60_000;
const model = 'HuggingFaceTB/SmolLM2-135M-Instruct';

let user: TestHome;
beforeAll(async () => (user = await testHome('main-job')));
afterAll(() => user.dispose());

/** Starts an example and waits for its end. Temporal is found as on a new user's machine, not given by the test. */
const evaluate = (example: string, ...args: string[]): Promise<Finished> =>
  user.run(['start', path.join(examples, example), '--platform', 'local', '--json', ...args], {
    TEMPORAL_CLI_PATH: '',
  });

async function platform(): Promise<{ access: PlatformAccess; inventory: () => Promise<unknown> }> {
  const access = (await readJsonFile(user.home.platformAccess)) as PlatformAccess;
  const inventory = async (): Promise<unknown> => {
    const headers = { authorization: `Bearer ${access.token}` };
    return (await fetch(new URL('/__sim/inventory', access.url), { headers })).json();
  };
  return { access, inventory };
}

interface Task {
  readonly name: string;
  readonly status: string;
  readonly metrics: Record<string, number>;
  readonly outputDir: string;
  readonly error: string | { message: string } | null;
}

const tasksOf = ({ stdout }: Finished): Task[] => (JSON.parse(stdout) as { tasks: Task[] }).tasks;

test(
  'three benchmarks, each on its own endpoint: real scores are saved, and nothing is left',
  async () => {
    const run = await evaluate('lepton_vllm.yaml');
    expect({ code: run.code, stderr: run.stderr }).toMatchObject({ code: 0 });
    const document = JSON.parse(run.stdout);
    expect(document).toMatchObject({ status: 'succeeded', platform: 'local', model, teardown: { left: [], kept: [] } });
    for (const { name, metrics, outputDir } of tasksOf(run)) {
      const { results } = parse(await readFile(path.join(outputDir, 'results.yml'), 'utf8'));
      const { acc } = results.tasks[name].metrics;
      expect(metrics[`${name}_acc`]).toBe(acc.scores.acc.value);
      expect(metrics[`${name}_acc_stderr`]).toBe(acc.scores.acc.stats.stderr);
      expect((await readHarnessResults(outputDir))?.tasks).toMatchObject([{ name, samples: { effective: 10 } }]);
    }
    expect(await (await platform()).inventory()).toEqual(emptyInventory);
  },
  16 * minutes,
);

test(
  'two concurrent hellaswag tasks on 20 samples give identical scores and log probabilities',
  async () => {
    const run = await evaluate(
      'lepton_vllm.yaml',
      ...['-o', 'evaluation.tasks=[{name:hellaswag},{name:hellaswag}]'],
      ...['-o', 'evaluation.nemo_evaluator_config.config.params.limit_samples=20'],
    );
    expect({ code: run.code, stderr: run.stderr }).toMatchObject({ code: 0 });
    const [first, second] = tasksOf(run);
    expect(Object.keys(first?.metrics ?? {})).toContain('hellaswag_acc_norm');
    expect(second?.metrics).toEqual(first?.metrics);
    expect(second?.outputDir).not.toBe(first?.outputDir);
    expect(await sampleScores(second)).toEqual(await sampleScores(first));
  },
  16 * minutes,
);

/** All log probabilities that the harness received, in order. */
async function sampleScores(task: Task | undefined): Promise<unknown[]> {
  const manifest = JSON.parse(await readFile(path.join(task?.outputDir ?? '', 'manifest.json'), 'utf8'));
  const file = (manifest.files as { path: string }[]).find(({ path: name }) => /samples_.*\.jsonl$/.test(name));
  const lines = (await readFile(path.join(task?.outputDir ?? '', file?.path ?? ''), 'utf8')).trim().split('\n');
  const scores = lines.map((line) => JSON.parse(line).resps as unknown);
  expect(scores).toHaveLength(20);
  return scores;
}

test(
  'an endpoint is deleted after the last request, while its job still works',
  async () => {
    const run = await user.run(
      [
        ...['start', path.join(examples, 'lepton_vllm.yaml'), '--platform', 'local', '--json', '-t', 'winogrande'],
        ...['-o', '+execution.release_endpoint=after_last_request', '-o', '+evaluation.post_cmd="sleep 20"'],
        ...['-o', 'evaluation.nemo_evaluator_config.config.params.limit_samples=4'],
      ],
      { TEMPORAL_CLI_PATH: '', NEMO_EVALUATOR_TRUST_PRE_CMD: '1' },
    );
    expect({ code: run.code, stderr: run.stderr }).toMatchObject({ code: 0 });
    const { outputDir } = tasksOf(run)[0] as Task;
    const log = await readFile(path.join(outputDir, 'logs', 'job.log'), 'utf8');
    expect(log).toMatch(/last request is answered: 100%\|[0-9a-f]{32}\|/);
    const { tasks } = JSON.parse(await readFile(path.join(outputDir, '..', 'run.json'), 'utf8'));
    const { endpoint, job } = tasks[0].usage as Record<'endpoint' | 'job', { until: string }>;
    expect(Date.parse(job.until) - Date.parse(endpoint.until)).toBeGreaterThan(5_000);
    expect(await (await platform()).inventory()).toEqual(emptyInventory);
  },
  16 * minutes,
);

test(
  'a model whose weights are not available fails, the output names an available one, and everything is torn down',
  async () => {
    const run = await evaluate('lepton_vllm_llama_3_1_8b_instruct.yaml');
    // Exit 2, before anything is created, if the hub is known to be unreachable; otherwise 1, as the hub has no such weights.
    expect([1, 2]).toContain(run.code);
    expect(run.stdout).toContain('meta-llama/Llama-3.1-8B-Instruct');
    expect(run.stdout).toContain(model);
    expect(await (await platform()).inventory()).toEqual(emptyInventory);
  },
  10 * minutes,
);

test(
  "a run against the user's own endpoint neither changes nor deletes it",
  async () => {
    const { access, inventory } = await platform();
    const client = createLeptonClient(access);
    const name = 'mine';
    await client.createDeployment({
      name,
      spec: {
        container: {
          image: 'vllm/vllm-openai:latest',
          command: ['vllm', 'serve', model, '--served-model-name', model],
        },
        resource_requirement: { resource_shape: 'cpu.small', min_replicas: 1 },
      },
    });
    const before = await readyDeployment(client, name);
    const url = `${before.status?.endpoint?.external_endpoint ?? ''}/v1`;
    const run = await evaluate(
      'lepton_none.yaml',
      ...['-o', `target.api_endpoint.url=${url}`, '-t', 'winogrande'],
      ...['-o', 'evaluation.nemo_evaluator_config.config.params.limit_samples=5'],
    );
    expect({ code: run.code, stderr: run.stderr }).toMatchObject({ code: 0 });
    expect(await inventory()).toEqual({ ...emptyInventory, deployments: [name] });
    const after = await client.getDeployment(name);
    expect(after?.status?.state).toBe('Ready');
    expect(after?.metadata).toEqual(before.metadata);
    await client.deleteDeployment(name);
  },
  10 * minutes,
);

async function readyDeployment(client: ReturnType<typeof createLeptonClient>, name: string) {
  const deadline = Date.now() + 6 * minutes;
  while (Date.now() < deadline) {
    const deployment = await client.getDeployment(name);
    if (deployment?.status?.state === 'Ready') return deployment;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`deployment ${name} did not get Ready`);
}
