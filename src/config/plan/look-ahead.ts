import type { Environment } from '../environment';
import type { LoadedConfig } from '../loaded';
import { planRun } from './plan-run';
import { ConfigError, type ConfigProblem } from '../yaml/problems';
import { nodeAt, scalar, withNodeAt, withoutNodeAt, type ConfigNode } from '../yaml/tree';
import { validate } from '../check/validate';

/** Context of a plan that is made only to find its problems. */
const placeholderContext = {
  invocation: '0000000000000000',
  platform: { kind: 'local', workspace: 'local' },
  owner: '',
  command: '',
  cwd: '/',
} as const;

/**
 * Finds problems that only planning finds (a model too large for its shape, a missing URL, an unset secret) in a config that
 * has other problems already: the values at fault are removed and the rest is planned. Problems that may follow from a removal
 * are left out. Empty if the rest cannot be planned.
 */
export function findPlanningProblems(broken: {
  readonly root: ConfigNode;
  readonly problems: readonly ConfigProblem[];
  readonly file: string;
  readonly env: Environment;
  readonly trust: LoadedConfig['trust'];
}): readonly ConfigProblem[] {
  const { root: whole, problems, file, env, trust } = broken;
  const root = withRequired(problems.reduce((tree, { path }) => withoutValue(tree, path), whole));
  const { config: resolved } = validate(resolution(root));
  if (resolved === undefined || resolved.evaluation.tasks.length === 0) return [];
  const removed = problems.map(({ path }) => path.split('.'));
  return planningProblems({ resolved, root, yaml: '', file, env, trust, warnings: [] }).filter(
    (found) => !removed.some((path) => mayFollow(found, path)),
  );
}

const resolution = (root: ConfigNode) => ({ root, failedPaths: new Set<string>(), problems: [] });

/** Nothing could be planned without the values that every config needs. Those that are absent have been reported. */
const withRequired = (root: ConfigNode): ConfigNode =>
  validate(resolution(root)).problems.reduce(
    (tree, { path }) =>
      nodeAt(tree, path.split('.')) === undefined
        ? withNodeAt(tree, path.split('.'), scalar(placeholders[path.split('.').at(-1) ?? ''] ?? 'placeholder', {}))
        : tree,
    root,
  );

const placeholders: Readonly<Record<string, string>> = {
  name: 'lm-evaluation-harness.ifeval',
  path: '/',
  mount_path: '/m',
};

/** A task without a name could not be planned, nor anything else: it gets one, and what is found about it is left out. */
const withoutValue = (tree: ConfigNode, path: string): ConfigNode =>
  /^evaluation\.tasks\.\d+\.name$/.test(path) && nodeAt(tree, path.split('.')) !== undefined
    ? withNodeAt(tree, path.split('.'), scalar('lm-evaluation-harness.ifeval', {}))
    : withoutNodeAt(tree, path.split('.'));

/** Keys of a deployment whose checks look at each other. */
const related: readonly (readonly string[])[] = [
  [
    'checkpoint_path',
    'hf_model_handle',
    'model_id',
    'served_model_name',
    'type',
    'image',
    'command',
    'base_command',
    'extra_args',
  ],
  ['tensor_parallel_size', 'pipeline_parallel_size', 'data_parallel_size', 'lepton_config', 'type'],
];

/** Whether a problem may be the consequence of the removal of this value. */
function mayFollow({ path, message }: ConfigProblem, removed: readonly string[]): boolean {
  const at = path.split('.');
  const key = removed.at(-1) ?? '';
  const [section] = removed;
  if (key.length > 2 && message.includes(key)) return true;
  if (at[0] !== section) return false;
  if (section === 'deployment')
    return (
      at[1] === removed[1] || related.some((keys) => keys.includes(at[1] ?? '') && keys.includes(removed[1] ?? ''))
    );
  if (section === 'evaluation' && removed[1] === 'tasks') return at[1] !== 'tasks' || at[2] === removed[2];
  if (section === 'execution' || section === 'evaluation') return removed.length < 2 || at[1] === removed[1];
  if (section === 'target') return removed.length < 3 || at[2] === removed[2];
  return true;
}

function planningProblems(loaded: LoadedConfig): readonly ConfigProblem[] {
  try {
    planRun(loaded, placeholderContext);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
