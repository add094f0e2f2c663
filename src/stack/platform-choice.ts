import type { PlatformRef } from '../contract/plan';
import { storeCredentials } from '../home/credentials';
import type { HomePaths } from '../home/paths';
import { adviceOn } from '../lepton/advice';
import { createLeptonClient } from '../lepton/client';
import { findCredentials } from '../lepton/credentials';
import { CredentialsError, LeptonError } from '../lepton/errors';
import type { PlatformAccess } from '../lepton/types';
import { InfrastructureError } from '../temporal/errors';
import type { Env } from '../temporal/target';
import { localWorkspace } from './services';

export type PlatformWish = 'auto' | 'lepton' | 'local';

/** Where a run is going to happen. */
export interface PlatformChoice {
  readonly ref: PlatformRef;
  /** Of Lepton; the local platform's is known once it runs. */
  readonly access: PlatformAccess | undefined;
  /** When the token expires, where the login record knows it. */
  readonly expiresAt?: Date | undefined;
  /** One line for a person: which platform, and why that one. */
  readonly statement: string;
}

/** Decides by the wish and by what credentials are found; asks no server. Throws `CredentialsError`. */
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

/**
 * Makes sure, before anything is created, that Lepton answers and takes the credentials, and hands these to this home's
 * worker. Nothing to do for the local platform. Throws `InfrastructureError`.
 */
export async function admitPlatform(choice: PlatformChoice, home: HomePaths): Promise<void> {
  if (!choice.access) return;
  try {
    await createLeptonClient(choice.access, { timeoutMs: 15_000 }).getWorkspace();
  } catch (error) {
    if (!(error instanceof LeptonError)) throw error;
    throw new InfrastructureError(`${error.message}\nNothing was created. ${adviceOn(error)}`, { cause: error });
  }
  await storeCredentials(home, choice.access);
}
