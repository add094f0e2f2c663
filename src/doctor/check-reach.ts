import { isPrivateUrl } from '../config/plan/existing-url';
import type { RunPlan } from '../contract/plan';
import { masked } from '../contract/url-placeholders';
import { paceOf } from '../lepton/pace';
import type { PlatformAccess } from '../lepton/types';
import { warn, type Finding } from './finding';

/**
 * Warns of an existing endpoint whose address belongs to some network: this machine may reach it while the jobs can't. (One on this
 * machine itself is refused when the run is planned.) Pure.
 */
export function checkReach(
  { endpoint }: Pick<RunPlan, 'endpoint'>,
  { url: platform }: Pick<PlatformAccess, 'url'>,
): Finding[] {
  if (endpoint.kind !== 'existing' || paceOf(platform) === 'local' || !isPrivateUrl(endpoint.url)) return [];
  const { host } = new URL(masked(endpoint.url));
  return [
    warn(
      'endpoint',
      `${host} is an address within a network: the jobs run on Lepton, and reach it only if their nodes are in that network`,
      'if they are not, give an address that the workspace can reach, or run on this machine: --platform local',
    ),
  ];
}
