import { execa } from 'execa';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { filesBelow } from '../support/canaries';
import {
  commandBench,
  setFaults,
  temporalAddress,
  temporalOf,
  terminateAll,
  testHome,
  until,
  type CommandBench,
} from '../support/command';
import { emptyInventory } from '../support/simulated';

/** Payload encryption through the whole program: relative key path, background processes, Web UI, other shells. */

let bench: CommandBench;
let env: Record<string, string>;
beforeAll(async () => {
  bench = await commandBench('encryption');
  const made = await bench.run(['key', 'evalsaga.key']);
  expect({ code: made.code, made: /^key [0-9a-f]{16} is in /.test(made.stdout) }).toEqual({ code: 0, made: true });
  expect((await stat(path.join(bench.folder, 'evalsaga.key'))).mode & 0o777).toBe(0o600);
  env = { EVALSAGA_ENCRYPTION_KEY_FILE: 'evalsaga.key' };
});
afterAll(() => bench.dispose());

let invocation = '';

test("a run with a key exits 0, and the server's database names no task, model or address", async () => {
  const platform = await bench.lepton({ jobs: { default: { states: [['Running', '1s'], ['Completed']] } } });
  const { code, stdout, stderr } = await bench.run(['start', bench.config, '--json'], { ...env, ...platform.env });
  expect({ code, said: stderr.includes('Payloads are encrypted') }).toEqual({ code: 0, said: true });
  ({ invocation } = JSON.parse(stdout) as { invocation: string });
  const database = (await filesBelow(bench.home.root)).filter(({ file }) =>
    /^temporal\.db|^stack\/temporal/.test(file),
  );
  expect(database.length).toBeGreaterThan(1);
  // Long enough not to occur in ciphertext by chance.
  const words = ['winogrande', 'org/model', platform.url, 'gpu.1xh', 'vllm/vllm-openai'];
  for (const { file, text } of database)
    expect({ file, readable: words.filter((word) => text.includes(word)) }).toEqual({ file, readable: [] });
});

interface Overview {
  readonly services: readonly { name: string; state: string; ports: Record<string, number> }[];
}

test('the Web UI shows plain text without any configuration', async () => {
  const { services } = JSON.parse((await bench.run(['status', '--json'], env)).stdout) as Overview;
  const portOf = (service: string, use: string): number | undefined =>
    services.find(({ name }) => name === service)?.ports[use];
  const ui = `http://127.0.0.1:${portOf('temporal', 'ui')}`;
  const codec = `http://127.0.0.1:${portOf('codec', 'http')}`;
  const settings = (await (await fetch(`${ui}/api/v1/settings`)).json()) as { Codec?: { Endpoint?: string } };
  expect(settings.Codec?.Endpoint).toBe(codec);

  const history = `${ui}/api/v1/namespaces/default/workflows/eval-${invocation}/history`;
  const { history: answer } = (await (await fetch(history)).json()) as {
    history: { events: [{ workflowExecutionStartedEventAttributes: { input: { payloads: object[] } } }] };
  };
  const { payloads } = answer.events[0].workflowExecutionStartedEventAttributes.input;
  const decoded = await fetch(`${codec}/decode`, {
    method: 'POST',
    body: JSON.stringify({ payloads }),
    headers: { 'content-type': 'application/json', 'x-namespace': 'default', origin: ui },
  });
  const { payloads: [plain] = [] } = (await decoded.json()) as { payloads?: { data: string }[] };
  expect(Buffer.from(plain?.data ?? '', 'base64').toString()).toContain('"winogrande"');
});

