import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { proxySettings } from '../lepton/dispatcher';
import { extraAuthorities } from './background-env';
import type { Env } from '../temporal/target';

/**
 * Returns a digest of this environment's proxies and certificate authorities, which reveals no address or password. `undefined`: it
 * has none, and a background process may have any.
 */
export function networkFingerprint(env: Env): string | undefined {
  const { httpProxy, httpsProxy, noProxy } = proxySettings(env);
  const file = env[extraAuthorities] ?? '';
  if (httpProxy + httpsProxy + file === '') return undefined;
  const parts = [httpProxy, httpsProxy, noProxy, file, contentOf(file)];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Node itself warns about it.
    return '';
  }
}
