import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { proxySettings } from '../lepton/dispatcher';
import { extraAuthorities } from './background-env';
import type { Env } from '../temporal/target';

/**
 * By which proxies and certificate authorities this environment reaches the outside, as a mark that tells no address or
 * password; `undefined`: it names none, and whatever a background process was started with will do.
 */
export function networkMark(env: Env): string | undefined {
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
    // Node itself warns of it.
    return '';
  }
}
