import type { PlatformRef } from '../../src/contract/plan';
import { homePaths } from '../../src/home/paths';
import { sweep } from '../../src/cleanup/sweep';
import path from 'node:path';
import { only } from './inspect';
import type { Surroundings } from './surroundings';

/**
 * A sweep by those who have nothing to do with the run, at a moment when it is open, and without any grace. `twin`: on a copy
 * of the home, with a Temporal server that has never heard of the run. `other home`: on the same server. Resolves to what it
 * removed or tried to.
 */
export async function sweepAsStranger(
  { stand, direct, names, access }: Surroundings,
  who: 'twin' | 'other home',
): Promise<readonly string[]> {
  const { invocation } = names;
  if (invocation === undefined) return [];
  const { workspace, url } = access;
  const ref: PlatformRef = { kind: 'lepton', workspace, url };
  const { client, origin, home } =
    who === 'twin'
      ? await stand.twin()
      : {
          client: stand.client,
          origin: stand.origin,
          home: homePaths({ EVALSAGA_HOME: path.join(stand.folder, 'other-home') }),
        };
  const report = await sweep({
    temporal: client,
    platform: only(direct, { invocation }),
    ref,
    home,
    origin,
    secretsOf: () => Promise.resolve([]),
    graceSeconds: 0,
    dryRun: false,
  });
  return [...report.removed, ...report.failed].map(({ kind, name }) => `${kind} ${name}`);
}
