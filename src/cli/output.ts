import { plainStyle, terminalStyle, type Style } from '../report/style';
import { harmlessText, printable, printableJson } from '../report/terminal-text';
import { exitCodes } from './exit-code';
import { asCalled } from './program-name';

/** Where a command's words go: the answer to stdout, all else to stderr. */
export interface Output {
  /** The answer, or a part of it; a line end is added. */
  answer(text: string): void;
  /** A machine's answer: one JSON document. */
  json(document: unknown): void;
  /** Progress and advice for a person; commands in it are shown as this user calls them. */
  note(text: string): void;
  warn(text: string): void;
  /** Raw bytes of a log that were made harmless already; resolves when there is room for more. */
  write(text: string): Promise<void>;
  /** Of stderr. */
  readonly style: Style;
  /** Of stdout. */
  readonly answerStyle: Style;
  /** stderr is a terminal that can be drawn on. */
  readonly isLive: boolean;
  /** Characters in a line. */
  width(): number;
  height(): number;
}

export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export function createOutput({ stdout, stderr }: Streams, env: Readonly<Record<string, string | undefined>>): Output {
  const drawable = stderr.isTTY && env['TERM'] !== 'dumb' && !env['CI'];
  const style = terminalStyle(stderr.isTTY, env);
  return {
    answer: (text) => void stdout.write(`${printable(text)}\n`),
    json: (document) => void stdout.write(`${printableJson(JSON.stringify(document, null, 2))}\n`),
    note: (text) => void stderr.write(`${printable(asCalled(text, env))}\n`),
    warn: (text) => void stderr.write(`${style.warn('warning:')} ${harmlessText(asCalled(text, env))}\n`),
    write: async (text) => {
      if (!stdout.write(text)) await new Promise<void>((resolve) => stdout.once('drain', resolve));
    },
    style,
    answerStyle: stdout.isTTY ? terminalStyle(true, env) : plainStyle,
    isLive: drawable,
    width: () => (stderr.columns || stdout.columns || Number(env['COLUMNS']) || 120) - 1,
    height: () => stderr.rows || 40,
  };
}

/**
 * A reader that went away (`| head`) ends the command without a word; the run, if there is one, goes on. What else keeps the
 * answer from being written (a full disk behind `>`) is said.
 */
export function endOnBrokenOutput({ stdout, stderr }: Streams): void {
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || error.code === 'EIO') process.exit(0);
      if (stream === stdout) stderr.write(`error: the output can't be written: ${error.message}\n`);
      process.exit(exitCodes.infrastructure);
    });
  }
}
