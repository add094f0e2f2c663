import { randomInt } from 'node:crypto';
import type { Engine, GeneratedToken } from '../engine';
import type { Prediction } from '../logprobs';
import type { LoadedModel } from '../native';
import { StopFilter, TextStream } from '../text';
import { unknownToken } from '../tokens';
import type { Mutex } from '../mutex';
import { badRequest, contextOverflow } from './api-failure';

/** What all endpoints share. */
export interface Serving {
  readonly engine: Engine;
  readonly loaded: LoadedModel;
  /** Held while the engine works, because it runs one request at a time. */
  readonly mutex: Mutex;
  readonly servedModel: string;
  /** Seconds since the epoch. */
  readonly startedAt: number;
}

export interface GenerationRequest {
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly seed: number | undefined;
  readonly stop: readonly string[];
  readonly logprobs: number | undefined;
  readonly scorePrompt: boolean;
  readonly signal: AbortSignal;
}

export interface Generation {
  /** One for each prompt token except the first. */
  promptPredictions: readonly (Prediction | undefined)[];
  readonly generated: GeneratedToken[];
  text: string;
  finishReason: 'stop' | 'length';
}

/** A part of a generation: first the predictions for the prompt, then text with its tokens. */
export type GenerationChunk =
  | { readonly promptPredictions: readonly (Prediction | undefined)[] }
  | {
      /** Empty for tokens without text: those of a stop text, or of a character that never became complete. */
      readonly text: string;
      /**
       * All tokens since the last chunk. Text is held back until its characters are complete and it can't begin a
       * stop text.
       */
      readonly tokens: readonly GeneratedToken[];
    };

/** Throws 400 for a prompt that can't be computed, before it waits for the engine. */
export function checkPrompt(
  { engine, loaded }: Serving,
  { prompt, maxTokens }: Pick<GenerationRequest, 'prompt' | 'maxTokens'>,
): void {
  if (prompt.length === 0) throw badRequest('The prompt is empty.');
  const unknown = unknownToken(loaded.model, prompt);
  if (unknown !== undefined) throw badRequest(`prompt: the vocabulary has no token ${unknown}.`);
  if (prompt.length + maxTokens > engine.maxLength) {
    throw contextOverflow({ limit: engine.maxLength, prompt: prompt.length, completion: maxTokens });
  }
}

/** Runs one prompt, after those that came before it. `onChunk` gets the generation in parts as it grows. */
export async function generate(
  serving: Serving,
  request: GenerationRequest,
  onChunk: (chunk: GenerationChunk) => Promise<void> = () => Promise.resolve(),
): Promise<Generation> {
  checkPrompt(serving, request);
  const { temperature, topP, topK, signal } = request;
  const sampling = { temperature, topP, topK, seed: request.seed ?? randomInt(2 ** 31) };
  const generation: Generation = { promptPredictions: [], generated: [], text: '', finishReason: 'stop' };
  const stream = new TextStream(serving.loaded.model);
  const stops = new StopFilter(request.stop);
  let sent = 0;
  const send = async (text: string, { last = false } = {}): Promise<void> => {
    generation.text += text;
    const tokens = generation.generated.slice(sent);
    if (text === '' && !(last && tokens.length > 0)) return;
    sent += tokens.length;
    await onChunk({ text, tokens });
  };
  const release = await serving.mutex.acquire(signal);
  try {
    for await (const step of serving.engine.run({ ...request, sampling })) {
      if ('prompt' in step) {
        generation.promptPredictions = step.prompt;
        await onChunk({ promptPredictions: step.prompt });
        continue;
      }
      generation.generated.push(step);
      const { text, stopped } = stops.push(stream.push(step.token));
      await send(text, { last: stopped });
      if (stopped) return generation;
    }
  } finally {
    release();
  }
  if (generation.generated.length === request.maxTokens) generation.finishReason = 'length';
  await send(stops.push(stream.end()).text + stops.end(), { last: true });
  return generation;
}

export function usage(promptTokens: number, completionTokens: number): Record<string, number> {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
