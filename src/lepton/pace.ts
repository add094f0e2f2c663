/** How far away a platform is: one on this machine is asked often, one across the internet rarely. */
export type Pace = 'local' | 'lepton';

/** A platform on loopback (the local one, a simulated one) is asked more often than one that others share. Pure. */
export function paceOf(url: string): Pace {
  const host = URL.canParse(url) ? new URL(url).hostname : '';
  return host === 'localhost' || host === '[::1]' || host.startsWith('127.') ? 'local' : 'lepton';
}
