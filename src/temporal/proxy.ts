import type { Env } from './target';

/**
 * The proxy between us and Temporal. The gRPC library of the client reads `grpc_proxy`, `https_proxy` and `http_proxy` (lower case
 * only) by itself, that of the worker reads none; both must use the same one, and none to this machine.
 */
export interface TemporalProxy {
  /** The variable that names it. */
  readonly variable: string;
  /** `host:port`. */
  readonly target: string;
  readonly login: { readonly username: string; readonly password: string } | undefined;
}

/** Returns the proxy that the gRPC library would use; `undefined` for none. Pure. */
export function temporalProxy(address: string, env: Env): TemporalProxy | undefined {
  if (isLoopback(address) || isExcepted(hostOf(address), env)) return undefined;
  const variable = ['grpc_proxy', 'https_proxy', 'http_proxy'].find((name) => env[name]);
  const text = variable === undefined ? undefined : env[variable];
  if (variable === undefined || text === undefined || !URL.canParse(text)) return undefined;
  const { protocol, hostname, port, username, password } = new URL(text);
  if (protocol !== 'http:') return undefined;
  const login = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  return { variable, target: `${hostname}:${port || '80'}`, login: username === '' ? undefined : login };
}

/** Whether a gRPC address is on this machine. Pure. */
export const isLoopback = (address: string): boolean => /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(hostOf(address));

const hostOf = (address: string): string =>
  address
    .replace(/^[a-z]+:\/\//, '')
    .replace(/:\d+$/, '')
    .toLowerCase();

function isExcepted(host: string, env: Env): boolean {
  const exceptions = (env['no_grpc_proxy'] || env['no_proxy'] || '').split(',').map((entry) => entry.trim());
  return exceptions.some((entry) => entry !== '' && (host === entry || host.endsWith(entry)));
}

/** Returns what in this environment may keep a cluster from being reached, as a sentence after a blank; empty if nothing does. Pure. */
export function proxyHint(address: string, env: Env): string {
  const proxy = temporalProxy(address, env);
  if (proxy) {
    return ` The connection went through the proxy that ${proxy.variable} names (${proxy.target}): if that does not lead there, add the server's host to no_proxy.`;
  }
  const ignored = ['HTTPS_PROXY', 'HTTP_PROXY'].find((name) => env[name]);
  if (isLoopback(address) || ignored === undefined || isExcepted(hostOf(address), env)) return '';
  return ` ${ignored} is set, but connections to Temporal use only the proxy in ${ignored.toLowerCase()} (or grpc_proxy).`;
}
