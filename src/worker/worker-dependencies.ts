import type { HomePaths } from '../home/paths';
import { forgetSecrets } from '../home/run-store';
import { storeEnv, storeSecrets } from '../results/store/store-access';
import { secretsOfReferences, secretsOfRun } from '../secrets/secret-values';
import { loadAccess } from '../lepton/access-store';
import type { Fetch } from '../lepton/http';
import { createPlatforms } from '../lepton/platforms';
import { forgetStaleSecrets } from '../cleanup/stale-secrets';
import type { ActivityDependencies, SecretOwner } from '../activities/dependencies';
import { sharedFor } from '../support/shared-for';
import { RunSecrets } from './run-secrets';

/** Milliseconds for which what was read from this home is taken to be current: each look of each wait asks for it. */
const recentMs = 1_000;

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
  /** Called before each attempt of an activity; see installation.ts. */
  readonly admit?: ActivityDependencies['admit'];
  /** For requests to platforms. Default: the client's. */
  readonly fetch?: Fetch | undefined;
}): ActivityDependencies {
  const { home, env, origin, requestTimeoutMs, refusalPatienceMs, ending, admit, fetch } = options;
  const runSecrets = new RunSecrets(home, env);
  const storedOf = sharedFor(recentMs, async (key) => {
    const { platform, invocation } = JSON.parse(key) as Pick<SecretOwner, 'platform' | 'invocation'>;
    const access = await loadAccess(home, platform, { env }).catch(() => undefined);
    const known = await secretsOfRun(home, { invocation, env, token: access?.token });
    return [...known, ...(await storeSecrets(home, env))];
  });
  return {
    origin,
    home,
    runsFolder: home.runs,
    sweptFolder: home.swept,
    stagingFolder: home.staging,
    environment: env,
    storeEnvironment: () => storeEnv(home, env),
    refusalPatienceMs,
    ending,
    admit,
    platform: createPlatforms(home, { env, timeoutMs: requestTimeoutMs, fetch, accessForMs: recentMs }),
    hostSecrets: (run) => runSecrets.resolver(run),
    sealedSecretsOf: async (run) => secretsOfReferences(await runSecrets.sealed(run)),
    secretsOf: async ({ invocation, platform, secretsAt }) => {
      const stored = await storedOf(JSON.stringify({ platform, invocation }));
      // What ends costs must not depend on the store; what writes files asks for them itself.
      if (invocation !== undefined) await runSecrets.sealed({ invocation, secretsAt }).catch(() => undefined);
      return [...stored, ...(await runSecrets.toMask(invocation))];
    },
    forgetStaleSecrets: (client) => forgetStaleSecrets(client, home),
    forgetHostSecrets: async (run) => {
      await forgetSecrets(home, run.invocation);
      await runSecrets.forget(run);
    },
  };
}
