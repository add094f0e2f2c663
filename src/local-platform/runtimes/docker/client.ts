import { execa } from 'execa';
import { lastLine } from '../../../support/lines';
import { cleanEnvironment } from '../process/process-env';

/** Calls the docker CLI, which handles contexts, credential helpers and remote daemons better than any library. */

const TIMEOUT_MS = 20_000;
const PULL_TIMEOUT_MS = 3_600_000;
const PASSED_VARIABLES = ['XDG_RUNTIME_DIR', 'SSH_AUTH_SOCK'];

export interface DockerResult {
  readonly failed: boolean;
  readonly stdout: string;
  /** Last line of standard error. */
  readonly error: string;
}

/** Returns the environment of the docker CLI: where the daemon is and who the user is, without secrets. */
export function clientEnvironment(from: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const own = Object.entries(from).filter(([name]) => name.startsWith('DOCKER_') || PASSED_VARIABLES.includes(name));
  return {
    ...cleanEnvironment(from),
    ...Object.fromEntries(own.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
  };
}

/** Runs the docker CLI. Never rejects: the result says whether it failed. */
export async function docker(
  words: readonly string[],
  {
    env = {},
    timeoutMs = TIMEOUT_MS,
    signal,
  }: { env?: Record<string, string>; timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<DockerResult> {
  const ran = await execa('docker', words, {
    env: { ...clientEnvironment(), ...env },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    timeout: timeoutMs,
    ...(signal ? { cancelSignal: signal } : {}),
  });
  const error = lastLine(ran.stderr);
  return { failed: ran.failed, stdout: ran.stdout, error: error || (ran.shortMessage ?? '') };
}

/** Asks the daemon for its version and GPU support. Throws if none answers. */
export async function inspectDaemon(): Promise<{ version: string; hasGpus: boolean }> {
  const info = await docker([
    'info',
    '--format',
    '{{.ServerVersion}}\t{{range $name, $_ := .Runtimes}}{{$name}} {{end}}',
  ]);
  const [version = '', runtimes = ''] = info.stdout.split('\t');
  if (info.failed || version.trim() === '')
    throw new Error(
      `--runtime docker needs a docker daemon, and none answers (${info.error || 'it reported no version'}). ` +
        'Start it, or set DOCKER_HOST or a docker context; without docker use --runtime process.',
    );
  return { version: version.trim(), hasGpus: runtimes.split(/\s+/).includes('nvidia') };
}

/**
 * Pulls the image unless it is here. Throws with the daemon's error if that fails. `config`: a folder with
 * credentials.
 */
export async function ensureImage(
  image: string,
  { config, report, signal }: { config: string | undefined; report: (line: string) => void; signal: AbortSignal },
): Promise<void> {
  if (!(await docker(['image', 'inspect', '--format', '{{.Id}}', image], { signal })).failed) return;
  signal.throwIfAborted();
  report(`pulling ${image}`);
  // `--config` hides the context that names the daemon, so its address is passed explicitly.
  const host = await docker(['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}']);
  const env = config !== undefined && !host.failed && host.stdout ? { DOCKER_HOST: host.stdout.trim() } : {};
  const words = [...(config === undefined ? [] : ['--config', config]), 'pull', '--quiet', image];
  const pulled = await docker(words, { timeoutMs: PULL_TIMEOUT_MS, env, signal });
  signal.throwIfAborted();
  if (pulled.failed) throw new Error(`The image ${image} can't be pulled: ${pulled.error}`);
}

/** Removes the container if it exists; throws if it can't be removed. */
export async function removeContainer(name: string): Promise<void> {
  const removed = await docker(['rm', '--force', '--volumes', name], { timeoutMs: 60_000 });
  if (removed.failed && !/no such container/i.test(removed.error))
    throw new Error(`The container ${name} can't be removed: ${removed.error}`);
}

export async function containerExists(name: string): Promise<boolean> {
  return !(await docker(['container', 'inspect', '--format', '{{.Id}}', name])).failed;
}
