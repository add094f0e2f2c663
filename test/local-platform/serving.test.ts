import { deployment, eventually, testPlatform, type TestPlatform } from './test-platform';

let platform: TestPlatform;
afterEach(() => platform.dispose());

async function serve(spec: Record<string, unknown> = {}, plan = 'endpoints: { default: { states: [[Ready]] } }') {
  platform = await testPlatform({ plan });
  await platform.json('POST', '/usersecrets', [{ name: 'ENDPOINT_KEY', value: 'stored-token' }]);
  const created = await platform.json('POST', '/deployments', deployment('ep1', spec));
  return created.status.endpoint.external_endpoint as string;
}
const post = async (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
const modelOf = async (url: string, headers = {}) => {
  const response = await fetch(`${url}/v1/models`, { headers });
  const body = (await response.json()) as { data?: { id: string }[] };
  return response.ok ? body.data?.map(({ id }) => id) : response.status;
};

test.each([
  [{}, 'ep1'],
  [{ envs: [{ name: 'SERVED_MODEL_NAME', value: 'org/model' }] }, 'org/model'],
  [{ container: { command: ['vllm', 'serve', 'x', '--served-model-name', 'named'] } }, 'named'],
  [{ container: { command: ['/bin/bash', '-c', 'vllm serve x --served-model-name="a b" --port 1'] } }, 'a b'],
  [{ container: { command: ['trtllm-serve', '--served_model_name=under'] } }, 'under'],
])('%j serves %s', async (spec, model) => {
  expect(await modelOf(await serve(spec))).toEqual([model]);
});

test('a deployment serves only while Ready, and only with its token', async () => {
  const url = await serve(
    { api_tokens: [{ value: 'literal' }, { value_from: { token_name_ref: 'ENDPOINT_KEY' } }] },
    'endpoints: { default: { states: [[Starting, 8s], [Ready]] } }',
  );
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  expect(await modelOf(url, bearer('literal'))).toBe(503);
  await eventually(async () => Array.isArray(await modelOf(url, bearer('literal'))));
  expect(await modelOf(url, bearer('stored-token'))).toEqual(['ep1']);
  expect(await modelOf(url)).toBe(401);
  expect(await modelOf(url, bearer('other'))).toBe(401);
});

test('a token that refers to no stored secret admits nobody', async () => {
  const url = await serve({ api_tokens: [{ value_from: { token_name_ref: 'MISSING' } }] });
  expect(await modelOf(url, { authorization: 'Bearer ' })).toBe(401);
  expect(await modelOf(url, { authorization: 'Bearer undefined' })).toBe(401);
});

test('the plan can make it serve another name, and answer 503 for a while although Ready', async () => {
  const url = await serve({}, 'endpoints: { default: { states: [[Ready]], serves: other, unhealthy: 8s } }');
  expect((await platform.json('GET', '/deployments/ep1')).status.state).toBe('Ready');
  expect(await modelOf(url)).toBe(503);
  expect(
    await eventually(async () => {
      const seen = await modelOf(url);
      return Array.isArray(seen) && seen;
    }),
  ).toEqual(['other']);
});

interface Logprobs {
  tokens: string[];
  token_logprobs: (number | null)[];
  top_logprobs: (Record<string, number> | null)[];
  text_offset: number[];
}

test('completions are well-formed: echo, logprobs, batches, token ids', async () => {
  const url = await serve();
  const response = await post(`${url}/v1/completions`, {
    model: 'ep1',
    prompt: ['The cat  sat', [1, 2, 3]],
    echo: true,
    logprobs: 1,
    max_tokens: 1,
  });
  const { choices, usage } = (await response.json()) as {
    choices: { text: string; logprobs: Logprobs }[];
    usage: Record<string, number>;
  };
  expect(choices).toHaveLength(2);
  for (const { text, logprobs } of choices) {
    const { tokens, token_logprobs: values, top_logprobs: top, text_offset: offsets } = logprobs;
    expect(tokens.join('')).toBe(text);
    expect(new Set([tokens.length, values.length, top.length, offsets.length]).size).toBe(1);
    expect(values[0]).toBeNull();
    expect(values.slice(1).every((value) => typeof value === 'number' && value < 0)).toBe(true);
    tokens.forEach((token, index) => expect(text.slice(offsets[index])).toMatch(new RegExp(`^${token}`)));
  }
  expect(choices[0]?.text.startsWith('The cat  sat')).toBe(true);
  expect(usage).toEqual({ prompt_tokens: 6, completion_tokens: 2, total_tokens: 8 });
});

test('chat works with and without streaming; another model and an invalid body are refused', async () => {
  const url = await serve();
  const messages = [{ role: 'user', content: 'Hi' }];
  const chat = (await (await post(`${url}/v1/chat/completions`, { model: 'ep1', messages })).json()) as {
    choices: { message: { content: string } }[];
  };
  expect(chat.choices[0]?.message.content).toMatch(/\w/);
  const stream = await (await post(`${url}/v1/chat/completions`, { model: 'ep1', messages, stream: true })).text();
  expect(stream).toContain(JSON.stringify(chat.choices[0]?.message.content));
  expect(stream.endsWith('data: [DONE]\n\n')).toBe(true);
  expect((await post(`${url}/v1/completions`, { model: 'other', prompt: 'x' })).status).toBe(404);
  expect((await post(`${url}/v1/chat/completions`, { model: 'ep1', messages: 'x' })).status).toBe(400);
});
