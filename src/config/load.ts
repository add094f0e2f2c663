/** From what the user gave (file, overrides, variables) to a typed and validated config. */
import path from 'node:path';
import { checkExtra } from './check/check-extra';
import { checkNumbers } from './check/check-numbers';
import { checkSecrets, literalSecrets } from './check/check-secrets';
import { checkTaskNames } from './check/check-task-names';
import { checkUrl } from './check/check-url';
import { compose } from './hydra/compose/compose';
import { ConfigSources, loadFile } from './hydra/compose/sources';
import { fillDerived } from './derive';
import { loadEnvironment } from './environment';
import type { Environment } from './environment';
import { resolveInterpolations } from './hydra/interpolation/resolve';
import { applyOverrides } from './hydra/overrides/apply';
import { parseOverride } from './hydra/overrides/grammar';
import { OverrideFailure } from './hydra/overrides/failure';
import type { Override } from './hydra/overrides/grammar';
import { applyTaskOverrides, isTaskOverride } from './hydra/overrides/task-names';
import type { TaskOverride } from './hydra/overrides/task-names';
import { ConfigError } from './yaml/problems';
import type { ConfigProblem } from './yaml/problems';
import { renderConfig, withoutSecrets, withoutValues } from './render-config';
import { problemsBehind } from './plan/look-ahead';
import type { LoadedConfig } from './loaded';
import { maskOverride } from '../secrets/secrecy';
import { takeUrlSecrets } from './check/secret-urls';
import { selectTasks } from './check/select-tasks';
import { respelt, withoutConsequences } from './check/misspelt-overrides';
import type { Slip } from './check/misspelt-overrides';
import type { ConfigNode } from './yaml/tree';
import { validate } from './check/validate';
import type { ResolvedConfig } from './schema/config';

export interface ConfigRequest {
  /** Path of the config file. */
  config?: string;
  /** Folder and name (without `.yaml`) instead of a path. */
  configDir?: string;
  configName?: string;
  /** `-o` arguments, in order. */
  overrides: readonly string[];
  /** `-t` arguments: only these tasks. */
  tasks: readonly string[];
  /** Instead of `.env` in `cwd`. */
  envFile?: string;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
}

/** Everything up to the resolved tree; also what the conformance test compares with Hydra. */
export interface ComposedConfig {
  readonly root: ConfigNode;
  readonly file: string;
  readonly env: Environment;
  readonly problems: readonly ConfigProblem[];
  readonly doubts: readonly ConfigProblem[];
  /** Overrides whose keys were plausibly misspelt. */
  readonly slips: readonly Slip[];
  /** A file or a group's choice is missing: what follows from that is not worth saying. */
  readonly unusable: boolean;
}

/** Reads, composes and validates. Rejects with `ConfigError`, which holds every problem found. */
export async function loadConfig(request: ConfigRequest): Promise<LoadedConfig> {
  await Promise.resolve();
  const env = environmentOf(request);
  return withoutSecrets(env, () => validated(request, composeConfig(request)));
}

function validated(request: ConfigRequest, composed: ComposedConfig): LoadedConfig {
  if (composed.unusable) throw new ConfigError(composed.problems);
  const examined = examine(composed.root, composed.env);
  const { config, root: whole, env } = examined;
  const trust = {
    commands: request.env['NEMO_EVALUATOR_TRUST_PRE_CMD'] === '1',
    unlistedTasks: request.env['NEMO_EVALUATOR_TRUST_UNLISTED_TASKS'] === '1',
  };
  const { file } = composed;
  if (composed.problems.length > 0 || examined.problems.length > 0 || config === undefined) {
    const mended = mendedOf(composed, examined);
    const slips = [...composed.slips, ...examined.slips];
    const found = withoutConsequences(examined.problems, { slips, mended: mended.problems });
    const all = dedupe([...composed.problems, ...found]);
    const names = checkTaskNames(whole);
    const known = [...all, ...mended.problems, ...names];
    const behind = problemsBehind({ root: mended.root, problems: known, file, env, trust });
    throw new ConfigError(withoutValues(dedupe([...all, ...names, ...behind]), literalSecrets(whole)));
  }
  const { config: resolved, root } = selectTasks({ config, root: whole, tasks: request.tasks });
  const doubts = [...composed.doubts, ...checkUrl(resolved, root), ...checkExtra(resolved, root)];
  return { resolved, root, yaml: renderConfig(root, env), file, env, trust, doubts };
}

