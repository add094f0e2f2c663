import { randomBytes } from 'node:crypto';
import type { SubmitJobInput } from '../contract/inputs/job';
import { readJobState } from '../lepton/job-state';
import { resolveNodeGroup } from '../lepton/node-groups';
import { renderJob } from '../lepton/render-spec';
import { removalPollDelayMs } from '../lepton/retry-timing';
import type { Job } from '../lepton/types';
import type { Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { notReady } from './failures';
import { idOf, listNamed, ownAmong } from './own-jobs';
import { Submissions } from './submissions';

const submissions = new Submissions();

/** Submits the job or adopts the one that is there; returns its id. See `submitJob`. */
export async function submit(
  dependencies: ActivityDependencies,
  input: SubmitJobInput,
  { activity, attempt: number, isAnswerMissing }: Attempt,
): Promise<string> {
  const { client, lookups, pace } = await dependencies.platform(input.platform);
  const waitMs = submissions.waitMs({ activity, isAnswerMissing, nowMs: performance.now() });
  const isFirst = number === 1;
  // Before a first attempt only an earlier activity can have posted it, minutes ago: the shared listing is new enough.
  const listed = isFirst ? lookups.jobsNamed(input.name) : listNamed(client, input.name);
  const earlier = ownAmong(await listed, input);
  if (earlier.length === 0 && waitMs > 0) {
    const pauseMs = Math.min(waitMs, removalPollDelayMs({ elapsedMs: 0, platform: pace }) * 3);
    throw notReady(`job ${input.name}: an earlier request may still be carried out: looking for it`, pauseMs);
  }
  const own = earlier.length > 0 ? earlier : await post(dependencies, input, { activity, isFirst });
  const [kept, ...others] = inOrderOfUse(own);
  if (kept === undefined) throw new Error(`job ${input.name} was submitted, but there is none`);
  await Promise.all(others.map((job) => client.deleteJob(idOf(job))));
  submissions.forget(activity);
  return idOf(kept);
}

/**
 * Posts the job; returns all jobs of the task, since an earlier request may have taken effect meanwhile. The first attempt leaves
 * such a job to the wait for the end of this one.
 */
async function post(
  dependencies: ActivityDependencies,
  input: SubmitJobInput,
  { activity, isFirst }: { readonly activity: string; readonly isFirst: boolean },
): Promise<Job[]> {
  const { client } = await dependencies.platform(input.platform);
  const spec = renderJob(input.spec, {
    marks: { invocation: input.invocation, index: input.index, origin: dependencies.origin },
    nodeGroupId: await resolveNodeGroup(client, input.spec.nodeGroup),
    resolve: await dependencies.hostSecrets(input),
    modelUrl: input.modelUrl,
    nonce: randomBytes(16).toString('hex'),
    ...(input.sharedUrls === undefined ? {} : { sharedUrls: input.sharedUrls }),
  });
  let created: Job;
  try {
    created = await client.createJob({ name: input.name, spec });
  } catch (error) {
    submissions.lost(activity, error, performance.now());
    throw error;
  }
  if (isFirst) return [created];
  // The listing may lag behind.
  const listed = ownAmong(await listNamed(client, input.name), input);
  return listed.some((job) => idOf(job) === idOf(created)) ? listed : [...listed, created];
}

/** Sorts the job to keep first: the oldest that is running or completed. Pure. */
function inOrderOfUse(jobs: readonly Job[]): Job[] {
  const isLost = (job: Job): number => (['pending', 'completed'].includes(readJobState(job).kind) ? 0 : 1);
  const age = (job: Job): number => job.metadata.created_at ?? 0;
  return [...jobs].sort((a, b) => isLost(a) - isLost(b) || age(a) - age(b) || (idOf(a) < idOf(b) ? -1 : 1));
}
