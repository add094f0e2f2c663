import { setTimeout as sleep } from 'node:timers/promises';
import type { PlatformRef } from '../contract/plan';
import { storeCredentials } from '../lepton/stored-credentials';
import type { HomePaths } from '../home/paths';
import { adviceFor } from '../lepton/advice';
import { createLeptonClient } from '../lepton/client';
import { findCredentials } from '../lepton/credentials';
import { CredentialsError, LeptonError } from '../lepton/lepton-error';
import type { PlatformAccess, WorkspaceInfo } from '../lepton/types';
import { InfrastructureError } from '../temporal/infrastructure-error';
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

export interface TokenWait {
  readonly env: Env;
  readonly report: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Seconds for which a refused token may be a new one: the service takes some only after two to three minutes. */
const newTokenSeconds = 200;
/** Milliseconds between questions. */
const askEveryMs = 5_000;

/**
 * Asks again while the token is refused, for `EVALSAGA_REFUSAL_PATIENCE` seconds (default 200), as a run does: whoever is told
 * to log in again for a new token gets another one, and the wait begins anew.
 */
async function untilTokenCounts<T>(ask: () => Promise<T>, { env, report, signal }: TokenWait): Promise<T> {
  const seconds = secondsOf(env['EVALSAGA_REFUSAL_PATIENCE']);
  const deadline = Date.now() + seconds * 1_000;
  for (let told = false; ; told = true) {
    try {
      return await ask();
    } catch (error) {
      const isRefused = error instanceof LeptonError && error.kind === 'unauthorized';
      if (!isRefused || Date.now() + askEveryMs > deadline) throw error;
      if (!told)
        report(
          `the platform refuses the token (${error.request}: ${error.status ?? 401}); a new one may take up to 3 minutes to count, so it is asked again for ${seconds} s. Ctrl-C ends the wait; nothing is created meanwhile`,
        );
    }
    await sleep(askEveryMs, undefined, { signal });
  }
}

function secondsOf(text: string | undefined): number {
  if (text === undefined || text === '') return newTokenSeconds;
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds >= 0) return seconds;
  throw new InfrastructureError(`EVALSAGA_REFUSAL_PATIENCE takes seconds, not "${text}".`);
}

/**
 * Makes sure, before anything is created, that Lepton answers and takes the credentials, and hands these to this home's
 * worker. Resolves to what the workspace says of itself; nothing to do for the local platform. Throws `InfrastructureError`.
 */
export async function admitPlatform(
  choice: PlatformChoice,
  home: HomePaths,
  wait: TokenWait,
): Promise<WorkspaceInfo | undefined> {
  if (!choice.access) return undefined;
  const client = createLeptonClient(choice.access, { timeoutMs: 15_000 });
  const info = await untilTokenCounts(() => client.getWorkspace(), wait).catch((error: unknown) => {
    if (!(error instanceof LeptonError)) throw error;
    throw new InfrastructureError(`${error.message}\nNothing was created. ${adviceFor(error)}`, { cause: error });
  });
  await storeCredentials(home, choice.access);
  return info;
}
