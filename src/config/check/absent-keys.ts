/** Overrides of keys that the config does not have. Advice to add one with `+` is right only if the schema knows the key. */
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
 * Checks absent keys against the schema. A key that the schema knows is not misspelt, and the hint says how to add it; for an
 * unknown one the problem gets the schema's message. `judge` validates a tree; it is called once, with all of these keys. Pure.
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
