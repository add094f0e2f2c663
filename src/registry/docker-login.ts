/** The credentials of registries, where `docker login` keeps them. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { isPlainObject } from '../support/plain-object';

export type RegistryLogin =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  /** Exchanged for access tokens. */
  | { readonly kind: 'identity'; readonly token: string };

type Env = Readonly<Record<string, string | undefined>>;

/** Milliseconds for a credential helper, which may have to ask a keychain. */
const helperTimeoutMs = 10_000;

/**
 * Returns the login for a registry (`host` or `host:port`); `undefined` if there is none. Reads `config.json` in `DOCKER_CONFIG` or
 * `~/.docker`, and asks the credential helper that it names.
 */
export async function dockerLogin(registry: string, env: Env): Promise<RegistryLogin | undefined> {
  const folder = env['DOCKER_CONFIG'] ?? path.join(env['HOME'] ?? homedir(), '.docker');
  const config = await readJson(path.join(folder, 'config.json'));
  const helper = textAt(config, ['credHelpers', registry]) ?? textAt(config, ['credsStore']);
  const fromHelper = helper === undefined ? undefined : await askHelper(helper, registry, env);
  return fromHelper ?? written(config, registry);
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function written(config: unknown, registry: string): RegistryLogin | undefined {
  const auths = isPlainObject(config) ? config['auths'] : undefined;
  if (!isPlainObject(auths)) return undefined;
  const key = Object.keys(auths).find((each) => hostOf(each) === registry);
  const entry = key === undefined ? undefined : auths[key];
  const identity = textAt(entry, ['identitytoken']);
  if (identity !== undefined) return { kind: 'identity', token: identity };
  const decoded = Buffer.from(textAt(entry, ['auth']) ?? '', 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  const user = colon === -1 ? textAt(entry, ['username']) : decoded.slice(0, colon);
  const password = colon === -1 ? textAt(entry, ['password']) : decoded.slice(colon + 1);
  return user === undefined || password === undefined ? undefined : { kind: 'password', user, password };
}

/** Keys are hosts, or URLs as older versions wrote them. */
const hostOf = (key: string): string => key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');

async function askHelper(helper: string, registry: string, env: Env): Promise<RegistryLogin | undefined> {
  if (!/^[\w.-]+$/.test(helper)) return undefined;
  const { stdout, failed } = await execa(`docker-credential-${helper}`, ['get'], {
    input: registry,
    env,
    reject: false,
    timeout: helperTimeoutMs,
  });
  if (failed) return undefined;
  const answer: unknown = parsed(stdout);
  const [user, secret] = [textAt(answer, ['Username']), textAt(answer, ['Secret'])];
  if (user === undefined || secret === undefined) return undefined;
  return user === '<token>' ? { kind: 'identity', token: secret } : { kind: 'password', user, password: secret };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function textAt(value: unknown, keys: readonly string[]): string | undefined {
  const found = keys.reduce<unknown>(
    (current, key) => (isPlainObject(current) && Object.hasOwn(current, key) ? current[key] : undefined),
    value,
  );
  return typeof found === 'string' && found !== '' ? found : undefined;
}
