import path from 'node:path';
import { z } from 'zod';
import { readJsonFile, writePrivateJson } from '../../support/atomic-file';
import type { Runtime } from '../runtime';
import type { PlatformState } from './records';

const claimSchema = z.object({ runtime: z.enum(['process', 'docker', 'simulated']) });

/**
 * Records which runtime runs the folder's deployments and jobs. Throws if another runtime runs some of them, as only that
 * one can find and end them. A folder without a record may be used by any runtime.
 */
export async function claimStateFolder(
  runtime: Runtime['kind'],
  { stateFolder, state }: { stateFolder: string; state: PlatformState },
): Promise<void> {
  const file = path.join(stateFolder, 'runtime.json');
  const claim = claimSchema.safeParse(await readJsonFile(file).catch(() => undefined)).data;
  const current = [
    ...state.deployments.values().map(({ name }) => name),
    ...state.jobs.values().flatMap(({ id, archived }) => (archived === undefined ? [id] : [])),
  ];
  if (claim !== undefined && claim.runtime !== runtime && current.length > 0)
    throw new Error(
      `${stateFolder} holds ${current.slice(0, 5).join(', ')}${current.length > 5 ? ', …' : ''} of the ${claim.runtime} runtime. ` +
        `Start with --runtime ${claim.runtime} and remove them first, or choose another folder with --state.`,
    );
  await writePrivateJson(file, { runtime });
}
