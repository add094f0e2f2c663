import { execa } from 'execa';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { canariesIn, filesBelow } from '../support/canaries';
import { commandBench, runConfig, type CommandBench } from '../support/command';

/**
 * Secrets in a run's surroundings rather than in its config: login file, env file, proxy URL, Temporal API key. The run
 * is cancelled.
 */

const canaries = {
  envFile: 'hf_CANARYenvfile0123456789abcdef',
  proxy: 'CANARY-proxy-pass0123',
  temporal: 'CANARY-temporal-api-key-0123456789',
  shell: 'nvapi-CANARYshell0123456789abcdef',
};
const surroundings = {
  HTTPS_PROXY: `http://user:${canaries.proxy}@127.0.0.1:9`,
  NO_PROXY: '127.0.0.1,localhost',
  TEMPORAL_API_KEY: canaries.temporal,
  NGC_API_KEY: canaries.shell,
};

let bench: CommandBench;
beforeAll(async () => {
  bench = await commandBench('secrets-around');
  const deployment = {
    hf_model_handle: 'org/model',
    served_model_name: 'org/model',
    envs: { NGC_API_KEY: 'host:NGC_API_KEY' },
  };
  const execution = { output_dir: './results', env_var_names: ['HF_TOKEN'] };
  await writeFile(bench.config, stringify(runConfig({ execution, deployment })));
  await writeFile(path.join(bench.folder, 'run.env'), `HF_TOKEN=${canaries.envFile}\n`, { mode: 0o600 });
});
afterAll(() => bench.dispose());

async function logIn(token: string, { id, url }: { id: string; url: string }): Promise<void> {
  const folder = path.join(bench.folder, '.cache', 'lepton');
  await mkdir(folder, { recursive: true });
  const text = stringify({ current_workspace: id, workspaces: { [id]: { url, auth_token: token } } });
  await writeFile(path.join(folder, 'workspace_info.yaml'), text, { mode: 0o600 });
}

test('a cancelled run with the login of `lep`: no secret is printed, saved, or visible in the process list', async () => {
  // What a container may print: values it was given, or came across.
  const print = `${canaries.envFile}\n${canaries.shell}\n${surroundings.HTTPS_PROXY}\nacc 0.5\n`;
  const platform = await bench.lepton({
    endpoints: { default: { states: [['Starting', '300ms', print], ['Ready']], log: print } },
    jobs: { default: { states: [['Running', '1h'], ['Completed']], log: print } },
  });
  await logIn(platform.token, { id: platform.workspace, url: platform.url });
  const all = [...Object.values(canaries), platform.token];
  const say = async (args: readonly string[]): Promise<string> => {
    const { stdout, stderr } = await bench.run(args, surroundings);
    expect({ args, leaks: canariesIn(stdout + stderr, all) }).toEqual({ args, leaks: [] });
    return stdout;
  };
  const withEnv = ['--env-file', 'run.env'];
  const looks = [
    ['start', bench.config, '--dry-run'],
    ['config', 'show', bench.config],
    ['doctor', bench.config],
  ];
  await Promise.all(looks.map((args) => say([...args, ...withEnv])));

  const running = bench.start(['start', bench.config, '--json', ...withEnv], surroundings);
  await running.untilStderr(/running job/);
  const { stdout: processes } = await execa('ps', ['-eww', '-o', 'args']);
  expect(canariesIn(processes, all)).toEqual([]);
  const [invocation = ''] = /[0-9a-f]{16}/.exec(await say(['ls', '--json'])) ?? [];
  await Promise.all(
    [
      ['status', invocation, '--json'],
      ['status', '--json'],
      ['logs', invocation],
    ].map(say),
  );
  await say(['cancel', invocation]);
  const { code, stdout, stderr } = await running.finished;
  expect({ code, leaks: canariesIn(stdout + stderr, all) }).toEqual({ code: 4, leaks: [] });
  const after = [['logs', invocation], ['logs', invocation, '--endpoint'], ['cleanup', invocation], ['sweep']];
  await Promise.all(after.map(say));

  const results = await filesBelow(path.join(bench.folder, 'results'));
  expect(results.some(({ file }) => file.endsWith('.log'))).toBe(true);
  for (const { file, text } of results) expect({ file, leaks: canariesIn(text, all) }).toEqual({ file, leaks: [] });
  for (const { file, text, forOthers } of await filesBelow(bench.home.root)) {
    if (file.startsWith('runtimes/')) continue;
    // Only the workspace's token is stored, for the worker.
    const own = file.startsWith('credentials/') ? [platform.token] : [];
    const found = canariesIn(text, all).filter((canary) => !own.includes(canary));
    expect({ file, found, forOthers }).toEqual({ file, found: [], forOthers: false });
  }
});

test('errors of failing commands quote no secret of the environment', async () => {
  const env = { ...surroundings, TEMPORAL_ADDRESS: `127.0.0.1:1`, LEPTON_WORKSPACE_URL: `http://${canaries.proxy}` };
  const commands = [['status', 'abc'], ['ls'], ['start', bench.config, '--env-file', 'run.env'], ['sweep'], ['doctor']];
  const key = `-----BEGIN PRIVATE KEY-----\n${canaries.temporal}\n-----END PRIVATE KEY-----`;
  const told = commands.map(async (args) => {
    const { code, stdout, stderr } = await bench.run(args, { ...env, TEMPORAL_TLS_CLIENT_KEY_DATA: key });
    const leaks = canariesIn(stdout + stderr, [canaries.temporal, canaries.shell, canaries.envFile]);
    expect({ args, failed: code !== 0, leaks }).toEqual({ args, failed: true, leaks: [] });
  });
  await Promise.all(told);
});
