/** Why something failed, as far as the end of its log says. Pure. */

export interface LogCause {
  /** The last line that says something. */
  readonly last: string;
  /** A line before it that names the cause, where `last` does not; empty: none does. */
  readonly cause: string;
}

/** Characters of one line that are shown. */
const longestLine = 300;

/** What servers and systems say themselves: better than the wrapper in which a harness dies of it. */
const specific =
  /maximum context length|context length of only|too many open files|out of memory|no space left on device|\bError code: 4\d\d|\b4(?!08|29)\d\d Client Error|\b4(?!08|29)\d\d (?:Bad Request|Unprocessable|Not Found|Unauthorized|Forbidden)/i;
/** The last line of a Python traceback. */
const exception = /^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit)\b: \S/;

/** Looks for a telling line among the last ones of a log. */
export function causeIn(lines: readonly string[]): LogCause {
  const told = lines.map((line) => line.trim()).filter((line) => line !== '');
  const last = told.at(-1) ?? '';
  if (specific.test(last)) return { last: around(last), cause: '' };
  const cause =
    told.findLast((line) => specific.test(line)) ??
    (exception.test(last) ? undefined : told.findLast((line) => exception.test(line)));
  return { last: last.slice(-longestLine), cause: cause === undefined ? '' : around(cause) };
}

/** Of a long line, the part that tells. */
function around(line: string): string {
  if (line.length <= longestLine) return line;
  const at = Math.max(0, (specific.exec(line)?.index ?? 0) - 80);
  return `${at === 0 ? '' : '…'}${line.slice(at, at + longestLine)}${at + longestLine < line.length ? '…' : ''}`;
}
