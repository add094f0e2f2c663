/** URLs with a user and password, or with a key in the query. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { planRun, showConfig, type LoadedConfig } from '../../../src/config';
import type { RunPlan } from '../../../src/contract/plan';
import { revealed } from '../../../src/contract/url-placeholders';
import { checkEndpoint } from '../../../src/doctor/check-endpoint';
import { renderJob } from '../../../src/lepton/render-spec';
import { maskKnown } from '../../../src/secrets/masking';
import { dryRunDocument } from '../../../src/cli/render/dry-run';
import { sendJson, startServer, type SeenRequest, type TestServer } from '../../support/http-server';
import { against, deploying, invocation, load, problems, scriptOf } from './configs';

const user = 'CANARYuser:CANARY-pass%40w0rd';
const key = 'CANARYkey0123456789';

const planOf = (loaded: LoadedConfig) =>
  planRun(loaded, {
    invocation,
    platform: { kind: 'local', workspace: 'local' },
    owner: 'me',
    command: 'start',
    cwd: '/work',
  });

/** Returns everything that is stored or shown of a config. */
const shown = (loaded: LoadedConfig, plan: RunPlan): string =>
  [
    JSON.stringify(plan),
    ...plan.tasks.map(({ job }) => scriptOf(job.container.command)),
    JSON.stringify(dryRunDocument(plan)),
    showConfig(loaded),
    loaded.yaml,
  ].join('\n');

const places: readonly (readonly [string, string, Record<string, string>])[] = [
  ['in the file', against(`{url: "https://${user}@h/v1?api_key=${key}", model_id: m}`), {}],
  ['from a variable', against('{url: "${oc.env:URL}", model_id: m}'), { URL: `https://${user}@h/v1?sig=${key}` }],
  ['by host:', against('{url: "host:URL", model_id: m}'), { URL: `https://${user}@h/v1?x=${key}` }],
  [
    'put together from variables',
    against('{url: "https://me:${oc.env:PW}@h/v1?q=${oc.env:A_KEY}", model_id: m}'),
    { PW: 'CANARY-pass%40w0rd', A_KEY: key },
  ],
  [
    'of a judge',
    `${against('{url: "https://h/v1", model_id: m}', '[{name: hellaswag, nemo_evaluator_config: {config: {params: {extra: {judge: {url: "${oc.env:J}"}}}}}}]')}`,
    { J: `https://${user}@judge/v1?token=${key}` },
  ],
  [
    'of a judge, by host:',
    `${against('{url: "https://h/v1", model_id: m}', '[{name: hellaswag, nemo_evaluator_config: {config: {params: {extra: {judge: {url: "host:J"}}}}}}]')}`,
    { J: `https://${user}@judge/v1?token=${key}` },
  ],
  [
    'of the adapter',
    against(
      '{url: "https://h/v1", model_id: m}',
      `[{name: hellaswag, nemo_evaluator_config: {target: {api_endpoint: {adapter_config: {progress_tracking_url: "http://${user}@p/x?sig=${key}"}}}}}]`,
    ),
    {},
  ],
  [
    'of a proxy, as a variable of the job',
    against(
      '{url: "https://h/v1", model_id: m}',
      `[{name: hellaswag, env_vars: {HTTPS_PROXY: "lit:http://${user}@proxy:3128", HTTP_PROXY: "\${oc.env:P}"}}]`,
    ),
    { P: `http://${user}@proxy:3128/?key=${key}` },
  ],
  [
    'of a proxy, as a variable of the server',
    deploying('vllm', `{hf_model_handle: org/m, envs: {HTTPS_PROXY: "http://${user}@proxy:3128/?key=${key}"}}`),
    {},
  ],
];

test.each(places)(
  'a secret URL %s is never shown, and its values are available to the run',
  async (_where, config, env) => {
    const loaded = await load(config, { env });
    const { plan, hostSecrets } = planOf(loaded);
    expect(shown(loaded, plan)).not.toContain('CANARY');
    const values = hostSecrets.map((name) => loaded.env[name]).join('\n');
    expect(values).toContain('CANARY-pass');
    expect(hostSecrets.every((name) => loaded.env[name] !== undefined)).toBe(true);
  },
);

test('the shown URL names the host, and that something is masked', async () => {
  const loaded = await load(against(`{url: "https://${user}@h:8443/v1?api-version=3&sig=${key}", model_id: m}`));
  const { plan } = planOf(loaded);
  expect(showConfig(loaded)).toContain('"https://***@h:8443/v1?api-version=3&sig=***"');
  expect(dryRunDocument(plan)).toMatchObject({
    existing_endpoint: 'https://***@h:8443/v1/completions?api-version=3&sig=***',
  });
});

