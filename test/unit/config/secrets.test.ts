/** Secrets stay references, wherever they are in a config. */
import { ConfigError, showConfig } from '../../../src/config';
import { looksLikeToken, maskOverride, maskTokens } from '../../../src/secrets/secrecy';
import { isSecretName } from '../../../src/secrets/names';
import { load, plan, problems, runnable } from './configs';

const canary = 'nvapi-CANARY0123456789abcdef';
const env = { HF_TOKEN: canary, ENDPOINT_KEY: `${canary}2` };

test("a host variable as a secret's value becomes a reference", async () => {
  const text = runnable(
    '  envs: {HF_TOKEN: "${oc.env:HF_TOKEN}", MODE: "${oc.env:MODE,fast}"}\n  lepton_config: {api_tokens: [{value: "${oc.env:ENDPOINT_KEY}"}]}\n',
  );
  const { plan: run, hostSecrets } = await plan(text, { env });
  expect(hostSecrets).toEqual(['ENDPOINT_KEY', 'HF_TOKEN']);
  expect(run.endpoint).toMatchObject({ spec: { apiTokens: [{ kind: 'host', name: 'ENDPOINT_KEY' }] } });
  expect(JSON.stringify(run)).not.toContain('CANARY');
  expect(JSON.stringify(run)).toContain('"MODE","value":"fast"');
});

test('the shown config names the variable, never its value', async () => {
  const loaded = await load(runnable('  envs: {HF_TOKEN: "${oc.env:HF_TOKEN}"}\n'), { env });
  expect(loaded.yaml).toContain('HF_TOKEN: host:HF_TOKEN');
  expect(loaded.yaml + showConfig(loaded)).not.toContain('CANARY');
});

const places: readonly (readonly [string, string, readonly string[]])[] = [
  ['a server argument', runnable('  extra_args: "--api-key ${oc.env:HF_TOKEN}"\n'), []],
  ['a literal argument', runnable(`  extra_args: "--api-key ${canary}"\n`), []],
  [
    'an evaluator parameter',
    runnable(),
    ["+evaluation.nemo_evaluator_config={config: {params: {extra: {judge: {api_key: '${oc.env:HF_TOKEN}'}}}}}"],
  ],
  ['a literal variable', runnable(`  envs: {HF_TOKEN: ${canary}}\n`), []],
  ['a literal variable of another name', runnable(`  envs: {X: ${canary}}\n`), []],
  ['a literal token', runnable(`  lepton_config: {api_tokens: [${canary}]}\n`), []],
  ['a part of a variable', runnable('  envs: {AUTH_HEADER: "Bearer ${oc.env:HF_TOKEN}"}\n'), []],
  ['an override', runnable(), [`+deployment.envs.HF_TOKEN=${canary}`]],
  ['an unknown key', runnable(), [`deployment.tokenn=${canary}`]],
  ['a shell line', runnable('  pre_cmd: "export T=${oc.env:HF_TOKEN}"\n'), []],
];

test.each(places)('%s is refused without repeating the secret', async (_name, text, overrides) => {
  const found = await problems(text, { overrides, env });
  expect(found.length).toBeGreaterThan(0);
  expect(JSON.stringify(found)).not.toContain('CANARY');
  expect(new ConfigError(found).message).not.toContain('CANARY');
});

test.each([
  [{}, 'is not set'],
  [{ HF_TOKEN: '' }, 'is empty'],
])('a secret that is missing is flagged with its place', async (given, message) => {
  const [problem] = await problems(runnable('  envs: {HF_TOKEN: host:HF_TOKEN}\n'), { env: given });
  expect(problem).toMatchObject({
    line: 9,
    path: 'deployment.envs.HF_TOKEN',
    message: expect.stringContaining(message),
  });
});

test('a variable without a value is refused', async () => {
  const [problem] = await problems(runnable('  envs: {HF_TOKEN: }\n'));
  expect(problem).toMatchObject({ path: 'deployment.envs.HF_TOKEN', hint: expect.stringContaining('host:HF_TOKEN') });
});

test("text in NeMo's own maps needs a prefix", async () => {
  const [problem] = await problems(runnable('  env_vars: {HF_TOKEN: HF_TOKEN}\n'));
  expect(problem?.hint).toContain('host:HF_TOKEN');
});

