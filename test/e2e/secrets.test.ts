import { execa } from 'execa';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { canariesIn, filesBelow } from '../support/canaries';
import { commandBench, runConfig, type CommandBench } from '../support/command';
import { sendJson, startServer } from '../support/http-server';

/** Secrets in every place that accepts one, through the whole program: none appears in outputs, files or process lists. */

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

test('dry run and config show print the names of variables, not their values', async () => {
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

/** URLs in every place that accepts one, each with its own secret. */
const urlSecrets = {
  EVAL_URL: (host: string) => `http://CANARYuser:CANARY-url-pass%40w0rd@${host}/v1?sig=CANARYsignature012`,
  JUDGE_URL: () => 'https://judge.example/v1?api_key=CANARYjudgekey012',
  PROXY: () => 'http://CANARYproxy:CANARY-proxy-pass@127.0.0.1:1',
};
const urlCanaries = ['CANARYuser', 'CANARY-url-pass', 'CANARYsignature', 'CANARYjudgekey', 'CANARY-proxy-pass'];
const basic = Buffer.from('CANARYuser:CANARY-url-pass@w0rd').toString('base64');

const urlLeaks = (text: string): string[] => [...urlCanaries, basic].filter((canary) => text.includes(canary));

test('a URL with a password and a signature: the request succeeds, and neither appears in outputs, files or process lists', async () => {
  const server = await startServer((request, response) => {
    const known = request.headers.authorization === `Basic ${basic}` && request.url.endsWith('?sig=CANARYsignature012');
    sendJson(response, request.method === 'GET' ? { data: [{ id: 'm' }] } : { choices: [] }, known ? 200 : 401);
  });
  const values = Object.fromEntries(
    Object.entries(urlSecrets).map(([name, value]) => [name, value(new URL(server.url).host)]),
  );
  const none = path.join(bench.folder, 'none.yaml');
  const existing = {
    defaults: [{ execution: 'lepton' }, { deployment: 'none' }, '_self_'],
    deployment: undefined,
    target: { api_endpoint: { model_id: 'm', url: 'host:EVAL_URL' } },
    evaluation: {
      nemo_evaluator_config: { config: { params: { extra: { judge: { url: '${oc.env:JUDGE_URL}' } } } } },
      env_vars: { HTTPS_PROXY: '${oc.env:PROXY}' },
      tasks: [{ name: 'lm-evaluation-harness.ifeval' }],
    },
  };
  await writeFile(none, stringify(runConfig(existing)));
  const override = `target.api_endpoint.url="${values['EVAL_URL'] ?? ''}"`;
  const printed = `asked ${values['EVAL_URL'] ?? ''} and ${values['JUDGE_URL'] ?? ''} by ${values['PROXY'] ?? ''}, authorization: Basic ${basic}\nacc 0.5\n`;
  const platform = await bench.lepton({
    jobs: { default: { states: [['Running', '8s'], ['Completed']], log: printed } },
  });
  const env = { ...values, ...platform.env };
  try {
    for (const args of [
      ['config', 'show', none],
      ['start', none, '--dry-run', '--json'],
      ['start', none, '--dry-run', '-o', override],
      ['doctor', none],
    ]) {
      const { code, stdout, stderr } = await bench.run(args, env);
      expect({ args: args[0], code, leaks: urlLeaks(stdout + stderr) }).toEqual({
        args: args[0],
        code: args[0] === 'doctor' ? expect.any(Number) : 0,
        leaks: [],
      });
      if (args[0] === 'doctor') expect(stdout).toContain('serves m');
    }
    const running = bench.start(['start', none, '--json'], env);
    await running.untilStderr(/running job/);
    const { stdout: processes } = await execa('ps', ['-eww', '-o', 'args']);
    expect(urlLeaks(processes)).toEqual([]);
    const { code, stdout, stderr } = await running.finished;
    expect({ code, leaks: urlLeaks(stdout + stderr) }).toEqual({ code: 0, leaks: [] });
    expect(server.seen.some(({ url }) => url === '/v1/chat/completions?sig=CANARYsignature012')).toBe(true);
    const { invocation } = JSON.parse(stdout) as { invocation: string };
    for (const command of ['status', 'results', 'logs']) {
      const said = await bench.run([command, invocation], platform.env);
      expect({ command, leaks: urlLeaks(said.stdout + said.stderr) }).toEqual({ command, leaks: [] });
      if (command === 'logs') expect(said.stdout).toContain('acc 0.5');
    }
    for (const folder of [path.join(bench.folder, 'results'), bench.home.root])
      for (const { file, text } of await filesBelow(folder))
        expect({ file, leaks: urlLeaks(text) }).toEqual({ file, leaks: [] });
  } finally {
    await server.close();
  }
});

test('a run with succeeding and failing tasks, whose containers print their environment: all secrets are masked', async () => {
  const platform = await bench.lepton({
    endpoints: { default: { states: [['Starting', '300ms'], ['Ready']], log: printedEnv } },
    jobs: {
      default: { states: [['Running', '8s'], ['Completed']], log: printedEnv },
      match: [
        { name: '*wino*', states: [['Running', '1s'], ['Failed']], log: `${printedEnv}died of ${secrets.HF_TOKEN}` },
      ],
    },
  });
  const env = { ...secrets, ...platform.env };
  const running = bench.start(['start', bench.config, '--json'], env);
  await running.untilStderr(/running job/);
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
    // Only the workspace's token is stored, for the worker, and no other user can read it.
    if (leaks(text, [platform.token]).length > 0) expect({ file, forOthers }).toMatchObject({ forOthers: false });
    expect(file.startsWith('credentials/') || !text.includes(platform.token)).toBe(true);
  }
});
