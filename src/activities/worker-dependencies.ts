import type { PlatformRef } from '../contract/plan';
import { failureTypes } from '../contract/errors';
import { loadPlatformAccess } from '../home/credentials';
import type { HomePaths } from '../home/paths';
import { forgetSecrets, storedSecrets } from '../home/run-store';
import { createLeptonClient } from '../lepton/client';
import { createLookups } from '../lepton/coalesced';
import { findCredentials } from '../lepton/credentials';
import type { PlatformAccess } from '../lepton/types';
import type { ActivityDependencies, Platform } from './dependencies';
import { finalFailure } from './failures';

/** Ms in which look-ups of waiting tasks share one listing. */
const shareMs = { local: 500, lepton: 5_000 } as const;

/** What a real worker gives its activities: clients by stored credentials, secrets of this host. */
export function createWorkerDependencies(options: {
  readonly home: HomePaths;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly origin: string;
}): ActivityDependencies {
  const { home, env, origin } = options;
  const clients = new Map<string, Platform>();

  return {
    origin,
    runsFolder: home.runs,
    async platform(ref) {
      // Read each time: the local platform may have moved to another port, a token may have been renewed.
      const access = await accessTo(ref);
      const key = JSON.stringify(access);
      const known = clients.get(key);
      if (known) return known;
      const client = createLeptonClient(access);
      const pace = paceOf(access.url);
      const made: Platform = { client, pace, lookups: createLookups(client, { shareMs: shareMs[pace] }) };
      clients.set(key, made);
      return made;
    },
    async hostSecrets(invocation) {
      const stored = await storedSecrets(home, invocation);
      return (name) => {
        const value = stored[name] ?? env[name];
        if (value !== undefined) return value;
        throw finalFailure(
          failureTypes.secretMissing,
          `variable ${name}, which the config refers to, is set neither where run ${invocation} was started nor on this worker. Set it there and start the run again.`,
        );
      };
    },
    forgetHostSecrets: (invocation) => forgetSecrets(home, invocation),
  };

  async function accessTo(ref: PlatformRef): Promise<PlatformAccess> {
    const stored = await loadPlatformAccess(home, ref);
    if (stored) return stored;
    if (ref.kind === 'local') {
      throw new Error(`the local platform of ${home.root} has not been started. Start it with: evalsaga up`);
    }
    const found = findCredentials({ env })?.access;
    if (found?.workspace === ref.workspace && found.url === ref.url) return found;
    throw finalFailure(
      failureTypes.credentialsRefused,
      `this worker has no credentials for Lepton workspace ${ref.workspace} at ${ref.url}. Give it LEPTON_WORKSPACE_ID, LEPTON_WORKSPACE_TOKEN and LEPTON_WORKSPACE_URL, or run lep login on its machine.`,
    );
  }
}

/** A platform on loopback (the local one, a simulated one) is asked more often than one that others share. */
function paceOf(url: string): Platform['pace'] {
  const host = new URL(url).hostname;
  return host === 'localhost' || host === '[::1]' || host.startsWith('127.') ? 'local' : 'lepton';
}
