/** Loads a config: file, overrides and variables in, typed and validated config out. */
import path from 'node:path';
import { withSchemaVerdicts } from './check/absent-keys';
import { literalSecrets } from './check/check-secrets';
import { validate } from './check/validate';
import type { ComposedConfig } from './composed';
import { fillDerived } from './derive';
import { loadEnvironment } from './environment';
import type { Environment } from './environment';
import { withAuxiliaryPresets } from './auxiliary-presets';
import { withoutBraces } from './auxiliary-references';
import { checkIdleAuxiliaries } from './check/check-auxiliary';
import { compose } from './hydra/compose/compose';
import { ConfigSources, loadFile, loadText, presetsFolder } from './hydra/compose/sources';
import { resolveInterpolations } from './hydra/interpolation/resolve-interpolations';
import { applyOverrides } from './hydra/overrides/apply';
import { OverrideFailure } from './hydra/overrides/override-failure';
import { parseOverride } from './hydra/overrides/parse-override';
import type { Override } from './hydra/overrides/parse-override';
import { applyTaskOverrides, isTaskOverride } from './hydra/overrides/task-names';
import type { TaskOverride } from './hydra/overrides/task-names';
import type { LoadedConfig } from './loaded';
import { maskingErrors, maskProblems } from './render-config';
import { deploymentTypes } from './schema/deployment';
import { maskOverride } from '../secrets/secrecy';
import { examine, problemsOf } from './variants/examine';
import type { ExaminedVariant } from './variants/examine';
import { selectVariants } from './variants/select-variants';
import { variantsOf } from './variants/variants';
import { ConfigError, withoutRepeats } from './yaml/problems';
import type { ConfigProblem } from './yaml/problems';
import type { ConfigNode, MapNode } from './yaml/tree';

export interface ConfigRequest {
  /** Path of the config file. */
  config?: string;
  /** Read instead of what the file at `config` holds. */
  text?: string;
  /** Folder and name (with or without `.yaml`) instead of a path. */
  configDir?: string;
  configName?: string;
  /** `-o` arguments, in order. */
  overrides: readonly string[];
  /** `-t` arguments: run only these tasks. */
  tasks: readonly string[];
  /** `--model` arguments: run only these of `models`. */
  models?: readonly string[];
  /** `--executor`: replaces the executor of the config. */
  executor?: string;
  /** Read instead of `.env` in `cwd`. */
  envFile?: string;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
}

/** Reads, composes and validates a config. Rejects with `ConfigError`, which holds all problems found. */
export async function loadConfig(request: ConfigRequest): Promise<LoadedConfig> {
  await Promise.resolve();
  const env = environmentOf(request);
  return maskingErrors(env, () => validated(request, composeConfig(request)));
}

function validated(request: ConfigRequest, asWritten: ComposedConfig): LoadedConfig {
  if (asWritten.cannotContinue) throw new ConfigError(asWritten.problems);
  const composed = withSchemaVerdicts(asWritten, (tree) =>
    validate(resolveInterpolations(fillDerived(tree, asWritten.env), asWritten.env, 'as written')),
  );
  const trust = {
    commands: request.env['NEMO_EVALUATOR_TRUST_PRE_CMD'] === '1',
    unlistedTasks: request.env['NEMO_EVALUATOR_TRUST_UNLISTED_TASKS'] === '1',
  };
  const { all, problems: ofNames } = variantsOf(composed.root, { presetOf: deploymentPreset, env: composed.env });
  let urlSecrets: Environment = {};
  const examined = all.map((variant) => {
    const each = examine({ ...composed, root: variant.root, variant, whole: composed.root }, urlSecrets);
    urlSecrets = each.env;
    return each;
  });
  const idle = checkIdleAuxiliaries(composed.root);
  const isSound = composed.problems.length + ofNames.length + idle.length === 0 && examined.every(isWithoutProblems);
  if (!isSound) {
    const problems = [
      ...composed.problems,
      ...ofNames,
      ...idle,
      ...examined.flatMap((each) => problemsOf(each, trust)),
    ];
    const secrets = new Set(examined.flatMap(({ root }) => literalSecrets(root)));
    throw new ConfigError(maskProblems(withoutRepeats(problems), [...secrets]));
  }
  return selectVariants({ composed, trust, examined, tasks: request.tasks, models: request.models ?? [] });
}

const isWithoutProblems = ({ problems, config }: ExaminedVariant): boolean =>
  problems.length === 0 && config !== undefined;

/** The preset of a deployment type, for a model that is served in another way than the others. */
function deploymentPreset(type: string): ConfigNode | undefined {
  if (!deploymentTypes.some((known) => known === type)) return undefined;
  return loadFile(path.join(presetsFolder, 'deployment', `${type}.yaml`), true).content;
}

/** Composes the files and applies overrides; interpolations are not resolved yet. Throws `ConfigError` if a file cannot be read. */
export function composeConfig(request: ConfigRequest): ComposedConfig {
  const env = environmentOf(request);
  const file = configFile(request);
  const { overrides, taskOverrides, problems } = readOverrides(request.overrides);
  const primary = request.text === undefined ? loadFile(file) : loadText(request.text, file);
  const { executor } = request;
  const sources = new ConfigSources(path.dirname(file));
  const composition = compose({ primary, sources, overrides, env, executor });
  const completed = withAuxiliaryPresets(withoutBraces(composition.root), sources) as MapNode;
  const applied = applyOverrides(completed, composition.valueOverrides, env);
  const named = applyTaskOverrides(applied.root, taskOverrides, env);
  return {
    root: named.root,
    file,
    env,
    warnings: composition.warnings,
    problems: [...problems, ...composition.problems, ...applied.problems, ...named.problems],
    misspeltKeys: applied.misspeltKeys,
    isForeign: composition.foreignExecutor !== undefined || executor !== undefined,
    cannotContinue: composition.incomplete,
  };
}

const environmentOf = ({ env, cwd, envFile }: ConfigRequest): Environment =>
  loadEnvironment({ env, cwd, ...(envFile === undefined ? {} : { envFile }) });

function configFile({ config, configDir, configName, cwd }: ConfigRequest): string {
  const fail = (message: string, hint: string): never => {
    throw new ConfigError([{ path: '', message, hint }]);
  };
  if (config !== undefined && (configDir !== undefined || configName !== undefined))
    fail('a config path cannot be combined with --config-dir or --config-name', 'give one or the other');
  if (config !== undefined) return path.resolve(cwd, config);
  if (configName === undefined)
    return fail('no config was given', 'give the path of a YAML file, or --config-dir DIR --config-name NAME');
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
