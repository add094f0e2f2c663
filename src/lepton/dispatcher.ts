import { EnvHttpProxyAgent, type Dispatcher } from 'undici';

type Env = Readonly<Record<string, string | undefined>>;

const loopback = ['localhost', '127.0.0.1', '[::1]'];

const dispatchers = new Map<string, Dispatcher>();

/**
 * Returns the connection pool for platforms, kept alive and shared by all clients of this process. It uses `HTTPS_PROXY` and
 * `HTTP_PROXY`, except for `NO_PROXY` and this machine (the local platform is never behind a proxy). Extra certificate
 * authorities come from `NODE_EXTRA_CA_CERTS`, which Node itself reads.
 */
export function sharedDispatcher(env: Env = process.env): Dispatcher {
  return dispatcherWith(proxySettings(env));
}

/** Returns a pool that opens a new connection for each request: an older one does not prove that a server can be reached now. */
export function probingDispatcher(env: Env = process.env): Dispatcher {
  return dispatcherWith({ ...proxySettings(env), pipelining: 0 });
}

function dispatcherWith(settings: ProxySettings & { readonly pipelining?: number }): Dispatcher {
  const key = JSON.stringify(settings);
  const existing = dispatchers.get(key);
  if (existing) return existing;
  // Requests have their own timeouts: a log may be silent for longer than undici's five minutes.
  const created = new EnvHttpProxyAgent({ ...settings, headersTimeout: 0, bodyTimeout: 0 });
  dispatchers.set(key, created);
  return created;
}

interface ProxySettings {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
}

/** Reads the proxy variables, lower case first as curl and Python do. An empty value means no proxy. */
export function proxySettings(env: Env): ProxySettings {
  const read = (name: string) => env[name.toLowerCase()] ?? env[name] ?? '';
  const exceptions = read('NO_PROXY')
    .split(/[,\s]+/)
    .filter((entry) => entry !== '');
  return {
    httpProxy: withScheme(read('HTTP_PROXY')),
    httpsProxy: withScheme(read('HTTPS_PROXY')),
    noProxy: exceptions.includes('*') ? '*' : [...exceptions, ...loopback].join(','),
  };
}

/** Returns which proxy requests to `url` go through, `HTTPS_PROXY, proxy:3128`, without its credentials; `undefined`: none. Pure. */
export function proxyInWords(url: string, env: Env): string | undefined {
  const { protocol, hostname, port } = new URL(url);
  const { httpProxy, httpsProxy, noProxy } = proxySettings(env);
  const isExempt = noProxy.split(',').some((entry) => {
    const [host = '', only] = entry
      .trim()
      .replace(/^\*?\./, '')
      .split(':');
    if (entry === hostname) return true;
    const isMeant = host !== '' && (hostname === host || hostname.endsWith(`.${host}`));
    return isMeant && (only === undefined || only === port);
  });
  const isSecure = protocol === 'https:' && httpsProxy !== '';
  const proxy = isSecure ? httpsProxy : httpProxy;
  if (proxy === '' || noProxy === '*' || isExempt || !URL.canParse(proxy)) return undefined;
  return `${isSecure ? 'HTTPS_PROXY' : 'HTTP_PROXY'}, ${new URL(proxy).host}`;
}

const withScheme = (proxy: string): string => (proxy === '' || proxy.includes('://') ? proxy : `http://${proxy}`);
