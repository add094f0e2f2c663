import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { encode } from '../tokens';
import type { Opinion } from '../logprobs';
import type { LlamaModel } from '../native';
import { CompletionLogprobWriter, type JudgedToken } from './completion-logprobs';
import {
  checkPrompt,
  generate,
  usage,
  type Generation,
  type GenerationRequest,
  type Piece,
  type Serving,
} from './generation';
import type { CompletionRequest } from './requests';

/** `POST /v1/completions`. */
export async function answerCompletion(context: Context, serving: Serving, body: CompletionRequest): Promise<Response> {
  const prompts = readPrompts(serving, body);
  for (const prompt of prompts) checkPrompt(serving, { prompt, maxTokens: body.max_tokens });
  const head = {
    id: `cmpl-${randomUUID()}`,
    object: 'text_completion',
    created: Math.floor(Date.now() / 1000),
    model: serving.servedModel,
  };
  if (body.stream) return streamCompletion(context, serving, { body, prompts, head });
  const generations: Generation[] = [];
  for (const prompt of prompts) {
    generations.push(await generate(serving, generationRequest(body, prompt, context.req.raw.signal)));
  }
  const completionTokens = generations.reduce((sum, { generated }) => sum + generated.length, 0);
  return context.json({
    ...head,
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
  const echoed = body.echo ? judgedPrompt(prompt, generation.promptOpinions) : [];
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

/** `opinions[i]` is about what follows token `i`. */
function judgedPrompt(prompt: readonly number[], opinions: readonly (Opinion | undefined)[]): JudgedToken[] {
  return prompt.map((token, i) => ({ token, opinion: i === 0 ? undefined : opinions[i - 1] }));
}

function streamCompletion(
  context: Context,
  serving: Serving,
  { body, prompts, head }: { body: CompletionRequest; prompts: number[][]; head: Record<string, unknown> },
): Response {
  return streamSSE(context, async (events) => {
    const write = (rest: Record<string, unknown>): Promise<void> =>
      events.writeSSE({ data: JSON.stringify({ ...head, ...rest }) });
    let completionTokens = 0;
    for (const [index, prompt] of prompts.entries()) {
      const send = (text: string, more: Record<string, unknown> = {}): Promise<void> =>
        write({ choices: [{ index, text, logprobs: null, finish_reason: null, ...more }] });
      const request = generationRequest(body, prompt, context.req.raw.signal);
      const tell = pieceTeller({ model: serving.loaded.model, body, prompt, send });
      const { finishReason, generated } = await generate(serving, request, tell);
      completionTokens += generated.length;
      await send('', { finish_reason: finishReason });
    }
    const promptTokens = prompts.reduce((sum, prompt) => sum + prompt.length, 0);
    if (body.stream_options?.include_usage) await write({ choices: [], usage: usage(promptTokens, completionTokens) });
    await events.writeSSE({ data: '[DONE]' });
  });
}

/** Sends the pieces of one prompt's answer: with `echo` the prompt first, in one piece. */
function pieceTeller(stream: {
  model: LlamaModel;
  body: CompletionRequest;
  prompt: readonly number[];
  send: (text: string, more: Record<string, unknown>) => Promise<void>;
}): (piece: Piece) => Promise<void> {
  const { model, body, prompt, send } = stream;
  const writer = logprobWriter(model, body);
  return async (piece) => {
    if (!('promptOpinions' in piece)) {
      if (writer || piece.text) await send(piece.text, { logprobs: writer?.next(piece.tokens) ?? null });
    } else if (body.echo) {
      const logprobs = writer?.next(judgedPrompt(prompt, piece.promptOpinions)) ?? null;
      await send(model.detokenize(prompt, true), { logprobs });
    }
  };
}
