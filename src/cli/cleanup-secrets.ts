import { hostSecretsOf } from '../contract/host-secrets';
import type { RunPlan } from '../contract/plan';
import type { HomePaths } from '../home/paths';
import { storedSecrets } from '../home/run-store';
import { secretsOfReferences, secretsOfRun } from '../secrets/secret-values';
import type { Env } from '../temporal/target';

export interface KnownSecrets {
  /** Masked in what comes home. */
  readonly values: readonly string[];
  /** Variables that the run refers to and whose values nobody knows here. */
  readonly unknown: readonly string[];
}

/** What `cleanup` has to mask: on the host that started the run its own values, elsewhere those of the same variables. */
export async function secretsOfCleanup(
  home: HomePaths,
  run: {
    readonly invocation: string;
    readonly plan: RunPlan | undefined;
    readonly env: Env;
    readonly token: string | undefined;
  },
): Promise<KnownSecrets> {
  const { plan, env } = run;
  const stored = await storedSecrets(home, run.invocation);
  const names = plan ? hostSecretsOf(plan) : [];
  const given = Object.fromEntries(names.map((name) => [name, stored[name] ?? env[name]]));
  return {
    values: [...(await secretsOfRun(home, run)), ...secretsOfReferences(given)],
    unknown: names.filter((name) => given[name] === undefined),
  };
}
