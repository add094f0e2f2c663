import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { messageOf } from '../../../support/error-message';
import type { TokenLogprob } from '../logprobs';
import type { ChatMessage, LlamaModel } from '../native';
import { tokenText } from '../text';
import type { GeneratedToken } from '../engine';
import { badRequest } from './api-failure';
import { checkPrompt, generate, usage, type GenerationRequest, type Serving } from './generation';
import type { ChatRequest } from './requests';

/** Handles `POST /v1/chat/completions`. */
export async function handleChat(context: Context, serving: Serving, body: ChatRequest): Promise<Response> {
  const prompt = encodeChat(serving, body.messages, true);
  const available = serving.engine.maxLength - prompt.length;
  const maxTokens = body.max_completion_tokens ?? body.max_tokens ?? Math.max(available, 1);
  const request: GenerationRequest = {
    prompt,
    maxTokens,
    temperature: body.temperature,
    topP: body.top_p,
    topK: body.top_k,
    seed: body.seed,
    stop: body.stop,
    logprobs: body.logprobs ? body.top_logprobs : undefined,
    scorePrompt: false,
    signal: context.req.raw.signal,
  };
  checkPrompt(serving, request);
  const base = { id: `chatcmpl-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model: serving.servedModel };
  if (body.stream)
    return streamChat(context, serving, { request, base, withUsage: body.stream_options?.include_usage === true });
  const generation = await generate(serving, request);
  const logprobs = body.logprobs ? chatLogprobs(serving.loaded.model, generation.generated, body.top_logprobs) : null;
  const message = { role: 'assistant', content: generation.text };
  return context.json({
    ...base,
    object: 'chat.completion',
    choices: [{ index: 0, message, logprobs, finish_reason: generation.finishReason }],
    usage: usage(prompt.length, generation.generated.length),
  });
}

/** Renders a conversation with the model's template and tokenizes it. Throws 400 if that fails. */
export function encodeChat(
  { loaded }: Serving,
  messages: readonly ChatMessage[],
  addGenerationPrompt: boolean,
): number[] {
  if (!loaded.renderChat) throw badRequest('This model has no chat template. Use /v1/completions.');
  let text: string;
  try {
    text = loaded.renderChat(messages, addGenerationPrompt);
  } catch (error) {
    throw badRequest(`The model's chat template rejected these messages: ${messageOf(error)}`);
  }
  return loaded.model.tokenize(text, true);
}

function streamChat(
  context: Context,
  serving: Serving,
  { request, base, withUsage }: { request: GenerationRequest; base: Record<string, unknown>; withUsage: boolean },
): Response {
  const { model } = serving.loaded;
  return streamSSE(context, async (events) => {
    const write = (rest: Record<string, unknown>): Promise<void> =>
      events.writeSSE({ data: JSON.stringify({ ...base, object: 'chat.completion.chunk', ...rest }) });
    const send = (delta: Record<string, string>, more: Record<string, unknown> = {}): Promise<void> =>
      write({ choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...more }] });
    await send({ role: 'assistant', content: '' });
    const { finishReason, generated } = await generate(serving, request, async (chunk) => {
      if ('promptPredictions' in chunk) return;
      const { text: content, tokens } = chunk;
      if (request.logprobs !== undefined)
        await send({ content }, { logprobs: chatLogprobs(model, tokens, request.logprobs) });
      else if (content) await send({ content });
    });
    await send({}, { finish_reason: finishReason });
    if (withUsage) await write({ choices: [], usage: usage(request.prompt.length, generated.length) });
    await events.writeSSE({ data: '[DONE]' });
  });
}

function chatLogprobs(
  model: LlamaModel,
  generated: readonly GeneratedToken[],
  count: number,
): { content: Record<string, unknown>[] } {
  const describe = ({ token, logprob }: TokenLogprob): Record<string, unknown> => {
    const text = tokenText(model, token);
    return { token: text, logprob, bytes: [...Buffer.from(text)] };
  };
  return {
    content: generated.flatMap(({ prediction }) =>
      prediction
        ? [{ ...describe(prediction.target), top_logprobs: prediction.top.slice(0, count).map(describe) }]
        : [],
    ),
  };
}
