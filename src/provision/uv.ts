import { execa } from 'execa';
import path from 'node:path';
import type { HomePaths } from '../home/paths';
import { isComplete, provisionOnce } from './once';
import { findPython, MissingProgram, run, type Provisioning } from './python';

/** Used when the machine has none of its own that does. */
const UV_VERSION = '0.13.9';
/** Older ones lack options that environments are made with. */
const OLDEST_UV = [0, 3] as const;
const HOW_TO_HAVE_PIP =
  'Install uv yourself and put it on PATH, or give Python its pip (Debian/Ubuntu: apt-get install python3-pip).';

/** Path of a `uv` executable: the one on PATH, else one installed through pip into the home folder, once. */
export async function ensureUv({ home, report, signal }: Provisioning): Promise<string> {
  if (isUsable(await ownUv(process.env))) return 'uv';
  await provisionOnce({
    ...placeOf(home),
    label: 'uv',
    report,
    signal,
    async produce(draft, say) {
      const python = await findPython();
      say(`installing uv ${UV_VERSION} with pip`);
      await run({
        what: `Installing uv ${UV_VERSION} with pip`,
        advice: HOW_TO_HAVE_PIP,
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
  return path.join(placeOf(home).folder, executable);
}

/**
 * Which `uv` would be used, in words; installs nothing. Rejects with `MissingProgram` when there is none and no pip to
 * install it with.
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
  const own = await ownUv(env);
  if (own !== undefined && isUsable(own)) return `${own.text} is on PATH`;
  const { folder } = placeOf(home);
  if (await isComplete(placeOf(home))) return `${UV_VERSION} is in ${folder}`;
  const tooOld = own && `uv on PATH is ${own.text}, older than ${OLDEST_UV.join('.')}`;
  const pip = await quietly(python, ['-m', 'pip', '--version'], env);
  if (!pip.failed) return `${tooOld ?? 'none on PATH'}: the first run installs ${UV_VERSION} with pip`;
  throw new MissingProgram(
    `${tooOld ?? 'No uv is on PATH'}, and ${python} has no pip to install one with.`,
    HOW_TO_HAVE_PIP,
  );
}

const executable = path.join('bin', process.platform === 'win32' ? 'uv.exe' : 'uv');

const placeOf = (home: Pick<HomePaths, 'runtimes'>): { folder: string; key: string } => ({
  folder: path.join(home.runtimes, `uv-${UV_VERSION}`),
  key: UV_VERSION,
});

interface Uv {
  readonly text: string;
  readonly version: readonly [major: number, minor: number];
}

async function ownUv(env: NodeJS.ProcessEnv): Promise<Uv | undefined> {
  const { failed, stdout } = await quietly('uv', ['--version'], env);
  const match = /^uv ((\d+)\.(\d+)\S*)/.exec(stdout);
  return failed || !match ? undefined : { text: match[1] ?? '', version: [Number(match[2]), Number(match[3])] };
}

function isUsable(uv: Uv | undefined): boolean {
  if (uv === undefined) return false;
  const [major, minor] = uv.version;
  return major > OLDEST_UV[0] || (major === OLDEST_UV[0] && minor >= OLDEST_UV[1]);
}

async function quietly(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ failed: boolean; stdout: string }> {
  const options = { env, extendEnv: false, reject: false, stdin: 'ignore', timeout: 20_000 } as const;
  const { failed, stdout } = await execa(file, args, options);
  return { failed, stdout: typeof stdout === 'string' ? stdout : '' };
}
