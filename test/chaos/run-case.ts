import { WorkflowNotFoundError } from '@temporalio/client';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeRun, type RunDescription } from '../../src/client';
import { exitCodeOf } from '../../src/cli/exit-code';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import { partIndices } from '../../src/contract/parts';
import type { RunPlan } from '../../src/contract/plan';
import { storedInvocations, storedPlan } from '../../src/home/run-store';
import { runVerdict } from '../../src/cli/render/outcome';
import { stopStack } from '../../src/stack/stop';
import { sweepScheduleId } from '../../src/cleanup/sweep-schedule';
import type { ChaosCase } from './cases';
import { commandDriver } from './command-driver';
import type { Course, Setup } from './courses';
import { libraryDriver, limitsFor, type CommandEnd, type Driver } from './driver';
import { disturb, noDisturbance, retryOutages, type Disturbance } from './disturbance';
import {
  createsOf,
  exists,
  giveBack,
  holdsPlaces,
  inventory,
  jobNamesOf,
  keptByTasks,
  missingLogs,
  tidy,
  type MissingLog,
} from './inspect';
import type { Passed } from './ledger';
import type { TestBed } from './test-bed';
import { watchQuota } from './quota-watch';
import { sweepAsForeigner } from './foreign-sweep';
import { openEnvironment, type CaseEnvironment } from './case-environment';
import { watchPlatform, type EarlyDeletion, type Witness } from './witness';
import type { World } from './worlds';

/** Everything that is known about a case when it is over. */
export interface Facts {
  readonly disturbance: Disturbance;
  /** Whether Temporal ever had the run. */
  readonly started: boolean;
  /** `undefined` if there was no run, or if it did not close in time. */
  readonly run: RunDescription | undefined;
  /** The exit code of a command that watches the run to its end. */
  readonly exitCode: number | undefined;
  readonly command: CommandEnd | undefined;
  /** What the platform still had when run and tasks had closed, except storage kept on purpose. */
  readonly left: readonly string[];
  readonly kept: number;
  /** The same after a sweep without grace and, if storage was kept, a cleanup. */
  readonly leftAfterSweep: readonly string[];
  readonly sweptSomething: boolean;
  /** Successful creates of endpoints, by the index of their task or shared endpoint. */
  readonly creates: ReadonlyMap<number, number>;
  /** Whether `results.yml` was fetched, per task. */
  readonly home: readonly boolean[];
  /** Names of the evaluation jobs created, per task. */
  readonly jobs: readonly (readonly string[])[];
  /** Jobs that started while another of the same task was running. */
  readonly concurrentJobs: readonly string[];
  /** Files that were removed from storage before they had been fetched unchanged. */
  readonly lost: readonly string[];
  readonly earlyDeletions: readonly EarlyDeletion[];
  /** Storage that is reported as kept but missing. */
  readonly keptButMissing: readonly string[];
  /** After the sweep. */
  readonly missingLogs: readonly MissingLog[];
  /** Whether the quota kept places for the run after it had told its verdict. */
  readonly holdsPlaces: boolean;
  /** Endpoints that the cases of the quota had together, if more than allowed when this one created another; else 0. */
  readonly beyondQuota: number;
  /** Whether the user's own endpoint was removed. */
  readonly removedOwnEndpoint: boolean;
  /** How often the case's own worker ended by itself. */
  readonly workerDeaths: number;
  readonly ms: number;
  /** Requests across the borders since counting began. */
  readonly log: readonly Passed[];
}

const endsWithinMs = 150_000;

/** Runs one case to its end and collects the facts. Without `one`, the course runs undisturbed. */
export async function runCase(
  testBed: TestBed,
  how: { readonly setup: Setup; readonly course: Course; readonly world: World; readonly one?: ChaosCase },
): Promise<Facts> {
  const begunAt = performance.now();
  const environment = await openEnvironment(testBed, how);
  const { gateway, direct } = environment;
  const quota = how.world === 'endpoint quota' ? watchQuota(gateway, direct, how.one) : undefined;
  try {
    const { course, setup, one } = how;
    const limits = limitsFor(one?.event);
    const driver =
      setup === 'command' ? commandDriver(course, environment) : libraryDriver({ course, limits }, environment);
    const planned = async (): Promise<RunPlan | undefined> => {
      const [invocation] = await storedInvocations(environment.launch, '');
      return invocation === undefined ? undefined : storedPlan(environment.launch, invocation);
    };
    const witness = watchPlatform(gateway, { direct, planned });
    let disturbance = noDisturbance();
    const plan = await driver.start(() => {
      if (one) disturbance = disturb(environment.ledger, { targets: targetsOf(environment, driver), one });
    });
    await driver.untilStarted();
    const facts = await observe(environment, {
      plan: plan ?? (await planned()),
      driver,
      disturbance,
      witness,
    });
    const beyondQuota = quota?.tooMany() ?? 0;
    return { ...facts, beyondQuota, ms: Math.round(performance.now() - begunAt), log: environment.ledger.counted };
  } finally {
    quota?.close();
    await cleanUpAfter(environment);
  }
}

