import { maskTokens } from '../config/secrecy';

/** Keys whose literal value has no place in a record. */
const secretKey = /(token|secret|password|api_?key|credential)/i;

/** The command as it was given, for the run's record; values of secret-looking overrides masked. Pure. */
export function commandLineOf(argv: readonly string[]): string {
  return ['evalsaga', ...argv.map((argument) => shellWord(masked(argument)))].join(' ');
}

function masked(argument: string): string {
  const [, option = '', key = '', value] = /^((?:--override=|-o)?)([^=]*)=([^]*)$/.exec(argument) ?? [];
  if (value === undefined) return maskTokens(argument);
  // References and names of variables are no secrets, and are what a reader looks for.
  const isReference = /_name$/.test(key) || value.includes('${') || /^(host|runtime|lit):/.test(value);
  return secretKey.test(key) && !isReference ? `${option}${key}=***` : maskTokens(argument);
}

/** One word of a POSIX shell, whatever it holds. Pure. */
export const shellWord = (argument: string): string =>
  /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
