/** Text that YAML takes for a number, where nothing says which of the two is meant. */
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { pythonText } from '../hydra/python-text';
import { placeOfNode, scalarsOf } from '../yaml/tree';
import type { ConfigNode, Path } from '../yaml/tree';

/** Digits with an `e` among them (a commit), with a zero before them, or with colons: rarely written for the number they are. */
const ambiguous = /^[+-]?(?:\d[\d_]*e\d+|0[0-7_]+|\d[\d_]*(?::\d+)+(?:\.\d*)?)$/i;

/** Parameters of a harness go on as they are read, and no schema knows which of them are text. */
const isInUntypedSection = (path: Path): boolean => {
  const at = path.indexOf('nemo_evaluator_config');
  return at !== -1 && path.slice(at).some((key) => untypedSections.has(String(key)));
};

const untypedSections = new Set(['extra', 'interceptors', 'post_eval_hooks', 'params_to_add', 'headers_to_add']);

export function checkNumbers(root: ConfigNode): ConfigProblem[] {
  return [...scalarsOf(root)].flatMap(({ path, node }): ConfigProblem[] => {
    const { value, text } = node;
    if (typeof value !== 'number' || text === undefined || !isInUntypedSection(path)) return [];
    const overflows = !Number.isFinite(value) && /\d/.test(text);
    if (!overflows && !ambiguous.test(text)) return [];
    const number = overflows ? 'infinity' : `the number ${pythonText(node)}`;
    const plain =
      overflows || !Number.isFinite(value) ? '' : `, ${unambiguousNumber(value, node.float === true)} for the number`;
    return [
      {
        ...placeOf(placeOfNode(node)),
        path: path.join('.'),
        message: `\`${text}\` is read as ${number}`,
        hint: `write '${text}' in quotes for the text${plain}`,
      },
    ];
  });
}

/** A spelling that can mean nothing else. */
function unambiguousNumber(value: number, isFloat: boolean): string {
  const text = String(value);
  return isFloat && Number.isInteger(value) && !text.includes('e') ? `${text}.0` : text;
}
