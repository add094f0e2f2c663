/** Jobs of one task that follow each other when one is ended from outside. Pure. */
import type { RunLimits } from './plan';
import type { Usage } from './state';

/** Which of the jobs that a task may have one after the other. */
export interface JobAttempt {
  /** From 1. */
  readonly number: number;
  /** How many there may be. */
  readonly of: number;
}

/** What the script of every evaluation job writes to its log when it is told to stop (config/plan/job-script.ts). */
export const toldToStop = 'evalsaga: told to stop before everything was evaluated';

/** Most jobs that may follow a task's first one: the names of all of them must fit into the platform's limit. */
export const mostJobRetries = 8;

/** Returns how many jobs a task may have, one after the other. */
export const attemptsAllowed = ({ jobRetries = 0 }: Pick<RunLimits, 'jobRetries'>): number =>
  1 + Math.max(0, Math.min(mostJobRetries, jobRetries));

/** Returns the name of a task's job: each attempt has its own, so that none can be taken for another. */
export const attemptName = (jobName: string, attempt: number): string =>
  attempt === 1 ? jobName : `${jobName}-${attempt}`;

/** Returns the names that a task's later jobs would have. */
export const furtherJobNames = (jobName: string, limits: Pick<RunLimits, 'jobRetries'>): string[] =>
  Array.from({ length: attemptsAllowed(limits) - 1 }, (_, at) => attemptName(jobName, at + 2));

/** Whether `name` is that of a later job of the task with this job name. */
export const isFurtherJob = (jobName: string, name: string): boolean =>
  name.startsWith(`${jobName}-`) && /^[2-9]$/.test(name.slice(jobName.length + 1));

/** `job attempt 2 of 3` */
export const attemptWords = ({ number, of }: JobAttempt): string => `job attempt ${number} of ${of}`;

const ended = (usage: Usage | undefined, what: keyof Usage, at: string): Usage[keyof Usage] => {
  const span = usage?.[what] ?? null;
  return span === null ? null : { from: span.from, until: span.until ?? at };
};

/** Returns what an earlier job, and an earlier endpoint if it was replaced as well, cost: all of it had ended at `at`. */
export const usageOfEarlier = (usage: Usage | undefined, whats: readonly (keyof Usage)[], at: string): Usage => ({
  endpoint: whats.includes('endpoint') ? ended(usage, 'endpoint', at) : null,
  job: whats.includes('job') ? ended(usage, 'job', at) : null,
});
