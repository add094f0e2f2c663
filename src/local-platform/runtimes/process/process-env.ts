import type { RuntimeHost, SpecEnv } from '../../runtime';
import { translatePaths, type PathMapping } from './container-paths';

/** Variables that tell a process where programs are and how to reach the network. */
const PASSED_VARIABLES = [
  ...['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'all_proxy'],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS', 'HF_ENDPOINT'],
];
/** Prefixes of variables that configure accelerators and model servers. */
const SERVER_PREFIXES = ['CUDA_', 'NVIDIA_', 'ROCR_', 'HIP_', 'LD_', 'CONDA_', 'VIRTUAL_ENV', 'HF_HOME', 'XDG_'];
const LOOPBACK = '127.0.0.1,localhost';

type Environment = Record<string, string>;

/** Returns the variables of this process that contain no secrets. Loopback never goes through a proxy. */
export function cleanEnvironment(from: NodeJS.ProcessEnv, { server = false } = {}): Environment {
  const clean: Environment = {};
  for (const [name, value] of Object.entries(from)) {
    const wanted =
      PASSED_VARIABLES.includes(name) || (server && SERVER_PREFIXES.some((prefix) => name.startsWith(prefix)));
    if (value !== undefined && wanted) clean[name] = value;
  }
  const direct = [clean['NO_PROXY'] ?? clean['no_proxy'], LOOPBACK].filter(Boolean).join(',');
  return { ...clean, NO_PROXY: direct, no_proxy: direct };
}

/**
 * Returns a spec's variables with secrets resolved and container paths replaced. Throws for a secret that does not
 * exist.
 */
export function specEnvironment(
  envs: readonly SpecEnv[] | undefined,
  { host, mappings }: { host: Pick<RuntimeHost, 'secret'>; mappings: readonly PathMapping[] },
): Environment {
  const resolved: Environment = {};
  for (const { name, value, value_from: reference } of envs ?? []) {
    const secret = reference?.secret_name_ref;
    if (secret === undefined) {
      resolved[name] = translatePaths(value ?? '', mappings);
      continue;
    }
    const found = host.secret(secret);
    if (found === undefined)
      throw new Error(`Variable ${name} refers to secret "${secret}", which this workspace does not have.`);
    resolved[name] = found;
  }
  return resolved;
}
