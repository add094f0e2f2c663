/** Where the parts of a variant stand in the config as it was written. Pure. */
import { nodeAt } from '../yaml/tree';
import type { ConfigNode, Path } from '../yaml/tree';
import type { Variant } from './variants';

/** Returns the path in the whole config that a path in the variant's means. Indexes of tasks are those of the whole config. */
export function writtenPath(whole: ConfigNode, { model, tasks, hasOwnDeployment }: Variant, dotted: string): string {
  const path = dotted.split('.');
  const places: Path[] = [
    ...(hasOwnDeployment && path[0] === 'deployment'
      ? tasks.map((task) => ['evaluation', 'tasks', task, ...path])
      : []),
    ...(model === null ? [] : modelPaths(model, path)),
  ];
  const written = places.find((place) => nodeAt(whole, place) !== undefined);
  if (written !== undefined) return written.join('.');
  const node = nodeAt(whole, path);
  const isCommon = node !== undefined && node.origin.preset !== true;
  const [place] = model === null ? [] : modelPaths(model, path);
  return isCommon || place === undefined ? dotted : place.join('.');
}

function modelPaths(model: string, path: readonly string[]): Path[] {
  const [section, ...rest] = path;
  if (section === 'deployment' || section === 'target') return [['models', model, ...path]];
  const [part] = rest;
  const isPart = section === 'evaluation' && (part === 'nemo_evaluator_config' || part === 'env_vars');
  return isPart ? [['models', model, ...rest]] : [];
}

/** Returns the config without what only other variants have. */
export function withoutOthers(root: ConfigNode, { model, tasks }: Variant): ConfigNode {
  const models = nodeAt(root, ['models']);
  const list = nodeAt(root, ['evaluation', 'tasks']);
  if (root.kind !== 'map') return root;
  const entries = new Map(root.entries);
  if (models?.kind === 'map' && model !== null)
    entries.set('models', { ...models, entries: new Map([...models.entries].filter(([name]) => name === model)) });
  const evaluation = entries.get('evaluation');
  if (list?.kind === 'list' && evaluation?.kind === 'map') {
    const items = list.items.map((item, index) => (tasks.includes(index) ? item : withoutDeployment(item)));
    entries.set('evaluation', { ...evaluation, entries: new Map(evaluation.entries).set('tasks', { ...list, items }) });
  }
  return { ...root, entries };
}

function withoutDeployment(task: ConfigNode): ConfigNode {
  if (task.kind !== 'map' || !task.entries.has('deployment')) return task;
  return { ...task, entries: new Map([...task.entries].filter(([key]) => key !== 'deployment')) };
}
