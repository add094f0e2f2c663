/**
 * Gives configs in NeMo Evaluator Launcher's format to the real launcher (0.2.6 with leptonai 0.27.3) and to evalsaga. The
 * launcher's dry run accepts them, and both make the same endpoint and job specs, except for the differences stated below.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadConfig, planRun } from '../../src/config';
import { renderDeployment, renderJob } from '../../src/lepton/render-spec';
import { pythonWith } from './hydra/python';
import { JsonLines } from './hydra/reference';

type Spec = Record<string, unknown>;
interface Launched {
  readonly dry: boolean;
  readonly endpoints: Spec[];
  readonly jobs: { metadata: Spec; spec: Spec }[];
  readonly error?: string;
}

let launcher: JsonLines;

beforeAll(async () => {
  launcher = new JsonLines(await pythonWith(['nemo-evaluator-launcher==0.2.6', 'leptonai==0.27.3']), 'launcher.py');
}, 600_000);

afterAll(async () => {
  await launcher.stop();
});

const execution = `execution:
  output_dir: results
  evaluation_tasks: {timeout: 1800, resource_shape: cpu.medium}
  lepton_platform:
    deployment:
      node_group: endpoints-group
      platform_defaults: {image_pull_secrets: [registry]}
    tasks:
      node_group: jobs-group
      env_vars:
        HF_TOKEN: {value_from: {secret_name_ref: HUB}}
        MODE: fast
      image_pull_secrets: [registry]
      mounts: [{from: "node-nfs:fs", path: /runs, mount_path: /workspace}]
`;

const lepton = `  lepton_config:
    endpoint_name: model
    resource_shape: gpu.1xh200
    min_replicas: 1
    max_replicas: 3
    api_tokens: [{value_from: {token_name_ref: ENDPOINT_KEY}}]
    auto_scaler: {scale_down: {no_traffic_timeout: 1800, scale_from_zero: false}}
    envs: {HF_TOKEN: {value_from: {secret_name_ref: HUB}}, N: 1}
    mounts: {enabled: true, cache_path: "/cache/{{MODEL_CACHE_NAME}}", mount_path: /cache}
`;

const file = (type: string, deployment: string, more = '', tasks = 'lm-evaluation-harness.ifeval'): string =>
  `defaults:\n  - execution: lepton/default\n  - deployment: ${type}\n  - _self_\n${execution}${deployment === '' ? '' : `deployment:\n${deployment}`}${more}evaluation:\n  tasks:\n${tasks
    .split(' ')
    .map((name) => `    - name: ${name}\n`)
    .join('')}`;

const parallel = '  tensor_parallel_size: 1\n  pipeline_parallel_size: 1\n  data_parallel_size: 1\n';

const configs: Readonly<Record<string, { text: string; overrides?: readonly string[] }>> = {
  vllm: {
    text: file(
      'vllm',
      `  checkpoint_path: org/model\n  served_model_name: model\n${parallel}  extra_args: "--max-model-len 100 --trust-remote-code"\n${lepton}`,
    ),
  },
  'vllm, two tasks, overrides': {
    text: file(
      'vllm',
      `  checkpoint_path: /weights\n  served_model_name: model\n${parallel}${lepton}`,
      '',
      'lm-evaluation-harness.ifeval lm-evaluation-harness.gsm8k',
    ),
    overrides: [
      'deployment.port=9000',
      'deployment.image=vllm/vllm-openai:v0.10.1',
      '++deployment.lepton_config.max_replicas=5',
    ],
  },
  sglang: {
    text: file(
      'sglang',
      `  checkpoint_path: org/model\n  served_model_name: model\n${parallel}  extra_args: --log-level info\n${lepton}`,
    ),
  },
  nim: {
    text: file(
      'nim',
      `  image: nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.6\n  served_model_name: meta/llama-3.1-8b-instruct\n${lepton}`,
    ),
  },
  none: {
    text: file(
      'none',
      '',
      'target:\n  api_endpoint:\n    url: https://host/v1/chat/completions\n    model_id: model\n    api_key_name: HF_TOKEN\n',
    ),
  },
};

/** Deliberate differences of endpoints: keys that the API lacks are not sent, and a NIM gets the served name. */
function expectedEndpoint(theirs: Spec): Spec {
  const { auto_scaler: scaler, envs } = theirs as {
    auto_scaler: { scale_down: Spec };
    envs: { name: string; value?: string }[];
  };
  const nim = envs.find(({ name }) => name === 'NIM_MODEL_NAME');
  const served = nim === undefined ? [] : [{ name: 'NIM_SERVED_MODEL_NAME', value: nim.value }];
  return {
    ...without(theirs, 'enable_rdma'),
    auto_scaler: { ...scaler, scale_down: without(scaler.scale_down, 'scale_from_zero') },
    envs: byName([...envs, ...served, ...marks]),
  };
}

