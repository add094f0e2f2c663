/** `evaluation`: `overrides` and older spellings become `nemo_evaluator_config`, with each key at its level. */
import { isMapNode, isScalarNode, newMap } from '../yaml-nodes';
import type { DocumentPath } from '../yaml-nodes';
import type { Session } from '../session';

/** Parameters of every harness; all others belong to `extra`. */
const commonParameters = [
  'limit_samples',
  'max_new_tokens',
  'max_retries',
  'parallelism',
  'task',
  'temperature',
  'request_timeout',
  'top_p',
  'extra',
];

export function migrateEvaluation(session: Session): void {
  const { document } = session;
  if (document.has(['tasks']) && !document.has(['evaluation', 'tasks']))
    session.move(['tasks'], ['evaluation', 'tasks'], 'tasks are a part of `evaluation`');
  for (let index = 0; index < document.length(['evaluation', 'tasks']); index++) {
    const path = ['evaluation', 'tasks', index];
    const item = document.at(path);
    if (isScalarNode(item)) {
      document.replace(path, newMap({ name: item }));
      session.changed(path, `name: ${String(item.value)}`, 'a task is a mapping with its name');
    }
    if (document.isMapAt(path)) migrateLevel(session, path);
  }
  if (document.isMapAt(['evaluation'])) migrateLevel(session, ['evaluation']);
}

/** One place with settings of the evaluator: `evaluation` itself, or a task. */
function migrateLevel(session: Session, base: DocumentPath): void {
  const { document } = session;
  const config = [...base, 'nemo_evaluator_config'];
  if (document.has([...base, 'config'])) {
    if (!document.has(config)) {
      document.rename([...base, 'config'], 'nemo_evaluator_config');
      session.changed([...base, 'config'], 'now nemo_evaluator_config', 'its name since version 0.1.40');
    } else mergeInto(session, [...base, 'config'], config, 'its name since version 0.1.40');
  }
  applyOverrides(session, base);
  const levels: readonly (readonly [from: DocumentPath, to: DocumentPath])[] = [
    [
      [...base, 'params'],
      [...config, 'config', 'params'],
    ],
    [
      [...base, 'target'],
      [...config, 'target'],
    ],
    [
      [...config, 'params'],
      [...config, 'config', 'params'],
    ],
    [
      [...config, 'extra'],
      [...config, 'config', 'params', 'extra'],
    ],
    [
      [...config, 'api_endpoint'],
      [...config, 'target', 'api_endpoint'],
    ],
    [
      [...config, 'adapter_config'],
      [...config, 'target', 'api_endpoint', 'adapter_config'],
    ],
    [
      [...config, 'config', 'target'],
      [...config, 'target'],
    ],
    [
      [...config, 'target', 'adapter_config'],
      [...config, 'target', 'api_endpoint', 'adapter_config'],
    ],
    [
      [...config, 'config', 'extra'],
      [...config, 'config', 'params', 'extra'],
    ],
    [
      [...config, 'env_vars'],
      [...base, 'env_vars'],
    ],
  ];
  for (const [from, to] of levels) mergeInto(session, from, to, 'its place in the run config of nemo-evaluator');
  moveToExtra(session, [...config, 'config', 'params']);
  session.remove([...config, 'config', 'output_dir'], 'each task has a folder of its own');
}

/** `overrides` of version 0.1: dotted keys, or nested ones. They won over everything else. */
function applyOverrides(session: Session, base: DocumentPath): void {
  const { document } = session;
  const overrides = [...base, 'overrides'];
  if (!document.has(overrides)) return;
  if (!document.isMapAt(overrides)) {
    session.remove(overrides, 'it is empty');
    return;
  }
  if (document.isAnchored(overrides)) {
    session.ask(
      overrides,
      'it belongs in nemo_evaluator_config, but other parts of the file share it',
      'write it there, nested: config: {params: {…}}',
    );
    return;
  }
  if (!document.has([...base, 'nemo_evaluator_config'])) document.addAfter(overrides, 'nemo_evaluator_config');
  for (const key of document.keys(overrides)) {
    const inner = key.split('.');
    const to = [...base, 'nemo_evaluator_config', ...inner];
    const node = document.at([...overrides, key]);
    // The launcher put the value into a shell command, which removed these quotes.
    if (isScalarNode(node) && typeof node.value === 'string' && /^"[^"]*"$/.test(node.value.trim())) {
      node.value = node.value.trim().slice(1, -1);
      node.type = 'QUOTE_DOUBLE';
    }
    if (!document.move([...overrides, key], to)) {
      session.ask(
        [...base, 'nemo_evaluator_config'],
        `\`${inner.join('.')}\` of \`overrides\` finds no place here`,
        'write it yourself',
      );
      continue;
    }
    session.changed([...overrides, key], `now ${to.join('.')}`, '`overrides` has become `nemo_evaluator_config`');
  }
  session.remove(overrides, 'it is empty');
}

/** Moves a mapping's keys to where they belong; keys that are there already win. */
function mergeInto(session: Session, from: DocumentPath, to: DocumentPath, reason: string): void {
  const { document } = session;
  if (!document.has(from)) return;
  const isNested = to.every((key, at) => at >= from.length || key === from[at]) && to.length > from.length;
  if (isNested) return;
  if (!document.has(to) || document.isNull(to)) {
    session.move(from, to, reason);
    return;
  }
  if (!isMapNode(document.at(from)) || !isMapNode(document.at(to))) {
    session.ask(from, `belongs in ${to.join('.')}, which has a value already`, 'keep one of the two');
    return;
  }
  for (const key of document.keys(from)) mergeInto(session, [...from, key], [...to, key], reason);
  if (document.has(from) && document.keys(from).length === 0) session.remove(from, 'it is empty');
}

function moveToExtra(session: Session, params: DocumentPath): void {
  for (const key of session.document.keys(params))
    if (!commonParameters.includes(key) && key !== '<<')
      session.move(
        [...params, key],
        [...params, 'extra', key],
        "parameters that only the task's harness knows belong there",
      );
}
