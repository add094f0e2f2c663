import { z } from 'zod';
import { scoreOf } from './results';

/** Well-formed responses of a model server without a model: the same request always gets the same response. Pure. */

const tokenIds = z.array(z.number());
const completionRequest = z.object({
  model: z.string().default('simulated'),
  prompt: z.union([z.string(), tokenIds, z.array(z.union([z.string(), tokenIds]))]).default(''),
  max_tokens: z.number().int().min(0).nullish(),
  echo: z.boolean().nullish(),
  logprobs: z.union([z.number(), z.boolean()]).nullish(),
});
const chatRequest = z.object({
  model: z.string().default('simulated'),
  messages: z.array(z.looseObject({ role: z.string(), content: z.unknown() })).min(1),
  max_tokens: z.number().int().min(0).nullish(),
});

const vocabulary = ['the', 'model', 'says', 'yes', 'no', 'four', 'and', 'so', 'on', 'then'] as const;
const defaultTokens = 16;

/** Throws `ZodError` for a body that is not a completion request. */
export function completionResponse(body: unknown): Record<string, unknown> {
  const request = completionRequest.parse(body);
  const prompts = promptsOf(request.prompt);
  const maxTokens = request.max_tokens ?? defaultTokens;
  const choices = prompts.map((prompt, index) => {
    const generated = generatedTokens(prompt, maxTokens);
    const tokens = request.echo === true ? [...tokensOf(prompt), ...generated] : generated;
    const wantsLogprobs = request.logprobs !== undefined && request.logprobs !== null && request.logprobs !== false;
    return {
      index,
      text: tokens.join(''),
      finish_reason: 'length',
      logprobs: wantsLogprobs ? logprobsOf(tokens, request.echo === true) : null,
    };
  });
  const promptTokens = prompts.reduce((total, prompt) => total + tokensOf(prompt).length, 0);
  return responseOf({
    object: 'text_completion',
    model: request.model,
    choices,
    promptTokens,
    completionTokens: maxTokens * prompts.length,
  });
}

/** Throws `ZodError` for a body that is not a chat request. */
export function chatResponse(body: unknown): Record<string, unknown> {
  const { model, prompt, text, completionTokens } = chat(body);
  const choice = { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: text } };
  return responseOf({
    object: 'chat.completion',
    model,
    choices: [choice],
    promptTokens: tokensOf(prompt).length,
    completionTokens,
  });
}

/** Returns the same response as server-sent events. */
export function chatChunks(body: unknown): string[] {
  const { model, text } = chat(body);
  const chunk = (delta: Record<string, string>, finish: string | null): string => {
    const choices = [{ index: 0, delta, finish_reason: finish }];
    return `data: ${JSON.stringify({ id: 'simulated', object: 'chat.completion.chunk', created: 0, model, choices })}\n\n`;
  };
  return [chunk({ role: 'assistant', content: text }, null), chunk({}, 'stop'), 'data: [DONE]\n\n'];
}

function chat(body: unknown): { model: string; prompt: string; text: string; completionTokens: number } {
  const request = chatRequest.parse(body);
  const prompt = request.messages.map(({ role, content }) => `${role}: ${JSON.stringify(content)}`).join('\n');
  const generated = generatedTokens(prompt, Math.min(request.max_tokens ?? defaultTokens, defaultTokens));
  return { model: request.model, prompt, text: generated.join('').trim(), completionTokens: generated.length };
}

function responseOf(parts: {
  readonly object: string;
  readonly model: string;
  readonly choices: readonly unknown[];
  readonly promptTokens: number;
  readonly completionTokens: number;
}): Record<string, unknown> {
  const { object, model, choices, promptTokens, completionTokens } = parts;
  const usage = {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
  return { id: 'simulated', object, created: Math.floor(Date.now() / 1000), model, choices, usage };
}

function promptsOf(prompt: z.infer<typeof completionRequest>['prompt']): string[] {
  if (typeof prompt === 'string') return [prompt];
  const spell = (ids: readonly number[]): string => ids.map((id) => ` t${id}`).join('');
  const ids = tokenIds.safeParse(prompt);
  if (ids.success && ids.data.length > 0) return [spell(ids.data)];
  return (prompt as (string | number[])[]).map((part) => (typeof part === 'string' ? part : spell(part)));
}

/** Splits a text into words, each with the whitespace before it. */
const tokensOf = (text: string): string[] => text.match(/\s*\S+|\s+$/g) ?? [];

const generatedTokens = (prompt: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => {
    const pick = Math.floor(scoreOf(prompt, index) * (vocabulary.length - 1));
    return ` ${vocabulary[pick] ?? vocabulary[0]}`;
  });

/** Returns logprobs in the OpenAI format, in which the first token of a text has none. */
function logprobsOf(tokens: readonly string[], fromStart: boolean): Record<string, unknown> {
  let offset = 0;
  const offsets = tokens.map((token) => {
    const here = offset;
    offset += token.length;
    return here;
  });
  const values = tokens.map((token, index) => (fromStart && index === 0 ? null : -0.01 - scoreOf(token, index) * 5));
  const top = values.map((value, index) => (value === null ? null : { [tokens[index] ?? '']: value }));
  return { tokens, token_logprobs: values, top_logprobs: top, text_offset: offsets };
}