test('a short password is masked within its URL, a long one everywhere', async () => {
  const loaded = await load(against('{url: "https://me:pw@h/v1", model_id: m}'));
  const short = planOf(loaded).hostSecrets.map((name) => loaded.env[name] ?? '');
  expect(maskKnown('GET https://me:pw@h/v1 with pw', short)).toBe('GET https:***/v1 with pw');
  const other = await load(against(`{url: "https://${user}@h/v1", model_id: m}`));
  const long = planOf(other).hostSecrets.map((name) => other.env[name] ?? '');
  expect(maskKnown('refused CANARY-pass@w0rd, CANARY-pass%40w0rd', long)).toBe('refused ***, ***');
});

test.each([
  ['deployment.extra_args', deploying('vllm', `{hf_model_handle: org/m, extra_args: "--otlp http://${user}@o/"}`)],
  ['deployment.command', deploying('generic', `{image: i, served_model_name: m, command: "serve http://${user}@o/"}`)],
  ['execution.output_dir', against('{url: "https://h/v1", model_id: m}').replace(': out', `: "s3://${user}@b/x"`)],
])('in %s, where it could not be kept secret, it is refused', async (at, config) => {
  const found = await problems(config);
  expect(found.map(({ path: where }) => where)).toContain(at);
  expect(JSON.stringify(found)).not.toContain('CANARY');
});

test('unescaped characters in a password are escaped, so that requests work', async () => {
  const loaded = await load(against("{url: 'https://me:a/b?c#d-e\"f g@h/v1', model_id: m}"));
  const { hostSecrets } = planOf(loaded);
  expect(loaded.env[hostSecrets[0] ?? '']).toBe('me:a%2Fb%3Fc%23d-e%22f%20g');
});

test('a URL whose user part is ambiguous is refused', async () => {
  const found = await problems(against('{url: "https://me:a/b@CANARY@h/v1", model_id: m}'));
  expect(found).toMatchObject([{ path: 'target.api_endpoint.url', hint: expect.stringContaining('%40') }]);
  expect(JSON.stringify(found)).not.toContain('CANARY');
});

test.each([
  ['a secret beside the URL', 'X-Key ${oc.env:A_KEY} https://me:pw@h/v1'],
  ['a token beside the URL', 'nvapi-CANARY0123456789abcdef https://me:pw@h/v1'],
])('%s is no part of it', async (_what, text) => {
  const config = against(
    '{url: "https://h/v1", model_id: m}',
    `[{name: hellaswag, nemo_evaluator_config: {config: {params: {extra: {a: "${text}"}}}}}]`,
  );
  const [problem] = await problems(config, { env: { A_KEY: key } });
  expect(problem).toMatchObject({ path: 'evaluation.tasks.0.nemo_evaluator_config.config.params.extra.a' });
  expect(problem?.message).toMatch(/secret/);
});

test('a password that is also a word of its URL, or of a placeholder, breaks neither', async () => {
  for (const PW of ['host', 'URL_SECRET', 'v1', '1']) {
    const loaded = await load(against('{url: "https://me:${oc.env:PW}@myhost/v1", model_id: m}'), { env: { PW } });
    const { plan } = planOf(loaded);
    const { endpoint } = plan;
    expect(revealed(endpoint.kind === 'existing' ? endpoint.url : '', (name) => loaded.env[name] ?? '')).toBe(
      `https://me:${PW}@myhost/v1/completions`,
    );
  }
});

test('a user in the URL and a separate key are refused', async () => {
  const config = against('{url: "https://me:pw@h/v1", model_id: m, api_key_name: K}');
  expect(await problems(config, { env: { K: 'k' } })).toMatchObject([
    { path: 'target.api_endpoint.url', message: expect.stringContaining('only one of them') },
  ]);
});

test('an unset variable for `host:` is reported', async () => {
  expect(await problems(against('{url: "host:NOPE", model_id: m}'))).toMatchObject([
    { path: 'target.api_endpoint.url', message: expect.stringContaining('NOPE is not set') },
  ]);
});

