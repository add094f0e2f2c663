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

export interface TokenWait {
  readonly env: Env;
  readonly report: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Seconds for which a refused token may be a new one: Lepton accepts some only after two to three minutes. */
const newTokenSeconds = 200;
/** Milliseconds between two requests. */
const askEveryMs = 5_000;

/**
 * Repeats the request while the token is refused, for `EVALSAGA_REFUSAL_PATIENCE` seconds (default 200), as runs do. Advice to log
 * in again would be wrong: that makes another new token, which is refused as well.
 */
async function untilTokenAccepted<T>(ask: () => Promise<T>, { env, report, signal }: TokenWait): Promise<T> {
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
          `the platform refuses the token (${error.request}: ${error.status ?? 401}); a new token may take up to 3 minutes to be accepted, so this is repeated for ${seconds} s. Ctrl-C ends the wait; nothing is created meanwhile`,
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
 * Makes sure, before anything is created, that Lepton answers and accepts the credentials, and stores them for this home's worker.
 * Returns what the workspace says about itself; does nothing for the local platform. Throws `InfrastructureError`.
 */
export async function admitPlatform(
  choice: PlatformChoice,
  home: HomePaths,
  wait: TokenWait,
): Promise<WorkspaceInfo | undefined> {
  if (!choice.access) return undefined;
  const client = createLeptonClient(choice.access, { timeoutMs: 15_000 });
  const info = await untilTokenAccepted(() => client.getWorkspace(), wait).catch((error: unknown) => {
    if (!(error instanceof LeptonError)) throw error;
    throw new InfrastructureError(`${error.message}\nNothing was created. ${adviceFor(error)}`, { cause: error });
  });
  await storeCredentials(home, choice.access);
  return info;
}
