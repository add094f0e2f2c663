/** Makes the loaded config of the variants and tasks that `--model` and `-t` select. */
import { checkCaches } from '../check/check-caches';
import { checkExtra } from '../check/check-extra';
import { checkShape } from '../check/check-shape';
import { chosenTasks } from '../check/check-task-names';
import { checkUrl } from '../check/check-url';
import { extractUrlSecrets } from '../check/secret-urls';
import { rootWithTasks, selectedModels, selectedTasks, withTasks } from '../check/select-tasks';
import type { ComposedConfig } from '../composed';
import { fillDerived } from '../derive';
import type { Environment } from '../environment';
import { resolveInterpolations } from '../hydra/interpolation/resolve-interpolations';
import type { LoadedConfig, VariantConfig } from '../loaded';
import { renderConfig } from '../render-config';
import type { ResolvedConfig } from '../schema/config';
import { withoutRepeats } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { nodeAt, withNodeAt } from '../yaml/tree';
import type { ConfigNode } from '../yaml/tree';
import type { ExaminedVariant } from './examine';
import { writtenPath } from './variant-paths';
import type { Variant } from './variants';

interface Chosen {
  readonly config: ResolvedConfig;
  readonly root: ConfigNode;
  readonly warnings: readonly ConfigProblem[];
  readonly variant: Variant;
}

/** Keeps what `-t` and `--model` select. */
export function selectVariants({
  composed,
  trust,
  examined,
  tasks: wantedTasks,
  models: wantedModels,
}: {
  readonly composed: ComposedConfig;
  readonly trust: LoadedConfig['trust'];
  /** Without problems. */
  readonly examined: readonly ExaminedVariant[];
  readonly tasks: readonly string[];
  readonly models: readonly string[];
}): LoadedConfig {
  const all = examined.flatMap(({ config, root, warnings, composed: { variant } }): Chosen[] =>
    config ? [{ config, root, warnings, variant }] : [],
  );
  const names = [...new Set(all.flatMap(({ variant }) => variant.model ?? []))];
  const models = selectedModels(names, wantedModels);
  const usable = all.filter(({ variant: { model } }) => model === null || models.has(model));
  const [first] = usable;
  if (first === undefined) throw new Error('a problem was not reported');
  const kept = selectedTasks(first, wantedTasks);
  const variants = variantConfigs(usable, { kept, names, whole: composed.root });
  const { env } = examined.at(-1) ?? composed;
  const isPlain = all.length === 1 && first.variant.model === null && !first.variant.hasOwnDeployment;
  const shown = isPlain ? withTasks(first, kept).root : rootWithTasks(wholeResolved(composed, usable, env), kept);
  const warnings = withoutRepeats([
    ...composed.warnings,
    ...usable.flatMap(({ warnings: own }) => own),
    ...variants.flatMap(({ resolved, root, pathAsWritten }) =>
      [
        ...checkShape(root),
        ...chosenTasks(root),
        ...checkUrl(resolved, root),
        ...checkExtra(resolved, root),
        ...checkCaches(resolved, root),
      ].map((warning) => (isPlain ? warning : { ...warning, path: pathAsWritten(warning.path) })),
    ),
  ]);
  return {
    resolved: withTasks(first, kept).config,
    ...(isPlain ? {} : { variants }),
    root: shown,
    yaml: renderConfig(shown, env),
    file: composed.file,
    env,
    trust,
    warnings,
  };
}

/** Returns the variants with the tasks that were chosen, which are numbered model by model. */
function variantConfigs(
  usable: readonly Chosen[],
  {
    kept,
    names,
    whole,
  }: { readonly kept: ReadonlySet<number>; readonly names: readonly string[]; readonly whole: ConfigNode },
): VariantConfig[] {
  const rank = ({ model }: Variant): number => (model === null ? 0 : names.indexOf(model));
  const order = usable
    .flatMap(({ variant }) => variant.tasks.map((task) => ({ rank: rank(variant), task })))
    .filter(({ task }) => kept.has(task))
    .sort((a, b) => a.rank - b.rank || a.task - b.task);
  const positions = new Map(order.map(({ rank: model, task }, position) => [`${model} ${task}`, position]));
  return usable.flatMap(({ config, root, variant }) => {
    const tasks = variant.tasks.filter((task) => kept.has(task));
    if (tasks.length === 0) return [];
    const own = withTasks({ config, root }, new Set(tasks));
    const originals = writtenIndexes(tasks);
    return [
      {
        model: variant.model,
        resolved: own.config,
        root: own.root,
        positions: tasks.map((task) => positions.get(`${rank(variant)} ${task}`) ?? 0),
        pathAsWritten: (dotted) => writtenPath(whole, variant, originals(dotted)),
      },
    ];
  });
}

/** Returns a function that gives tasks the index that they have in the whole config. */
const writtenIndexes =
  (tasks: readonly number[]) =>
  (dotted: string): string =>
    dotted.replace(
      /^(evaluation\.tasks\.)(\d+)/,
      (_all, before: string, at: string) => before + String(tasks[Number(at)] ?? at),
    );

/** Returns the config as it was written, resolved; each model with the whole deployment that it gets. */
function wholeResolved(composed: ComposedConfig, usable: readonly Chosen[], env: Environment): ConfigNode {
  const { root } = resolveInterpolations(fillDerived(composed.root, composed.env), composed.env, 'as written');
  const { root: whole } = extractUrlSecrets(root, composed.env, env);
  const known = nodeAt(whole, ['models']);
  const chosen = new Set(usable.flatMap(({ variant }) => variant.model ?? []));
  const base =
    known?.kind === 'map'
      ? withNodeAt(whole, ['models'], {
          ...known,
          entries: new Map([...known.entries].filter(([name]) => chosen.has(name))),
        })
      : whole;
  return usable.reduce((tree, { variant: { model, hasOwnDeployment }, root: own }) => {
    const deployment = nodeAt(own, ['deployment']);
    return model === null || hasOwnDeployment || deployment === undefined
      ? tree
      : withNodeAt(tree, ['models', model, 'deployment'], deployment);
  }, base);
}