describe('with a server that requires it', () => {
  let server: TestServer;
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'evalsaga-url-'))));
  afterEach(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const basic = `Basic ${Buffer.from('CANARYuser:CANARY-pass@w0rd').toString('base64')}`;

  const serving = (allowed: (request: { url: string; headers: SeenRequest['headers'] }) => boolean) =>
    startServer((request, response) => {
      if (!allowed(request)) return sendJson(response, { error: 'who are you?' }, 401);
      sendJson(response, request.method === 'GET' ? { data: [{ id: 'm' }] } : { choices: [] });
    });

  /** Runs the job's script with an evaluator that requests its URL with Python, and writes what it got into its results. */
  function runJob(plan: RunPlan, env: Record<string, string | undefined>, url: string) {
    const [task] = plan.tasks;
    if (task === undefined || plan.endpoint.kind !== 'existing') throw new Error('expected a task and its endpoint');
    const spec = renderJob(task.job, {
      marks: { invocation, index: 0, origin: 'o' },
      nodeGroupId: null,
      modelUrl: plan.endpoint.url,
      resolve: (name) => env[name] ?? '',
    }) as { envs: { name: string; value: string }[] };
    mkdirSync(path.join(folder, 'bin'));
    const stub = path.join(folder, 'bin', 'nemo-evaluator');
    writeFileSync(
      stub,
      `#!/bin/bash\nprintf '%s\\n' "$@" > ${folder}/args\ncp "$3" ${folder}/run_config.yml\ncp "$3" "$5/results.yml"\nprintf 'a\\0%s' "$(cat "$3")" > "$5/cache.bin"\n`,
    );
    chmodSync(stub, 0o755);
    const [command = '', ...args] = task.job.container.command ?? [];
    const out = path.join(folder, 'out');
    const ended = spawnSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...Object.fromEntries(spec.envs.map(({ name, value }) => [name, value])),
        PATH: `${path.join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
        EVALSAGA_OUTPUT_DIR: out,
      },
    });
    const config = parse(readFileSync(path.join(folder, 'run_config.yml'), 'utf8')) as {
      target: { api_endpoint: { url: string } };
    };
    expect(ended).toMatchObject({ status: 0, stderr: '' });
    expect(config.target.api_endpoint.url).toBe(url);
    expect(readFileSync(path.join(folder, 'args'), 'utf8')).not.toContain('CANARY');
    for (const name of ['results.yml', 'cache.bin'])
      expect(readFileSync(path.join(out, name), 'latin1')).not.toContain('CANARY');
    expect(readFileSync(path.join(out, 'results.yml'), 'utf8')).toContain('***');
    expect(spec.envs.find(({ name }) => name === 'EVALSAGA_MODEL_URL')?.value).toMatch(/\*\*\*/);
  }

  test.each([
    ['a user and password', `${user}@`, '', (headers: SeenRequest['headers']) => headers.authorization === basic],
    ['a key', '', `?api-version=2&subscription-key=${key}`, () => true],
  ])('%s: doctor finds the model, and the job asks the same URL', async (_what, before, after, allowed) => {
    server = await serving(({ url, headers }) => allowed(headers) && url.endsWith(after));
    const { host } = new URL(server.url);
    const loaded = await load(against('{url: "${oc.env:URL}", model_id: m}'), {
      env: { URL: `http://${before}${host}/v1${after}` },
    });
    const { plan, hostSecrets } = planOf(loaded);
    const secrets = Object.fromEntries(hostSecrets.map((name) => [name, loaded.env[name] ?? '']));
    const [finding] = await checkEndpoint(plan, { secrets, signal: AbortSignal.timeout(20_000) });
    expect(finding).toMatchObject({ level: 'ok', message: expect.stringContaining('serves m') });
    expect(finding?.message).toContain('***');
    expect(finding?.message).not.toContain('CANARY');
    expect(server.seen.map(({ url }) => url)).toEqual([`/v1/models${after}`, `/v1/completions${after}`]);
    runJob(plan, secrets, `http://${before}${host}/v1/completions${after}`);
  });

  test('a signature that is valid for the real request only is accepted; an invalid one is reported', async () => {
    server = await serving(({ url }) => url === `/x/v1/completions?sig=${key}`);
    const finding = async (sig: string) => {
      const loaded = await load(against(`{url: "${server.url}/x/v1/completions?sig=${sig}", model_id: m}`));
      const { plan, hostSecrets } = planOf(loaded);
      const secrets = Object.fromEntries(hostSecrets.map((name) => [name, loaded.env[name] ?? '']));
      return (await checkEndpoint(plan, { secrets, signal: AbortSignal.timeout(20_000) }))[0];
    };
    expect(await finding(key)).toMatchObject({ level: 'ok' });
    const refused = await finding('CANARYwrong');
    expect(refused).toMatchObject({ level: 'FAIL', message: expect.stringContaining('signature') });
    expect(JSON.stringify(refused)).not.toContain('CANARY');
  });
});
