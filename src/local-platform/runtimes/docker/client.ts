import { execa } from 'execa';
import { lastLine } from '../../../support/lines';
import { cleanEnvironment } from '../process/process-env';

/** The docker client, as a person would call it: it knows contexts, credential helpers and remote daemons better than any library. */

const ANSWER_MS = 20_000;
const PULL_MS = 3_600_000;
const SETTINGS = ['XDG_RUNTIME_DIR', 'SSH_AUTH_SOCK'];

export interface Answer {
  readonly failed: boolean;
  readonly stdout: string;
  /** Last line of what it complained of. */
  readonly complaint: string;
}

/** The environment of the client: where the daemon is and who we are, and nobody's secret. */
export function clientEnvironment(from: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const own = Object.entries(from).filter(([name]) => name.startsWith('DOCKER_') || SETTINGS.includes(name));
  return {
    ...cleanEnvironment(from),
    ...Object.fromEntries(own.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
  };
}

export async function docker(
  words: readonly string[],
  {
    env = {},
    timeoutMs = ANSWER_MS,
    signal,
  }: { env?: Record<string, string>; timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<Answer> {
  const ran = await execa('docker', words, {
    env: { ...clientEnvironment(), ...env },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    timeout: timeoutMs,
    ...(signal ? { cancelSignal: signal } : {}),
  });
  const complaint = lastLine(ran.stderr);
  return { failed: ran.failed, stdout: ran.stdout, complaint: complaint || (ran.shortMessage ?? '') };
}

/** What the daemon can do. Throws when none answers. */
export async function daemonFacts(): Promise<{ version: string; hasGpus: boolean }> {
  const info = await docker([
    'info',
    '--format',
    '{{.ServerVersion}}\t{{range $name, $_ := .Runtimes}}{{$name}} {{end}}',
  ]);
  const [version = '', runtimes = ''] = info.stdout.split('\t');
  if (info.failed || version.trim() === '')
    throw new Error(
      `--runtime docker needs a docker daemon, and none answers (${info.complaint || 'no version told'}). ` +
        'Start it, or set DOCKER_HOST or a docker context; without docker use --runtime process.',
    );
  return { version: version.trim(), hasGpus: runtimes.split(/\s+/).includes('nvidia') };
}

/** Makes sure that the image is here. Throws with the daemon's words when it can't be had. `config`: a folder with credentials. */
export async function ensureImage(
  image: string,
  { config, report, signal }: { config: string | undefined; report: (line: string) => void; signal: AbortSignal },
): Promise<void> {
  if (!(await docker(['image', 'inspect', '--format', '{{.Id}}', image], { signal })).failed) return;
  signal.throwIfAborted();
  report(`pulling ${image}`);
  // Credentials of one's own hide the context that names the daemon.
  const host = await docker(['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}']);
  const env = config !== undefined && !host.failed && host.stdout ? { DOCKER_HOST: host.stdout.trim() } : {};
  const words = [...(config === undefined ? [] : ['--config', config]), 'pull', '--quiet', image];
  const pulled = await docker(words, { timeoutMs: PULL_MS, env, signal });
  signal.throwIfAborted();
  if (pulled.failed) throw new Error(`The image ${image} can't be pulled: ${pulled.complaint}`);
}

/** Removes the container if there is one; throws when it can't be removed. */
export async function removeContainer(name: string): Promise<void> {
  const removed = await docker(['rm', '--force', '--volumes', name], { timeoutMs: 60_000 });
  if (removed.failed && !/no such container/i.test(removed.complaint))
    throw new Error(`The container ${name} can't be removed: ${removed.complaint}`);
}

export async function containerExists(name: string): Promise<boolean> {
  return !(await docker(['container', 'inspect', '--format', '{{.Id}}', name])).failed;
}
