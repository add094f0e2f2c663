import { execa } from 'execa';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { canariesIn, filesBelow } from '../support/canaries';
import { commandBench, runConfig, type CommandBench } from '../support/command';

/** Secrets in every place where a user can put one, through the whole program: nobody gets to see them. */

const secrets = {
  HF_TOKEN: 'hf_CANARYhub0123456789abcdefghijkl',
  NGC_API_KEY: 'nvapi-CANARYngc$(id)`0123456789',
  ENDPOINT_KEY: 'CANARY-endpoint-key+with=signs',
  JUDGE_API_KEY: 'CANARY"judge\\key-0123456789',
};
const printedEnv = `${Object.entries(secrets)
  .map(([name, value]) => `${name}=${value}`)
  .join('\n')}\nacc 0.123456\n`;

let bench: CommandBench;
beforeAll(async () => {
  bench = await commandBench('secrets');
  const config = runConfig({
    execution: { output_dir: './results', env_var_names: ['HF_TOKEN'] },
    deployment: {
      hf_model_handle: 'org/model',
      served_model_name: 'org/model',
      envs: { NGC_API_KEY: 'host:NGC_API_KEY' },
      lepton_config: { api_tokens: [{ value: '${oc.env:ENDPOINT_KEY}' }] },
    },
  }) as { evaluation: object };
  const evaluation = { ...config.evaluation, env_vars: { JUDGE_API_KEY: 'host:JUDGE_API_KEY' } };
  await writeFile(bench.config, stringify({ ...config, evaluation }));
});
afterAll(() => bench.dispose());

const leaks = (text: string, more: readonly string[] = []): string[] =>
  canariesIn(text, [...Object.values(secrets), ...more]);

test('dry run and config show name the variables only', async () => {
  for (const args of [
    ['start', bench.config, '--dry-run'],
    ['start', bench.config, '--dry-run', '--json'],
    ['config', 'show', bench.config],
  ]) {
    const { code, stdout, stderr } = await bench.run(args, secrets);
    expect({ code, leaks: leaks(stdout + stderr) }).toEqual({ code: 0, leaks: [] });
    expect(stdout).toContain('HF_TOKEN');
  }
});

test.each([
  [
    'user and password in the URL of an existing endpoint',
    '+target.api_endpoint.url="https://user:CANARY-endpoint-key+with=signs@host/v1"',
  ],
  ['a key in its query', '+target.api_endpoint.url="https://host/v1?api_key=CANARY-endpoint-key+with=signs"'],
])('S04 %s is refused, and not repeated', async (_case, override) => {
  const none = path.join(bench.folder, 'none.yaml');
  const existing = { defaults: [{ execution: 'lepton' }, { deployment: 'none' }, '_self_'], deployment: undefined };
  await writeFile(none, stringify(runConfig({ ...existing, target: { api_endpoint: { model_id: 'm' } } })));
  const { code, stdout, stderr } = await bench.run(['start', none, '--platform', 'local', '-o', override], secrets);
  expect(code).toBe(2);
  expect(stderr).toMatch(/user or password|secret/);
  expect(leaks(stdout + stderr)).toEqual([]);
});

test('a run that succeeds and one that fails, whose containers print their environment', async () => {
  const platform = await bench.lepton({
    endpoints: { default: { states: [['Starting', '300ms'], ['Ready']], log: printedEnv } },
    jobs: {
      default: { states: [['Running', '2s'], ['Completed']], log: printedEnv },
      match: [
        { name: '*wino*', states: [['Running', '1s'], ['Failed']], log: `${printedEnv}died of ${secrets.HF_TOKEN}` },
      ],
    },
  });
  const env = { ...secrets, ...platform.env };
  const running = bench.start(['start', bench.config, '--json'], env);
  await running.untilSaid(/running job/);
  const { stdout: processes } = await execa('ps', ['-eww', '-o', 'args']);
  expect(leaks(processes, [platform.token])).toEqual([]);
  for (const name of ['worker', 'temporal'] as const) {
    const environment = await readFile(`/proc/${await bench.pidOf(name)}/environ`, 'utf8');
    expect({ name, leaks: leaks(environment, [platform.token]) }).toEqual({ name, leaks: [] });
  }
  const { code, stdout, stderr } = await running.finished;
  expect(code).toBe(1);
  const document = JSON.parse(stdout) as { invocation: string; tasks: { status: string }[] };
  expect(document.tasks.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'failed']);
  expect(leaks(stdout + stderr, [platform.token])).toEqual([]);
  expect(stdout).toContain('died of ***');

  for (const command of ['status', 'results', 'logs']) {
    const said = await bench.run([command, document.invocation]);
    expect({ command, leaks: leaks(said.stdout + said.stderr, [platform.token]) }).toEqual({ command, leaks: [] });
  }
  const logs = await bench.run(['logs', `${document.invocation}.0`]);
  expect(logs.stdout).toContain('HF_TOKEN=***');
  expect(logs.stdout).toContain('acc 0.123456');

  for (const { file, text } of await filesBelow(path.join(bench.folder, 'results')))
    expect({ file, leaks: leaks(text, [platform.token]) }).toEqual({ file, leaks: [] });
  for (const { file, text, forOthers } of await filesBelow(bench.home.root)) {
    expect({ file, leaks: leaks(text) }).toEqual({ file, leaks: [] });
    // The workspace's token is kept for the worker, and for nobody else.
    if (leaks(text, [platform.token]).length > 0) expect({ file, forOthers }).toMatchObject({ forOthers: false });
    expect(file.startsWith('credentials/') || !text.includes(platform.token)).toBe(true);
  }
});
