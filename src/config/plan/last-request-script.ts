/** Parts of the script of a job whose log tells when its last request is answered (`execution.release_endpoint`). Pure. */
import { answeredFile, answeredLine, answeredVariable, asksReleased } from '../../contract/last-request';
import { answeredSign, missedSign, releasedSign } from './harness-hooks';
import { openFile } from './wait-script';

/** Returns the first lines: from here on only the script knows what the mark contains. */
export const markLines = [
  `mark="\${${answeredVariable}:-}"; unset ${answeredVariable}; again=""`,
  `if [ -n "$mark" ] && [ "$(cat "$out/${answeredFile}" 2>/dev/null)" = "$mark" ]; then`,
  '  again=yes',
  `  : > "$work/${releasedSign}"; : > "$work/${openFile}"`,
  "  echo 'evalsaga: this job was started again after its last request: its answers are in the cache' >&2",
  `else rm -f "$out/${answeredFile}"; fi`,
] as const;

/** Returns lines that are only run where the endpoint may still be there. */
export const unlessAgain = (lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['if [ -z "$again" ]; then', ...lines, 'fi'];

/**
 * Returns the lines after the harness was started in the background as `$child`. What the harness prints goes through the evaluator, so
 * the script itself writes the mark; first into the results folder, where the job finds it if it is started again.
 */
export const tellLines = [
  `tell() { printf %s "$mark" > "$out/${answeredFile}" && echo "${answeredLine('$mark')}" >&2; }`,
  'if [ -n "$mark" ]; then (',
  `  until [ -e "$work/${answeredSign}" ]; do`,
  `    [ ! -e "$work/${missedSign}" ] || kill -TERM "$child" 2>/dev/null`,
  '    sleep 1',
  '  done',
  '  tell',
  ') & teller=$!; fi',
] as const;

/** Returns the lines after the harness has ended with `$code`. */
export const missedLines = [
  'if [ -n "${teller:-}" ]; then kill "$teller" 2>/dev/null; wait "$teller" 2>/dev/null; teller=""; fi',
  // What follows may take long, too.
  `if [ -n "$mark" ] && [ -e "$work/${answeredSign}" ] && [ ! -e "$out/${answeredFile}" ]; then tell; fi`,
  `if [ -e "$work/${missedSign}" ] && [ -z "$interrupted" ]; then code=75; echo '${asksReleased}' >&2; fi`,
] as const;

/** Returns the last lines of all. */
export const tellEndLines = [
  '  [ -z "${teller:-}" ] || kill "$teller" 2>/dev/null',
  `  [ "\${code:-1}" -ne 0 ] || rm -f "$out/${answeredFile}"`,
] as const;
