import type { PlatformRef } from '../../contract/plan';
import { homeIdentity } from '../../home/home-identity';
import type { Stack } from '../../stack/stack';
import { ensureSweepSchedule, type SweptPlatform } from '../../cleanup/sweep-schedule';
import type { CommandContext } from '../command';
import { programName } from '../program-name';

/** Milliseconds that setting the schedule up may take: a run does not wait longer for its safety net. */
const withinMs = 5_000;

/** Has the platform swept regularly from now on. A server that can't (no schedules, no permission) is no reason not to run. */
export async function keepSwept(
  stack: Pick<Stack, 'client' | 'taskQueue' | 'homeQueue' | 'temporal'>,
  platform: PlatformRef,
  { output, env, home }: Pick<CommandContext, 'output' | 'env' | 'home'>,
): Promise<void> {
  try {
    const { client } = stack;
    const wanted = sweptBy(stack, platform, await homeIdentity(home));
    await client.withDeadline(Date.now() + withinMs, async () => {
      for (const swept of wanted) await ensureSweepSchedule(client, swept);
    });
  } catch (error) {
    output.warn(
      `This Temporal server does not take the schedule that sweeps up after terminated runs (${(error as Error).message}). Sweep by hand: ${programName(env)} sweep`,
    );
  }
}

/**
 * Who sweeps. On a cluster the shared queue's workers do, and this home's own worker as well: only it can bring home
 * what runs of this home left in storage. The embedded server has one worker for all. Pure.
 */
export function sweptBy(
  { taskQueue, homeQueue, temporal }: Pick<Stack, 'taskQueue' | 'homeQueue'> & { temporal: { isEmbedded: boolean } },
  platform: PlatformRef,
  home: string,
): readonly SweptPlatform[] {
  if (temporal.isEmbedded) return [{ platform, taskQueue }];
  // Without a queue of its own beside it, the run's queue is the home's.
  if (homeQueue === undefined) return [{ platform, taskQueue, home }];
  return [
    { platform, taskQueue },
    { platform, taskQueue: homeQueue, home },
  ];
}
