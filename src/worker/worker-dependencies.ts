import type { HomePaths } from '../home/paths';
import { forgetSecrets, storedSecrets } from '../home/run-store';
import { secretsOfReferences, secretsOfRun } from '../secrets/secret-values';
import { loadAccess } from '../lepton/access-store';
import { createPlatforms } from '../lepton/platforms';
import { forgetStaleSecrets } from '../cleanup/stale-secrets';
import type { ActivityDependencies } from '../activities/dependencies';
import { NotOnThisWorker } from '../activities/elsewhere';

/** What a real worker gives its activities: clients by stored credentials, secrets of this host. */
export function createWorkerDependencies(options: {
  readonly home: HomePaths;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly origin: string;
  /** Per request to a platform, milliseconds; default: the client's own (30 s). */
  readonly requestTimeoutMs?: number | undefined;
  /** For how long refusals in a row are taken for passing, milliseconds; default: 200 s. */
  readonly refusalPatienceMs?: number | undefined;
}): ActivityDependencies {
  const { home, env, origin, requestTimeoutMs, refusalPatienceMs } = options;
  /** By run: values of its variables that this worker's environment had to give. */
  const own = new Map<string, Readonly<Record<string, string>>>();
  return {
    origin,
    runsFolder: home.runs,
    sweptFolder: home.swept,
    environment: env,
    refusalPatienceMs,
    platform: createPlatforms(home, { env, timeoutMs: requestTimeoutMs }),
    async hostSecrets(invocation) {
      const stored = await storedSecrets(home, invocation);
      return (name) => {
        const value = stored[name] ?? env[name];
        if (value !== undefined) {
          // What only this worker knows of must not be said either.
          if (stored[name] === undefined) own.set(invocation, { ...own.get(invocation), [name]: value });
          return value;
        }
        throw new NotOnThisWorker(
          `variable ${name}, which the config refers to, is known to this worker neither from the start of run ${invocation} nor from its own environment`,
        );
      };
    },
    secretsOf: async ({ invocation, platform }) => {
      const access = await loadAccess(home, platform, { env }).catch(() => undefined);
      const known = await secretsOfRun(home, { invocation, env, token: access?.token });
      return [...known, ...secretsOfReferences(own.get(invocation ?? '') ?? {})];
    },
    forgetStaleSecrets: (client) => forgetStaleSecrets(client, home),
    forgetHostSecrets: async (invocation) => {
      own.delete(invocation);
      await forgetSecrets(home, invocation);
    },
  };
}
