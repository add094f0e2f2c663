import path from 'node:path';
import { z } from 'zod';
import { readJsonFile, writePrivateJson } from '../../support/atomic-file';
import type { Runtime } from '../runtime';
import type { PlatformState } from './records';

const claimSchema = z.object({ runtime: z.enum(['process', 'docker', 'simulated']) });

/**
 * Notes which runtime the folder's deployments and jobs run with. Throws when they run with another one, which alone can find
 * and end them. A folder from before this was noted is the process runtime's, as far as it holds anything.
 */
export async function claimFor(
  runtime: Runtime['kind'],
  { stateFolder, state }: { stateFolder: string; state: PlatformState },
): Promise<void> {
  const file = path.join(stateFolder, 'runtime.json');
  const claim = claimSchema.safeParse(await readJsonFile(file).catch(() => undefined)).data;
  const living = [
    ...state.deployments.values().map(({ name }) => name),
    ...state.jobs.values().flatMap(({ id, archived }) => (archived === undefined ? [id] : [])),
  ];
  if (claim !== undefined && claim.runtime !== runtime && living.length > 0)
    throw new Error(
      `${stateFolder} holds ${living.slice(0, 5).join(', ')}${living.length > 5 ? ', …' : ''} of the ${claim.runtime} runtime. ` +
        `Start with --runtime ${claim.runtime} and remove them first, or choose another folder with --state.`,
    );
  await writePrivateJson(file, { runtime });
}
