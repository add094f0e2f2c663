/** Names that people give to runs. Pure. */

/** What a name is made of, for messages. */
export const runNameRule =
  'up to 63 letters, digits, `-`, `_` and `.`, beginning with a letter or digit; not to be taken for an id: with another letter than a to f before the first point, and no `.` and number at the end';

/** Whether a text can be the name of a run: it can't be taken for the id of a run (`3f2a`) or of a task (`3f2a.0`). */
export const isRunName = (text: string): boolean =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text) && /^[^.]*[^0-9a-fA-F.]/.test(text) && !/\.\d+$/.test(text);

/** Makes a name of a label with other characters; `undefined` if nothing is left of it. */
export function runNameFrom(label: string): string | undefined {
  const name = label
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .slice(0, 63);
  return isRunName(name) ? name : undefined;
}

/** Tags as search attributes and tables have them: `key=value`. */
export const tagWords = (tags: Readonly<Record<string, string>> = {}): string[] =>
  Object.entries(tags)
    .map(([key, value]) => `${key}=${value}`)
    .sort();

export const tagKeyRule = 'letters, digits, `.`, `_`, `/` and `-`, beginning with a letter or digit';

export const isTagKey = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/.test(text);

/** Whether a text is a run's id. */
export const isInvocation = (text: string): boolean => /^[0-9a-f]{16}$/.test(text);

/** Returns why a run can't be started under this id or name of the user's; `undefined`: it can. `name`: what it is to be called besides. */
export function whyNoRunId(id: string, name?: string): string | undefined {
  if (isInvocation(id)) return undefined;
  if (!isRunName(id)) return `can't be "${id}": it takes 16 hexadecimal digits, or a name, which has ${runNameRule}.`;
  return name === undefined || name === id
    ? undefined
    : 'that is a name is also the name of the run: leave the other one out.';
}
