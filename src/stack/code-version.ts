import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { productVersion } from '../support/version';

/**
 * Identifies the code of background processes: the package version, and a digest of the times and sizes of the built files. A process
 * with another version is replaced.
 */
export function codeVersion(dist: string = path.resolve(__dirname, '..')): string {
  const digest = createHash('sha256');
  for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!name.endsWith('.js')) continue;
    const { mtimeMs, size } = statSync(path.join(dist, name));
    digest.update(`${name} ${mtimeMs} ${size}\n`);
  }
  return `${productVersion()}+${digest.digest('hex').slice(0, 12)}`;
}
