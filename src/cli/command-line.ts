import { shellQuote } from '../support/shell';
import { maskOverride } from '../secrets/secrecy';

/** Returns the command as given, for the run's record; values of secret-looking overrides are masked. Pure. */
export function commandLineOf(argv: readonly string[]): string {
  return ['evalsaga', ...argv.map((argument) => shellQuote(maskOverride(argument)))].join(' ');
}
