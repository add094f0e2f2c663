/**
 * Compares `migrate` with the launcher's own `nel-migrate-config` 0.2.6, which gives environment variables their prefixes and
 * moves `execution.env_vars`. Where both change something they agree, except for the differences stated below.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { parse } from 'yaml';
import { migrateConfig } from '../../src/config';
import { nemoEnvironment } from './nemo';

let folder: string;
let environment: string;

beforeAll(async () => {
  environment = await nemoEnvironment();
  folder = mkdtempSync(path.join(tmpdir(), 'evalsaga-migrate-'));
}, 600_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Migrates files with the launcher's tool, in one process. */
async function theirs(texts: readonly string[]): Promise<string[]> {
  const files = texts.map((text, index) => {
    const file = path.join(folder, `${index}.yaml`);
    writeFileSync(file, text);
    return file;
  });
  const script = `import sys
from nemo_evaluator_launcher.cli.migrate_config import main
for file in sys.argv[1:]:
    sys.argv = ['nel-migrate-config', file, '--write']
    main()
`;
  const python = path.join(environment, 'bin', 'python');
  await execa(python, ['-c', script, ...files], { env: { NEMO_EVALUATOR_TELEMETRY_LEVEL: '0' } });
  return files.map((file) => readFileSync(file, 'utf8'));
}

async function ours(text: string): Promise<unknown> {
  const { text: result } = await migrateConfig({
    text,
    file: path.join(folder, 'run.yaml'),
    env: {},
    cwd: folder,
    platform: { kind: 'local', workspace: 'local' },
    hasOwnConfig: () => false,
  });
  return parse(result) as unknown;
}

const configFor = (executor: string, rest: string, execution = ''): string =>
  `defaults:
  - execution: ${executor}
  - deployment: ${rest.includes('hf_model_handle') ? 'vllm' : 'none'}
  - _self_
execution:
  output_dir: results
${execution}${rest.includes('hf_model_handle') ? '' : 'target:\n  api_endpoint:\n    url: https://models.example/v1/chat/completions\n    model_id: m\n'}${rest}`;

const tasks = (variables: string): string =>
  `evaluation:\n  tasks:\n    - name: mmlu_instruct\n      env_vars:\n${variables}`;

/** Nothing else in these has to change here. */
const onlyVariables = {
  'names of variables': tasks('        HF_TOKEN: HF_TOKEN_FOR_X\n        OTHER: lower_name\n'),
  'shell and Hydra references': tasks('        A: $MY_VAR\n        B: ${oc.env:MY_VAR}\n'),
  'texts, paths, numbers': tasks(
    '        A: /some/path\n        B: two words\n        C: 0\n        D: "1"\n        E: https://host/x\n',
  ),
  'prefixes that are there already': tasks('        A: host:A\n        B: lit:text\n        C: runtime:C\n'),
  'variables at the top and of all tasks': `env_vars:\n  A: HOST_A\n${tasks('        B: HOST_B\n')}  env_vars:\n    C: /path\n`,
};

/** In these more changes here; the launcher's tool first and ours then is the same as ours alone. */
const more = {
  'execution.env_vars': configFor(
    'slurm/default',
    `deployment:\n  hf_model_handle: org/model\n  tensor_parallel_size: 1\n${tasks('        HF_TOKEN: HF_TOKEN_X\n')}`,
    '  env_vars:\n    deployment:\n      HF_TOKEN: $HF_TOKEN\n      CACHE: /cache\n    evaluation:\n      OFFLINE: 0\n  walltime: 01:00:00\n',
  ),
  'execution.env_vars beside variables that win': configFor(
    'slurm/default',
    `env_vars:\n  A: host:OWN_A\ndeployment:\n  hf_model_handle: org/model\n  tensor_parallel_size: 1\n  env_vars:\n    B: lit:own\n${tasks('        C: HOST_C\n')}`,
    '  env_vars:\n    deployment:\n      B: /other\n      D: HOST_D\n    evaluation:\n      A: HOST_A\n      E: HOST_E\n',
  ),
  'overrides of version 0.1': configFor(
    'local',
    `evaluation:\n  overrides:\n    config.params.temperature: 0.5\n  env_vars:\n    HF_TOKEN: HF_TOKEN\n  tasks:\n    - name: ifeval\n      overrides:\n        config.params.top_p: 0.9\n      env_vars:\n        JUDGE_API_KEY: NGC_API_KEY\n`,
  ),
};

test('both write the same where only variables change', async () => {
  const inputs = Object.values(onlyVariables).map((rest) => configFor('lepton', rest));
  const expected = (await theirs(inputs)).map((text) => parse(text) as unknown);
  expect(await Promise.all(inputs.map(ours))).toEqual(expected);
});

test('ours alone is the same as ours after theirs', async () => {
  const inputs = Object.values(more);
  const after = await Promise.all((await theirs(inputs)).map(ours));
  const alone = (await Promise.all(inputs.map(ours))) as object[];
  // Variables of the jobs are at the top in theirs, from where the launcher gives them to the server too. Here they are not.
  for (const [index, config] of alone.entries()) expect(after[index]).toMatchObject(config);
});

test.each([
  // A default is lost in theirs, and the variable then has to be set.
  ['A: ${oc.env:MY_VAR,4}', 'A: host:MY_VAR', 'A: ${oc.env:MY_VAR,4}'],
  // Truth values stay without prefix in theirs, which the launcher then refuses.
  ['A: true', 'A: true', 'A: lit:True'],
  // A secret in the file becomes the name of a variable in theirs; here it is marked.
  [`HF_TOKEN: hf_${'aB3'.repeat(8)}`, `HF_TOKEN: host:hf_${'aB3'.repeat(8)}`, `HF_TOKEN: hf_${'aB3'.repeat(8)}`],
])('they differ on purpose: %s', async (written, their, our) => {
  const input = configFor('lepton', tasks(`        ${written}\n`));
  const [text = ''] = await theirs([input]);
  const variables = (line: string): unknown => parse(line);
  expect(parse(text)).toMatchObject({ evaluation: { tasks: [{ env_vars: variables(their) }] } });
  expect(await ours(input)).toMatchObject({ evaluation: { tasks: [{ env_vars: variables(our) }] } });
});
