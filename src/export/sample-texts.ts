import { isPlainObject } from '../support/plain-object';

/** Texts of a sample, as lm-evaluation-harness logs them. Pure. */

type Content = Readonly<Record<string, unknown>>;

/** Returns a value as text: text as it is, anything else as JSON. */
export const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);

/** Returns the first argument of the first request; `undefined`: it is not logged. */
export function promptOf(content: Content): string | undefined {
  const requests = content['arguments'];
  const [first] = isPlainObject(requests) ? Object.values(requests) : [];
  const [prompt] = isPlainObject(first) ? Object.values(first) : [];
  return typeof prompt === 'string' ? prompt : undefined;
}

/** Returns the model's answer; of several choices all of them, as JSON. */
export function answerOf(content: Content): string {
  const given = content['resps'];
  const [first, ...others] = listOf(given);
  const [only] = others.length === 0 ? listOf(first) : [];
  return textOf(only ?? given);
}

/** Returns what was taken out of the answer. */
export const extractedOf = (content: Content): string => textOf(listOf(content['filtered_resps'])[0]);

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as readonly unknown[]) : []);