const without = (spec: Spec, key: string): Spec =>
  Object.fromEntries(Object.entries(spec).filter(([name]) => name !== key));

const marks = [
  { name: 'EVALSAGA_INVOCATION', value: '843b6c12a0b1c2d3' },
  { name: 'EVALSAGA_TASK', value: '0' },
  { name: 'EVALSAGA_ORIGIN', value: 'here' },
];

/**
 * Deliberate differences of jobs: the script is passed as data (container.command); a node group is not pinned to its current
 * nodes; the job stays readable for a day instead of ten minutes, has a queue priority and keeps its log.
 */
function expectedJob(theirs: Spec): Spec {
  const { affinity, container, envs, ...rest } = theirs as Spec & {
    affinity?: { allowed_dedicated_node_groups: string[] };
    container: Spec;
    envs: { name: string }[];
  };
  return {
    ...rest,
    ...(affinity === undefined
      ? {}
      : { affinity: { allowed_dedicated_node_groups: affinity.allowed_dedicated_node_groups } }),
    container: { image: container['image'] },
    envs: byName(envs),
    ttl_seconds_after_finished: 86_400,
    queue_config: { priority_class: 'mid-4000' },
    log: { enable_collection: true },
  };
}

/** Variables that only evalsaga's jobs have. */
const own = /^(?:EVALSAGA_.*|NEMO_EVALUATOR_TELEMETRY_LEVEL)$/;

const byName = <T extends { name: string }>(envs: readonly T[]): T[] =>
  [...envs].sort((a, b) => (a.name < b.name ? -1 : 1));

async function ours(text: string, overrides: readonly string[]) {
  const folder = mkdtempSync(path.join(tmpdir(), 'evalsaga-launcher-'));
  try {
    writeFileSync(path.join(folder, 'config.yaml'), text);
    const loaded = await loadConfig({ config: 'config.yaml', overrides, tasks: [], env: {}, cwd: folder });
    const { plan } = planRun(loaded, {
      invocation: '843b6c12a0b1c2d3',
      platform: { kind: 'local', workspace: 'w' },
      owner: 'me',
      command: 'x',
      cwd: folder,
    });
    const context = {
      marks: { invocation: plan.invocation, index: 0, origin: 'here' },
      resolve: (name: string) => `value of ${name}`,
    };
    const endpoint =
      plan.endpoint.kind === 'dedicated'
        ? renderDeployment(plan.endpoint.spec, { ...context, nodeGroupId: plan.endpoint.spec.nodeGroup })
        : undefined;
    const jobs = plan.tasks.map(({ job }) =>
      renderJob(job, { ...context, nodeGroupId: 'jobs-group-id', modelUrl: 'https://endpoint/v1/chat/completions' }),
    );
    return { endpoint, jobs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test.each(Object.entries(configs))(
  '%s',
  async (_name, { text, overrides = [] }) => {
    const theirs = (await launcher.ask({ text, overrides })) as Launched;
    expect(theirs.error).toBeUndefined();
    expect(theirs.dry).toBe(true);
    const { endpoint, jobs } = await ours(text, overrides);
    for (const spec of theirs.endpoints) {
      expect({ ...endpoint, envs: byName(endpoint?.['envs'] as { name: string }[]) }).toEqual(expectedEndpoint(spec));
    }
    expect(jobs).toHaveLength(theirs.jobs.length);
    for (const [index, job] of theirs.jobs.entries()) {
      const made = jobs[index] as Spec & { container: Spec; envs: { name: string }[]; mounts: { path: string }[] };
      const invocation = /[0-9a-f]{16}$/.exec(String((job.spec['mounts'] as { path: string }[])[0]?.path))?.[0] ?? '';
      const comparable = {
        ...made,
        container: { image: made.container['image'] },
        envs: byName(made.envs.filter(({ name }) => !own.test(name))),
        mounts: made.mounts.map((mount) => ({ ...mount, path: mount.path.replace('843b6c12a0b1c2d3', invocation) })),
      };
      expect(comparable).toEqual(expectedJob(job.spec));
    }
  },
  300_000,
);
