import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { encode } from '../tokens';
import type { Prediction } from '../logprobs';
import type { LlamaModel } from '../native';
import { CompletionLogprobWriter, type ScoredToken } from './completion-logprobs';
import {
  checkPrompt,
  generate,
  usage,
  type Generation,
  type GenerationRequest,
  type GenerationChunk,
  type Serving,
} from './generation';
import type { CompletionRequest } from './requests';

/** Handles `POST /v1/completions`. */
export async function handleCompletion(context: Context, serving: Serving, body: CompletionRequest): Promise<Response> {
  const prompts = readPrompts(serving, body);
  for (const prompt of prompts) checkPrompt(serving, { prompt, maxTokens: body.max_tokens });
  const base = {
    id: `cmpl-${randomUUID()}`,
    object: 'text_completion',
    created: Math.floor(Date.now() / 1000),
    model: serving.servedModel,
  };
  if (body.stream) return streamCompletion(context, serving, { body, prompts, base });
  const generations: Generation[] = [];
  for (const prompt of prompts) {
    generations.push(await generate(serving, generationRequest(body, prompt, context.req.raw.signal)));
  }
  const completionTokens = generations.reduce((sum, { generated }) => sum + generated.length, 0);
  return context.json({
    ...base,
    choices: generations.map((generation, index) =>
      choice(serving, body, { generation, index, prompt: prompts[index] ?? [] }),
    ),
    usage: usage(
      prompts.reduce((sum, prompt) => sum + prompt.length, 0),
      completionTokens,
    ),
  });
}

function readPrompts({ loaded: { model } }: Serving, { prompt }: CompletionRequest): number[][] {
  if (typeof prompt === 'string') return [encode(model, prompt)];
  if (prompt.every((item) => typeof item === 'number')) return [prompt];
  return prompt.map((item) => (typeof item === 'string' ? encode(model, item) : item));
}

function generationRequest(body: CompletionRequest, prompt: readonly number[], signal: AbortSignal): GenerationRequest {
  return {
    prompt,
    maxTokens: body.max_tokens,
    temperature: body.temperature,
    topP: body.top_p,
    topK: body.top_k,
    seed: body.seed,
    stop: body.stop,
    logprobs: body.logprobs,
    scorePrompt: body.echo && body.logprobs !== undefined,
    signal,
  };
}

function choice(
  { loaded: { model } }: Serving,
  body: CompletionRequest,
  { generation, index, prompt }: { generation: Generation; index: number; prompt: readonly number[] },
): Record<string, unknown> {
  const echoed = body.echo ? scoredPrompt(prompt, generation.promptPredictions) : [];
  return {
    index,
    text: (body.echo ? model.detokenize(prompt, true) : '') + generation.text,
    logprobs: logprobWriter(model, body)?.next([...echoed, ...generation.generated]) ?? null,
    finish_reason: generation.finishReason,
  };
}

function logprobWriter(model: LlamaModel, { logprobs }: CompletionRequest): CompletionLogprobWriter | undefined {
  return logprobs === undefined ? undefined : new CompletionLogprobWriter({ model, count: logprobs });
}

/** Pairs each token with its prediction; `predictions[i]` is of what follows token `i`. */
function scoredPrompt(prompt: readonly number[], predictions: readonly (Prediction | undefined)[]): ScoredToken[] {
  return prompt.map((token, i) => ({ token, prediction: i === 0 ? undefined : predictions[i - 1] }));
}

function streamCompletion(
  context: Context,
  serving: Serving,
  { body, prompts, base }: { body: CompletionRequest; prompts: number[][]; base: Record<string, unknown> },
): Response {
  return streamSSE(context, async (events) => {
    const write = (rest: Record<string, unknown>): Promise<void> =>
      events.writeSSE({ data: JSON.stringify({ ...base, ...rest }) });
    let completionTokens = 0;
    for (const [index, prompt] of prompts.entries()) {
      const send = (text: string, more: Record<string, unknown> = {}): Promise<void> =>
        write({ choices: [{ index, text, logprobs: null, finish_reason: null, ...more }] });
      const request = generationRequest(body, prompt, context.req.raw.signal);
      const onChunk = chunkSender({ model: serving.loaded.model, body, prompt, send });
      const { finishReason, generated } = await generate(serving, request, onChunk);
      completionTokens += generated.length;
      await send('', { finish_reason: finishReason });
    }
    const promptTokens = prompts.reduce((sum, prompt) => sum + prompt.length, 0);
    if (body.stream_options?.include_usage) await write({ choices: [], usage: usage(promptTokens, completionTokens) });
    await events.writeSSE({ data: '[DONE]' });
  });
}

/** Sends the chunks of one prompt's completion; with `echo`, the prompt comes first in a single chunk. */
function chunkSender(stream: {
  model: LlamaModel;
  body: CompletionRequest;
  prompt: readonly number[];
  send: (text: string, more: Record<string, unknown>) => Promise<void>;
}): (chunk: GenerationChunk) => Promise<void> {
  const { model, body, prompt, send } = stream;
  const writer = logprobWriter(model, body);
  return async (chunk) => {
    if (!('promptPredictions' in chunk)) {
      if (writer || chunk.text) await send(chunk.text, { logprobs: writer?.next(chunk.tokens) ?? null });
    } else if (body.echo) {
      const logprobs = writer?.next(scoredPrompt(prompt, chunk.promptPredictions)) ?? null;
      await send(model.detokenize(prompt, true), { logprobs });
    }
  };
}
