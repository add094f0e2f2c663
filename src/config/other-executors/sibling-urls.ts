/** Gives tasks the request URL of their own kind, where the config has that of another kind of the same server. Pure. */
import { chooseTask, kindOfEndpoint } from '../catalogue/choose-task';
import { readExistingUrl, requestUrl } from '../plan/existing-url';
import { surroundingsOf } from '../plan/task-surroundings';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { childOf, dotted, nodeAt, placeOfNode, withNodeAt } from '../yaml/tree';
import type { ConfigNode } from '../yaml/tree';

const urlPath = ['target', 'api_endpoint', 'url'];
const ownPath = ['nemo_evaluator_config', 'target', 'api_endpoint'];

/**
 * The launcher sends every task to the one URL, where a task of another kind fails. Works on the resolved tree; changes nothing
 * for tasks with a URL or a type of their own.
 */
export function withSiblingUrls(root: ConfigNode): {
  readonly root: ConfigNode;
  readonly warnings: readonly ConfigProblem[];
} {
  const tasks = nodeAt(root, ['evaluation', 'tasks']);
  const common = nodeAt(root, urlPath);
  const type = nodeAt(root, ['deployment', 'type']);
  if (tasks?.kind !== 'list' || common?.kind !== 'scalar' || typeof common.value !== 'string')
    return { root, warnings: [] };
  if (type?.kind !== 'scalar' || type.value !== 'none') return { root, warnings: [] };
  const siblings = tasks.items.flatMap((task, index) => {
    const url = siblingFor(root, { task, index, common: String(common.value) });
    return url === undefined
      ? []
      : [{ at: ['evaluation', 'tasks', index, ...ownPath, 'url'], url, name: nameOf(task) }];
  });
  if (siblings.length === 0) return { root, warnings: [] };
  return {
    root: siblings.reduce((tree, { at, url }) => withNodeAt(tree, at, { ...common, value: url }), root),
    warnings: [
      {
        ...placeOf(placeOfNode(common)),
        path: dotted(urlPath),
        message: `takes requests of another kind than these tasks make, which ask their own path of the same server: ${siblings.map(({ name }) => name).join(', ')}`,
        hint: 'a base URL (…/v1) serves every kind: each task appends its path',
      },
    ],
  };
}

function siblingFor(
  root: ConfigNode,
  { task, index, common }: { task: ConfigNode; index: number; common: string },
): string | undefined {
  const isOwn = ['url', 'type'].some((key) =>
    [task, nodeAt(root, ['evaluation'])].some((section) => nodeAt(section, [...ownPath, key]) !== undefined),
  );
  const existing = readExistingUrl(common);
  if (isOwn || childOf(task, 'endpoint_type') !== undefined || existing.kind !== 'full' || existing.takes === undefined)
    return undefined;
  const choice = chooseTask(nameOf(task), surroundingsOf(root, index));
  const [endpoint] = choice.kind === 'found' ? choice.task.endpoints : [];
  if (choice.kind !== 'found' || endpoint === undefined) return undefined;
  if (choice.task.endpoints.some((each) => kindOfEndpoint(each) === existing.takes)) return undefined;
  const base = readExistingUrl(common.replace(/\/(?:chat\/)?(?:completions|embeddings)\/*(?=$|\?)/, ''));
  return base.kind === 'base' ? requestUrl(base, kindOfEndpoint(endpoint)) : undefined;
}

function nameOf(task: ConfigNode): string {
  const name = childOf(task, 'name');
  return name?.kind === 'scalar' ? String(name.value) : '';
}
