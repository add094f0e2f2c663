import { userInfo } from 'node:os';

/** Characters of a name; search attributes hold no long texts. */
const mostCharacters = 100;

/** Variable that says who starts and cancels runs, e.g. on a shared account or in CI. */
export const ownerVariable = 'EVALSAGA_OWNER';

/** Returns who acts: `EVALSAGA_OWNER`, else the operating system's user. */
export function whoActs(env: Readonly<Record<string, string | undefined>>): string {
  const named = printable(env[ownerVariable] ?? '');
  if (named !== '') return named;
  try {
    return printable(userInfo().username);
  } catch {
    return printable(env['USER'] ?? env['USERNAME'] ?? '') || 'unknown';
  }
}

const printable = (text: string): string =>
  text
    .replace(/\p{C}+/gu, ' ')
    .trim()
    .slice(0, mostCharacters);
