/** A Python environment for conformance tests, created once per set of packages and kept between runs. */
import { createHash } from 'node:crypto';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { withLock } from '../../../src/support/lock';

/** Returns the path of a `python` with `packages`, which uv installs. */
export async function pythonWith(packages: readonly string[]): Promise<string> {
  const cache = process.env['EVALSAGA_TEST_CACHE'] ?? path.join(homedir(), '.cache', 'evalsaga-test');
  const id = createHash('sha256').update(packages.join('\n')).digest('hex').slice(0, 12);
  const folder = path.join(cache, `python-${id}`);
  const python = path.join(folder, 'bin', 'python');
  const marker = path.join(folder, '.complete');
  return withLock({ file: `${folder}.setup.lock` }, async () => {
    if (existsSync(marker)) return python;
    rmSync(folder, { recursive: true, force: true });
    await execa('python3', ['-m', 'venv', folder]);
    await execa(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'uv']);
    await execa(path.join(folder, 'bin', 'uv'), ['pip', 'install', '--quiet', '--python', python, ...packages]);
    writeFileSync(marker, '');
    return python;
  });
}
