import type { PlatformRef } from '../contract/plan';
import { homeIdentity } from '../home/home-identity';
import type { Stack } from '../stack/stack';
import { ensureSweepSchedule } from '../temporal/sweep-schedule';
import type { CommandContext } from './command';
import { programName } from './program-name';

/** Milliseconds that setting the schedule up may take: a run does not wait longer for its safety net. */
const withinMs = 5_000;

/** Has the platform swept regularly from now on. A server that can't (no schedules, no permission) is no reason not to run. */
export async function keepSwept(
  { client, taskQueue, temporal }: Pick<Stack, 'client' | 'taskQueue' | 'temporal'>,
  platform: PlatformRef,
  { output, env, home }: Pick<CommandContext, 'output' | 'env' | 'home'>,
): Promise<void> {
  try {
    const isShared = platform.kind === 'local' && !temporal.isEmbedded;
    const swept = { platform, taskQueue, ...(isShared ? { home: await homeIdentity(home) } : {}) };
    await client.withDeadline(Date.now() + withinMs, () => ensureSweepSchedule(client, swept));
  } catch (error) {
    output.warn(
      `This Temporal server does not take the schedule that sweeps up after terminated runs (${(error as Error).message}). Sweep by hand: ${programName(env)} sweep`,
    );
  }
}
