import type { DeploymentSpecBody } from '../../runtime';

/** What a deployment asks to be served, read from its command and its variables. */
export interface ServerRequest {
  /** Path or hub name of the weights. */
  readonly model: string;
  readonly servedModel: string;
  /** Tokens; `undefined`: the server's default. */
  readonly maxModelLength: number | undefined;
}

const MODEL_FLAGS = ['--model', '--model-path'];
const NAME_FLAGS = ['--served-model-name'];
const LENGTH_FLAGS = ['--max-model-len', '--context-length', '--max_seq_len'];
const PORT_FLAGS = ['--port', '--http-port'];
const HOST_FLAGS = ['--host'];
/** Sub-commands whose next word is the model: `vllm serve MODEL`, `trtllm-serve [serve] MODEL`. */
const MODEL_FOLLOWS = ['serve', 'trtllm-serve'];

/**
 * The model that the deployment names: in its command (`vllm serve MODEL`, `--model-path MODEL`), else in the variables that
 * every deployment gets (`MODEL_PATH`, `NIM_MODEL_NAME`, `SERVED_MODEL_NAME`). `undefined` when nowhere. Pure.
 */
export function readServerRequest({ container, envs }: DeploymentSpecBody): ServerRequest | undefined {
  const words = container?.command ?? [];
  const variable = (name: string): string | undefined => envs?.find((env) => env.name === name)?.value || undefined;
  const named = flag(words, NAME_FLAGS) ?? variable('SERVED_MODEL_NAME') ?? variable('NIM_MODEL_NAME');
  const model =
    flag(words, MODEL_FLAGS) ?? positional(words) ?? variable('MODEL_PATH') ?? variable('NIM_MODEL_NAME') ?? named;
  if (model === undefined) return undefined;
  const length = Number(flag(words, LENGTH_FLAGS) ?? NaN);
  return {
    model,
    servedModel: named ?? model,
    maxModelLength: Number.isInteger(length) && length > 0 ? length : undefined,
  };
}

/** The same command, listening on loopback at `port` whatever it said. Pure. */
export function withPort(words: readonly string[], port: number): readonly string[] {
  const moved = replaceFlag(words, PORT_FLAGS, String(port));
  return replaceFlag(moved, HOST_FLAGS, '127.0.0.1');
}

/** Whether the command says a port that `withPort` can change. */
export function namesPort(words: readonly string[]): boolean {
  return flag(words, PORT_FLAGS) !== undefined;
}

function flag(words: readonly string[], names: readonly string[]): string | undefined {
  for (const [i, word] of words.entries()) {
    if (names.includes(word)) return words[i + 1];
    const [name = '', ...value] = word.split('=');
    if (value.length > 0 && names.includes(name)) return value.join('=');
  }
  return undefined;
}

function positional(words: readonly string[]): string | undefined {
  for (const [i, word] of words.entries()) {
    if (!MODEL_FOLLOWS.includes(word.split('/').at(-1) ?? '')) continue;
    const next = words[i + 1];
    if (next !== undefined && !next.startsWith('-') && !MODEL_FOLLOWS.includes(next)) return next;
  }
  return undefined;
}

function replaceFlag(words: readonly string[], names: readonly string[], value: string): readonly string[] {
  return words.map((word, i) => {
    if (i > 0 && names.includes(words[i - 1] ?? '')) return value;
    const [name = ''] = word.split('=');
    return word.includes('=') && names.includes(name) ? `${name}=${value}` : word;
  });
}
