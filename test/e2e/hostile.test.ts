import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { filesBelow } from '../support/canaries';
import { commandBench, runConfig, type CommandBench } from '../support/command';

/** Control sequences and markup in platform answers and configs, through the whole program: shown as plain text. */

const nasty =
  '\u001b]8;;https://evil.example\u0007click\u001b]8;;\u0007 \u001b[2J\u001b[1;1Hgone \u009b31m \u202etxt.exe\u202c \u2066x\u2069 \u0000\u0007\b <script>alert(1)</script> $(touch pwned) `touch pwned` \r\nfake line';

/** Without a terminal evalsaga prints no colours, so every control character comes from outside. */
const commanding = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

let bench: CommandBench;
beforeAll(async () => (bench = await commandBench('hostile')));
afterAll(() => bench.dispose());

/** Runs read-only commands in parallel: each is a process that mostly waits. */
const sayAll = (all: readonly (readonly string[])[], env: Record<string, string>): Promise<string[]> =>
  Promise.all(all.map((args) => say(args, env)));

async function say(args: readonly string[], env: Record<string, string>): Promise<string> {
  const { stdout, stderr } = await bench.run(args, env);
  const found = commanding.exec(stdout + stderr)?.[0];
  expect({ args, found: found?.codePointAt(0)?.toString(16) }).toEqual({ args, found: undefined });
  return stdout;
}

test('hostile states, messages and logs of a platform: no command prints control characters, and nothing is executed', async () => {
  const platform = await bench.lepton({
    endpoints: {
      default: { states: [['Starting', '400ms', nasty], ['Ready']], log: nasty },
      match: [{ name: '*wino*', states: [['Starting', '200ms', nasty], ['Error']], message: nasty }],
    },
    jobs: { default: { states: [['Running', '500ms', nasty], ['Failed']], log: nasty, message: nasty } },
    faults: [{ on: 'GET /nodegroups', times: 1, respond: 500, body: { code: nasty, message: nasty } }],
  });
  const { env } = platform;
  const document = JSON.parse(await say(['start', bench.config, '--json'], env)) as { invocation: string };
  const { invocation } = document;
  const looks = [
    ['status', invocation],
    ['status', invocation, '--json'],
    ['status'],
    ['ls'],
    ['logs', invocation],
    ['logs', invocation, '--endpoint'],
    ['results', invocation],
    ['cleanup', invocation],
    ['sweep'],
    ['doctor', bench.config],
  ];
  await sayAll(looks, env);
  const files = [...(await filesBelow(bench.folder))].map(({ file }) => path.basename(file));
  expect(files).not.toContain('pwned');
});

test('a platform that refuses every request with hostile messages: no command prints control characters', async () => {
  const body = { code: nasty, message: nasty };
  const platform = await bench.lepton({ faults: [{ on: 'GET /*', times: 'inf', respond: 422, body }] });
  const start = ['start', bench.config];
  await sayAll([start, [...start, '--json'], ['sweep'], ['doctor', bench.config]], platform.env);
});

test('a config full of hostile values is refused or shown without control characters', async () => {
  const file = path.join(bench.folder, 'nasty.yaml');
  const deployment = { hf_model_handle: `org/${nasty}`, served_model_name: nasty, [nasty]: nasty };
  await writeFile(file, stringify(runConfig({ deployment, execution: { output_dir: `./${nasty}` } })));
  const commands = [
    ['config', 'show', file],
    ['start', file, '--dry-run', '--platform', 'local'],
    ['start', file, '--dry-run', '--json', '--platform', 'local'],
    ['start', bench.config, '--dry-run', '-o', `deployment.served_model_name=${nasty.replaceAll('\0', '')}`],
    ['start', bench.config, '-t', nasty.replaceAll('\0', '')],
    ['status', nasty.replaceAll('\0', '')],
    ['ls', 'task', nasty.replaceAll('\0', '')],
  ];
  await sayAll(commands, {});
});
