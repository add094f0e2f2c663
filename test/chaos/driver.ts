import { setTimeout as sleep } from 'node:timers/promises';
import { cancelRun, startRun } from '../../src/client';
import { runWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import path from 'node:path';
import { runPlan } from '../support/plans';
import { isLongAbsence, type ChaosEvent } from './cases';
import type { Course } from './courses';
import { patiently } from './happening';
import type { Surroundings } from './surroundings';

/** How a command ended. */
export interface CommandEnd {
  /** `undefined`: by a signal, or not at all. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly stderr: string;
  /** It had to be ended: it went on after all was over. */
  readonly hung: boolean;
}

/** Who starts the run of a case, and what becomes of that. */
export interface Driver {
  /**
   * Starts the run and, in a course that is cancelled, cancels it; calls `arm` when it is where it shall be disturbed. Resolves to
   * the run's plan when Temporal may have it; to nothing when it was given up before.
   */
  start(arm: () => void): Promise<RunPlan | undefined>;
  /** Cancels as this driver's user does; resolves to whether there was something to cancel. */
  cancel(): Promise<boolean>;
  /** SIGKILL for the command, if there is one. */
  kill(): Promise<boolean>;
  /** Resolves when no command can start the run any more. */
  untilStarted(): Promise<void>;
  /** Called when all is over: how the command ended, if there is one. */
  finish(): Promise<CommandEnd | undefined>;
}

/** The library, on a way to Temporal that nothing disturbs. */
export function libraryDriver(
  { course, limits: bounds }: { readonly course: Course; readonly limits: Limits },
  surroundings: Surroundings,
): Driver {
  const { stand, ledger, launch, taskQueue, homeQueue } = surroundings;
  const plan = planFor(course, bounds, surroundings);
  const cancel = async (): Promise<boolean> =>
    (await patiently(() => cancelRun(stand.client, plan.invocation))) === 'requested';
  return {
    async start(arm) {
      if (course.cancelAfterJobs === undefined) arm();
      await patiently(() =>
        startRun(stand.client, {
          plan,
          taskQueue,
          homeQueue,
          hostSecrets: {},
          configYaml: 'a: 1\n',
          home: launch,
          origin: stand.origin,
          searchAttributes: true,
        }),
      );
      if (course.cancelAfterJobs === undefined) return plan;
      await jobsRun(course.cancelAfterJobs, surroundings);
      ledger.restart();
      arm();
      await cancel();
      return plan;
    },
    cancel,
    kill: () => Promise.resolve(false),
    untilStarted: () => Promise.resolve(),
    finish: () => Promise.resolve(undefined),
  };
}

/** Seconds: long enough for three times whatever is waited for, short enough for a case that goes wrong. */
export const limits = { endpointReadySeconds: 90, jobSeconds: 90, teardownSeconds: 100 } as const;

/** All of them shorter than a worker that goes away stays away. */
const shortLimits = { endpointReadySeconds: 15, jobSeconds: 15, teardownSeconds: 15 } as const;

export type Limits = Readonly<Record<keyof typeof limits, number>>;

export const limitsFor = (event: ChaosEvent | undefined): Limits => (isLongAbsence(event) ? shortLimits : limits);

function planFor(course: Course, bounds: Limits, { stand, names, access, ownEndpoint }: Surroundings): RunPlan {
  const { workspace, url } = access;
  const plan = runPlan({
    outputRoot: path.join(stand.folder, 'results'),
    invocation: names.invocation ?? '',
    tasks: course.tasks,
    limits: bounds,
    change: { platform: { kind: 'lepton', workspace, url }, startPolicy: course.startPolicy },
  });
  if (!ownEndpoint) return plan;
  return {
    ...plan,
    endpoint: { kind: 'existing', url: ownEndpoint.url, probe: { ...plan.endpoint.probe, healthPath: null } },
    tasks: plan.tasks.map((task) => ({ ...task, endpointName: null, endpointPath: '' })),
  };
}

/** Resolves when that many jobs were submitted, or the run is over. */
export async function jobsRun(count: number, { ledger, stand, names }: Surroundings): Promise<void> {
  const submitted = (): number =>
    ledger.passed.filter(
      ({ border, method, shape, done }) =>
        border === 'platform' && method === 'POST' && shape === '/jobs' && done === 201,
    ).length;
  const deadline = Date.now() + 60_000;
  const running = async (): Promise<boolean> => {
    const handle = stand.client.workflow.getHandle(runWorkflowId(names.invocation ?? ''));
    return (await patiently(() => handle.describe())).status.name === 'RUNNING';
  };
  while (submitted() < count && Date.now() < deadline && (await running())) await sleep(100);
}
