import { EnvHttpProxyAgent, type Dispatcher } from 'undici';

type Env = Readonly<Record<string, string | undefined>>;

const loopback = ['localhost', '127.0.0.1', '[::1]'];

const dispatchers = new Map<string, Dispatcher>();

/**
 * Connections for the platform: kept alive and shared by all clients of this process; through `HTTPS_PROXY` / `HTTP_PROXY`
 * but for `NO_PROXY` and this machine (the local platform is never behind a proxy). Extra certificate authorities come from
 * `NODE_EXTRA_CA_CERTS`, which Node reads itself.
 */
export function sharedDispatcher(env: Env = process.env): Dispatcher {
  return dispatcherWith(proxySettings(env));
}

/**
 * The same way, with a new connection for each request: whether a server can be reached is not answered by one that was
 * opened earlier.
 */
export function probingDispatcher(env: Env = process.env): Dispatcher {
  return dispatcherWith({ ...proxySettings(env), pipelining: 0 });
}

function dispatcherWith(settings: ProxySettings & { readonly pipelining?: number }): Dispatcher {
  const key = JSON.stringify(settings);
  const existing = dispatchers.get(key);
  if (existing) return existing;
  // Timeouts are the request's own business: a log may well be silent for longer than undici's five minutes.
  const created = new EnvHttpProxyAgent({ ...settings, headersTimeout: 0, bodyTimeout: 0 });
  dispatchers.set(key, created);
  return created;
}

interface ProxySettings {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
}

/** What the usual variables say, lower case first as curl and Python do. Empty text means: no proxy. */
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
