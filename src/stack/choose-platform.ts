import type { PlatformRef } from '../contract/plan';
import { findCredentials } from '../lepton/credentials';
import { CredentialsError } from '../lepton/lepton-error';
import type { PlatformAccess } from '../lepton/types';
import type { Env } from '../temporal/target';

/** Workspace id of the local platform that the stack runs. */
export const localWorkspace = 'local';

export type PlatformWish = 'auto' | 'lepton' | 'local';

/** The platform of a run. */
export interface PlatformChoice {
  readonly ref: PlatformRef;
  /** Of Lepton. The local platform's is known once it runs. */
  readonly access: PlatformAccess | undefined;
  /** When the token expires, if the login record says so. */
  readonly expiresAt?: Date | undefined;
  /** One line for the user: which platform, and why. */
  readonly statement: string;
}

/** Chooses by the `--platform` option and the credentials that are found; sends no request. Throws `CredentialsError`. */
export function choosePlatform({ wish, env }: { wish: PlatformWish; env: Env }): PlatformChoice {
  const ref = { kind: 'local', workspace: localWorkspace } as const;
  if (wish === 'local')
    return { ref, access: undefined, statement: 'local platform on this machine (--platform local)' };
  const found = findCredentials({ env });
  if (found) {
    const { access, source, expiresAt } = found;
    return {
      expiresAt,
      ref: { kind: 'lepton', workspace: access.workspace, url: access.url },
      access,
      statement: `Lepton workspace ${access.workspace} at ${access.url} (credentials: ${source})`,
    };
  }
  if (wish === 'lepton') {
    throw new CredentialsError(
      'No Lepton credentials were found. Log in with `lep login -c <workspace>:<token>`, or set LEPTON_WORKSPACE_ID and LEPTON_WORKSPACE_TOKEN; --platform local runs on this machine.',
    );
  }
  return { ref, access: undefined, statement: 'local platform on this machine (no Lepton credentials were found)' };
}
