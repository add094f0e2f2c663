import type { Environment } from '../environment';
import type { LoadedConfig } from '../loaded';
import { planRun } from './plan-run';
import { ConfigError, type ConfigProblem } from '../yaml/problems';
import { withoutNodeAt, type ConfigNode } from '../yaml/tree';
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
 * has other problems already: the values at fault are removed and the rest is planned. Only problems in sections from which
 * nothing was removed are returned, since others may follow from the removal. Empty if the rest cannot be planned.
 */
export function findPlanningProblems(broken: {
  readonly root: ConfigNode;
  readonly problems: readonly ConfigProblem[];
  readonly file: string;
  readonly env: Environment;
  readonly trust: LoadedConfig['trust'];
}): readonly ConfigProblem[] {
  const { root: whole, problems, file, env, trust } = broken;
  const root = problems.reduce((tree, { path }) => withoutNodeAt(tree, path.split('.')), whole);
  const { config: resolved } = validate({ root, failedPaths: new Set(), problems: [] });
  if (resolved === undefined || resolved.evaluation.tasks.length === 0) return [];
  const cut = new Set(problems.map(({ path }) => sectionOf(path)));
  return planningProblems({ resolved, root, yaml: '', file, env, trust, warnings: [] }).filter(
    ({ path }) => !cut.has(sectionOf(path)),
  );
}

const sectionOf = (path: string): string => path.split('.')[0] ?? '';

function planningProblems(loaded: LoadedConfig): readonly ConfigProblem[] {
  try {
    planRun(loaded, placeholderContext);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
