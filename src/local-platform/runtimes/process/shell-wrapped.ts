import path from 'node:path';

/** Server commands behind a shell: `bash -c SCRIPT [NAME ARGUMENT…]`. Nothing is run or expanded here. Pure. */

/** A server's command, and how it is wrapped. */
export interface ServerCommand {
  /** The server's own words; empty when a script shows none. */
  readonly words: readonly string[];
  /** The shell lines around it, when there are any. */
  readonly script: string | undefined;
}

const SHELLS = ['sh', 'bash', 'dash', 'zsh'];
/** A script's option: `-c`, or with others in front, as in `-lc`. */
const SCRIPT_FLAG = /^-[a-z]*c$/;
const HANDS_OVER = /(?:^|[\s;&|])exec\s+"\$@"\s*;?\s*$/;
const ASSIGNMENT = /^[A-Za-z_]\w*=/;
/** What may stand before a command without changing which one it is. */
const BEFORE = ['exec', 'nohup', 'command', 'env', 'export', 'time'];

/** Whether a word is the name or path of a shell. */
export const isShell = (word: string): boolean => SHELLS.includes(path.posix.basename(word));

/**
 * The server in a container's command: the command itself, what `exec "$@"` at a script's end hands over to, or the last of a
 * script's commands that `looksLikeServer`, else its last one.
 */
export function serverCommand(
  command: readonly string[],
  looksLikeServer: (words: readonly string[]) => boolean,
): ServerCommand {
  const [program = '', ...rest] = command;
  if (!isShell(program)) return { words: command, script: undefined };
  const at = rest.findIndex((word) => SCRIPT_FLAG.test(word));
  const script = at < 0 ? undefined : rest[at + 1];
  if (script === undefined) return { words: [], script: command.join(' ') };
  if (HANDS_OVER.test(script)) {
    const inner = serverCommand(rest.slice(at + 3), looksLikeServer);
    return { words: inner.words, script: [script, inner.script].filter(Boolean).join('\n') };
  }
  const commands = commandsOf(script);
  return { words: commands.findLast(looksLikeServer) ?? commands.at(-1) ?? [], script };
}

/** The simple commands of a script, in order, without what stands before them. */
export function commandsOf(script: string): string[][] {
  const commands: string[][] = [[]];
  for (const token of tokensOf(script)) {
    if (token.kind === 'end') commands.push([]);
    else commands.at(-1)?.push(token.text);
  }
  return commands.map(withoutPrefix).filter((words) => words.length > 0);
}

function withoutPrefix(words: readonly string[]): string[] {
  const start = words.findIndex((word) => !BEFORE.includes(word) && !ASSIGNMENT.test(word));
  return start < 0 ? [] : words.slice(start);
}

type Token = { readonly kind: 'word'; readonly text: string } | { readonly kind: 'end' };

/** A quoted part, a backslash and its character, an operator or a comment between commands, blanks, or anything else. */
const PIECES = /'([^']*)'|"((?:[^"\\]|\\[^])*)"|\\([^])|(\s#[^\n]*)|([;&|()\n]+)|([^\S\n]+)|([^'"\\;&|()\s]+)/g;

function tokensOf(script: string): Token[] {
  const tokens: Token[] = [];
  let word: string | undefined;
  const close = (): void => {
    if (word !== undefined) tokens.push({ kind: 'word', text: word });
    word = undefined;
  };
  for (const [, single, double, escaped, comment, operator, blank, plain] of script.matchAll(PIECES)) {
    if (comment !== undefined || operator !== undefined) {
      close();
      tokens.push({ kind: 'end' });
    } else if (blank !== undefined) close();
    else if (escaped === '\n') continue;
    else word = (word ?? '') + (single ?? double?.replace(/\\([$`"\\])/g, '$1') ?? escaped ?? plain ?? '');
  }
  close();
  return tokens;
}
