/** What the platform would refuse is found before anything is created. */
import { plan, problems, runnable } from './configs';

const cache = (more: string) => runnable(`  lepton_config: {mounts: {enabled: true, ${more}}}\n`);
const tasks = (more: string) => runnable().replace('- name: hellaswag', `- {name: hellaswag, ${more}}`);
const mounts = (more: string): readonly string[] => [
  `execution.lepton_platform.tasks.mounts=[{from: "node-nfs:v", path: /runs, mount_path: /workspace}${more}]`,
];
const further = (at: string, from = '/data') => mounts(`, {from: "node-nfs:v", path: ${from}, mount_path: ${at}}`);
const first = 'execution.lepton_platform.tasks.mounts.0';
const second = 'execution.lepton_platform.tasks.mounts.1';

test.each([
  ['deployment.lepton_config.mounts.mount_path', cache('cache_path: /c, mount_path: /etc'), [], /system/],
  ['deployment.lepton_config.mounts.mount_path', cache('cache_path: /c, mount_path: cache'), [], /absolute/],
  ['deployment.lepton_config.mounts.cache_path', cache('cache_path: /c/../d, mount_path: /cache'), [], /\.\./],
  ['deployment.lepton_config.mounts.cache_path', cache('cache_path: c, mount_path: /cache'), [], /absolute/],
  ['evaluation.tasks.0.dataset_mount_path', tasks('dataset_dir: /d, dataset_mount_path: /etc'), [], /system/],
  ['evaluation.tasks.0.dataset_mount_path', tasks('dataset_dir: /d, dataset_mount_path: /usr/lib/'), [], /system/],
  ['evaluation.tasks.0.dataset_mount_path', tasks('dataset_dir: /d, dataset_mount_path: /a/../etc'), [], /\.\./],
  ['evaluation.tasks.0.dataset_mount_path', tasks('dataset_dir: /d, dataset_mount_path: relative'), [], /absolute/],
  ['evaluation.tasks.0.dataset_mount_path', tasks('dataset_dir: /d, dataset_mount_path: /workspace'), [], /two mounts/],
  ['evaluation.tasks.0.dataset_dir', tasks('dataset_dir: /d/../e'), [], /\.\./],
  [`${second}.mount_path`, runnable(), further('/workspace/'), /two mounts/],
  [`${second}.mount_path`, runnable(), further('/workspace/0-hellaswag'), /hides/],
  [`${second}.mount_path`, runnable(), further('/workspace/0-hellaswag/x'), /hides/],
  [`${second}.path`, runnable(), further('/data', '/a/../b'), /\.\./],
  [`${second}.mount_path`, runnable(), further('/sys'), /system/],
  [
    `${first}.from`,
    runnable(),
    mounts('').map((text) => text.replace('node-nfs:v', 'node-local')),
    /cannot be downloaded/,
  ],
  [
    `${first}.from`,
    runnable(),
    mounts('').map((text) => text.replace('node-nfs:v', 'node-nfs:')),
    /cannot be downloaded/,
  ],
  [
    `${first}.from`,
    runnable(),
    mounts('').map((text) => text.replace('node-nfs:v', 'nfs-typo')),
    /cannot be downloaded/,
  ],
  ['evaluation.env_vars.EVALSAGA_INVOCATION', runnable(), ['+evaluation.env_vars.EVALSAGA_INVOCATION=lit:x'], /itself/],
  ['deployment.envs.EVALSAGA_TASK', runnable(), ['+deployment.envs.EVALSAGA_TASK=x'], /itself/],
  ['env_vars.EVALSAGA_OUTPUT_DIR', runnable(), ['+env_vars.EVALSAGA_OUTPUT_DIR=lit:/x'], /itself/],
  ['execution.env_var_names.0', runnable(), ['execution.env_var_names=[EVALSAGA_MODEL_URL]'], /itself/],
  ['execution.env_var_names.0', runnable(), ['execution.env_var_names=[LEPTON_JOB_NAME]'], /itself/],
  ['target.api_endpoint.api_key_name', runnable(), ['+target.api_endpoint.api_key_name=EVALSAGA_ORIGIN'], /itself/],
  [
    'evaluation.tasks.0.dataset_dir',
    tasks('dataset_dir: /d, env_vars: {NEMO_EVALUATOR_DATASET_DIR: "lit:/e"}'),
    [],
    /so do/,
  ],
])('%s (%#)', async (path, text, overrides, message) => {
  const found = await problems(text, { overrides, env: { LEPTON_JOB_NAME: 'x', EVALSAGA_MODEL_URL: 'x' } });
  expect(found).toMatchObject([{ path, message: expect.stringMatching(message) }]);
});

test("what no rule forbids is kept: a mount beside the results, a data set, the user's telemetry setting", async () => {
  await plan(tasks('dataset_dir: /d, dataset_mount_path: /datasets'), { overrides: further('/workspace/data') });
  const { plan: run } = await plan(runnable(), {
    overrides: ['+evaluation.env_vars.NEMO_EVALUATOR_TELEMETRY_LEVEL=lit:1'],
  });
  const envs = run.tasks[0]?.job.envs ?? [];
  expect(envs.filter(({ name }) => name === 'NEMO_EVALUATOR_TELEMETRY_LEVEL')).toEqual([
    { name: 'NEMO_EVALUATOR_TELEMETRY_LEVEL', value: '1' },
  ]);
});
