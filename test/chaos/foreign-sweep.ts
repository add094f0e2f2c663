import type { PlatformRef } from '../../src/contract/plan';
import { homePaths } from '../../src/home/paths';
import { sweep } from '../../src/cleanup/sweep';
import path from 'node:path';
import { only } from './inspect';
import type { CaseEnvironment } from './case-environment';

/**
 * Sweeps from a home that did not start the run, while the run is open and without any grace. `twin`: from a copy of
 * the home whose Temporal server does not know the run. `other home`: with the same server. Resolves to what it removed
 * or tried to remove.
 */
export async function sweepAsForeigner(
  { testBed, direct, names, access }: CaseEnvironment,
  who: 'twin' | 'other home',
): Promise<readonly string[]> {
  const { invocation } = names;
  if (invocation === undefined) return [];
  const { workspace, url } = access;
  const ref: PlatformRef = { kind: 'lepton', workspace, url };
  const { client, origin, home } =
    who === 'twin'
      ? await testBed.twin()
      : {
          client: testBed.client,
          origin: testBed.origin,
          home: homePaths({ EVALSAGA_HOME: path.join(testBed.folder, 'other-home') }),
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
