import { once } from 'node:events';
import { plainStyle, terminalStyle, type Style } from './render/style';
import { harmlessText, printable, printableJson } from '../support/terminal-text';
import { watchLostOutput } from './lost-output';
import { asCalled } from './program-name';
import { maskOf } from '../secrets/masking';

/** Where a command's words go: the answer to stdout, all else to stderr. */
export interface Output {
  /** The answer, or a part of it; a line end is added. */
  answer(text: string): void;
  /** A machine's answer: one JSON document. */
  json(document: unknown): void;
  /** Progress and advice for a person; commands in it are shown as this user calls them. */
  note(text: string): void;
  warn(text: string): void;
  /** Raw bytes of a log that were made harmless already; resolves when there is room for more, or nobody reads them. */
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
  /** Characters in a line of stdout; `Infinity` where it is no terminal: in files and pipes nothing is cut. */
  answerWidth(): number;
  height(): number;
  /** Aborted once nobody reads stdout any more: what only prints may end then. */
  readonly readerGone: AbortSignal;
  /** What a command that would end with `code` ends with, given what became of its output. */
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