test('a value of the environment is never interpolated', async () => {
  const { plan: run } = await plan(runnable('  envs: {A: "${oc.env:A}"}\n'), {
    env: { A: 'x ${deployment.port} $(id)' },
  });
  expect(JSON.stringify(run)).toContain('x ${deployment.port} $(id)');
});

test.each([
  'HF_TOKEN',
  'API_KEY',
  'JUDGE_API_KEY',
  'DB_PASSWORD',
  'CLIENT_SECRET',
  'AWS_SECRET_ACCESS_KEY',
  'GOOGLE_CREDENTIALS',
  'TOKEN',
  'OPENAI_API_KEY',
])('%s holds a secret', (name) => {
  expect(isSecretName(name)).toBe(true);
});

test.each([
  'MAX_TOKENS',
  'MAX_NEW_TOKENS',
  'TOKENIZER',
  'TOKENIZERS_PARALLELISM',
  'MODE',
  'KEYBOARD',
  'API_KEY_NAME',
  'EOS_TOKEN',
  'MONKEY',
  'HOME',
])('%s does not', (name) => {
  expect(isSecretName(name)).toBe(false);
});

test('masking leaves ordinary text alone', () => {
  expect(maskTokens('https://user:pw@h/v1 nvapi-abcdefghijklmnop 0.123456789012345')).toBe(
    'https://***@h/v1 *** 0.123456789012345',
  );
  expect(maskOverride('a.b.HF_TOKEN=abc')).toBe('a.b.HF_TOKEN=***');
  expect(maskOverride('a.b.HF_TOKEN=host:X')).toBe('a.b.HF_TOKEN=host:X');
  expect(maskOverride('deployment.revision=123123')).toBe('deployment.revision=123123');
  expect(looksLikeToken('HuggingFaceTB/SmolLM2-135M-Instruct')).toBe(false);
});

test.each([
  'hf_AbCdEfGhIjKlMnOpQrStUvWx',
  'nvapi-0123456789abcdefghij',
  'sk-abcdefghij0123456789',
  'sk-ant-api03-abcdefghijklmnop',
  'sk-proj-abc_def-0123456789',
  'ghp_abcdefghijklmnopqrst0123',
  'github_pat_11ABCDEFG0abcdefghijkl',
  'AKIAIOSFODNN7EXAMPLE',
  'ASIAIOSFODNN7EXAMPLE',
  'xoxb-123456789012-abcdef',
  'glpat-abcdefghij0123456789',
  'npm_abcdefghijklmnopqrstuvwxyz0123456789',
  'AIzaSyA0123456789abcdefghijklmnopqrstuv',
  'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc',
  '-----BEGIN RSA PRIVATE KEY-----\nMIIE',
  '-----BEGIN PRIVATE KEY-----',
  'Authorization: Bearer abcdefghij0123456789',
  'sk_live_abcdefghij0123456789',
  'xapp-1-A012345-6789-abcdef0123',
  'gldt-abcdefghij0123456789',
  'api_org_AbCdEfGhIjKlMnOpQrSt',
  'r8_0123456789abcdefghijABCDEFGHIJ',
  'SG.abcdefghij0123456789.ABCDEFGHIJ0123456789',
  'AccountKey=abcdefghij0123456789ABCDEFGHIJ0123456789==',
  '-----BEGIN PGP PRIVATE KEY BLOCK-----',
  'AGE-SECRET-KEY-1QQPQQQZZZRRRYYYXXX8888',
])('%s has the form of a token, and is refused with the way to reference it', async (token) => {
  expect(looksLikeToken(token)).toBe(true);
  expect(looksLikeToken(`--api-key=${token}`)).toBe(true);
  const [problem] = await problems(runnable(`  extra_args: ${JSON.stringify(`--api-key '${token}'`)}\n`));
  expect(problem).toMatchObject({ message: expect.stringContaining('secret'), hint: expect.stringContaining('host:') });
  expect(JSON.stringify(problem)).not.toContain(token.slice(-12));
});

