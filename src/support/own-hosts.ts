/**
 * Returns the `Host` headers that a server on loopback accepts. A web page that gets here by DNS rebinding sends another one.
 */
export const ownHosts = (port: number): string[] =>
  ['127.0.0.1', 'localhost', '[::1]'].map((host) => `${host}:${port}`);
