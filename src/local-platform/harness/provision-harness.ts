import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { isComplete, provisionOnce } from '../../provision/once';
import { findPython, run, type Provisioning } from '../../provision/python';
import { ensureUv } from '../../provision/uv';

/** What the evaluation container of release 26.03 holds; all versions and digests are in requirements.lock. */
export const HARNESS = 'nvidia-lm-eval 26.3, nemo-evaluator 0.2.8';

/** The installed harness. Absolute paths. */
export interface Harness {
  readonly python: string;
  /** Holds `nemo-evaluator`, `lm-eval`, `python`. */
  readonly bin: string;
}

/** Python and shell files that are run as they are; the build copies them beside the compiled code. */
export function harnessFile(...names: string[]): string {
  return path.join(__dirname, ...names);
}

/** Where the harness is, or will be, and of which version. */
async function placeOf({ home }: Pick<Provisioning, 'home'>) {
  const lock = harnessFile('requirements.lock');
  const digest = createHash('sha256')
    .update(await readFile(lock))
    .digest('hex');
  const folder = path.join(home.runtimes, `harness-${digest.slice(0, 12)}`);
  const windows = process.platform === 'win32';
  const bin = windows ? 'Scripts' : 'bin';
  return { lock, digest, folder, bin, python: path.join(bin, windows ? 'python.exe' : 'python') };
}

/** The harness where it is installed already; fetches nothing. */
export async function presentHarness({ home }: Pick<Provisioning, 'home'>): Promise<Harness | undefined> {
  const { folder, digest, bin, python } = await placeOf({ home });
  const isThere = await isComplete({ folder, key: digest });
  return isThere ? { python: path.join(folder, python), bin: path.join(folder, bin) } : undefined;
}

/** Makes the harness' Python environment from the lock of versions, once. */
export async function provisionHarness({ home, report, signal }: Provisioning): Promise<Harness> {
  const { lock, digest, folder, bin, python } = await placeOf({ home });
  await provisionOnce({
    folder,
    key: digest,
    label: 'evaluation harness',
    report,
    signal,
    async produce(draft, say) {
      const [base, uv] = await Promise.all([findPython(), ensureUv({ home, report, signal })]);
      say(`installing ${HARNESS} with uv`);
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
      say('checking it');
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

/** Also compiles what every job loads. */
const LOAD_CHECK =
  'import nemo_evaluator.core.entrypoint, lm_eval.__main__, lm_eval.models.api_models, datasets, transformers';

/** Keeps the harness' parts from reporting home. */
export const telemetryOff = {
  NEMO_EVALUATOR_TELEMETRY_LEVEL: '0',
  HF_HUB_DISABLE_TELEMETRY: '1',
  DO_NOT_TRACK: '1',
} as const;