test.each([
  'meta-llama/Llama-3.1-8B-Instruct',
  'nvidia/nvidia-nemotron-nano-9b-v2',
  'sk-learn-style-benchmark-names',
  'hf_transformers_backend',
  'hf_lowercasewordsonlyhere',
  'risk-assessment-benchmark-2024',
  '0123456789abcdef0123456789abcdef01234567',
  'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  'nvcr.io/nvidia/eval-factory/lm-evaluation-harness:26.03',
  '550e8400-e29b-41d4-a716-446655440000',
  's3://bucket/key-material/2024-01-01/part-00001.parquet',
  'Basic arithmetic',
  'Bearer of bad news, 2024',
])('%s is ordinary', async (text) => {
  expect(looksLikeToken(text)).toBe(false);
  const params = `{config: {params: {extra: {note: ${JSON.stringify(text)}}}}}`;
  await plan(runnable(), { overrides: [`+evaluation.nemo_evaluator_config=${params}`] });
});

const extra = (text: string): readonly string[] => [
  `+evaluation.nemo_evaluator_config={config: {params: {extra: {judge: ${text}}}}}`,
];
const adapter = (text: string): readonly string[] => [
  `+evaluation.nemo_evaluator_config={target: {api_endpoint: {adapter_config: ${text}}}}`,
];

/** Secrets without a well-known form, by their place. */
const formless: readonly (readonly [string, string, readonly string[]])[] = [
  ['a header', runnable(), adapter("{headers_to_add: {X-Api-Key: 'CANARY-0123456789-pass'}}")],
  ['a header with scheme', runnable(), adapter("{headers_to_add: {Authorization: 'Basic CANARY=='}}")],
  ['a cookie', runnable(), adapter("{headers_to_add: {Cookie: 'CANARYsession-0123456789abc'}}")],
  ['a name in camel case', runnable(), extra("{apiKey: 'CANARY-pass-2024'}")],
  ['a list of keys', runnable(), extra("{api_keys: ['CANARY-pass-2024', 'CANARY-pass-2025']}")],
  ['an argument', runnable('  extra_args: "--port 1 --api-key CANARY-pass-2024"\n'), []],
  ['an argument with =', runnable('  extra_args: "--api-key=\'CANARY-pass-2024\'"\n'), []],
  ['a nested argument', runnable('  extra_args: "--header X-Api-Key=CANARY-pass-2024"\n'), []],
  ['a command', runnable('  command: "API_KEY=CANARY-pass-2024 vllm serve org/model"\n'), []],
  ['a variable', runnable('  envs: {DB_PASSWORD: CANARY-pass-2024}\n'), []],
  ['a variable with arguments', runnable('  envs: {ARGS: "--token CANARY-pass-2024"}\n'), []],
  ['a task’s lines', runnable(), ["+evaluation.tasks.0.pre_cmd='export HF_TOKEN=CANARY-pass-2024'"]],
  ['a task’s variable', runnable(), ['+evaluation.tasks.0.env_vars={API_TOKEN: "lit:CANARY-pass-2024"}']],
  ['the name of a secret', runnable(`  envs: {X: {value_from: {secret_name_ref: ${canary}}}}\n`), []],
  ['the name of a token', runnable(`  lepton_config: {api_tokens: [{value_from: {token_name_ref: ${canary}}}]}\n`), []],
  ['an image pull secret', runnable('  lepton_config: {image_pull_secrets: [\'{"auths":{"CANARY":1}}\']}\n'), []],
  ['what a variable without a telling name holds', runnable('  extra_args: "--api-key ${oc.env:PLAIN}"\n'), []],
  ['the name of a variable', runnable('  envs: {X: "host:nvapi-CANARY0123456789abcdef"}\n'), []],
];

test.each(formless)('a secret in %s is refused without repeating it', async (_place, text, overrides) => {
  const found = await problems(text, { overrides, env: { PLAIN: canary } });
  expect(found.length).toBeGreaterThan(0);
  const said = JSON.stringify(found) + new ConfigError(found).message;
  expect(said).not.toContain('CANARY');
});

test.each([
  ["{sort_key: 'answer_choice_1'}"],
  ["{tokenizer: 'org/model-2024-instruct'}"],
  ["{note: 'Your password: at least 8 letters'}"],
  ["{token_limit: '128k-2024'}"],
])('%s is ordinary', async (text) => {
  await plan(runnable(), { overrides: extra(text) });
});

