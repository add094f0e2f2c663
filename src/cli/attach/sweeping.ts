import type { PlatformRef } from '../../contract/plan';
import { homeIdentity } from '../../home/home-identity';
import type { Stack } from '../../stack/stack';
import { ensureSweepSchedule, type SweptPlatform } from '../../cleanup/sweep-schedule';
import type { CommandContext } from '../command';
import { programName } from '../program-name';

/** Milliseconds for setting up the schedule; a run doesn't wait longer for it. */
const withinMs = 5_000;

/** Makes sure that the platform is swept regularly. If the server can't do that (no schedules, no permission), only warns. */
export async function keepSwept(
  stack: Pick<Stack, 'client' | 'taskQueue' | 'homeQueue' | 'temporal'>,
  platform: PlatformRef,
  { output, env, home }: Pick<CommandContext, 'output' | 'env' | 'home'>,
): Promise<void> {
  try {
    const { client } = stack;
    const schedules = sweptBy(stack, platform, await homeIdentity(home));
    await client.withDeadline(Date.now() + withinMs, async () => {
      for (const swept of schedules) await ensureSweepSchedule(client, swept);
    });
  } catch (error) {
    output.warn(
      `This Temporal server did not accept the schedule that sweeps after terminated runs (${(error as Error).message}). Sweep by hand: ${programName(env)} sweep`,
    );
  }
}

/**
 * Decides which workers sweep. On a cluster, workers of the shared queue and this home's own worker: only that one can fetch
 * what runs of this home left in storage. The embedded server has one worker for everything. Pure.
 */
export function sweptBy(
  { taskQueue, homeQueue, temporal }: Pick<Stack, 'taskQueue' | 'homeQueue'> & { temporal: { isEmbedded: boolean } },
  platform: PlatformRef,
  home: string,
): readonly SweptPlatform[] {
  if (temporal.isEmbedded) return [{ platform, taskQueue }];
  // Without a separate home queue, the run's queue is the home's.
  if (homeQueue === undefined) return [{ platform, taskQueue, home }];
  return [
    { platform, taskQueue },
    { platform, taskQueue: homeQueue, home },
  ];
}
