import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { encode } from '../tokens';
import { completionLogprobs } from './completion-logprobs';
import { badRequest } from './errors';
import { checkPrompt, generate, usage, type Generation, type GenerationRequest, type Serving } from './generation';
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
  const echoed = body.echo ? prompt : [];
  const tokens = [...echoed, ...generation.generated.map(({ token }) => token)];
  const before = body.echo ? [undefined, ...generation.promptOpinions] : [];
  const opinions = [...before, ...generation.generated.map(({ opinion }) => opinion)];
  return {
    index,
    text: (body.echo ? model.detokenize(prompt, true) : '') + generation.text,
    logprobs:
      body.logprobs === undefined ? null : completionLogprobs({ model, tokens, opinions, count: body.logprobs }),
    finish_reason: generation.finishReason,
  };
}

function streamCompletion(
  context: Context,
  serving: Serving,
  { body, prompts, head }: { body: CompletionRequest; prompts: number[][]; head: Record<string, unknown> },
): Response {
  if (body.echo || body.logprobs !== undefined)
    throw badRequest('echo and logprobs are not supported together with stream.');
  return streamSSE(context, async (events) => {
    const send = (index: number, text: string, reason: string | null): Promise<void> =>
      events.writeSSE({
        data: JSON.stringify({ ...head, choices: [{ index, text, logprobs: null, finish_reason: reason }] }),
      });
    for (const [index, prompt] of prompts.entries()) {
      const request = generationRequest(body, prompt, context.req.raw.signal);
      const { finishReason } = await generate(serving, request, (text) => send(index, text, null));
      await send(index, '', finishReason);
    }
    await events.writeSSE({ data: '[DONE]' });
  });
}
