import { isMarkedWith } from '../lepton/render-spec';
import { stateOf } from '../lepton/job-state';
import type { LookupOptions } from '../lepton/coalesced';
import type { Platform } from '../lepton/platforms';
import type { Job, LeptonClient } from '../lepton/types';
import type { NamedJob } from '../contract/inputs/job';

/** Which of the platform's jobs are a task's. */

/**
 * Returns this task's living jobs, found by id if known, and by name and marks. That there is none is said on a fresh listing
 * only, and, where the id is not known, on one of this name alone.
 */
export async function ownJobs(
  { client, lookups }: Pick<Platform, 'client' | 'lookups'>,
  input: NamedJob,
  { isFresh = false }: LookupOptions = {},
): Promise<Job[]> {
  if (input.id === null) return ownAmong(await listNamed(client, input.name), input);
  const found = ownAmong(await jobsNamed(lookups, input, { isFresh }), input);
  if (found.some((job) => idOf(job) === input.id)) return found;
  if (found.length === 0 && !isFresh) return ownJobs({ client, lookups }, input, { isFresh: true });
  const byId = await client.getJob(input.id, { mode: 'alive_only', name: input.name, isUnlisted: isFresh });
  return byId && isAlive(byId) && isMarkedWith(byId.spec?.envs, input) ? [...found, byId] : found;
}

/** Returns those of the task's jobs that a fresh listing has. */
export const listedJobs = async ({ lookups }: Pick<Platform, 'lookups'>, input: NamedJob): Promise<Job[]> =>
  ownAmong(await jobsNamed(lookups, input, { isFresh: true }), input);

/** Names of the jobs that an activity is about. */
const namesOf = ({ name, furtherNames = [] }: Pick<NamedJob, 'name' | 'furtherNames'>): readonly string[] => [
  name,
  ...furtherNames,
];

/** Returns what the shared listing has of these names. */
export const jobsNamed = async (
  lookups: Platform['lookups'],
  input: Pick<NamedJob, 'name' | 'furtherNames'>,
  options?: LookupOptions,
): Promise<readonly Job[]> =>
  (await Promise.all(namesOf(input).map((name) => lookups.jobsNamed(name, options)))).flat();

/** The platform looks for a part of the name, so that the further names, which begin with it, are found as well. */
export const listNamed = (client: LeptonClient, name: string): Promise<Job[]> =>
  client.listJobs({ name, mode: 'alive_only' });

/** Returns the living jobs with this task's marks, newest first. A deleted job may stay listed in the archive. */
export const ownAmong = (jobs: readonly Job[], input: Omit<NamedJob, 'id'>): Job[] =>
  jobs
    .filter(
      (job) => namesOf(input).includes(job.metadata.name ?? '') && isAlive(job) && isMarkedWith(job.spec?.envs, input),
    )
    .sort((a, b) => (b.metadata.created_at ?? 0) - (a.metadata.created_at ?? 0));

const isAlive = (job: Job): boolean => !['deleted', 'archived'].includes(stateOf(job));

/** Returns the platform's id of a job; throws if it has none. */
export function idOf(job: Job): string {
  const id = job.metadata.id;
  if (id === undefined) throw new Error('the platform lists a job without an id');
  return id;
}
