import { execa } from 'execa';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { provisionHarness } from '../../src/local-platform/harness/provision-harness';
import { provisionTokenizer } from '../../src/local-platform/harness/tokenizer';
import { homePaths } from '../../src/home/paths';
import { builtInWeights } from '../../src/local-platform/model-server/weights';
import { provisionModelServer } from '../../src/local-platform/provision/model-server';
import { freshFolder, testCache } from '../support/folders';

/** The real model server with the real small model, as a deployment runs it. */

const home = homePaths({ EVALSAGA_HOME: testCache });
const TOKEN = 'a-token';
const TEXTS = [
  'The capital of France is Paris, which lies on the Seine.',
  'A man is sitting on a roof. he starts pulling up roofing on a roof.',
  'def add(a, b):\n    return a + b\n\n# naïve café — 東京 🙂\nprint(add(12345, 678))',
  '<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n',
];

let dispose: () => Promise<void>;
let server: ChildProcess;
let url: string;
let weights: string;
let runtimeFolder: string;

beforeAll(async () => {
  [runtimeFolder, weights] = await Promise.all([provisionModelServer({ home }), builtInWeights({ home })]);
  const folder = await freshFolder('model-server');
  dispose = folder.dispose;
  const portFile = path.join(folder.path, 'port');
  server = spawn(
    process.execPath,
    [
      ...[path.resolve('dist/local-platform/model-server/main.js'), '--model', weights, '--runtime', runtimeFolder],
      ...['--served-model-name', 'smol', '--port-file', portFile, '--threads', '1'],
    ],
    {
      env: { ...process.env, EVALSAGA_MODEL_SERVER_TOKENS: JSON.stringify([TOKEN]) },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await once(server.stdout ?? server, 'data');
  let port = '';
  while (!port) port = await readFile(portFile, 'utf8').catch(() => sleep(20).then(() => ''));
  url = `http://127.0.0.1:${port}`;
}, 300_000);

afterAll(async () => {
  server.kill('SIGTERM');
  const [code] = (await once(server, 'exit')) as [number | null];
  expect(code).toBe(0);
  await dispose();
});

interface Choice {
  text: string;
  finish_reason: string;
  logprobs: {
    tokens: string[];
    token_logprobs: (number | null)[];
    top_logprobs: (Record<string, number> | null)[];
    text_offset: number[];
  };
}

function post(route: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  return fetch(`${url}${route}`, { method: 'POST', headers, body: JSON.stringify(body), ...init });
}

async function complete(body: Record<string, unknown>): Promise<Choice[]> {
  const response = await post('/v1/completions', { model: 'smol', temperature: 0, ...body });
  expect(response.status).toBe(200);
  return ((await response.json()) as { choices: Choice[] }).choices;
}

async function score(prompt: string | number[], more: Record<string, unknown> = {}): Promise<Choice> {
  const [choice] = await complete({ prompt, echo: true, logprobs: 1, max_tokens: 0, ...more });
  if (!choice) throw new Error('no choice');
  return choice;
}

async function tokenize(prompt: string): Promise<number[]> {
  return ((await (await post('/tokenize', { prompt })).json()) as { tokens: number[] }).tokens;
}

describe('log probabilities of prompt tokens', () => {
  test('match a reference computation within 1e-3 nats per token', async () => {
    const script = path.resolve('test/support/reference-logprobs.mjs');
    const { stdout } = await execa(process.execPath, [script, runtimeFolder, weights, JSON.stringify(TEXTS)]);
    const references = JSON.parse(stdout) as { tokens: number[]; logprobs: number[] }[];
    for (const [i, reference] of references.entries()) {
      const { token_logprobs: logprobs } = (await score(TEXTS[i] ?? '')).logprobs;
      expect(await tokenize(TEXTS[i] ?? '')).toEqual(reference.tokens);
      expect(logprobs[0]).toBeNull();
      expect(logprobs).toHaveLength(reference.tokens.length);
      const differences = reference.logprobs.map((value, at) => Math.abs(value - (logprobs[at + 1] ?? NaN)));
      expect(Math.max(...differences)).toBeLessThan(1e-3);
    }
  });

  test('do not depend on earlier requests', async () => {
    const context = 'A man is seen sitting on a roof while another man watches from the street below. He';
    const prompts = [' starts pulling up roofing.', ' eats an apple.', ' starts pulling up his socks.'].map(
      (end) => context + end,
    );
    const long = `${context} waits. `.repeat(30);
    const first = [await score(prompts[0] ?? ''), await score(long)];
    for (let i = 0; i < 10; i++) await score(`Unrelated text number ${i}. `.repeat(1 + i));
    await complete({ prompt: `${context} starts`, max_tokens: 8, temperature: 1, seed: 7 });
    await complete({ prompt: context, max_tokens: 3, logprobs: 5 });
    for (const prompt of prompts.slice(1)) await score(prompt);
    await score(long.slice(0, 1100));
    expect(await score(prompts[0] ?? '')).toEqual(first[0]);
    expect(await score(long)).toEqual(first[1]);
    expect((await score(prompts[0] ?? '', { max_tokens: 1 })).logprobs.token_logprobs.slice(0, -1)).toEqual(
      first[0]?.logprobs.token_logprobs,
    );
  });

  test('have the format of legacy completions', async () => {
    const text = TEXTS[2] ?? '';
    const { logprobs, text: echoed } = await score(text, { logprobs: 3 });
    expect(echoed).toBe(text);
    expect(logprobs.top_logprobs[0]).toBeNull();
    expect(logprobs.text_offset[0]).toBe(0);
    for (const [i, offset] of logprobs.text_offset.entries()) {
      const token = logprobs.tokens[i] ?? '';
      if (!token.startsWith('token_id:')) expect(text.slice(offset, offset + token.length)).toBe(token);
      const top = logprobs.top_logprobs[i];
      if (!top) continue;
      expect(Object.keys(top).length).toBeGreaterThanOrEqual(3);
      expect(top[token]).toBe(logprobs.token_logprobs[i]);
      const total = Object.values(top).reduce((sum, value) => sum + Math.exp(value), 0);
      expect(total).toBeLessThanOrEqual(1.0001);
    }
    expect(await score(await tokenize(text), { logprobs: 3 })).toEqual(await score(text, { logprobs: 3 }));
  });

  test('answers to a list of prompts, given as text or token ids, come in order', async () => {
    const ids = await tokenize(TEXTS[1] ?? '');
    const choices = await complete({ prompt: [TEXTS[0], ids], echo: true, max_tokens: 1, logprobs: 0 });
    expect(choices.map(({ text }) => text.slice(0, 10))).toEqual(
      [TEXTS[0], TEXTS[1]].map((text) => text?.slice(0, 10)),
    );
  });
});

describe('generation', () => {
  test('greedy and seeded completions are reproducible, and stop texts end them', async () => {
    const greedy = { prompt: 'Once upon a time', max_tokens: 12 };
    expect(await complete(greedy)).toEqual(await complete(greedy));
    const seeded = { ...greedy, temperature: 1, seed: 42 };
    expect(await complete(seeded)).toEqual(await complete(seeded));
    const [whole] = await complete(greedy);
    const stop = whole?.text.trim().split(' ')[2] ?? '';
    const [cut] = await complete({ ...greedy, stop });
    expect(cut?.text).toBe(whole?.text.slice(0, whole.text.indexOf(stop)));
    expect(cut?.finish_reason).toBe('stop');
    expect(whole?.finish_reason).toBe('length');
  });

  test("chat applies the model's template, and a streamed answer equals a whole one", async () => {
    const body = { model: 'smol', messages: [{ role: 'user', content: 'Say hello.' }], max_tokens: 10, temperature: 0 };
    const answer = (await (await post('/v1/chat/completions', body)).json()) as {
      choices: { message: { role: string; content: string } }[];
      usage: { prompt_tokens: number };
    };
    const streamed = await (await post('/v1/chat/completions', { ...body, stream: true })).text();
    const events = streamed
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line) => line.slice(6));
    expect(events.pop()).toBe('[DONE]');
    const pieces = events.map(
      (event) => (JSON.parse(event) as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content ?? '',
    );
    expect(answer.choices[0]?.message.content).not.toBe('');
    expect(pieces.join('')).toBe(answer.choices[0]?.message.content);
    const rendered = (await (await post('/tokenize', { messages: body.messages })).json()) as { count: number };
    expect(answer.usage.prompt_tokens).toBe(rendered.count);
  });
});

describe('streamed log probabilities', () => {
  interface Chunk<T> {
    choices: (T & { index: number; finish_reason: string | null })[];
    usage?: Record<string, number>;
  }

  async function streamed<T>(route: string, body: Record<string, unknown>): Promise<Chunk<T>[]> {
    const response = await post(route, { model: 'smol', ...body, stream: true });
    expect(response.status).toBe(200);
    const lines = (await response.text()).split('\n').filter((line) => line.startsWith('data: '));
    expect(lines.pop()).toBe('data: [DONE]');
    return lines.map((line) => JSON.parse(line.slice(6)) as Chunk<T>);
  }

  test.each([
    ['plain', { prompt: 'Once upon a time', max_tokens: 12, logprobs: 2 }],
    ['with echo', { prompt: TEXTS[2], max_tokens: 5, logprobs: 1, echo: true }],
    ['of the prompt only', { prompt: TEXTS[1], max_tokens: 0, logprobs: 0, echo: true }],
    ['up to a stop text', { prompt: 'Once upon a time', max_tokens: 12, logprobs: 0, stop: 'e' }],
    ['of several prompts', { prompt: ['One', 'Two three'], max_tokens: 3, logprobs: 0, echo: true }],
  ])('of completions equal those of an unstreamed answer: %s', async (_, body) => {
    const whole = await complete(body);
    const chunks = await streamed<Choice>('/v1/completions', { temperature: 0, ...body });
    for (const [index, expected] of whole.entries()) {
      const parts = chunks.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
      expect(parts.map(({ text }) => text).join('')).toBe(expected.text);
      expect(parts.at(-1)?.finish_reason).toBe(expected.finish_reason);
      for (const key of ['tokens', 'token_logprobs', 'top_logprobs', 'text_offset'] as const)
        expect(parts.flatMap<unknown>(({ logprobs }) => logprobs?.[key] ?? [])).toEqual(expected.logprobs[key]);
    }
  });

  test('of a chat equal those of an unstreamed answer, with the usage at the end if requested', async () => {
    const body = {
      ...{ model: 'smol', messages: [{ role: 'user', content: 'Say hello.' }], max_tokens: 10, temperature: 0 },
      ...{ logprobs: true, top_logprobs: 2, stream_options: { include_usage: true } },
    };
    const whole = (await (await post('/v1/chat/completions', body)).json()) as {
      choices: { message: { content: string }; logprobs: { content: { top_logprobs: unknown[] }[] } }[];
      usage: unknown;
    };
    const chunks = await streamed<{
      delta: { content?: string };
      logprobs: { content: unknown[] } | null;
    }>('/v1/chat/completions', body);
    expect(chunks.pop()).toMatchObject({ choices: [], usage: whole.usage });
    const parts = chunks.flatMap(({ choices }) => choices);
    expect(parts.map(({ delta }) => delta.content ?? '').join('')).toBe(whole.choices[0]?.message.content);
    const told = parts.flatMap(({ logprobs }) => logprobs?.content ?? []);
    expect(told).toHaveLength(10);
    expect(told).toEqual(whole.choices[0]?.logprobs.content);
    expect(whole.choices[0]?.logprobs.content[0]?.top_logprobs).toHaveLength(2);
  });
});

describe('tokenization, refusals and disconnects', () => {
  test('the tokenizer folder for the harness yields the same tokens as the server', async () => {
    const harness = await provisionHarness({ home });
    const made = await provisionTokenizer({ home, harness, weights });
    const folder = made.kind === 'folder' ? made.folder : made.reason;
    const code = `
import json, sys
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
print(json.dumps([tokenizer.encode(text) for text in json.loads(sys.argv[2])]))`;
    const texts = [...TEXTS, ' leading', 'trailing ', '\n\n\t x', "it's we'll 1234567890", 'ÀÉ ñ 한국어 \u00a0', ''];
    const { stdout } = await execa(harness.python, ['-c', code, folder, JSON.stringify(texts)]);
    expect(JSON.parse(stdout)).toEqual(await Promise.all(texts.map(tokenize)));
  }, 300_000);

  test('/detokenize restores the text', async () => {
    const tokens = await tokenize(TEXTS[2] ?? '');
    expect(await (await post('/detokenize', { tokens })).json()).toEqual({ prompt: TEXTS[2] });
  });

  test.each([
    ['another model', '/v1/completions', { model: 'other', prompt: 'x' }, 404, 'other'],
    [
      'a prompt longer than the context',
      '/v1/completions',
      { prompt: 'word '.repeat(5000) },
      400,
      'maximum context length is 4096',
    ],
    ['n=2', '/v1/completions', { prompt: 'x', n: 2 }, 400, 'n=1'],
    ['an empty prompt', '/v1/completions', { prompt: '' }, 400, 'empty'],
    ['no prompt', '/v1/completions', {}, 400, 'prompt'],
    ['an unknown token id', '/v1/completions', { prompt: [999_999] }, 400, '999999'],
    ['chat without messages', '/v1/chat/completions', { messages: [] }, 400, 'messages'],
    ['an unknown path', '/v1/nothing', {}, 404, '/v1/nothing'],
  ])('%s is refused in the error format of OpenAI', async (_, route, body, status, text) => {
    const response = await post(route, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({
      error: { message: expect.stringContaining(text) as string, code: status },
    });
  });

  test('a request without the API token is answered 401', async () => {
    const response = await fetch(`${url}/v1/models`);
    expect(response.status).toBe(401);
    expect((await post('/health', undefined, { method: 'GET', body: null })).status).toBe(200);
    expect(await (await post('/v1/models', undefined, { method: 'GET', body: null })).json()).toMatchObject({
      data: [{ id: 'smol' }],
    });
  });

  test('a client disconnect stops its generation, so that the next request is served soon', async () => {
    const gone = new AbortController();
    const long = post(
      '/v1/completions',
      { prompt: 'Count: 1 2 3', max_tokens: 4000, temperature: 0 },
      { signal: gone.signal },
    );
    long.catch(() => undefined);
    await sleep(300);
    gone.abort();
    const started = Date.now();
    await complete({ prompt: 'x', max_tokens: 1 });
    expect(Date.now() - started).toBeLessThan(15_000);
  });
});
