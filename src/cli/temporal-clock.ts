import type { Client } from '@temporalio/client';
import { describeClockOffset } from '../lepton/server-clock';
import { temporalAheadMs } from '../stack/pollers';
import type { RunDescription } from '../runs/run-description';
import type { Output } from './output';

/**
 * The time by Temporal's clock, by which runs are dated: on a machine whose clock is wrong, "10 min ago" would be wrong too. Says so
 * where there is a difference worth knowing of.
 */
export async function temporalNow(
  client: Client,
  taskQueue: string | undefined,
  output: Pick<Output, 'warn'>,
): Promise<number> {
  if (taskQueue === undefined || taskQueue === '') return Date.now();
  const aheadMs = await temporalAheadMs(client, taskQueue);
  const difference = describeClockOffset(aheadMs);
  if (difference !== undefined)
    output.warn(
      `this machine's clock is about ${difference} Temporal's; how long something takes is counted by Temporal's`,
    );
  return Date.now() + aheadMs;
}

/** The time up to which a run is counted: an open one by Temporal's clock, as `temporalNow`; of an ended one nothing is counted any more. */
export const nowOf = (
  run: Pick<RunDescription, 'status' | 'taskQueue'>,
  client: Client,
  output: Pick<Output, 'warn'>,
): Promise<number> =>
  run.status === 'running' ? temporalNow(client, run.taskQueue, output) : Promise.resolve(Date.now());
