/** Settings for an export that a person asks for: of the run's own config, of a file, and of the command line; the last one wins. */
import { exportTargets, exportVariables, type ExportRequest } from '../contract/export';
import { checkSecrets } from './check/check-secrets';
import { missingValues, problemsOf } from './check/validate';
import type { Environment } from './environment';
import { mergeNodes } from './hydra/compose/merge';
import { loadFile, loadText } from './hydra/compose/sources';
import { resolveInterpolations } from './hydra/interpolation/resolve-interpolations';
import { applyOverrides } from './hydra/overrides/apply';
import { OverrideFailure } from './hydra/overrides/override-failure';
import { parseOverride } from './hydra/overrides/parse-override';
import { withOlderExports } from './older-exports';
import { requestFor } from './plan/plan-exports';
import { maskingErrors } from './render-config';
import { exportSettings } from './schema/export';
import { section } from './schema/fields';
import { toRaw } from './schema/leaf';
import { ConfigError } from './yaml/problems';
import { emptyMap, nodeAt, withNodeAt } from './yaml/tree';
import type { ConfigNode } from './yaml/tree';

/** Names of destinations: the targets, and the launcher's name for JSON and CSV files. */
export const exportDestinations = [...exportTargets, 'local'] as const;

export type ExportDestination = (typeof exportDestinations)[number];

export interface SettingsSources {
  readonly to: ExportDestination;
  /** The run's config as YAML, of which only `export` is read; `null`: not known. */
  readonly runConfig: string | null;
  /** Path of a YAML file with a section `export`, or with the settings of this destination alone. */
  readonly file?: string | undefined;
  /** `export.mlflow.experiment_name=nightly`, or without the first two words. */
  readonly overrides: readonly string[];
  readonly env: Environment;
}

export interface RequestedExport {
  readonly request: ExportRequest;
  /** Values of the exporter's variables that are set. */
  readonly variables: ReadonlyMap<string, string>;
}

const schema = section({ export: exportSettings });

/** Rejects with `ConfigError`, which holds all problems found. */
export function exportRequest(sources: SettingsSources): RequestedExport {
  return maskingErrors(sources.env, () => read(sources));
}

function read({ to, runConfig, file, overrides, env }: SettingsSources): RequestedExport {
  const own = runConfig === null ? undefined : nodeAt(loadText(runConfig, 'config of the run').content, ['export']);
  const other = file === undefined ? undefined : settingsIn(loadFile(file).content, to);
  const layers = [own, other].flatMap((node) => (node?.kind === 'map' ? [node] : []));
  const merged = layers.reduce<ConfigNode>((base, over) => mergeNodes(base, over), emptyMap({}));
  const { root } = withOlderExports(withNodeAt(emptyMap({}), ['export'], onlyOf(merged, to)), [to]);
  const changed = withOverrides(root, { to, overrides, env });
  const resolved = resolveInterpolations(changed, env, 'as written');
  const parsed = schema.safeParse(toRaw(resolved.root));
  const problems = [
    ...resolved.problems,
    ...missingValues(resolved.root),
    ...(parsed.error ? problemsOf(parsed.error, resolved.root) : []),
    ...checkSecrets(resolved.root),
  ];
  if (problems.length > 0 || parsed.data === undefined) throw new ConfigError(problems);
  const settings = parsed.data.export;
  const request = requestFor(to, settings);
  return withVariables(request, { given: settings.env_vars, env });
}

/** A file without a section `export` has the settings of the one destination. */
const settingsIn = (content: ConfigNode, to: string): ConfigNode =>
  nodeAt(content, ['export']) ?? withNodeAt(emptyMap({}), [to], content);

/** Other destinations have no part in this export. */
function onlyOf(settings: ConfigNode, to: string): ConfigNode {
  if (settings.kind !== 'map') return settings;
  const kept = [...settings.entries].filter(([name]) => name === to || name === 'env_vars');
  return { ...settings, entries: new Map(kept) };
}

function withOverrides(
  root: ConfigNode,
  { to, overrides, env }: Pick<SettingsSources, 'to' | 'overrides' | 'env'>,
): ConfigNode {
  const parsed = overrides.map((text) => {
    const [, mark = '', rest = ''] = /^(~|\+\+|\+)?(.*)$/s.exec(text) ?? [];
    const full = /^export\./.test(rest) ? rest : `export.${to}.${rest}`;
    try {
      return parseOverride(`${mark === '~' ? '~' : '++'}${full}`, { override: text });
    } catch (error) {
      if (!(error instanceof OverrideFailure)) throw error;
      const { message, hint } = error;
      throw new ConfigError([{ override: text, path: '', message, ...(hint === undefined ? {} : { hint }) }]);
    }
  });
  const applied = applyOverrides(root, parsed, env);
  if (applied.problems.length > 0) throw new ConfigError(applied.problems);
  return applied.root;
}

type GivenVariables = ReturnType<typeof schema.parse>['export']['env_vars'];

function withVariables(
  request: ExportRequest,
  { given, env }: { readonly given: GivenVariables; readonly env: Environment },
): RequestedExport {
  const variables = new Map<string, string>();
  for (const name of exportVariables[request.to]) {
    const source = given[name];
    const value =
      source?.kind === 'literal'
        ? source.value
        : source?.kind === 'secret' && source.secret.kind === 'host'
          ? env[source.secret.name]
          : env[name];
    if (value !== undefined && value !== '') variables.set(name, value);
  }
  if (request.to !== 'mlflow') return { request, variables };
  const named = /^(?:host:)?([A-Za-z_][A-Za-z0-9_]*)$/.exec(request.settings.tracking_uri ?? '')?.[1];
  if (named === undefined) return { request, variables };
  const uri = env[named];
  if (uri === undefined || uri === '')
    throw new ConfigError([
      {
        path: 'export.mlflow.tracking_uri',
        message: `the environment variable ${named} is not set, or empty`,
        hint: 'set it to the URL of the tracking server',
      },
    ]);
  variables.set('MLFLOW_TRACKING_URI', uri);
  return { request: { to: 'mlflow', settings: { ...request.settings, tracking_uri: null } }, variables };
}
