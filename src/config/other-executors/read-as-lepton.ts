/** Reads a composed config as one for Lepton: forms of older launchers, and what other executors have in another way. Pure. */
import type { Environment } from '../environment';
import { withForeignValues } from '../foreign-values';
import { withOlderForms } from '../older-forms';
import type { ConfigProblem } from '../yaml/problems';
import type { ConfigNode } from '../yaml/tree';
import { withForeignForms } from './foreign-forms';
import { withPlacedKeys } from './misplaced-keys';
import { withOneNode } from './one-node';

export interface ReadAsLepton {
  /** Not resolved yet. */
  readonly root: ConfigNode;
  /** What was read as what. */
  readonly warnings: readonly ConfigProblem[];
  /** Dotted paths of the foreign keys that were used. */
  readonly used: ReadonlySet<string>;
}

/** `foreign`: the config was written for another executor. */
export function readAsLepton(
  tree: ConfigNode,
  { env, foreign }: { readonly env: Environment; readonly foreign: boolean },
): ReadAsLepton {
  const placed = foreign ? withPlacedKeys(tree) : { root: tree, warnings: [] };
  const older = withOlderForms(placed.root, env, { foreign });
  const forms = foreign ? withForeignForms(older.root) : { root: older.root, warnings: [] };
  const values = withForeignValues(forms.root, { foreign });
  const fitted = foreign ? withOneNode(values.root, env) : { root: values.root, warnings: [] };
  return {
    root: fitted.root,
    used: values.used,
    warnings: [values, fitted, placed, older, forms].flatMap(({ warnings }) => warnings),
  };
}
