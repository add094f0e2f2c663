/** How often a platform may be polled: one on this machine often, a remote one rarely. */
export type Pace = 'local' | 'lepton';

/** Returns `local` for a platform on loopback (the local or a simulated one). Pure. */
export function paceOf(url: string): Pace {
  const host = URL.canParse(url) ? new URL(url).hostname : '';
  return host === 'localhost' || host === '[::1]' || host.startsWith('127.') ? 'local' : 'lepton';
}
