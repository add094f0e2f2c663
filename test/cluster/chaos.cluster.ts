import { clusterEvents, allCases, coursesFor, type ChaosCase, type ChaosEvent } from '../chaos/cases';
import { recordPoints, runMatrix, type CaseResult } from '../chaos/matrix';
import { kindOf } from '../chaos/points';
import { processTestBed } from '../chaos/process-test-bed';
import { onlyPlain } from '../chaos/worlds';
import { builtCluster, howToBuild } from './binaries';
import { mortalCluster } from './mortal-cluster';

/**
 * The chaos matrix where Temporal's server or its database dies in the middle of a run's phases, each at least once: part of
 * `npm run test:cluster`. What must hold is what the matrix always demands: no endpoint, job, storage or secret left, nothing
 * created twice, results at home by their hash, the right outcome.
 */

interface Moment {
  readonly phase: string;
  readonly course: string;
  /** As `kindOf` names it. */
  readonly request: RegExp;
  /** What happens to the request itself, per event. */
  readonly fault: Readonly<Record<'kill server' | 'kill database', string>>;
}

const passes = { 'kill server': 'none, after', 'kill database': 'none, after' } as const;
const lost = { 'kill server': 'cut but done', 'kill database': 'unavailable but done' } as const;

const moments: readonly Moment[] = [
  { phase: 'creating', course: 'success', request: /^platform POST \/deployments$/, fault: passes },
  { phase: 'awaiting ready', course: 'success', request: /^model GET \/v1\/models$/, fault: passes },
  { phase: 'submitting', course: 'success', request: /^platform POST \/jobs$/, fault: passes },
  { phase: 'running', course: 'success', request: /^platform GET \/jobs$/, fault: passes },
  {
    phase: 'fetching',
    course: 'success',
    request: /^platform GET \/storage\/.*\/\.evalsaga_results\.zip$/,
    fault: passes,
  },
  { phase: 'removing the endpoint', course: 'success', request: /^platform DELETE \/deployments\//, fault: passes },
  { phase: 'removing storage', course: 'success', request: /^platform DELETE \/storage\/.*:task$/, fault: passes },
  { phase: 'stopping a job', course: 'cancelled', request: /^platform PATCH \/jobs\//, fault: passes },
  { phase: 'reporting a create', course: 'success', request: /^worker RespondActivity.* createEndpoint$/, fault: lost },
  { phase: 'starting', course: 'success', request: /^client StartWorkflowExecution$/, fault: lost },
];

const events = ['kill server', 'kill database'] as const satisfies readonly ChaosEvent[];

test('Temporal’s server or its database is killed in each phase of a run: nothing is left, lost or done twice', async () => {
  const built = builtCluster();
  if (!built) throw new Error(howToBuild);
  const testBed = await processTestBed(() => mortalCluster(built));
  const results: CaseResult[] = [];
  let chosen: ChaosCase[] = [];
  try {
    const wanted = coursesFor([]).filter(({ course }) => moments.some((moment) => moment.course === course.name));
    const { recordings, broken } = await recordPoints(testBed, { wanted, times: 1, atOnce: 4 });
    expect(broken).toEqual([]);
    const cases = allCases(recordings, { eventsAt: clusterEvents, worldsIn: onlyPlain });
    chosen = moments.flatMap((moment) => events.map((event) => caseAt(cases, moment, event)));
    const report = (result: CaseResult): void => {
      results.push(result);
      process.stderr.write(
        `${(result.ms / 1000).toFixed(1)} s  ${result.one.id}${result.reached ? '' : ' (not reached)'}\n`,
      );
    };
    await runMatrix(testBed, { cases: chosen, atOnce: 4, until: Infinity, report });
  } finally {
    await testBed.close();
  }
  expect(results.flatMap(({ one, violations }) => violations.map((words) => `${one.id}: ${words}`))).toEqual([]);
  expect(results.filter(({ reached }) => reached).map(({ one }) => one.id)).toEqual(
    expect.arrayContaining(chosen.map(({ id }) => id)),
  );
}, 900_000);

function caseAt(cases: readonly ChaosCase[], moment: Moment, event: (typeof events)[number]): ChaosCase {
  const found = cases.find(
    (one) =>
      one.course.name === moment.course &&
      moment.request.test(kindOf(one.point)) &&
      one.fault.name === moment.fault[event] &&
      one.times === 1 &&
      one.event === event,
  );
  if (!found) throw new Error(`no run came by a request for: ${moment.phase}`);
  return found;
}
