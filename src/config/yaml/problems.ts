/** Problems of a configuration, as data and as text. */
import { UsageFault } from '../../support/usage-fault';

export interface ConfigProblem {
  /** Absolute path of the file the value came from. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
  /** The `-o` argument the value came from, with secrets masked. */
  readonly override?: string;
  /** Dotted path of the value; empty for the whole file. */
  readonly path: string;
  /** What is wrong: what was found, and what is allowed. */
  readonly message: string;
  /** How to fix it. */
  readonly hint?: string;
}

/** Where a value was written. */
export interface Origin {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly override?: string;
  /** The file is one of our own presets. */
  readonly preset?: boolean;
  /** The value was derived from this key. */
  readonly derived?: string;
}

/** All problems of a configuration. When it is thrown, nothing has been created. */
export class ConfigError extends UsageFault {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(renderProblem).join('\n'));
    this.problems = problems;
  }
}

/** Several checks may report the same problem. */
export function withoutRepeats(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const seen = new Set<string>();
  return problems.filter((problem) => {
    const key = `${problem.path}\0${problem.message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** Returns `file:line:column: path: message`, and the hint on a second line. */
export function renderProblem(problem: ConfigProblem): string {
  const place = renderPlace(problem);
  const subject = problem.path === '' ? '' : `${problem.path}: `;
  const hint = problem.hint === undefined ? '' : `\n    ${problem.hint}`;
  return printable(`${place === '' ? '' : `${place}: `}${subject}${problem.message}`) + printable(hint);
}

export function renderPlace(origin: Pick<ConfigProblem, 'file' | 'line' | 'column' | 'override'>): string {
  if (origin.override !== undefined) return `-o ${origin.override}`;
  if (origin.file === undefined) return '';
  return [origin.file, origin.line, origin.column].filter((part) => part !== undefined).join(':');
}

/** Returns the fields of a problem that say where the value was written. */
export function placeOf(origin: Origin | undefined): Pick<ConfigProblem, 'file' | 'line' | 'column' | 'override'> {
  if (origin === undefined) return {};
  return {
    ...(origin.file === undefined ? {} : { file: origin.file }),
    ...(origin.line === undefined ? {} : { line: origin.line }),
    ...(origin.column === undefined ? {} : { column: origin.column }),
    ...(origin.override === undefined ? {} : { override: origin.override }),
  };
}

/** Text from a config must not control the terminal. */
const printable = (text: string): string => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
