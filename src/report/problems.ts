import { harmlessLine, harmlessText } from './terminal-text';

/** One thing that is wrong with a config, as `ConfigError` lists it. */
export interface Problem {
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  /** The `-o` override it came by. */
  readonly override?: string | undefined;
  /** Dotted path of the key; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** All problems for a person: where, which key, what, and what to write instead. Pure. */
export function problemLines(problems: readonly Problem[]): string[] {
  return problems.flatMap(({ path, message, hint, ...place }) => {
    const where = placeOf(place);
    const key = path === '' ? '' : `${harmlessLine(path)}: `;
    const [first = '', ...more] = harmlessText(message).split('\n');
    return [
      `${where === '' ? '' : `${where}: `}${key}${first}`,
      ...more.map((line) => `    ${line}`),
      ...(hint
        ? harmlessText(hint)
            .split('\n')
            .map((line) => `    ${line}`)
        : []),
    ];
  });
}

function placeOf({ file, line, column, override }: Pick<Problem, 'file' | 'line' | 'column' | 'override'>): string {
  if (override !== undefined) return `override ${harmlessLine(override)}`;
  return [file === undefined ? undefined : harmlessLine(file), line, column]
    .filter((part) => part !== undefined)
    .join(':');
}
