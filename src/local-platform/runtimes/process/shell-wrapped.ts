import path from 'node:path';

/**
 * Finds server commands inside shell commands (`bash -c SCRIPT [NAME ARGUMENT…]`) without running or expanding
 * anything. Pure.
 */

/** A server's command, and the script it is part of. */
export interface ServerCommand {
  /** The words of the server's command; empty if the script contains no command. */
  readonly words: readonly string[];
  /** The shell script around it, if there is one. */
  readonly script: string | undefined;
}

const SHELLS = ['sh', 'bash', 'dash', 'zsh'];
/** The option before a script: `-c`, possibly combined with others, as in `-lc`. */
const SCRIPT_FLAG = /^-[a-z]*c$/;
const EXECS_ARGUMENTS = /(?:^|[\s;&|])exec\s+"\$@"\s*;?\s*$/;
const ASSIGNMENT = /^[A-Za-z_]\w*=/;
/** Words that may precede a command without changing which program runs. */
const COMMAND_PREFIXES = ['exec', 'nohup', 'command', 'env', 'export', 'time'];

/** Returns whether a word is the name or path of a shell. */
export const isShell = (word: string): boolean => SHELLS.includes(path.posix.basename(word));

/**
 * Finds the server in a container's command: the command itself, the arguments that a script runs by `exec "$@"` at its
 * end, or the last command of the script that `looksLikeServer`, else the last one.
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
  if (EXECS_ARGUMENTS.test(script)) {
    const inner = serverCommand(rest.slice(at + 3), looksLikeServer);
    return { words: inner.words, script: [script, inner.script].filter(Boolean).join('\n') };
  }
  const commands = commandsOf(script);
  return { words: commands.findLast(looksLikeServer) ?? commands.at(-1) ?? [], script };
}

/** Returns the simple commands of a script, in order, without assignments and prefixes such as `exec`. */
export function commandsOf(script: string): string[][] {
  const commands: string[][] = [[]];
  for (const token of tokensOf(script)) {
    if (token.kind === 'end') commands.push([]);
    else commands.at(-1)?.push(token.text);
  }
  return commands.map(withoutPrefix).filter((words) => words.length > 0);
}

function withoutPrefix(words: readonly string[]): string[] {
  const start = words.findIndex((word) => !COMMAND_PREFIXES.includes(word) && !ASSIGNMENT.test(word));
  return start < 0 ? [] : words.slice(start);
}

type Token = { readonly kind: 'word'; readonly text: string } | { readonly kind: 'end' };

/**
 * Matches, in this order: quoted parts, an escaped character, a comment, operators between commands, blanks, other
 * text.
 */
const TOKENS = /'([^']*)'|"((?:[^"\\]|\\[^])*)"|\\([^])|(\s#[^\n]*)|([;&|()\n]+)|([^\S\n]+)|([^'"\\;&|()\s]+)/g;

function tokensOf(script: string): Token[] {
  const tokens: Token[] = [];
  let word: string | undefined;
  const close = (): void => {
    if (word !== undefined) tokens.push({ kind: 'word', text: word });
    word = undefined;
  };
  for (const [, single, double, escaped, comment, operator, blank, plain] of script.matchAll(TOKENS)) {
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
