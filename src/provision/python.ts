import type { HomePaths } from '../home/paths';
import type { Report } from './once';

const MIN_PYTHON = [3, 10] as const;
const PYTHON_NAMES = ['python3', 'python', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];

export interface Provisioning {
  readonly home: HomePaths;
  readonly report?: Report | undefined;
  /** Aborts running commands. */
  readonly signal?: AbortSignal | undefined;
}

/** Thrown for a required program that this machine lacks. */
export class MissingProgram extends Error {
  override readonly name = 'MissingProgram';
  constructor(
    /** What was searched for, and what was found instead. */
    readonly seen: string,
    /** What to install or set. */
    readonly advice: string,
  ) {
    super(`${seen} ${advice}`);
  }
}

/**
 * Returns the absolute path of Python 3.10 or newer: `EVALSAGA_PYTHON` if set, else the first on PATH. Rejects with
 * `MissingProgram` if there is none.
 */
export async function findPython(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const named = env['EVALSAGA_PYTHON'];
  const seen: string[] = [];
  for (const name of named ? [named] : PYTHON_NAMES) {
    const found = await describePython(name, env);
    if (!found) continue;
    const [major, minor] = found.version;
    if (major > MIN_PYTHON[0] || (major === MIN_PYTHON[0] && minor >= MIN_PYTHON[1])) return found.executable;
    seen.push(`${name} is ${major}.${minor}`);
  }
  const what = named ? `EVALSAGA_PYTHON names "${named}"` : `looked for ${PYTHON_NAMES.slice(0, 2).join(', ')} on PATH`;
  throw new MissingProgram(
    `No Python ≥ ${MIN_PYTHON.join('.')} was found (${[what, ...seen].join('; ')}).`,
    `Install Python 3.10 or newer with pip (Debian/Ubuntu: apt-get install python3 python3-pip; macOS: brew install python), ` +
      `or set EVALSAGA_PYTHON to its path.`,
  );
}

async function describePython(
  name: string,
  env: NodeJS.ProcessEnv,
): Promise<{ version: [number, number]; executable: string } | undefined> {
  const script = 'import sys; print(sys.version_info[0], sys.version_info[1], sys.executable)';
  const { execa } = await import('execa');
  const result = await execa(name, ['-c', script], {
    env,
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    timeout: 20_000,
  });
  const match = typeof result.stdout === 'string' ? /^(\d+) (\d+) (.+)$/.exec(result.stdout.trim()) : null;
  if (result.failed || !match) return undefined;
  return { version: [Number(match[1]), Number(match[2])], executable: match[3] ?? name };
}

export interface Command {
  /** Beginning of the error message, such as `Installing the harness`. */
  readonly what: string;
  /** What to do about a failure. */
  readonly advice?: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to this process' environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** A provisioning command has failed. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';

  constructor(
    message: string,
    readonly ended: { readonly exitCode: number | undefined; readonly stderr: string; readonly cause: Error },
  ) {
    super(message, { cause: ended.cause });
  }
}

/** Runs a provisioning command and resolves to its output; rejects with `CommandFailed`, which has the last lines of its error output. */
export async function run({ what, advice, file, args, cwd, env, signal }: Command): Promise<string> {
  const { execa, ExecaError } = await import('execa');
  try {
    const { stdout } = await execa(file, args, {
      stdin: 'ignore',
      ...(cwd ? { cwd } : {}),
      ...(env ? { env } : {}),
      ...(signal ? { cancelSignal: signal } : {}),
    });
    return stdout;
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof ExecaError)) throw error;
    const output = lastLines([error.stderr, error.stdout].map(text).find(Boolean) ?? error.shortMessage, 8);
    const { exitCode, stderr } = error;
    throw new CommandFailed(`${what} failed: ${output}${advice ? `\n${advice}` : ''}`, {
      exitCode,
      stderr: text(stderr),
      cause: error,
    });
  }
}

function text(output: unknown): string {
  return typeof output === 'string' ? output.trim() : '';
}

function lastLines(text: string, count: number): string {
  return text.split('\n').slice(-count).join('\n');
}
