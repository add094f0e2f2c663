import { hostSecretsOf } from '../contract/host-secrets';
import type { RunPlan } from '../contract/plan';
import type { HomePaths } from '../home/paths';
import { storedSecrets } from '../home/run-store';
import { secretsOfReferences, secretsOfRun } from '../secrets/secret-values';
import type { Env } from '../temporal/target';

export interface KnownSecrets {
  /** Masked in what is fetched. */
  readonly values: readonly string[];
  /** Variables that the run refers to and whose values are not known here. */
  readonly unknown: readonly string[];
}

/** Returns what `cleanup` masks: on the host that started the run the stored values, elsewhere those of the same variables. */
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
