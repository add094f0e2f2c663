import type { PlatformRef } from '../contract/plan';
import { CredentialsError } from '../lepton/lepton-error';
import { choosePlatform } from '../stack/choose-platform';
import type { Env } from '../temporal/target';

/** Returns the platform that a run would use, for checks that depend on it. Without usable credentials any will do. */
export function likelyPlatform(env: Env): PlatformRef {
  try {
    return choosePlatform({ wish: 'auto', env }).ref;
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    return { kind: 'local', workspace: 'local' };
  }
}
