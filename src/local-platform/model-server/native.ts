import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { BATCH_SIZE } from './batches';

/**
 * The part of node-llama-cpp that is used, as typed by version 3.22. Models, contexts and tokenization use its public
 * API; batches and sampling use its native binding, because the public `controlledEvaluate` passes every token's whole
 * distribution to JavaScript (17 ms per token for a vocabulary of 49 152, instead of 4 ms). The package is therefore
 * pinned to an exact version, see provision/model-server.ts.
 */
export interface NativeSampler {
  applyConfig(config: SamplerConfig): void;
  dispose(): void;
}

export interface SamplerConfig {
  /** If absent, sampling is greedy. */
  readonly temperature?: number;
  /** 0 means the whole vocabulary. Greedy sampling ignores this, `topP` and `minP`. */
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly seed?: number;
  /** Added to these tokens' logits before anything else. */
  readonly tokenBiasKeys?: Uint32Array;
  readonly tokenBiasValues?: Float32Array;
}

/** `[token, [token, probability, …] by descending probability, probability of the sampled token]` */
export type Sample = readonly [
  token: number,
  probabilities: readonly number[] | undefined,
  confidence: number | undefined,
];

export interface NativeContext {
  initBatch(size: number): void;
  /** Returns an index for `sampleToken` for each of `logitIndexes` (positions within `tokens`). */
  addToBatch(sequence: number, firstPosition: number, tokens: Uint32Array, logitIndexes: Uint32Array): Uint32Array;
  decodeBatch(): Promise<void>;
  sampleToken(logitIndex: number, sampler: NativeSampler, probabilities: boolean, confidence: boolean): Promise<Sample>;
  /** Removes positions from `start` up to, not including, `end`; -1 means up to the last. */
  removeTokenCellsFromSequence(sequence: number, start: number, end: number): boolean;
}

interface LlamaContext {
  readonly contextSize: number;
  readonly _ctx: NativeContext;
  dispose(): Promise<void>;
}

export interface LlamaModel {
  readonly trainContextSize: number;
  readonly fileInfo: {
    readonly metadata?: {
      readonly tokenizer?: { readonly chat_template?: string; readonly ggml?: { readonly tokens?: readonly string[] } };
    };
  };
  readonly tokens: {
    readonly bos: number | null;
    readonly eos: number | null;
    readonly bosString: string | null;
    readonly eosString: string | null;
    readonly shouldPrependBosToken: boolean;
  };
  tokenize(text: string, specialTokens: boolean): number[];
  detokenize(tokens: readonly number[], specialTokens: boolean): string;
  isEogToken(token: number): boolean;
  createContext(options: {
    contextSize: number;
    sequences: number;
    batchSize: number;
    threads: number;
    flashAttention: boolean;
  }): Promise<LlamaContext>;
  readonly _model: object;
}

interface Llama {
  loadModel(options: {
    modelPath: string;
    gpuLayers: number;
    defaultContextFlashAttention: boolean;
  }): Promise<LlamaModel>;
  dispose(): Promise<void>;
  readonly _bindings: { readonly AddonSampler: new (model: object) => NativeSampler };
}

interface LlamaModule {
  getLlama(options: {
    gpu: false;
    build: 'never';
    skipDownload: true;
    progressLogs: false;
    logLevel: 'error';
    maxThreads: number;
  }): Promise<Llama>;
}

export interface LoadedModel {
  readonly model: LlamaModel;
  /** Renders chat messages with the model's template; `undefined` if the weights contain none. */
  readonly renderChat: ((messages: readonly ChatMessage[], addGenerationPrompt: boolean) => string) | undefined;
  createContext(options: { sequences: number; length: number }): Promise<NativeContext>;
  createSampler(): NativeSampler;
}

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

/**
 * Loads GGUF weights on the CPU with the node-llama-cpp installed in `runtimeFolder`. Flash attention is off: with it,
 * a token's probability depends on how its prompt was split into batches.
 */
export async function loadModel({
  runtimeFolder,
  file,
  threads,
}: {
  runtimeFolder: string;
  file: string;
  threads: number;
}): Promise<LoadedModel> {
  const require = createRequire(path.join(runtimeFolder, 'package.json'));
  const llamaModule = (await importFrom(require, 'node-llama-cpp')) as LlamaModule;
  const { Template } = (await importFrom(require, '@huggingface/jinja')) as {
    Template: new (source: string) => { render(values: Record<string, unknown>): string };
  };
  const llama = await llamaModule.getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    logLevel: 'error',
    maxThreads: threads,
  });
  const model = await llama.loadModel({ modelPath: file, gpuLayers: 0, defaultContextFlashAttention: false });
  const source = model.fileInfo.metadata?.tokenizer?.chat_template;
  const template = source ? new Template(source) : undefined;
  return {
    model,
    renderChat: template
      ? (messages, addGenerationPrompt) =>
          template.render({
            messages,
            add_generation_prompt: addGenerationPrompt,
            bos_token: model.tokens.bosString ?? '',
            eos_token: model.tokens.eosString ?? '',
          })
      : undefined,
    async createContext({ sequences, length }) {
      const context = await model.createContext({
        contextSize: length,
        sequences,
        batchSize: BATCH_SIZE,
        threads,
        flashAttention: false,
      });
      return context._ctx;
    },
    createSampler: () => new llama._bindings.AddonSampler(model._model),
  };
}

function importFrom(require: NodeJS.Require, name: string): Promise<unknown> {
  return import(pathToFileURL(require.resolve(name)).href);
}
