/** Resolves, types and checks the variants of a composed config. */
import { checkAuxiliary } from '../check/check-auxiliary';
import { checkKeys } from '../check/check-keys';
import { checkNumbers } from '../check/check-numbers';
import { checkSecrets } from '../check/check-secrets';
import { checkTaskNames } from '../check/check-task-names';
import { withEffectiveKeys } from '../check/effective-keys';
import { withCorrectedKeys, withoutConsequences } from '../check/misspelt-keys';
import type { MisspeltKey } from '../check/misspelt-keys';
import { extractUrlSecrets } from '../check/secret-urls';
import { rootWithTasks } from '../check/select-tasks';
import { validate } from '../check/validate';
import type { ComposedConfig } from '../composed';
import { fillDerived } from '../derive';
import type { Environment } from '../environment';
import { referencesIn } from '../hydra/interpolation/references';
import { resolveInterpolations } from '../hydra/interpolation/resolve-interpolations';
import type { Resolution } from '../hydra/interpolation/resolve-interpolations';
import type { LoadedConfig } from '../loaded';
import { withFormerTaskNames } from '../other-executors/former-task-names';
import { withOlderExports } from '../older-exports';
import { readAsLepton } from '../other-executors/read-as-lepton';
import { withSiblingUrls } from '../other-executors/sibling-urls';
import { findPlanningProblems } from '../plan/look-ahead';
import type { ResolvedConfig } from '../schema/config';
import type { ConfigProblem } from '../yaml/problems';
import { nodeAt } from '../yaml/tree';
import type { ConfigNode } from '../yaml/tree';
import { withoutOthers, writtenPath } from './variant-paths';
import type { Variant } from './variants';

export interface ComposedVariant extends ComposedConfig {
  readonly variant: Variant;
  /** The config that it is a variant of. */
  readonly whole: ConfigNode;
}

/** A variant after resolving and typing it, with all its problems. */
export interface ExaminedVariant {
  readonly composed: ComposedVariant;
  readonly root: ConfigNode;
  readonly env: Environment;
  readonly config: ResolvedConfig | undefined;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
  readonly misspeltKeys: readonly MisspeltKey[];
}

/** `urlSecrets`: variables that hold secrets of URLs in other variants. */
export function examine(composed: ComposedVariant, urlSecrets: Environment): ExaminedVariant {
  const { root: tree, env: environment, isForeign, variant } = composed;
  const foreign = isForeign;
  const exports = withOlderExports(tree);
  const { root: values, used, warnings: moved } = readAsLepton(exports.root, { env: environment, foreign });
  const all = resolveInterpolations(fillDerived(values, environment), environment, 'as written');
  const own = withoutOtherVariants(all, variant);
  const named = foreign ? withFormerTaskNames(own.root) : { root: own.root, warnings: [] };
  const asked = foreign ? withSiblingUrls(named.root) : named;
  const whole = { ...own, root: asked.root };
  const references = referencesIn(values);
  const { resolution, warnings: ignored } = withEffectiveKeys(whole, { references, used, foreign });
  const { root, env, problems: ofUrls } = extractUrlSecrets(resolution.root, environment, urlSecrets);
  const { config, problems, misspeltKeys } = validate({ ...resolution, root });
  return {
    composed,
    root,
    env,
    config,
    misspeltKeys,
    warnings: [...ignored, ...moved, ...exports.warnings, ...new Set([...named.warnings, ...asked.warnings])],
    problems: [
      ...resolution.problems,
      ...ofUrls,
      ...problems,
      ...checkKeys(root),
      ...checkSecrets(root),
      ...checkNumbers(root),
      ...checkAuxiliary(root),
    ],
  };
}

/** What other variants have is theirs to get right. */
function withoutOtherVariants(resolution: Resolution, variant: Variant): Resolution {
  const root = withoutOthers(resolution.root, variant);
  const isTheirs = ({ path: dotted }: ConfigProblem): boolean => {
    const at = dotted.split('.');
    return nodeAt(resolution.root, at) !== undefined && nodeAt(root, at) === undefined;
  };
  return { ...resolution, root, problems: resolution.problems.filter((problem) => !isTheirs(problem)) };
}

/** Returns all problems of a variant, also those that only planning finds, at their places in the config as it was written. */
export function problemsOf(examined: ExaminedVariant, trust: LoadedConfig['trust']): ConfigProblem[] {
  const { composed } = examined;
  const { variant, whole } = composed;
  const corrected = examineCorrected(examined);
  const misspeltKeys = [...composed.misspeltKeys, ...examined.misspeltKeys];
  const found = withoutConsequences(examined.problems, { misspeltKeys, corrected: corrected.problems });
  const names = checkTaskNames(examined.root);
  const behind = findPlanningProblems({
    root: variant.hasOwnDeployment ? rootWithTasks(corrected.root, new Set(variant.tasks)) : corrected.root,
    problems: [...composed.problems, ...found, ...corrected.problems, ...names],
    file: composed.file,
    env: examined.env,
    trust,
  });
  const all = [...found, ...names, ...behind];
  const paths = new Set(all.map(({ path }) => path));
  return all.flatMap((problem) => {
    const path = problem.path === '' ? '' : writtenPath(whole, variant, problem.path);
    // The part of the variant was checked by itself, too.
    return path !== problem.path && paths.has(path) ? [] : [{ ...problem, path }];
  });
}

/** Examines the variant with its misspelt keys corrected; the result as it is if no correction is known. */
function examineCorrected(examined: ExaminedVariant): ExaminedVariant {
  const { composed } = examined;
  const misspeltKeys = [...composed.misspeltKeys, ...examined.misspeltKeys];
  const isCorrectable = misspeltKeys.some(({ candidates }) => candidates.length > 0);
  if (!isCorrectable) return examined;
  return examine({ ...composed, root: withCorrectedKeys(composed.root, misspeltKeys) }, {});
}
