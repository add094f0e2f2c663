import type { LeptonClient } from '../../src/lepton/types';
import type { ChaosCase } from './cases';
import type { Gateway } from './gateway';

/** Endpoints that the cases of a quota may have at the same time: fewer than a few of them want, and as many as one needs. */
export const quota = 4;

/** The platforms of the open cases that share the quota of this process. */
const open = new Map<LeptonClient, { readonly mayExceed: boolean }>();

/** What counting again must confirm: a place may go from one platform to another while they are listed. */
const counts = 3;

/** Counts the endpoints of all these cases whenever this one has created another. */
export function watchQuota(gateway: Gateway, direct: LeptonClient, one: ChaosCase | undefined) {
  let tooMany = 0;
  // What takes effect after its task has given it up can't be counted by anybody.
  open.set(direct, { mayExceed: one?.fault.moment === 'late' && one.point.shape === '/deployments' });
  gateway.observe({
    async after({ method, path }, { status }) {
      if (method !== 'POST' || path !== '/deployments' || status >= 300) return;
      let least = Infinity;
      for (let nth = 0; nth < counts && least > quota; nth += 1) least = Math.min(least, await total());
      if (least > quota) tooMany = Math.max(tooMany, least);
    },
  });
  return {
    /** The most that were seen beyond what is allowed; 0: never more. */
    tooMany: () => tooMany,
    close: () => void open.delete(direct),
  };
}

async function total(): Promise<number> {
  const lists = [...open].map(async ([client, { mayExceed }]) =>
    mayExceed ? 0 : ownIn(await client.listDeployments()),
  );
  return (await Promise.all(lists)).reduce((sum, count) => sum + count, 0);
}

/** The user's own endpoint is none of the quota's. */
const ownIn = (deployments: Awaited<ReturnType<LeptonClient['listDeployments']>>): number =>
  deployments.filter(({ metadata }) => !metadata.name?.startsWith('mine-')).length;
