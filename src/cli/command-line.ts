import { maskOverride } from '../secrets/secrecy';

/** The command as it was given, for the run's record; values of secret-looking overrides masked. Pure. */
export function commandLineOf(argv: readonly string[]): string {
  return ['evalsaga', ...argv.map((argument) => shellWord(maskOverride(argument)))].join(' ');
}

/** One word of a POSIX shell, whatever it holds. Pure. */
export const shellWord = (argument: string): string =>
  /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
