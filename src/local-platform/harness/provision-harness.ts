import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { isComplete, provisionOnce } from '../../provision/once';
import { findPython, run, type Provisioning } from '../../provision/python';
import { ensureUv } from '../../provision/uv';

/**
 * The main packages of the evaluation container of release 26.03; all versions and digests are in requirements.lock.
 */
export const HARNESS = 'nvidia-lm-eval 26.3, nemo-evaluator 0.2.8';

/** The installed harness. Absolute paths. */
export interface Harness {
  readonly python: string;
  /** Folder with `nemo-evaluator`, `lm-eval`, `python`. */
  readonly bin: string;
}

/** Returns the path of a Python, shell or data file of this folder; the build copies them beside the compiled code. */
export function harnessFile(...names: string[]): string {
  return path.join(__dirname, ...names);
}

/** Returns where the harness is or will be installed, and the digest of its version lock. */
async function installationOf({ home }: Pick<Provisioning, 'home'>) {
  const lock = harnessFile('requirements.lock');
  const digest = createHash('sha256')
    .update(await readFile(lock))
    .digest('hex');
  const folder = path.join(home.runtimes, `harness-${digest.slice(0, 12)}`);
  const windows = process.platform === 'win32';
  const bin = windows ? 'Scripts' : 'bin';
  return { lock, digest, folder, bin, python: path.join(bin, windows ? 'python.exe' : 'python') };
}

/** Returns the harness if it is already installed; fetches nothing. */
export async function installedHarness({ home }: Pick<Provisioning, 'home'>): Promise<Harness | undefined> {
  const { folder, digest, bin, python } = await installationOf({ home });
  const isInstalled = await isComplete({ folder, key: digest });
  return isInstalled ? { python: path.join(folder, python), bin: path.join(folder, bin) } : undefined;
}

/** Creates the harness' Python environment from the version lock, once. */
export async function provisionHarness({ home, report, signal }: Provisioning): Promise<Harness> {
  const { lock, digest, folder, bin, python } = await installationOf({ home });
  await provisionOnce({
    folder,
    key: digest,
    label: 'evaluation harness',
    report,
    signal,
    async produce(draft, progress) {
      const [base, uv] = await Promise.all([findPython(), ensureUv({ home, report, signal })]);
      progress(`installing ${HARNESS} with uv`);
      const what = `Installing the evaluation harness (${HARNESS})`;
      await run({
        what,
        file: uv,
        args: ['venv', '--quiet', '--allow-existing', '--relocatable', '--python', base, draft],
        signal,
      });
      await run({
        what,
        advice: 'Check that pip or uv reach their package index from this machine, then try again.',
        file: uv,
        args: [
          ...['pip', 'install', '--quiet', '--python', path.join(draft, python)],
          ...['--require-hashes', '--no-deps', '--requirement', lock],
        ],
        signal,
      });
      progress('checking the installation');
      await run({
        what: 'Loading the installed evaluation harness',
        file: path.join(draft, python),
        args: ['-c', LOAD_CHECK],
        env: telemetryOff,
        signal,
      });
    },
  });
  return { python: path.join(folder, python), bin: path.join(folder, bin) };
}

/** Also compiles the modules that every job loads. */
const LOAD_CHECK =
  'import nemo_evaluator.core.entrypoint, lm_eval.__main__, lm_eval.models.api_models, datasets, transformers';

/** Variables that turn off the telemetry of the harness' packages. */
export const telemetryOff = {
  NEMO_EVALUATOR_TELEMETRY_LEVEL: '0',
  HF_HUB_DISABLE_TELEMETRY: '1',
  DO_NOT_TRACK: '1',
} as const;
