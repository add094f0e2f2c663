import { keyFileVariable } from '../temporal/encryption/key-file';
import { looksLikeToken } from '../secrets/secrecy';
import { secretsOfReferences } from '../secrets/secret-values';
import { isSecretName } from '../secrets/names';
import type { Env } from '../temporal/target';

/** Which variables a background process inherits from the command that starts it. Pure. */

/** Names a file of further certificate authorities, which Node reads when it starts. */
export const extraAuthorities = 'NODE_EXTRA_CA_CERTS';

/** The platform's credentials, its name and address included: background processes get them through a private file. */
const platformLogin = /^LEPTON_WORKSPACE/;
/** Package sources may hold a password, but packages can't be fetched without them. */
const packageSource = /^(PIP_|UV_|npm_config_)/i;
/** Set by `npm run`: its prefixes would redirect what background processes install. */
const npmNoise =
  /^(npm_(package|lifecycle|command|execpath|node_execpath)|npm_config_(local_|global_)?prefix$|INIT_CWD$)/;
/** Belong to the terminal or to the parent of this process. */
const terminalOnly = /^(NODE_CHANNEL_FD|COLUMNS|LINES|FORCE_COLOR|CLICOLOR_FORCE|JEST_WORKER_ID)$/;

export interface BackgroundEnv {
  readonly env: Env;
  /** Pass `TEMPORAL_*` on: the process connects to the user's cluster with it. */
  readonly keepTemporal?: boolean;
  /** The process fetches nothing, so it gets no proxies and package sources, which may hold a password. */
  readonly isLocal?: boolean;
  readonly extra?: Readonly<Record<string, string>>;
}

/** Returns the environment of a background process. */
export function backgroundEnv(request: BackgroundEnv): Record<string, string> {
  const { env, keepTemporal = false, isLocal = false, extra = {} } = request;
  const kept = Object.entries(env).filter((entry): entry is [string, string] => {
    const [name, value] = entry;
    if (value === undefined || npmNoise.test(name) || terminalOnly.test(name)) return false;
    // A debugger's port cannot be shared.
    if (name === 'NODE_OPTIONS') return !value.includes('--inspect');
    // Processes that need the encryption key get its path as an extra.
    if (name === keyFileVariable) return false;
    if (name.startsWith('TEMPORAL_')) return keepTemporal;
    if (packageSource.test(name)) return !isLocal;
    if (isLocal && /_PROXY$/i.test(name)) return false;
    // Background processes get secrets through private files, not from the shell that happens to start them.
    return !(platformLogin.test(name) || isSecretName(name) || looksLikeToken(value));
  });
  return { ...Object.fromEntries(kept), NO_COLOR: '1', ...extra };
}

/** A process needs these, even if a run passes them to its containers as secrets. */
const systemName =
  /(PROXY|PATH|HOME|_DIR|_FILE|CERTS?)$|^(USER|LOGNAME|SHELL|LANG|TZ|TERM|TMPDIR|PWD)$|^(LC|XDG|NODE|SSL|UV|PIP|CUDA|OMP)_/i;

/** Returns the environment without the secrets that a run references, whatever their names: its worker gets them through a private file. */
export function withoutSecretsOf(env: Env, secrets: Readonly<Record<string, string>>): Env {
  const isSecret = (name: string): boolean =>
    secrets[name] !== undefined && !systemName.test(name) && secretsOfReferences({ [name]: secrets[name] }).length > 0;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isSecret(name)));
}
