/** Reads from a config what its tasks' endpoints take: URL, type and deployment, the task's own settings first. Pure. */
import { kindOfEndpoint } from '../catalogue/choose-task';
import type { RequestKind, TaskSurroundings } from '../catalogue/choose-task';
import { isMissing, isNull, nodeAt } from '../yaml/tree';
import type { ConfigNode, Path } from '../yaml/tree';
import { readExistingUrl } from './existing-url';

/** Works on the untyped tree, so that it serves configs that have problems too. */
export function surroundingsOf(root: ConfigNode, index: number): TaskSurroundings {
  const task: Path = ['evaluation', 'tasks', index];
  return { kinds: kindsFor(root, task), container: textAt(root, [...task, 'container']) ?? null };
}

function kindsFor(root: ConfigNode, task: Path): readonly RequestKind[] | undefined {
  const given = textAt(root, [...task, 'endpoint_type']) ?? ownSetting(root, task, 'type');
  if (given !== undefined && given !== 'undefined') return [kindOfEndpoint(given.replace(/_logprob$/, ''))];
  const own = ownSetting(root, task, 'url');
  if (own !== undefined) return kindsOfUrl(own);
  const type = textAt(root, ['deployment', 'type']);
  if (type === undefined) return undefined;
  if (type !== 'none') return kindsOfDeployment(root);
  const url = textAt(root, ['target', 'api_endpoint', 'url']);
  return url === undefined ? undefined : kindsOfUrl(url);
}

/** A setting of `nemo_evaluator_config.target.api_endpoint`: the task's, else that of all tasks. */
function ownSetting(root: ConfigNode, task: Path, key: string): string | undefined {
  const inner = ['nemo_evaluator_config', 'target', 'api_endpoint', key];
  return textAt(root, [...task, ...inner]) ?? textAt(root, ['evaluation', ...inner]);
}

function kindsOfUrl(text: string): readonly RequestKind[] | undefined {
  const url = readExistingUrl(text);
  return url.kind === 'full' && url.takes !== undefined ? [url.takes] : undefined;
}

function kindsOfDeployment(root: ConfigNode): readonly RequestKind[] | undefined {
  const paths = nodeAt(root, ['deployment', 'endpoints']);
  if (paths?.kind !== 'map') return undefined;
  const served = [...paths.entries].filter(([, path]) => !isNull(path)).map(([name]) => name);
  return (['chat', 'completions', 'embedding'] as const).filter((kind) => served.includes(kind));
}

function textAt(root: ConfigNode, path: Path): string | undefined {
  const node = nodeAt(root, path);
  if (node?.kind !== 'scalar' || typeof node.value !== 'string' || isMissing(node)) return undefined;
  return node.value;
}
