import { keyFileVariable } from '../temporal/encryption/key-file';
import { looksLikeToken } from '../secrets/secrecy';
import { secretsOfReferences } from '../secrets/secret-values';
import { isSecretName } from '../secrets/names';
import type { Env } from '../temporal/target';

/** What a background process gets of the environment of the command that happens to start it. Pure. */

/** Where Node reads further certificate authorities from, when it starts. */
export const extraAuthorities = 'NODE_EXTRA_CA_CERTS';

/** The login of the platform, its name and address included: the background gets it through a private file. */
const platformLogin = /^LEPTON_WORKSPACE/;
/** Package sources may hold a password, but nothing can be fetched without them. */
const packageSource = /^(PIP_|UV_|npm_config_)/i;
/** How npm ran us is no business of those we run; its prefixes would redirect what they install. */
const npmNoise =
  /^(npm_(package|lifecycle|command|execpath|node_execpath)|npm_config_(local_|global_)?prefix$|INIT_CWD$)/;
/** Belong to the terminal, or to the process that this one is a child of. */
const terminalOnly = /^(NODE_CHANNEL_FD|COLUMNS|LINES|FORCE_COLOR|CLICOLOR_FORCE|JEST_WORKER_ID)$/;

export interface BackgroundEnv {
  readonly env: Env;
  /** `TEMPORAL_*` is passed on: the process talks to the user's cluster with it. */
  readonly keepTemporal?: boolean;
  /** It fetches nothing: proxies and package sources, which may hold a password, are none of its business. */
  readonly isLocal?: boolean;
  readonly extra?: Readonly<Record<string, string>>;
}

export function backgroundEnv(request: BackgroundEnv): Record<string, string> {
  const { env, keepTemporal = false, isLocal = false, extra = {} } = request;
  const kept = Object.entries(env).filter((entry): entry is [string, string] => {
    const [name, value] = entry;
    if (value === undefined || npmNoise.test(name) || terminalOnly.test(name)) return false;
    // A debugger's port cannot be shared.
    if (name === 'NODE_OPTIONS') return !value.includes('--inspect');
    // The path of the encryption key is for those who need it: they get it as an extra.
    if (name === keyFileVariable) return false;
    if (name.startsWith('TEMPORAL_')) return keepTemporal;
    if (packageSource.test(name)) return !isLocal;
    if (isLocal && /_PROXY$/i.test(name)) return false;
    // Secrets reach the background through private files, by reference: it has no use for those of somebody's shell.
    return !(platformLogin.test(name) || isSecretName(name) || looksLikeToken(value));
  });
  return { ...Object.fromEntries(kept), NO_COLOR: '1', ...extra };
}

/** What a process cannot do its work without, also where a run hands it to its containers. */
const systemName =
  /(PROXY|PATH|HOME|_DIR|_FILE|CERTS?)$|^(USER|LOGNAME|SHELL|LANG|TZ|TERM|TMPDIR|PWD)$|^(LC|XDG|NODE|SSL|UV|PIP|CUDA|OMP)_/i;

/** An environment without the secrets that a run refers to, whatever they are called: its worker gets them in a private file. Pure. */
export function withoutSecretsOf(env: Env, secrets: Readonly<Record<string, string>>): Env {
  const isSecret = (name: string): boolean =>
    secrets[name] !== undefined && !systemName.test(name) && secretsOfReferences({ [name]: secrets[name] }).length > 0;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isSecret(name)));
}
