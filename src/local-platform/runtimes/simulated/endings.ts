import { writeFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { durationSchema } from '../../faults/faults';
import type { RuntimeHost, RuntimeJob, RuntimeNote } from '../../runtime';
import { resultsMount } from './results';

/** How jobs are ended from outside. */

export const causeSchema = z.enum(['preemption', 'node loss', 'eviction', 'image pull', 'memory']);

export type Cause = z.infer<typeof causeSchema>;

export const endedSchema = z.strictObject({
  by: causeSchema,
  /** From the job's creation. */
  after: durationSchema,
  /** How many of the rule's jobs, in the order of their creation. Default 1. */
  times: z.union([z.number().int().min(1), z.literal('inf').transform(() => Infinity)]).default(1),
});

interface Ending {
  readonly state: 'Completed' | 'Failed';
  readonly message: string | undefined;
  readonly note: RuntimeNote | undefined;
  readonly log: string;
  /** The job's script has been told to stop, and leaves its marker. */
  readonly isTold: boolean;
}

/** What the script of an evaluation job writes to its log when it gets SIGTERM. */
const told = 'evalsaga: told to stop before everything was evaluated';

const failed = (reason: string, message: string): Ending => ({
  state: 'Failed',
  message: `${reason}: ${message}`,
  note: { type: 'Warning', reason, message },
  log: '',
  isTold: false,
});

/** As platforms play it. A preempted job gets SIGTERM, ends in good order, and is taken for completed. */
export const endings: Readonly<Record<Cause, Ending>> = {
  preemption: { state: 'Completed', message: undefined, note: undefined, log: `${told}\n`, isTold: true },
  'node loss': failed('NodeLost', 'the node of the job was lost'),
  eviction: failed('Evicted', 'the node was drained for maintenance'),
  'image pull': failed('ErrImagePull', 'failed to pull image: dial tcp 203.0.113.7:443: i/o timeout'),
  memory: failed('OOMKilled', 'the container ran out of memory'),
};

/** Writes what a job's script leaves when it is told to stop. */
export async function leaveMarker(job: RuntimeJob, host: Pick<RuntimeHost, 'mountFolder'>): Promise<void> {
  const mount = resultsMount(job);
  if (mount === undefined) return;
  const folder = await host.mountFolder(mount);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, '.evalsaga_interrupted'), '');
}
