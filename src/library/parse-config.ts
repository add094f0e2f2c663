import { loadConfig, renderProblem, type LoadedConfig } from '../config';

export interface ConfigSource {
  /** Path of a YAML file; relative to `cwd`. With `text`: only for messages, and for where its `defaults` are looked for. */
  readonly config: string;
  /** The YAML itself, instead of what the file holds. */
  readonly text?: string;
  /** As `-o`: `a.b=c`, `+a=b`, `~a`. */
  readonly overrides?: readonly string[];
  /** As `-t`: only these tasks. */
  readonly tasks?: readonly string[];
  /** Default: `.env` in `cwd`, if any. */
  readonly envFile?: string;
  /** For `${oc.env:…}` and secrets. Default: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Absolute. Default: the working directory. */
  readonly cwd?: string;
}

/** A valid config, all of its defaults in place. */
export interface ParsedConfig {
  /** As YAML, secrets masked. */
  readonly yaml: string;
  /** Names of its tasks, in order. */
  readonly tasks: readonly string[];
  /** What is allowed, but perhaps not meant. */
  readonly warnings: readonly string[];
}

/** Kept apart: a loaded config holds the environment with its secrets, and a parsed one may well be printed. */
const loadedConfigs = new WeakMap<ParsedConfig, LoadedConfig>();

/** Reads, composes and validates a config, as `start` does. Rejects with `ConfigError`, which has all problems. */
export async function parseConfig(source: ConfigSource): Promise<ParsedConfig> {
  const { env = process.env, cwd = process.cwd(), overrides = [], tasks = [], ...rest } = source;
  const loaded = await loadConfig({ ...rest, overrides, tasks, env, cwd });
  const parsed: ParsedConfig = {
    yaml: loaded.yaml,
    tasks: loaded.resolved.evaluation.tasks.map(({ name }) => name),
    warnings: loaded.warnings.map(renderProblem),
  };
  loadedConfigs.set(parsed, loaded);
  return parsed;
}

/** Throws `TypeError` for an object that `parseConfig` did not return. */
export function loadedFrom(config: ParsedConfig): LoadedConfig {
  const loaded = loadedConfigs.get(config);
  if (!loaded) throw new TypeError('The config must be what `parseConfig` returned.');
  return loaded;
}