test('any literal key is refused, the name of a variable is not', async () => {
  const given = (value: string) =>
    problems(runnable(), {
      overrides: [`+evaluation.nemo_evaluator_config={config: {params: {extra: {judge: {api_key: '${value}'}}}}}`],
    });
  expect((await given('0a1B2c3D4e5F6g7H8i9J0k1L'))[0]?.message).toContain('secret');
  // The remaining problem is that the job does not get this variable.
  expect((await given('JUDGE_API_KEY_2024_PRODUCTION'))[0]?.message).toContain('needs the variable');
});

/** Short and plain secrets, which only the name gives away. */
const plain = ['hunter2', 'abc', '123456', 'hf_abc', 'two words', 'lit:hunter2'];
const secretNames = ['HF_TOKEN', 'PASSWORD', 'AWS_SECRET_ACCESS_KEY', 'DB_PASSWORD', 'MY_PWD'];

const byName: readonly (readonly [string, (name: string, value: string) => readonly [string, readonly string[]]])[] = [
  ['deployment.envs', (name, value) => [runnable(`  envs: {${name}: ${value}}\n`), []]],
  ['deployment.env_vars', (name, value) => [runnable(`  env_vars: {${name}: ${value}}\n`), []]],
  ['lepton_config.envs', (name, value) => [runnable(`  lepton_config: {envs: {${name}: ${value}}}\n`), []]],
  ['env_vars', (name, value) => [`${runnable()}env_vars: {${name}: ${value}}\n`, []]],
  ['evaluation.env_vars', (name, value) => [runnable(), [`+evaluation.env_vars.${name}='${value}'`]]],
  ['tasks.N.env_vars', (name, value) => [runnable(), [`+evaluation.tasks.0.env_vars={${name}: '${value}'}`]]],
  ['platform tasks', (name, value) => [runnable(), [`+execution.lepton_platform.tasks.env_vars.${name}='${value}'`]]],
  ['extra', (name, value) => [runnable(), extra(`{${name}: '${value}'}`)]],
  ['headers', (name, value) => [runnable(), adapter(`{headers_to_add: {${name}: '${value}'}}`)]],
  ['an argument', (name, value) => [runnable(`  extra_args: "--x ${name}=${value.replace(/\s.*/, '')}"\n`), []]],
];

test.each(byName)('a literal in %s is refused because of the name, and not repeated', async (place, configOf) => {
  for (const name of secretNames)
    for (const value of plain) {
      const [text, overrides] = configOf(name, value);
      const found = await problems(text, { overrides });
      expect(found.length).toBeGreaterThan(0);
      expect(found[0]?.message).toContain('secret');
      if (place.includes('env')) expect(found[0]?.hint).toContain(`${name}: host:${name}`);
      const said = (JSON.stringify(found) + new ConfigError(found).message).replaceAll(name, '');
      expect(said).not.toContain(value.replace('lit:', ''));
    }
});

test('for a variable name instead of a key, as in version 0.1, the message gives the reference', async () => {
  for (const overrides of [
    ['+evaluation.env_vars.JUDGE_API_KEY=MY_JUDGE_KEY'],
    ['+execution.lepton_platform.tasks.env_vars.JUDGE_API_KEY=MY_JUDGE_KEY'],
  ]) {
    const [problem] = await problems(runnable(), { overrides });
    expect(problem?.hint).toContain('JUDGE_API_KEY: host:MY_JUDGE_KEY');
  }
});

test.each([
  '{TOKENIZERS_PARALLELISM: lit:false, MAX_TOKENS: lit:12}',
  '{OPENAI_API_KEY: lit:EMPTY}',
  '{HF_HUB_DISABLE_IMPLICIT_TOKEN: "1"}',
  '{GOOGLE_APPLICATION_CREDENTIALS: /secrets/gcp.json}',
])('%s may stand in clear', async (variables) => {
  await plan(runnable(`  lepton_config: {envs: ${variables}}\n`));
});

test.each([
  '--api-key $KEY --port 1',
  '--api-key "$KEY"',
  '--api-key EMPTY',
  '--max-num-batched-tokens 8192 --tokenizer org/m',
  '--enable-auto-tool-choice --tool-call-parser hermes',
  '--api-key',
])('the arguments %s are ordinary', async (text) => {
  await plan(runnable(`  extra_args: '${text}'\n`));
});
