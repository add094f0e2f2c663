/** Finds the cause of a failure at the end of a log. Pure. */

export interface LogCause {
  /** The last non-empty line. */
  readonly last: string;
  /** An earlier line that names the cause if `last` does not; empty: none does. */
  readonly cause: string;
}

/** Characters of one line that are shown. */
const longestLine = 300;

/** Errors of servers and operating systems, which say more than the harness exception that wraps them. */
const specific =
  /maximum context length|appears to be a URI|context length of only|too many open files|out of memory|no space left on device|\bError code: 4\d\d|\b4(?!08|29)\d\d Client Error|\b4(?!08|29)\d\d (?:Bad Request|Unprocessable|Not Found|Unauthorized|Forbidden)/i;
/** The last line of a Python traceback. */
const exception = /^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit)\b: \S/;
/** An error that only says that another one came before it, as servers with several processes end. */
const consequence = /(?:root cause|stack ?trace|errors?|logs?) above|failed to start|initialization failed/i;
/** What a logger, and the process of a server, write before the text: `(EngineCore pid=7) ERROR 11-28 07:00:00 [core.py:1] `. */
const logged = /^(?:\([^()]*\)\s*)?(?:(?:ERROR|CRITICAL|FATAL)\b[\s:]*)?(?:[\d-]+[ T][\d:.,]+\s*)?(?:\[[^\]]*\]:?\s*)?/;

/** Returns the last line and, if it names no cause, the latest earlier line that does. */
export function causeIn(lines: readonly string[]): LogCause {
  const texts = lines.map((line) => line.trim()).filter((line) => line !== '');
  const last = texts.at(-1) ?? '';
  if (specific.test(last)) return { last: around(last), cause: '' };
  const isException = (line: string): boolean => exception.test(line.replace(logged, ''));
  const tellsAll = isException(last) && !consequence.test(last);
  const cause =
    texts.findLast((line) => specific.test(line)) ??
    (tellsAll ? undefined : texts.findLast((line) => isException(line) && !consequence.test(line)));
  return { last: last.slice(-longestLine), cause: cause === undefined ? '' : around(cause) };
}

/** Shortens a long line to the part around the error. */
function around(line: string): string {
  if (line.length <= longestLine) return line;
  const at = Math.max(0, (specific.exec(line)?.index ?? 0) - 80);
  return `${at === 0 ? '' : '…'}${line.slice(at, at + longestLine)}${at + longestLine < line.length ? '…' : ''}`;
}
