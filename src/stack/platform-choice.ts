import { setTimeout as sleep } from 'node:timers/promises';
import { storeCredentials } from '../lepton/stored-credentials';
import type { HomePaths } from '../home/paths';
import { adviceFor } from '../lepton/advice';
import { createLeptonClient } from '../lepton/client';
import { LeptonError } from '../lepton/lepton-error';
import type { WorkspaceInfo } from '../lepton/types';
import { InfrastructureError } from '../temporal/infrastructure-error';
import type { Env } from '../temporal/target';
import type { PlatformChoice } from './choose-platform';

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
