import { failureTypes } from '../contract/errors';
import type { HomePaths } from '../home/paths';
import { forgetSecrets, storedSecrets } from '../home/run-store';
import { loadAccess } from '../lepton/access-store';
import { createPlatforms } from '../lepton/platforms';
import { forgetStaleSecrets } from '../temporal/stale-secrets';
import type { ActivityDependencies } from './dependencies';
import { finalFailure } from './failures';

/** What a real worker gives its activities: clients by stored credentials, secrets of this host. */
export function createWorkerDependencies(options: {
  readonly home: HomePaths;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly origin: string;
  /** Per request to a platform, milliseconds; default: the client's own (30 s). */
  readonly requestTimeoutMs?: number | undefined;
}): ActivityDependencies {
  const { home, env, origin, requestTimeoutMs } = options;
  return {
    origin,
    runsFolder: home.runs,
    platform: createPlatforms(home, { env, timeoutMs: requestTimeoutMs }),
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
    secretsOf: async ({ invocation, platform }) => {
      const access = await loadAccess(home, platform, { env }).catch(() => undefined);
      const stored = invocation === undefined ? {} : await storedSecrets(home, invocation);
      return [...Object.values(stored), ...(access ? [access.token] : [])];
    },
    forgetStaleSecrets: (client) => forgetStaleSecrets(client, home),
    forgetHostSecrets: (invocation) => forgetSecrets(home, invocation),
  };
}