function targetsOf(environment: CaseEnvironment, driver: Driver): Parameters<typeof disturb>[1]['targets'] {
  const { testBed, names, worker, temporal } = environment;
  return {
    testBed,
    invocation: () => names.invocation,
    cancel: () => driver.cancel(),
    killCommand: () => driver.kill(),
    killWorker: (awayMs) => (worker ? worker.kill(awayMs) : testBed.kill('worker', awayMs)),
    sever: (forMs) => (temporal ? Promise.resolve(temporal.sever(forMs)) : testBed.cutFromServer()),
    sweepAs: (who) => sweepAsForeigner(environment, who),
  };
}

async function observe(
  environment: CaseEnvironment,
  at: { plan: RunPlan | undefined; driver: Driver; disturbance: Disturbance; witness: Witness },
): Promise<Omit<Facts, 'ms' | 'log' | 'beyondQuota'>> {
  const { testBed, launch, direct, ledger, worker, ownEndpoint, taskQueue } = environment;
  const { plan, driver, disturbance, witness } = at;
  const ended = plan ? await closed(testBed, plan) : true;
  await Promise.all(disturbance.pending);
  // A request that took effect late may have started the run only now.
  const endedNow = ended && plan ? await closed(testBed, plan) : ended;
  const started = plan !== undefined && (await isKnown(testBed, plan));
  const command = await driver.finish();
  const common = {
    disturbance,
    started,
    command,
    removedOwnEndpoint: ownEndpoint !== undefined && !(await direct.getDeployment(ownEndpoint.name)),
    workerDeaths: worker?.deaths() ?? 0,
  };
  if (!plan) return { ...common, ...nothingMade };
  const run =
    started && endedNow ? await retryOutages(() => describeRun(testBed.client, plan.invocation, launch)) : undefined;
  const seen = await inventory(direct, plan);
  const kept = [...(run?.snapshot.kept ?? []), ...(started ? await keptByTasks(testBed, plan) : [])];
  const left = seen.filter(
    (item) => !kept.some((storage) => item === `storage ${storage.path}` || item === `storage ${plan.storage.path}`),
  );
  const creates = new Map(partIndices(plan).map((index) => [index, createsOf(ledger, index)]));
  const isTerminated = run?.failure?.type === 'Terminated';
  const isLimited = environment.world === 'endpoint quota' && run !== undefined;
  const sweptSomething = await tidy(testBed, { plan, direct, launch, ended: endedNow, kept: kept.length });
  if (isLimited && isTerminated) await giveBack(testBed, taskQueue, plan);
  return {
    ...common,
    run,
    exitCode: run && exitCodeOf({ kind: 'run', verdict: runVerdict(run) }),
    left,
    kept: kept.length,
    leftAfterSweep: await inventory(direct, plan),
    sweptSomething,
    creates,
    jobs: plan.tasks.map((task) => witness.seen().jobs.filter((name) => jobNamesOf(task, plan).includes(name))),
    concurrentJobs: witness.seen().concurrentJobs,
    lost: [...witness.seen().lost, ...(await witness.compareAgain())],
    earlyDeletions: witness.seen().earlyDeletions,
    keptButMissing: kept.map((storage) => storage.path).filter((path) => !isThere(seen, path)),
    missingLogs: await missingLogs(plan, { endpoints: creates, jobs: witness.seen().jobs }),
    holdsPlaces: isLimited && !isTerminated && (await holdsPlaces(testBed, taskQueue, plan)),
    home: await Promise.all(plan.tasks.map(({ folder }) => exists(path.join(plan.outputDir, folder, 'results.yml')))),
  };
}

/** `seen` lists the folders of tasks, or the run's own folder if it has none. */
const isThere = (seen: readonly string[], path: string): boolean =>
  seen.some((item) => item === `storage ${path}` || item.startsWith(`storage ${path}/`));

const nothingMade = {
  run: undefined,
  exitCode: undefined,
  left: [],
  kept: 0,
  leftAfterSweep: [],
  sweptSomething: false,
  creates: new Map<number, number>(),
  home: [],
  jobs: [],
  concurrentJobs: [],
  lost: [],
  earlyDeletions: [],
  keptButMissing: [],
  missingLogs: [],
  holdsPlaces: false,
};

/** Removes what a command leaves on purpose for later runs: background processes and the sweep schedule. */
async function cleanUpAfter({ testBed, launch, access, temporal, worker, ...rest }: CaseEnvironment): Promise<void> {
  if (temporal && !worker) {
    await stopStack({ home: launch });
    const { workspace, url } = access;
    const handle = testBed.client.schedule.getHandle(sweepScheduleId({ kind: 'lepton', workspace, url }));
    await handle.delete().catch(() => undefined);
  }
  await rest.close();
}

/** Waits for run and tasks to close; resolves to whether they did in time. */
async function closed(testBed: TestBed, plan: RunPlan): Promise<boolean> {
  const ids = [
    runWorkflowId(plan.invocation),
    ...partIndices(plan).map((index) => taskWorkflowId(plan.invocation, index)),
  ];
  const deadline = Date.now() + endsWithinMs;
  for (const id of ids) {
    while (await isOpen(testBed, id)) {
      if (Date.now() > deadline) return false;
      await sleep(400);
    }
  }
  return true;
}

async function isOpen(testBed: TestBed, id: string): Promise<boolean> {
  try {
    return (await retryOutages(() => testBed.client.workflow.getHandle(id).describe())).status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

async function isKnown(testBed: TestBed, { invocation }: RunPlan): Promise<boolean> {
  try {
    await retryOutages(() => testBed.client.workflow.getHandle(runWorkflowId(invocation)).describe());
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
