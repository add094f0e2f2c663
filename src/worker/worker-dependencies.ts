import type { HomePaths } from '../home/paths';
import { forgetSecrets, storedSecrets } from '../home/run-store';
import { secretsOfReferences, secretsOfRun } from '../secrets/secret-values';
import { loadAccess } from '../lepton/access-store';
import { createPlatforms } from '../lepton/platforms';
import { forgetStaleSecrets } from '../cleanup/stale-secrets';
import type { ActivityDependencies } from '../activities/dependencies';
import { NotOnThisWorker } from '../activities/elsewhere';

/** Returns what activities depend on: clients with stored credentials, secrets of this host. */
export function createWorkerDependencies(options: {
  readonly home: HomePaths;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly origin: string;
  /** Milliseconds per request to a platform. Default: the client's (30 s). */
  readonly requestTimeoutMs?: number | undefined;
  /** Milliseconds for which refused credentials are retried. Default: 200 s. */
  readonly refusalPatienceMs?: number | undefined;
  /** Aborted when the worker is told to end. */
  readonly ending?: AbortSignal | undefined;
}): ActivityDependencies {
  const { home, env, origin, requestTimeoutMs, refusalPatienceMs, ending } = options;
  /** By run: values of variables that only this worker's environment has. */
  const own = new Map<string, Readonly<Record<string, string>>>();
  return {
    origin,
    runsFolder: home.runs,
    sweptFolder: home.swept,
    environment: env,
    refusalPatienceMs,
    ending,
    platform: createPlatforms(home, { env, timeoutMs: requestTimeoutMs }),
    async hostSecrets(invocation) {
      const stored = await storedSecrets(home, invocation);
      return (name) => {
        const value = stored[name] ?? env[name];
        if (value !== undefined) {
          // Only this worker knows the value, so it must remember to mask it.
          if (stored[name] === undefined) own.set(invocation, { ...own.get(invocation), [name]: value });
          return value;
        }
        throw new NotOnThisWorker(
          `variable ${name}, which the config refers to, is neither stored on this host for run ${invocation} nor set in this worker's environment`,
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
