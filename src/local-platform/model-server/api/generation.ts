import { randomInt } from 'node:crypto';
import type { Engine, GeneratedToken } from '../engine';
import type { Opinion } from '../logprobs';
import type { LoadedModel } from '../native';
import { StopFilter, TextStream } from '../text';
import { unknownToken } from '../tokens';
import type { Turns } from '../turn';
import { badRequest, contextOverflow } from './api-failure';

/** What every endpoint works with. */
export interface Serving {
  readonly engine: Engine;
  readonly loaded: LoadedModel;
  readonly turns: Turns;
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
  /** One for each prompt token but the first. */
  promptOpinions: readonly (Opinion | undefined)[];
  readonly generated: GeneratedToken[];
  text: string;
  finishReason: 'stop' | 'length';
}

/** A part of a generation as it grows: first what the model held of the prompt, then text with the tokens that it is made of. */
export type Piece =
  | { readonly promptOpinions: readonly (Opinion | undefined)[] }
  | {
      /** Empty for tokens that leave no text: those of a stop text, or of a character that never became complete. */
      readonly text: string;
      /** All since the last piece: text is held back until its characters are whole and it is no beginning of a stop text. */
      readonly tokens: readonly GeneratedToken[];
    };

/** Refuses what can't be computed, before it waits for its turn. */
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

/** Runs one prompt when its turn comes. `onPiece` is told what comes of it as it grows. */
export async function generate(
  serving: Serving,
  request: GenerationRequest,
  onPiece: (piece: Piece) => Promise<void> = () => Promise.resolve(),
): Promise<Generation> {
  checkPrompt(serving, request);
  const { temperature, topP, topK, signal } = request;
  const sampling = { temperature, topP, topK, seed: request.seed ?? randomInt(2 ** 31) };
  const generation: Generation = { promptOpinions: [], generated: [], text: '', finishReason: 'stop' };
  const stream = new TextStream(serving.loaded.model);
  const stops = new StopFilter(request.stop);
  let told = 0;
  const tell = async (text: string, { last = false } = {}): Promise<void> => {
    generation.text += text;
    const tokens = generation.generated.slice(told);
    if (text === '' && !(last && tokens.length > 0)) return;
    told += tokens.length;
    await onPiece({ text, tokens });
  };
  const release = await serving.turns.take(signal);
  try {
    for await (const step of serving.engine.run({ ...request, sampling })) {
      if ('prompt' in step) {
        generation.promptOpinions = step.prompt;
        await onPiece({ promptOpinions: step.prompt });
        continue;
      }
      generation.generated.push(step);
      const { text, stopped } = stops.push(stream.push(step.token));
      await tell(text, { last: stopped });
      if (stopped) return generation;
    }
  } finally {
    release();
  }
  if (generation.generated.length === request.maxTokens) generation.finishReason = 'length';
  await tell(stops.push(stream.end()).text + stops.end(), { last: true });
  return generation;
}

export function usage(promptTokens: number, completionTokens: number): Record<string, number> {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
