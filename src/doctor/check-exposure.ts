import type { RunPlan } from '../contract/plan';
import { paceOf } from '../lepton/pace';
import type { PlatformAccess } from '../lepton/types';
import { warn, type Finding } from './finding';

/** Warns of endpoints that anybody on the internet may use; a platform on this machine can't be reached from there. Pure. */
export function checkExposure(
  { endpoint }: Pick<RunPlan, 'endpoint'>,
  { url }: Pick<PlatformAccess, 'url'>,
): Finding[] {
  const isOpen = endpoint.kind === 'dedicated' && endpoint.spec.apiTokens.length === 0;
  if (!isOpen || paceOf(url) === 'local') return [];
  return [
    warn(
      'endpoint',
      'the endpoints have no key: while they run, anybody who knows a URL can use them (deployment.lepton_config.allow_unauthenticated_access is set)',
      'leave it out: then each endpoint gets a random token of its own',
    ),
  ];
}
