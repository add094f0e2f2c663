import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { canariesIn, filesBelow } from '../support/canaries';
import {
  commandBench,
  runConfig,
  setFaults,
  temporalOf,
  terminateAll,
  until,
  type CommandBench,
} from '../support/command';
import { emptyInventory } from '../support/simulated';

/** Secrets of a terminated run, which `sweep`, `cleanup` and `status` mask even without the run's variables. */

const canaries = {
  envFile: 'hf_CANARYenvfile0123456789abcdef',
  shell: 'nvapi-CANARYshell0123456789abcdef',
  endpoint: 'CANARY:endpoint/key+with=signs&more-0123',
  url: 'CANARYuser:CANARY-url-pass-0123',
};
const printed = `${Object.values(canaries).join('\n')}\nacc 0.5\n`;

let bench: CommandBench;
beforeAll(async () => {
  bench = await commandBench('secrets-cleanup');
  const deployment = {
    hf_model_handle: 'org/model',
    served_model_name: 'org/model',
    envs: { NGC_API_KEY: 'host:NGC_API_KEY', MIRROR: 'host:MIRROR' },
    lepton_config: { api_tokens: [{ value: '${oc.env:ENDPOINT_KEY}' }] },
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

test("no command prints or saves a terminated run's secrets, even when the platform's errors and logs quote them", async () => {
  const platform = await bench.lepton({
    endpoints: { default: { states: [['Starting', '100ms'], ['Ready']], log: printed } },
    jobs: { default: { states: [['Running', '1h'], ['Completed']], log: printed } },
  });
  await logIn(platform.token, { id: platform.workspace, url: platform.url });
  const all = [...Object.values(canaries), platform.token];
  const shell = {
    NGC_API_KEY: canaries.shell,
    ENDPOINT_KEY: canaries.endpoint,
    MIRROR: `http://${canaries.url}@127.0.0.1:9/`,
  };
  const started = await bench.run(['start', bench.config, '--detach', '--json', '--env-file', 'run.env'], shell);
  expect({ code: started.code, stderr: started.stderr }).toMatchObject({ code: 0 });
  const { invocation } = JSON.parse(started.stdout);
  await until('the jobs run', async () => (await platform.inventory()).jobs.length === 3);
  const client = await temporalOf(bench);
  await terminateAll(client, invocation).finally(() => client.connection.close());

  /** A refusal that quotes all secrets, as a gateway that logs requests might. */
  const refuse = (on: string): object => ({
    on,
    times: 'inf',
    respond: 403,
    body: { code: 'Refused', message: `not while it has ${all.join(' and ')}` },
  });
  let quoted = 0;
  /** Checks the exit code of each command, and that its output contains no secret. */
  const say = async (expected: number, commands: readonly (readonly string[])[]): Promise<void> => {
    const runs = commands.map(async (args) => {
      const { code, stdout, stderr } = await bench.run(args);
      const leaks = canariesIn(stdout + stderr, all);
      quoted += (stdout + stderr).includes('not while it has ***') ? 1 : 0;
      expect({ args, code, leaks, stderr }).toMatchObject({ args, code: expected, leaks: [] });
    });
    await Promise.all(runs);
  };
  const sweep = ['sweep', '--grace', '0'];
  await setFaults(platform, [refuse('GET /deployments')]);
  await say(3, [sweep, [...sweep, '--dry-run', '--json'], ['cleanup', invocation, '--json']]);
  await setFaults(platform, ['DELETE /deployments/*', 'DELETE /jobs/*', 'GET /jobs/*/replicas/**'].map(refuse));
  await say(0, [
    [...sweep, '--dry-run', '--json'],
    ['status', invocation, '--json'],
  ]);
  await say(5, [[...sweep, '--json']]);
  await say(5, [['cleanup', invocation, '--json']]);
  expect(quoted).toBe(5);
  await setFaults(platform, []);
  await say(0, [sweep]);
  await say(0, [
    ['cleanup', invocation],
    ['status', invocation],
  ]);
  expect(await platform.inventory()).toEqual(emptyInventory);

  const results = await filesBelow(path.join(bench.folder, 'results'));
  expect(results.filter(({ file }) => file.endsWith('.log')).length).toBeGreaterThanOrEqual(4);
  for (const { file, text } of results) expect({ file, leaks: canariesIn(text, all) }).toEqual({ file, leaks: [] });
  for (const { file, text, forOthers } of await filesBelow(bench.home.root)) {
    if (file.startsWith('runtimes/')) continue;
    // Only the workspace's token is stored, for the worker.
    const own = file.startsWith('credentials/') ? [platform.token] : [];
    const found = canariesIn(text, all).filter((canary) => !own.includes(canary));
    expect({ file, found, forOthers }).toEqual({ file, found: [], forOthers: false });
  }
}, 300_000);
