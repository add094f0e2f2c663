import { once } from 'node:events';
import { plainStyle, terminalStyle, type Style } from './render/style';
import { harmlessText, printable, printableJson } from '../support/terminal-text';
import { watchLostOutput } from './lost-output';
import { asCalled } from './program-name';
import { maskOf } from '../secrets/masking';

/** Output of a command: the answer goes to stdout, everything else to stderr. */
export interface Output {
  /** Prints the answer, or part of it, with a line end. */
  answer(text: string): void;
  /** Prints the answer as one JSON document. */
  json(document: unknown): void;
  /** Prints progress and advice for people; commands are shown as this user calls them. */
  note(text: string): void;
  warn(text: string): void;
  /** Prints log text that is already harmless; resolves when more can be written, or nobody reads it. */
  write(text: string): Promise<void>;
  /** From now on these values are masked in all that is said, except for the raw bytes of `write`. */
  conceal(values: readonly string[]): void;
  /** Of stderr. */
  readonly style: Style;
  /** Of stdout. */
  readonly answerStyle: Style;
  /** stderr is a terminal that can be drawn on. */
  readonly isLive: boolean;
  /** Characters in a line of stderr. */
  width(): number;
  /** Characters in a line of stdout; `Infinity` for files and pipes, where nothing is shortened. */
  answerWidth(): number;
  height(): number;
  /** Aborted once nobody reads stdout any more; commands that only print can then end. */
  readonly readerGone: AbortSignal;
  /** Returns the exit code, which differs from `code` if the answer could not be written. */
  exitCode(code: number): number;
}

export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export function createOutput({ stdout, stderr }: Streams, env: Readonly<Record<string, string | undefined>>): Output {
  // A terminal without a size (a container's, a recorder's) can't be drawn on.
  const hasSize = stderr.columns > 0 && stderr.rows > 0;
  const drawable = stderr.isTTY && hasSize && env['TERM'] !== 'dumb' && !env['CI'];
  const lost = watchLostOutput({ stdout, stderr });
  const print = (text: string): boolean => lost.answer.aborted || stdout.write(text);
  const style = terminalStyle(stderr.isTTY, env);
  const concealed: string[] = [];
  let mask: ((text: string) => string) | undefined;
  const masked = (text: string): string => mask?.(text) ?? text;
  return {
    answer: (text) => void print(`${printable(masked(text))}\n`),
    json: (document) =>
      void print(`${printableJson(JSON.stringify(mask ? maskTexts(document, mask) : document, null, 2))}\n`),
    note: (text) => void stderr.write(`${printable(masked(asCalled(text, env)))}\n`),
    warn: (text) => void stderr.write(`${style.warn('warning:')} ${harmlessText(masked(asCalled(text, env)))}\n`),
    conceal: (values) => {
      concealed.push(...values);
      mask = maskOf(concealed);
    },
    write: async (text) => {
      if (print(text)) return;
      const room = new AbortController();
      await Promise.race([
        once(stdout, 'drain', { signal: room.signal }),
        once(lost.answer, 'abort', { signal: room.signal }),
      ]).finally(() => room.abort());
    },
    style,
    answerStyle: stdout.isTTY ? terminalStyle(true, env) : plainStyle,
    isLive: drawable,
    width: () => (stderr.columns || stdout.columns || Number(env['COLUMNS']) || 120) - 1,
    answerWidth: () => (stdout.isTTY && stdout.columns > 0 ? stdout.columns - 1 : Infinity),
    height: () => stderr.rows || 40,
    readerGone: lost.answer,
    exitCode: (code) => lost.exitCode(code),
  };
}

/** Masks text by text: across a whole document a secret of digits could match a number, and leave no JSON. */
function maskTexts(document: unknown, mask: (text: string) => string): unknown {
  return JSON.parse(JSON.stringify(document), (_key, value: unknown) =>
    typeof value === 'string' ? mask(value) : value,
  ) as unknown;
}
