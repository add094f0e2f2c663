import { setTimeout as sleep } from 'node:timers/promises';
import { cancelRun, startRun } from '../../src/client';
import { runWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { isLongAbsence, type ChaosEvent } from './cases';
import { planFor } from './course-plan';
import type { Course } from './courses';
import { retryOutages } from './disturbance';
import type { CaseEnvironment } from './case-environment';

/** How a command ended. */
export interface CommandEnd {
  /** `undefined` if it ended by a signal or had to be killed. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly stderr: string;
  /** It had to be killed because it kept running after the run had closed. */
  readonly hung: boolean;
}

/** Starts the run of a case, and acts as its user. */
export interface Driver {
  /**
   * Starts the run and, if the course says so, cancels it; calls `arm` when disturbances may begin. Resolves to the
   * run's plan once Temporal may have it, or to `undefined` if starting was given up before.
   */
  start(arm: () => void): Promise<RunPlan | undefined>;
  /** Cancels the run as the user would; resolves to whether there was something to cancel. */
  cancel(): Promise<boolean>;
  /** Sends SIGKILL to the command, if there is one; resolves to whether it was alive. */
  kill(): Promise<boolean>;
  /** Resolves when the run exists, or when no command can start it any more. */
  untilStarted(): Promise<void>;
  /** Waits for the command, if there is one, after the run has closed; resolves to how it ended. */
  finish(): Promise<CommandEnd | undefined>;
}

/** Drives the library, whose own connection to Temporal is not disturbed. */
export function libraryDriver(
  { course, limits: bounds }: { readonly course: Course; readonly limits: Limits },
  environment: CaseEnvironment,
): Driver {
  const { testBed, ledger, launch, taskQueue, homeQueue } = environment;
  const plan = planFor(course, bounds, environment);
  const cancel = async (): Promise<boolean> =>
    (await retryOutages(() => cancelRun(testBed.client, plan.invocation))) === 'requested';
  return {
    async start(arm) {
      if (course.cancelAfterJobs === undefined) arm();
      await retryOutages(() =>
        startRun(testBed.client, {
          plan,
          taskQueue,
          homeQueue,
          hostSecrets: {},
          configYaml: 'a: 1\n',
          home: launch,
          origin: testBed.origin,
          searchAttributes: true,
        }),
      );
      if (course.cancelAfterJobs === undefined) return plan;
      await untilJobsSubmitted(course.cancelAfterJobs, environment);
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

/**
 * In seconds: long enough for everything that runs wait for, three times over; short enough for a case that goes
 * wrong.
 */
export const limits = { endpointReadySeconds: 90, jobSeconds: 90, teardownSeconds: 100 } as const;

/** All shorter than the absence of a worker in the cases of long absence. */
const shortLimits = { endpointReadySeconds: 15, jobSeconds: 15, teardownSeconds: 15 } as const;

export type Limits = Readonly<Record<keyof typeof limits, number>>;

export const limitsFor = (event: ChaosEvent | undefined): Limits => (isLongAbsence(event) ? shortLimits : limits);

/** Resolves when this many jobs were submitted, or when the run has closed. */
export async function untilJobsSubmitted(count: number, { ledger, testBed, names }: CaseEnvironment): Promise<void> {
  const submitted = (): number =>
    ledger.passed.filter(
      ({ border, method, shape, done }) =>
        border === 'platform' && method === 'POST' && shape === '/jobs' && done === 201,
    ).length;
  const deadline = Date.now() + 60_000;
  const running = async (): Promise<boolean> => {
    const handle = testBed.client.workflow.getHandle(runWorkflowId(names.invocation ?? ''));
    return (await retryOutages(() => handle.describe())).status.name === 'RUNNING';
  };
  while (submitted() < count && Date.now() < deadline && (await running())) await sleep(100);
}
