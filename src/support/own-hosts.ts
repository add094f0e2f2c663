/**
 * `Host` headers that a server on loopback answers to. A page whose own name was made to point here (DNS rebinding) sends another.
 */
export const ownHosts = (port: number): string[] =>
  ['127.0.0.1', 'localhost', '[::1]'].map((host) => `${host}:${port}`);
