import { failureTypes } from '../../src/contract/failure-types';
import { indexText } from '../../src/contract/identity';
import { partsOf } from '../../src/contract/state';
import { isLongAbsence, type ChaosCase } from './cases';
import { commandRules } from './command-rules';
import type { Course } from './courses';
import type { Facts } from './run-case';

/** Checks what must be true of a run whatever was done to it. Returns the violations in words. Pure. */
export function violations(facts: Facts, course: Course, one: ChaosCase | undefined): string[] {
  const rules = [
    ...leaks(facts),
    ...commandRules(facts, course, one),
    ...(facts.removedOwnEndpoint ? ['an endpoint that is not ours was removed'] : []),
    ...(facts.workerDeaths > 0 ? [`the worker ended by itself (${facts.workerDeaths} times)`] : []),
    ...[...facts.creates].flatMap(([index, count]) =>
      count > createsOf({ course, one, index }) ? [`endpoint of ${partName(index)} was created ${count} times`] : [],
    ),
    ...facts.jobs.flatMap(repeated),
    ...facts.concurrentJobs.map((name) => `two jobs ran at the same time: ${name}`),
    ...facts.lost.map((file) => `removed from storage without being at home: ${file}`),
    ...facts.disturbance.sweptWhileOpen.map((item) => `removed by a sweep while the run was open: ${item}`),
    ...facts.keptButMissing.map((path) => `said to be kept, and not there: ${path}`),
    ...(facts.beyondQuota > 0
      ? [`${facts.beyondQuota} endpoints at the same time are more than the quota allows`]
      : []),
    ...logs(facts, one),
  ];
  if (!facts.started) return rules;
  if (!facts.run) return ['did not end in time', ...rules];
  return [
    ...rules,
    ...(facts.holdsPlaces ? ['the endpoint quota still holds places for it'] : []),
    ...sharedEndpoints(facts),
    ...endpointsUnderJobs(facts),
    ...(one ? [] : undisturbed(facts, course)),
    ...leftovers(facts, one),
    ...facts.run.snapshot.tasks.flatMap(({ outcome, index }) =>
      outcome === 'succeeded' && !facts.home[index] ? [`task ${index} succeeded, but its results are not at home`] : [],
    ),
    ...verdict(facts, course, one),
  ];
}

/**
 * How often an endpoint may be created. Names keep requests from creating two at a time; of several that take effect late, one may do so
 * after the endpoint was removed, because its task has failed meanwhile. It must be removed as well.
 */
function createsOf({ course, one, index }: { course: Course; one: ChaosCase | undefined; index: number }): number {
  const isLate = one?.fault.moment === 'late' && one.point.shape === '/deployments' && one.point.method === 'POST';
  return (course.endpoints?.[index] ?? 1) + (isLate ? one.times - 1 : 0);
}

const partName = (index: number): string => `${index < 0 ? 'shared endpoint' : 'task'} ${indexText(index)}`;

/** Every attempt has a job name of its own. */
const repeated = (names: readonly string[]): string[] => {
  const twice = names.filter((name, at) => names.indexOf(name) !== at);
  return [...new Set(twice)].map((name) => `job ${name} was created more than once`);
};

/** A run that closed by itself knows how each of its shared endpoints ended. */
function sharedEndpoints({ run }: Facts): string[] {
  if (!run || run.failure?.type === 'Terminated') return [];
  return (run.snapshot.shared ?? []).flatMap(({ index, outcome }) =>
    outcome === null ? [`${partName(index)} has no outcome`] : [],
  );
}

/** The endpoint of a task that succeeds goes when its job has ended, or once its log says that nothing more is asked of it. */
function endpointsUnderJobs({ run, earlyDeletions }: Facts): string[] {
  const succeeded = new Set(
    run?.snapshot.tasks.flatMap(({ index, outcome }) => (outcome === 'succeeded' ? index : [])),
  );
  return earlyDeletions
    .filter(({ task, isAnswered }) => !isAnswered && succeeded.has(task))
    .map(({ task }) => `the endpoint of task ${task} was deleted while its job was running`);
}

/** What the course is to show, without which its cases would prove nothing. */
function undisturbed({ jobs, run, creates, earlyDeletions }: Facts, course: Course): string[] {
  const wanted = course.tasks.map((_, index) => course.jobs?.[index] ?? 1).join(' ');
  const seen = jobs.map((names) => names.length).join(' ');
  const endpoints = (course.endpoints ?? []).filter((count, index) => creates.get(index) !== count);
  const isFailing = course.outcomes.includes('failed');
  const shared = run?.snapshot.shared?.map(({ outcome }) => outcome) ?? [];
  const released = new Set(earlyDeletions.map(({ task }) => task)).size;
  return [
    ...(isFailing || wanted === seen ? [] : [`expected ${wanted} jobs per task, got ${seen}`]),
    ...(endpoints.length === 0 ? [] : ['its endpoints were not made anew']),
    ...(course.shared !== undefined && shared.join() !== 'succeeded' ? [`its shared endpoint ${shared.join()}`] : []),
    ...(course.releases && released < course.tasks.length
      ? [`${released} endpoints were released before their jobs had ended`]
      : []),
  ];
}

/** Nothing may outlive its task, unless run and task were both terminated: then only the sweep can remove it. */
function leftovers({ left, disturbance }: Facts, one: ChaosCase | undefined): string[] {
  if (one?.event === 'terminate both' && disturbance.eventHappened) return [];
  return left.map((item) => `left behind: ${item}`);
}