test('status and up without the key, and results with another one, exit 2 with the reason and change nothing; ls works', async () => {
  const worker = await bench.pidOf('worker');
  const status = await bench.run(['status', invocation]);
  expect({ code: status.code, said: status.stderr.includes('EVALSAGA_ENCRYPTION_KEY_FILE') }).toEqual({
    code: 2,
    said: true,
  });
  expect((await bench.run(['ls'])).stdout).toContain(invocation);
  expect((await bench.run(['up'])).code).toBe(2);
  expect(await bench.pidOf('worker')).toBe(worker);
  await bench.run(['key', 'other.key']);
  const other = await bench.run(['results', invocation], { EVALSAGA_ENCRYPTION_KEY_FILE: 'other.key' });
  expect({ code: other.code, said: other.stderr.includes('other.key does not have it') }).toEqual({
    code: 2,
    said: true,
  });
  const doctor = await bench.run(['doctor'], { EVALSAGA_ENCRYPTION_KEY_FILE: 'missing.key' });
  expect(doctor.stdout).toMatch(/encryption.*missing\.key can't be read \(ENOENT\)/);
});

test('cleanup of a terminated run needs the key on another machine, but not on the host that started it', async () => {
  const platform = await bench.lepton({
    jobs: { default: { states: [['Running', '1h'], ['Completed']] } },
    faults: [{ on: 'DELETE /deployments/*-0-*', times: 'inf', respond: 403 }],
  });
  const started = await bench.run(['start', bench.config, '--detach', '--json'], { ...env, ...platform.env });
  const { invocation: terminated } = JSON.parse(started.stdout) as { invocation: string };
  await until('three jobs run', async () => (await platform.inventory()).jobs.length === 3);
  const client = await temporalOf(bench);
  await terminateAll(client, terminated).finally(() => client.connection.close());
  const before = await platform.inventory();

  const elsewhere = await testHome('elsewhere');
  try {
    const asked = { ...platform.env, TEMPORAL_ADDRESS: await temporalAddress(bench) };
    const clean = (more: Record<string, string>, ...options: string[]) =>
      elsewhere.run(['cleanup', terminated, ...options], { ...asked, ...more });
    const keyed = (name: string) => ({ EVALSAGA_ENCRYPTION_KEY_FILE: path.join(bench.folder, name) });
    for (const [key, said] of [
      [{}, /Set EVALSAGA_ENCRYPTION_KEY_FILE[^]*Nothing was removed[^]* cleanup [0-9a-f]{16} --force/],
      [keyed('other.key'), /other\.key does not have it[^]*Nothing was removed/],
      [keyed('missing.key'), /missing\.key can't be read/],
    ] as const) {
      const { code, stderr } = await clean(key);
      expect({ key, code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(said) });
    }
    expect(await platform.inventory()).toEqual(before);
    expect((await clean(keyed('evalsaga.key'))).code).toBe(5);
    expect(await platform.inventory()).toMatchObject({ deployments: [expect.any(String)], jobs: [], storage: [] });
  } finally {
    await elsewhere.dispose();
  }
  await setFaults(platform, []);
  expect((await bench.run(['cleanup', terminated.slice(0, 6)], platform.env)).code).toBe(0);
  expect(await platform.inventory()).toEqual(emptyInventory);
});

test('after a key rotation older runs can still be read, and new runs use the new key', async () => {
  const { stdout } = await bench.run(['key', 'evalsaga.key', '--rotate']);
  const [, id = '?'] = /^key ([0-9a-f]{16})/.exec(stdout) ?? [];
  const platform = await bench.lepton();
  const before = await bench.pidOf('worker');
  const run = await bench.run(['start', bench.config, '--json'], { ...env, ...platform.env });
  expect(run.code).toBe(0);
  expect(await bench.pidOf('worker')).not.toBe(before);
  const history = await execa(bench.env['TEMPORAL_CLI_PATH'] ?? 'temporal', [
    'workflow',
    'show',
    `--workflow-id=eval-${(JSON.parse(run.stdout) as { invocation: string }).invocation}`,
    `--address=127.0.0.1:${(await grpcPort()) ?? ''}`,
    '--output=json',
  ]);
  expect(history.stdout).toContain(Buffer.from(id).toString('base64'));
  expect((await bench.run(['results', invocation], env)).code).toBe(0);
});

async function grpcPort(): Promise<number | undefined> {
  const text = await readFile(path.join(bench.home.stack, 'temporal.json'), 'utf8');
  return (JSON.parse(text) as { ports: Record<string, number> }).ports['grpc'];
}

test('codec-server requires a key and a valid --origin, and ends on SIGTERM', async () => {
  const without = await bench.run(['codec-server']);
  expect({ code: without.code, said: without.stderr.includes('evalsaga key') }).toEqual({ code: 2, said: true });
  const odd = await bench.run(['codec-server', '--origin', 'ui.example'], env);
  expect(odd.code).toBe(2);
  const serving = bench.start(['codec-server', '--origin', 'https://ui.example/temporal'], env);
  await serving.untilStderr(/pages of https:\/\/ui\.example\./);
  serving.signal('SIGTERM');
  expect((await serving.finished).code).toBe(0);
});
