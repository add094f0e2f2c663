import { isPlainObject } from '../support/plain-object';

/** Prompt, target and answer of a sample, as lm-evaluation-harness and `nel` log them. Pure. */

type Content = Readonly<Record<string, unknown>>;

export function promptOf(content: Content): string | null {
  return textOf(argumentsOf(content)[0]?.[0]) ?? textOf(content['prompt']);
}

/** Of a choice between given answers, its number in `target` is told as its text. */
export function targetOf(content: Content): string | null {
  const target = textOf(content['target']) ?? textOf(content['expected_answer']);
  const chosen = choicesOf(content)?.[Number(target)];
  return chosen === undefined ? target : chosen.trim();
}

/** Returns what the model answered; of a choice between given answers, the most probable one. */
export function answerOf(content: Content): string | null {
  const choices = choicesOf(content);
  if (choices) return choices[mostProbable(content)]?.trim() ?? null;
  return (
    textOf(first(first(content['resps']))) ??
    textOf(first(content['filtered_resps'])) ??
    textOf(content['model_response'])
  );
}

/** `[[prompt, …], …]`, or the same as `{gen_args_0: {arg_0, …}}`. */
function argumentsOf({ arguments: given }: Content): unknown[][] {
  const calls: unknown[] = Array.isArray(given) ? given : isPlainObject(given) ? Object.values(given) : [];
  return calls.map((call): unknown[] => (Array.isArray(call) ? call : isPlainObject(call) ? Object.values(call) : []));
}

/** Several requests, each with a text to be continued and its continuation. */
function choicesOf(content: Content): string[] | undefined {
  const calls = argumentsOf(content);
  if (calls.length < 2) return undefined;
  const choices = calls.map((call) => call[1]);
  return choices.every((choice) => typeof choice === 'string') ? choices : undefined;
}

function mostProbable({ filtered_resps: responses }: Content): number {
  const probabilities = (Array.isArray(responses) ? responses : []).map((response) => Number(first(response)));
  return probabilities.indexOf(Math.max(...probabilities));
}

const first = (value: unknown): unknown => (Array.isArray(value) ? (value as unknown[])[0] : value);

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return value === undefined || value === null ? null : JSON.stringify(value);
}