/** A composed tree with its references resolved, typed, and all that is wrong with it. */
interface Examined {
  readonly root: ConfigNode;
  readonly env: Environment;
  readonly config: ResolvedConfig | undefined;
  readonly problems: readonly ConfigProblem[];
  readonly slips: readonly Slip[];
}

function examine(composed: ConfigNode, environment: Environment): Examined {
  const resolution = resolveInterpolations(fillDerived(composed, environment), environment, 'as written');
  const { root, env, problems: ofUrls } = takeUrlSecrets(resolution.root, environment);
  const { config, problems, slips } = validate({ ...resolution, root });
  return {
    root,
    env,
    config,
    slips,
    problems: [...resolution.problems, ...ofUrls, ...problems, ...checkSecrets(root), ...checkNumbers(root)],
  };
}

/** The same for what was plausibly meant, where keys are misspelt. */
function mendedOf(composed: ComposedConfig, examined: Examined): Examined {
  const slips = [...composed.slips, ...examined.slips];
  const isPlain = slips.every(({ meant }) => meant.length === 0);
  return isPlain ? examined : examine(respelt(composed.root, slips), composed.env);
}

/** Composition and overrides, interpolations not yet resolved. Problems of the files themselves are thrown. */
export function composeConfig(request: ConfigRequest): ComposedConfig {
  const env = environmentOf(request);
  const file = configFile(request);
  const { overrides, taskOverrides, problems } = readOverrides(request.overrides);
  const primary = loadFile(file);
  const composition = compose({ primary, sources: new ConfigSources(path.dirname(file)), overrides, env });
  const applied = applyOverrides(composition.root, composition.valueOverrides, env);
  const named = applyTaskOverrides(applied.root, taskOverrides);
  return {
    root: named.root,
    file,
    env,
    doubts: composition.doubts,
    problems: [...problems, ...composition.problems, ...applied.problems, ...named.problems],
    slips: applied.slips,
    unusable: composition.problems.length > 0,
  };
}

const environmentOf = ({ env, cwd, envFile }: ConfigRequest): Environment =>
  loadEnvironment({ env, cwd, ...(envFile === undefined ? {} : { envFile }) });

function configFile({ config, configDir, configName, cwd }: ConfigRequest): string {
  const fail = (message: string, hint: string): never => {
    throw new ConfigError([{ path: '', message, hint }]);
  };
  if (config !== undefined && (configDir !== undefined || configName !== undefined))
    fail('a config path and --config-dir/--config-name exclude each other', 'give one of the two');
  if (config !== undefined) return path.resolve(cwd, config);
  if (configName === undefined)
    return fail('no config was named', 'give the path of a YAML file, or --config-dir DIR --config-name NAME');
  const name = /\.ya?ml$/.test(configName) ? configName : `${configName}.yaml`;
  return path.resolve(cwd, configDir ?? '.', name);
}

function readOverrides(texts: readonly string[]): {
  overrides: Override[];
  taskOverrides: TaskOverride[];
  problems: ConfigProblem[];
} {
  const overrides: Override[] = [];
  const taskOverrides: TaskOverride[] = [];
  const problems: ConfigProblem[] = [];
  for (const text of texts) {
    const origin = { override: maskOverride(text) };
    if (isTaskOverride(text)) {
      taskOverrides.push({ text, origin });
      continue;
    }
    try {
      overrides.push(parseOverride(text, origin));
    } catch (error) {
      if (!(error instanceof OverrideFailure)) throw error;
      const key = text.split('=')[0]?.replace(/^[+~]+/, '') ?? '';
      problems.push({
        ...origin,
        path: key,
        message: error.message,
        ...(error.hint === undefined ? {} : { hint: maskOverride(error.hint) }),
      });
    }
  }
  return { overrides, taskOverrides, problems };
}

/** The same value may be at fault for several reasons; the same words are said once. */
function dedupe(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const seen = new Set<string>();
  return problems.filter((problem) => {
    const key = `${problem.path}\0${problem.message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
