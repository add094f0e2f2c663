import { randomBytes } from 'node:crypto';
import { planRun, type LoadedConfig } from '../../config';
import { isInvocation } from '../../contract/run-name';
import { admitOutput } from '../../doctor/check-output';
import { choosePlatform, type PlatformWish } from '../../stack/choose-platform';
import type { CommandContext } from '../command';
import { hostSecretValues } from '../host-secrets';
import { withoutRelease } from '../render/release-choice';
import { runOwner } from '../run-labels';
import type { Wanted } from './wanted';

export interface RunWish {
  readonly platform: PlatformWish;
  /** See `Wanted`. */
  readonly runId?: string;
  /** Instead of `execution.run_name`. */
  readonly name?: string;
  /** Added to `execution.tags`. */
  readonly tags?: Readonly<Record<string, string>>;
}

/**
 * Plans a run of a loaded config and checks what this machine can check; starts and creates nothing. Throws `ConfigError`,
 * `UsageFault`, `CredentialsError`.
 */
export async function wantedRun(
  loaded: LoadedConfig,
  { platform, runId, ...labels }: RunWish,
  { env, cwd, home, output, commandLine }: CommandContext,
): Promise<Wanted> {
  const choice = choosePlatform({ wish: platform, env: loaded.env });
  const { plan, hostSecrets } = planRun(loaded, {
    invocation: randomBytes(8).toString('hex'),
    platform: choice.ref,
    owner: runOwner({ env }),
    ...(runId === undefined || isInvocation(runId) ? {} : { name: runId }),
    ...labels,
    command: commandLine,
    cwd,
  });
  const unreleased = withoutRelease(plan);
  if (unreleased !== undefined) output.warn(unreleased);
  await admitOutput(plan);
  if (choice.ref.kind === 'local') {
    const { admitLocally } = await import('../../doctor/admission.js');
    for (const doubt of await admitLocally({ plan, home })) output.warn(doubt);
  }
  const { values: secrets, missing } = hostSecretValues(hostSecrets, loaded.env);
  return { plan, secrets, missing, choice, configYaml: loaded.yaml, runId };
}
