import path from 'node:path';
import type { HomePaths } from '../home/paths';
import { isComplete, provisionOnce } from './once';
import { findPython, MissingProgram, run, type Provisioning } from './python';

/** Version to install if PATH has no usable uv. */
const UV_VERSION = '0.13.9';
/** Older versions lack options that are used to create environments. */
const MIN_UV = [0, 3] as const;
const PIP_ADVICE =
  'Install uv and put it on PATH, or install pip for this Python (Debian/Ubuntu: apt-get install python3-pip).';

/** Returns a `uv` executable: the one on PATH, else one installed once with pip below the home folder. */
export async function ensureUv({ home, report, signal }: Provisioning): Promise<string> {
  if (isUsable(await uvOnPath(process.env))) return 'uv';
  await provisionOnce({
    ...installationOf(home),
    label: 'uv',
    report,
    signal,
    async produce(draft, progress) {
      const python = await findPython();
      progress(`installing uv ${UV_VERSION} with pip`);
      await run({
        what: `Installing uv ${UV_VERSION} with pip`,
        advice: PIP_ADVICE,
        file: python,
        args: [
          ...['-m', 'pip', 'install', '--quiet', '--no-deps', '--no-warn-script-location'],
          ...['--root-user-action=ignore', '--target', draft, `uv==${UV_VERSION}`],
        ],
        signal,
      });
      await run({ what: 'Starting the installed uv', file: path.join(draft, executable), args: ['--version'], signal });
    },
  });
  return path.join(installationOf(home).folder, executable);
}

/**
 * Describes which `uv` would be used; installs nothing. Rejects with `MissingProgram` if there is neither uv nor a pip
 * to install it.
 */
export async function describeUv({
  home,
  python,
  env,
}: {
  readonly home: Pick<HomePaths, 'runtimes'>;
  readonly python: string;
  readonly env: NodeJS.ProcessEnv;
}): Promise<string> {
  const own = await uvOnPath(env);
  if (own !== undefined && isUsable(own)) return `${own.text} is on PATH`;
  const { folder } = installationOf(home);
  if (await isComplete(installationOf(home))) return `${UV_VERSION} is in ${folder}`;
  const tooOld = own && `uv on PATH is ${own.text}, older than ${MIN_UV.join('.')}`;
  const pip = await tryRun(python, ['-m', 'pip', '--version'], env);
  if (!pip.failed) return `${tooOld ?? 'none on PATH'}: the first run installs ${UV_VERSION} with pip`;
  throw new MissingProgram(
    `${tooOld ?? 'No uv is on PATH'}, and ${python} has no pip to install one with.`,
    PIP_ADVICE,
  );
}

const executable = path.join('bin', process.platform === 'win32' ? 'uv.exe' : 'uv');

const installationOf = (home: Pick<HomePaths, 'runtimes'>): { folder: string; key: string } => ({
  folder: path.join(home.runtimes, `uv-${UV_VERSION}`),
  key: UV_VERSION,
});

interface Uv {
  readonly text: string;
  readonly version: readonly [major: number, minor: number];
}

async function uvOnPath(env: NodeJS.ProcessEnv): Promise<Uv | undefined> {
  const { failed, stdout } = await tryRun('uv', ['--version'], env);
  const match = /^uv ((\d+)\.(\d+)\S*)/.exec(stdout);
  return failed || !match ? undefined : { text: match[1] ?? '', version: [Number(match[2]), Number(match[3])] };
}

function isUsable(uv: Uv | undefined): boolean {
  if (uv === undefined) return false;
  const [major, minor] = uv.version;
  return major > MIN_UV[0] || (major === MIN_UV[0] && minor >= MIN_UV[1]);
}

async function tryRun(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ failed: boolean; stdout: string }> {
  const options = { env, extendEnv: false, reject: false, stdin: 'ignore', timeout: 20_000 } as const;
  const { execa } = await import('execa');
  const { failed, stdout } = await execa(file, args, options);
  return { failed, stdout: typeof stdout === 'string' ? stdout : '' };
}
