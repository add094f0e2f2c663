import type { DeploymentSpecBody } from '../../runtime';
import { serverCommand, type ServerCommand } from './shell-wrapped';

/** The model that a deployment serves, according to its command and variables. */
export interface ServerRequest {
  /** Path or hub name of the weights. */
  readonly model: string;
  readonly servedModel: string;
  /** In tokens; `undefined` means the server's default. */
  readonly maxModelLength: number | undefined;
}

const MODEL_FLAGS = ['--model', '--model-path'];
const NAME_FLAGS = ['--served-model-name'];
const LENGTH_FLAGS = ['--max-model-len', '--context-length', '--max_seq_len'];
const PORT_FLAGS = ['--port', '--http-port'];
const HOST_FLAGS = ['--host'];
/** Commands whose next word is the model: `vllm serve MODEL`, `trtllm-serve [serve] MODEL`. */
const SERVE_COMMANDS = ['serve', 'trtllm-serve'];

/**
 * Returns the model that the deployment names in its server's command (`vllm serve MODEL`, `--model-path MODEL`; also
 * inside a shell command), else in its variables (`MODEL_PATH`, `NIM_MODEL_NAME`, `SERVED_MODEL_NAME`). `undefined` if it
 * names none. Pure.
 */
export function readServerRequest({ container, envs }: DeploymentSpecBody): ServerRequest | undefined {
  const { words: literal } = findServer(container?.command ?? []);
  const words = literal.map((word) => expand(word, envs));
  const variable = (name: string): string | undefined => envs?.find((env) => env.name === name)?.value || undefined;
  const servedName = flag(words, NAME_FLAGS) ?? variable('SERVED_MODEL_NAME') ?? variable('NIM_MODEL_NAME');
  const model =
    flag(words, MODEL_FLAGS) ?? positional(words) ?? variable('MODEL_PATH') ?? variable('NIM_MODEL_NAME') ?? servedName;
  if (model === undefined) return undefined;
  const length = Number(flag(words, LENGTH_FLAGS) ?? NaN);
  return {
    model,
    servedModel: servedName ?? model,
    maxModelLength: Number.isInteger(length) && length > 0 ? length : undefined,
  };
}

/** Finds the server in the deployment's command, which may be wrapped in a shell. Pure. */
export function findServer(command: readonly string[]): ServerCommand {
  return serverCommand(command, (words) => flag(words, MODEL_FLAGS) !== undefined || positional(words) !== undefined);
}

/** Expands the spec's variables in a word of a script; others are left unchanged. */
function expand(word: string, envs: DeploymentSpecBody['envs']): string {
  return word.replace(
    /\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))/g,
    (found: string, braced?: string, otherwise?: string, plain?: string) =>
      envs?.find(({ name }) => name === (braced ?? plain))?.value ?? otherwise ?? found,
  );
}

/** Changes the command to listen on loopback at `port`. Pure. */
export function withPort(words: readonly string[], port: number): readonly string[] {
  const withNewPort = replaceFlag(words, PORT_FLAGS, String(port));
  const bound = replaceFlag(withNewPort, HOST_FLAGS, '127.0.0.1');
  return isScript(words) ? bound.map((word) => replaceInScript(word, port)) : bound;
}

/** Returns whether the command sets a port that `withPort` can change. */
export function namesPort(words: readonly string[]): boolean {
  return flag(words, PORT_FLAGS) !== undefined || (isScript(words) && words.some((word) => SCRIPT_PORT.test(word)));
}

const isScript = (words: readonly string[]): boolean => findServer(words).script !== undefined;

/** A port in a script: a number, or the variable that is set to the chosen port anyway. */
const SCRIPT_PORT = /(--(?:http-)?port(?:=|\s+))(["']?)(?:\d+|\$\{?(?:MODEL_PORT|PORT)\}?)\2(?=[\s;&|)"']|$)/;
const SCRIPT_HOST = /(--host(?:=|\s+))(["']?)[\w.:*]+\2(?=[\s;&|)"']|$)/;

function replaceInScript(script: string, port: number): string {
  const all = (pattern: RegExp): RegExp => new RegExp(pattern.source, 'g');
  return script.replace(all(SCRIPT_PORT), `$1${port}`).replace(all(SCRIPT_HOST), '$1127.0.0.1');
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
    if (!SERVE_COMMANDS.includes(word.split('/').at(-1) ?? '')) continue;
    const next = words[i + 1];
    if (next !== undefined && !next.startsWith('-') && !SERVE_COMMANDS.includes(next)) return next;
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
