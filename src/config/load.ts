/** Loads a config: file, overrides and variables in, typed and validated config out. */
import path from 'node:path';
import { withSchemaVerdicts } from './check/absent-keys';
import { withEffectiveKeys } from './check/effective-keys';
import { checkExtra } from './check/check-extra';
import { checkKeys } from './check/check-keys';
import { checkNumbers } from './check/check-numbers';
import { checkShape } from './check/check-shape';
import { checkSecrets, literalSecrets } from './check/check-secrets';
import { checkTaskNames, chosenTasks } from './check/check-task-names';
import { checkUrl } from './check/check-url';
import { compose } from './hydra/compose/compose';
import { ConfigSources, loadFile, loadText } from './hydra/compose/sources';
import { fillDerived } from './derive';
import { withForeignValues } from './foreign-values';
import { loadEnvironment } from './environment';
import type { Environment } from './environment';
import { referencesIn } from './hydra/interpolation/references';
import { resolveInterpolations } from './hydra/interpolation/resolve-interpolations';
import { applyOverrides } from './hydra/overrides/apply';
import { parseOverride } from './hydra/overrides/parse-override';
import { OverrideFailure } from './hydra/overrides/override-failure';
import type { Override } from './hydra/overrides/parse-override';
import { applyTaskOverrides, isTaskOverride } from './hydra/overrides/task-names';
import type { TaskOverride } from './hydra/overrides/task-names';
import { ConfigError } from './yaml/problems';
import type { ConfigProblem } from './yaml/problems';
import { withOlderForms } from './older-forms';
import { renderConfig, maskingErrors, maskProblems } from './render-config';
import { findPlanningProblems } from './plan/look-ahead';
import type { LoadedConfig } from './loaded';
import { maskOverride } from '../secrets/secrecy';
import { extractUrlSecrets } from './check/secret-urls';
import { selectTasks } from './check/select-tasks';
import { withCorrectedKeys, withoutConsequences } from './check/misspelt-keys';
import type { MisspeltKey } from './check/misspelt-keys';
import type { ConfigNode } from './yaml/tree';
import { validate } from './check/validate';
import type { ResolvedConfig } from './schema/config';

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
  /** `--executor`: replaces the executor of the config. */
  executor?: string;
  /** Read instead of `.env` in `cwd`. */
  envFile?: string;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
}

/** The config before interpolations are resolved. The conformance test compares it with Hydra's. */
export interface ComposedConfig {
  readonly root: ConfigNode;
  readonly file: string;
  readonly env: Environment;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
  /** Overrides of keys that the config does not have. */
  readonly misspeltKeys: readonly MisspeltKey[];
  /** The config was written for another executor than Lepton. */
  readonly isForeign: boolean;
  /** A file or a group's choice is missing, so that further problems would only follow from that. */
  readonly cannotContinue: boolean;
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
  const examined = examine(composed.root, composed);
  const { config, root: whole, env } = examined;
  const trust = {
    commands: request.env['NEMO_EVALUATOR_TRUST_PRE_CMD'] === '1',
    unlistedTasks: request.env['NEMO_EVALUATOR_TRUST_UNLISTED_TASKS'] === '1',
  };
  const { file } = composed;
  if (composed.problems.length > 0 || examined.problems.length > 0 || config === undefined) {
    const corrected = examineCorrected(composed, examined);
    const misspeltKeys = [...composed.misspeltKeys, ...examined.misspeltKeys];
    const found = withoutConsequences(examined.problems, { misspeltKeys, corrected: corrected.problems });
    const all = dedupe([...composed.problems, ...found]);
    const names = checkTaskNames(whole);
    const known = [...all, ...corrected.problems, ...names];
    const behind = findPlanningProblems({ root: corrected.root, problems: known, file, env, trust });
    throw new ConfigError(maskProblems(dedupe([...all, ...names, ...behind]), literalSecrets(whole)));
  }
  const { config: resolved, root } = selectTasks({ config, root: whole, tasks: request.tasks });
  const warnings = [
    ...composed.warnings,
    ...examined.warnings,
    ...checkShape(root),
    ...chosenTasks(root),
    ...checkUrl(resolved, root),
    ...checkExtra(resolved, root),
  ];
  return { resolved, root, yaml: renderConfig(root, env), file, env, trust, warnings };
}

/** A composed tree after resolving and typing it, with all its problems. */
interface ExaminedConfig {
  readonly root: ConfigNode;
  readonly env: Environment;
  readonly config: ResolvedConfig | undefined;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
  readonly misspeltKeys: readonly MisspeltKey[];
}

function examine(tree: ConfigNode, { env: environment, isForeign }: ComposedConfig): ExaminedConfig {
  const older = withOlderForms(tree, environment, { foreign: isForeign });
  const { root: composed, used, warnings: moved } = withForeignValues(older.root, { foreign: isForeign });
  const whole = resolveInterpolations(fillDerived(composed, environment), environment, 'as written');
  const { resolution, warnings: ignored } = withEffectiveKeys(whole, { references: referencesIn(composed), used });
  const { root, env, problems: ofUrls } = extractUrlSecrets(resolution.root, environment);
  const { config, problems, misspeltKeys } = validate({ ...resolution, root });
  return {
    root,
    env,
    config,
    misspeltKeys,
    warnings: [...ignored, ...moved, ...older.warnings],
    problems: [
      ...resolution.problems,
      ...ofUrls,
      ...problems,
      ...checkKeys(root),
      ...checkSecrets(root),
      ...checkNumbers(root),
    ],
  };
}

/** Examines the tree with its misspelt keys corrected; the result as it is if no correction is known. */
function examineCorrected(composed: ComposedConfig, examined: ExaminedConfig): ExaminedConfig {
  const misspeltKeys = [...composed.misspeltKeys, ...examined.misspeltKeys];
  const isCorrectable = misspeltKeys.some(({ candidates }) => candidates.length > 0);
  return isCorrectable ? examine(withCorrectedKeys(composed.root, misspeltKeys), composed) : examined;
}

/** Composes the files and applies overrides; interpolations are not resolved yet. Throws `ConfigError` if a file cannot be read. */
export function composeConfig(request: ConfigRequest): ComposedConfig {
  const env = environmentOf(request);
  const file = configFile(request);
  const { overrides, taskOverrides, problems } = readOverrides(request.overrides);
  const primary = request.text === undefined ? loadFile(file) : loadText(request.text, file);
  const { executor } = request;
  const composition = compose({ primary, sources: new ConfigSources(path.dirname(file)), overrides, env, executor });
  const applied = applyOverrides(composition.root, composition.valueOverrides, env);
  const named = applyTaskOverrides(applied.root, taskOverrides);
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

/** Several checks may report the same problem. */
function dedupe(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const seen = new Set<string>();
  return problems.filter((problem) => {
    const key = `${problem.path}\0${problem.message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