/** A log may be missing if requests for it are disturbed or denied, or if the task's message says so. */
function logs({ missingLogs, run }: Facts, one: ChaosCase | undefined): string[] {
  const disturbed = one !== undefined && (one.fault.denies === true || /\/(log|logs|replicas)\b/.test(one.point.shape));
  // Its task may have looked for a resource, and for its log, just before it landed; the removal then finds it first.
  const landedLate = (shape: string): boolean =>
    one?.fault.moment === 'late' && one.point.shape === shape && one.event !== 'nothing';
  if (disturbed) return [];
  const parts = run ? partsOf(run.snapshot) : [];
  return missingLogs.flatMap(({ what, part }) => {
    const said = parts.find(({ index }) => index === part)?.message ?? '';
    // Where the logs of an earlier job and its endpoint lie is told in any case.
    if (/\blog\b/.test(said.replaceAll(/Its log: \S+/g, ''))) return [];
    return landedLate(what === 'endpoint' ? '/deployments' : '/jobs')
      ? []
      : [`the log of the ${what} of ${partName(part)} is not at home`];
  });
}

const leaks = ({ leftAfterSweep }: Facts): string[] =>
  leftAfterSweep.map((item) => `left even after the sweep: ${item}`);

function verdict(facts: Facts, course: Course, one: ChaosCase | undefined): string[] {
  const { disturbance, exitCode } = facts;
  const run = facts.run;
  if (!run) return [];
  const outcomes = run.snapshot.tasks.map(({ outcome }) => outcome);
  const seen = `${run.status}${run.failure ? ` (${run.failure.type}: ${run.failure.message})` : ''}, exit ${exitCode}, tasks ${outcomes.join(' ')}: ${run.snapshot.tasks.map(({ error }) => (error ? `${error.type}: ${error.message}` : '-')).join(' | ')}`;
  const wrong = (expected: string): string[] => [`expected ${expected}, got ${seen}`];
  const event = disturbance.eventHappened ? one?.event : undefined;

  if (event === 'terminate run' || event === 'terminate both') {
    // If both were terminated, nothing was torn down, and exit code 5 says so.
    const codes = event === 'terminate both' ? [1, 3, 5] : [1, 3];
    return run.failure?.type === 'Terminated' && codes.some((code) => code === exitCode)
      ? []
      : wrong('a run that was terminated');
  }
  const refusal = refusalAt(one);
  const mayLoseShared =
    refusal !== undefined || isLongAbsence(event) || (event === 'terminate task' && isShared(disturbance));
  const isRefused = (type: string | undefined): boolean =>
    type !== undefined &&
    (type === refusal ||
      (isLongAbsence(event) && mayTimeOut.has(type)) ||
      (course.shared !== undefined && mayLoseShared && type === failureTypes.sharedEndpointFailed));
  const acceptable = run.snapshot.tasks.every(({ outcome, error, index }) => {
    if (event === 'terminate task' && index === disturbance.terminatedTask) return true;
    if (outcome === course.outcomes[index]) return true;
    return outcome === 'failed' && isRefused(error?.type);
  });
  const isCancelled = course.cancelAfterJobs !== undefined || event === 'cancel' || event === 'second cancel';
  if (isCancelled) {
    const known = run.snapshot.tasks.every(
      ({ outcome, error, index }) =>
        outcome === 'cancelled' ||
        outcome === course.outcomes[index] ||
        isRefused(error?.type) ||
        index === disturbance.terminatedTask,
    );
    const allSucceeded = outcomes.every((outcome) => outcome === 'succeeded');
    if (!known) return wrong('tasks that are cancelled or over');
    if (allSucceeded)
      return run.status === 'succeeded' && exitCode === 0 ? [] : wrong('success: the cancel came too late');
    // A cancel that comes after the last task ended may be too late to change the verdict.
    const late = event !== undefined && acceptable && run.status === 'failed';
    return (run.status === 'cancelled' && exitCode === 4) || late ? [] : wrong('a cancelled run');
  }
  if (!acceptable) return wrong(`outcomes ${course.outcomes.join(' ')}`);
  const allSucceeded = outcomes.every((outcome) => outcome === 'succeeded');
  if (allSucceeded) return run.status === 'succeeded' && exitCode === 0 ? [] : wrong('success');
  return run.status === 'failed' && (exitCode === 1 || exitCode === 3) ? [] : wrong('a failed run');
}

const isShared = ({ terminatedTask }: Facts['disturbance']): boolean => (terminatedTask ?? 0) < 0;

/** Deadlines may have passed while nothing could act; such a task may fail or be waited for, both are allowed. */
const mayTimeOut = new Set<string>([failureTypes.endpointTimeout, failureTypes.jobTimeout]);

/** Returns how a task may fail if platform or model server deny access. */
function refusalAt(one: ChaosCase | undefined): string | undefined {
  // A 404 of the service itself to a create is final: something that the spec refers to may be missing.
  if (one?.fault.name === '404 in its own words' && one.point.method === 'POST') return failureTypes.requestRefused;
  if (!one?.fault.denies) return undefined;
  switch (one.point.border) {
    case 'platform':
      return outlivesRefusals(one.point) ? undefined : failureTypes.credentialsRefused;
    case 'model':
      return failureTypes.endpointMismatch;
    case 'worker':
    case 'client':
      return undefined;
  }
}

/** Watching endpoints and jobs and fetching results tolerate a few refusals; a look-up before a create does not. */
const outlivesRefusals = ({ method, shape }: ChaosCase['point']): boolean => method === 'GET' && !shape.endsWith('?q');
