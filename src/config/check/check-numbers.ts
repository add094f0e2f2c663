/** Finds text that YAML reads as a number where the schema does not say which of the two is expected. */
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { pythonText } from '../hydra/python-text';
import { placeOfNode, scalarsOf } from '../yaml/tree';
import type { ConfigNode, Path } from '../yaml/tree';

/** Digits with an `e` (a commit id), a leading zero, or colons: rarely meant as the number that YAML reads. */
const ambiguous = /^[+-]?(?:\d[\d_]*e\d+|0[0-7_]+|\d[\d_]*(?::\d+)+(?:\.\d*)?)$/i;

/** Parameters of a harness are passed on as read, and no schema knows which of them are text. */
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
      overflows || !Number.isFinite(value)
        ? ''
        : `; for the number, write ${unambiguousNumber(value, node.float === true)}`;
    return [
      {
        ...placeOf(placeOfNode(node)),
        path: path.join('.'),
        message: `\`${text}\` is read as ${number}`,
        hint: `for the text, put it in quotes: '${text}'${plain}`,
      },
    ];
  });
}

/** Returns a spelling that can only be read as this number. */
function unambiguousNumber(value: number, isFloat: boolean): string {
  const text = String(value);
  return isFloat && Number.isInteger(value) && !text.includes('e') ? `${text}.0` : text;
}
