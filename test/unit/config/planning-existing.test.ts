/** Plans with an existing endpoint. */
import { against, plan, problems, scriptOf } from './configs';

test.each([
  ['http://h:8082', 'http://h:8082/v1/completions'],
  ['https://h/', 'https://h/v1/completions'],
  ['https://h/v1/', 'https://h/v1/completions'],
  ['https://h/x/v1', 'https://h/x/v1/completions'],
  ['https://h//v1/completions/', 'https://h/v1/completions'],
  ['https://h/v1?a=b', 'https://h/v1/completions?a=b'],
])('%s', async (url, expected) => {
  const { plan: run } = await plan(against(`{url: "${url}", model_id: m}`));
  expect(run.endpoint).toMatchObject({
    kind: 'existing',
    url: expected,
    probe: { servedModel: 'm', healthPath: null, warmUp: 'completions' },
  });
  expect(run.tasks[0]?.endpointName).toBeNull();
});

test('a base URL serves tasks of several kinds', async () => {
  const { plan: run } = await plan(
    against('{url: "http://h/v1", model_id: m}', '[{name: hellaswag}, {name: lm-evaluation-harness.ifeval}]'),
  );
  expect(scriptOf(run.tasks[0]?.job.container.command)).toContain('--model_url "${EVALSAGA_MODEL_URL:?}"');
  expect(scriptOf(run.tasks[1]?.job.container.command)).toContain('--model_url http://h/v1/chat/completions');
});

test('a completions task is refused for a chat URL', async () => {
  const [problem] = await problems(against('{url: "http://h/v1/chat/completions", model_id: m}'));
  expect(problem).toMatchObject({ path: 'evaluation.tasks.0.name', message: expect.stringContaining('logprobs') });
  const [declared] = await problems(
    against('{url: "http://h/v1", model_id: m}', '[{name: hellaswag, endpoint_type: chat}]'),
  );
  expect(declared).toMatchObject({
    path: 'evaluation.tasks.0.endpoint_type',
    message: expect.stringContaining('works only with completions endpoints'),
  });
});

test.each(['ftp://h', 'h:80', 'https://user:pw@', 'ftp://user:pw@h/v1', '""'])(
  'the URL %s is refused, and not repeated',
  async (url) => {
    const found = await problems(against(`{url: ${url === '""' ? url : `"${url}"`}, model_id: m}`));
    expect(found[0]?.path).toBe('target.api_endpoint.url');
    expect(JSON.stringify(found)).not.toContain('user:p');
  },
);

test('a URL and a name are required', async () => {
  const found = await problems(against('{}'));
  expect(found.map(({ path }) => path)).toEqual(['target.api_endpoint.model_id', 'target.api_endpoint.url']);
});

test('job and probe get the key by reference', async () => {
  const { plan: run, hostSecrets } = await plan(against('{url: "http://h/v1", model_id: m, api_key_name: MY_KEY}'), {
    env: { MY_KEY: 's3cr3t-value' },
  });
  expect(run.endpoint.probe.token).toEqual({ kind: 'host', name: 'MY_KEY' });
  expect(run.tasks[0]?.job.envs).toContainEqual({ name: 'MY_KEY', secret: { kind: 'host', name: 'MY_KEY' } });
  expect(hostSecrets).toEqual(['MY_KEY']);
  expect(JSON.stringify(run)).not.toContain('s3cr3t-value');
});
