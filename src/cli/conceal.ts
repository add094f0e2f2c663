import { storedTokens } from '../lepton/stored-credentials';
import { secretsOfRun } from '../secrets/secret-values';
import type { CommandContext } from './command';

/**
 * Masks in all that the command says from now on: secrets of this process, those of the runs that this home keeps variables
 * of, and its workspaces' tokens. For commands that deal with several runs, and for what any command fails with.
 */
export async function concealAllKnown({
  home,
  env,
  output,
}: Pick<CommandContext, 'home' | 'env' | 'output'>): Promise<void> {
  const known = await secretsOfRun(home, { invocation: undefined, env, token: undefined });
  output.conceal([...known, ...(await storedTokens(home))]);
}
