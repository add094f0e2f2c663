/** An override of a key that the config does not have: adding it with `+` is good advice only where the schema knows the key. */
import type { ConfigProblem } from '../yaml/problems';
import { dotted, withNodeAt } from '../yaml/tree';
import type { ConfigNode } from '../yaml/tree';
import type { MisspeltKey } from './misspelt-keys';
import type { Validation } from './validate';

interface Composed {
  readonly root: ConfigNode;
  readonly problems: readonly ConfigProblem[];
  readonly misspeltKeys: readonly MisspeltKey[];
}

/**
 * Returns the problems and misspelt keys of overrides after the schema was asked: a key that it knows is not misspelt, and can be
 * added; of one that it does not know, the problem has the schema's words. `judge` validates a tree; it is called once, with all
 * of these keys in it. Pure.
 */
export function withSchemaVerdicts<T extends Composed>(composed: T, judge: (root: ConfigNode) => Validation): T {
  const absent = composed.misspeltKeys.flatMap((key) => (key.absent ? [{ key, ...key.absent }] : []));
  if (absent.length === 0) return composed;
  const { unknownKeys } = judge(absent.reduce((tree, { path, value }) => withNodeAt(tree, path, value), composed.root));
  if (unknownKeys === undefined) return composed;
  const judged = absent.map((added) => ({
    ...added,
    verdict: unknownKeys.find(({ path }) => `${dotted(added.path)}.`.startsWith(`${path}.`)),
  }));
  const known = new Set(judged.filter(({ verdict }) => verdict === undefined).map(({ key }) => key));
  const problems = composed.problems.map((problem) => {
    const found = judged.find(({ key }) => dotted(key.written) === problem.path);
    if (found === undefined) return problem;
    const { key, path, verdict } = found;
    if (verdict === undefined) return { ...problem, hint: `to add it: +${dotted(path)}=VALUE` };
    if (key.candidates.length > 0) return problem;
    const { message, hint = '' } = verdict;
    return { ...problem, message, hint };
  });
  return { ...composed, problems, misspeltKeys: composed.misspeltKeys.filter((key) => !known.has(key)) };
}
