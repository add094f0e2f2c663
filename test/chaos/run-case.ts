import { WorkflowNotFoundError } from '@temporalio/client';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeRun, type RunDescription } from '../../src/client';
import { exitCodeOf } from '../../src/cli/exit-code';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { storedInvocations, storedPlan } from '../../src/home/run-store';
import { runVerdict } from '../../src/cli/render/outcome';
import { stopStack } from '../../src/stack/stop';
import { sweepScheduleId } from '../../src/cleanup/sweep-schedule';
import type { ChaosCase } from './cases';
import { commandDriver } from './command-driver';
import type { Course, Setup } from './courses';
import { libraryDriver, limitsFor, type CommandEnd, type Driver } from './driver';
import { disturb, nothingHappened, patiently, type Happening } from './happening';
import { createsOf, exists, inventory, keptByTasks, logsAtHome, tidy, type LogsAtHome } from './inspect';
import type { Passed } from './ledger';
import type { Stand } from './stand';
import { sweepAsStranger } from './strangers';
import { surround, type Surroundings } from './surroundings';
import { watchPlatform, type Witness } from './witness';
import type { World } from './worlds';

/** Everything that is known of a case when it is over. */
export interface Facts {
  readonly happening: Happening;
  /** `started`: whether Temporal ever had the run. */
  readonly started: boolean;
  /** `undefined`: there was none, or it did not end in time. */
  readonly run: RunDescription | undefined;
  /** What a command that watched to the end has to exit with. */
  readonly exitCode: number | undefined;
  readonly command: CommandEnd | undefined;
  /** What the platform still had when run and tasks had closed, without storage that was kept on purpose. */
  readonly left: readonly string[];
  readonly kept: number;
  /** The same after a sweep without grace, and a cleanup where storage was kept. */
  readonly leftAfterSweep: readonly string[];
  readonly sweptSomething: boolean;
  /** Answers of success to creates of endpoints, per task. */
  readonly creates: readonly number[];
  /** Whether `results.yml` is at home, per task. */
  readonly home: readonly boolean[];
  /** Evaluation jobs that were created, per task. */
  readonly jobs: readonly number[];
  /** Jobs that were begun while another of the same task had not ended. */
  readonly together: readonly string[];
  /** Files that were removed although they were not at home as the job wrote them. */
  readonly lost: readonly string[];
  /** Storage that is said to be kept, and is not there. */
  readonly keptInVain: readonly string[];
  /** Per task, after the sweep. */
  readonly logs: readonly LogsAtHome[];
  /** Whether the user's own endpoint is gone. */
  readonly touchedOwn: boolean;
  /** How often the case's own worker ended by itself. */
  readonly workerDeaths: number;
  readonly ms: number;
  /** What passed at the borders since counting began. */
  readonly log: readonly Passed[];
}

const endsWithinMs = 150_000;

/** Runs one case to its end, and looks at what came of it. Without a case: the course, undisturbed. */
export async function runCase(
  stand: Stand,
  how: { readonly setup: Setup; readonly course: Course; readonly world: World; readonly one?: ChaosCase },
): Promise<Facts> {
  const begunAt = performance.now();
  const surroundings = await surround(stand, how);
  try {
    const { course, setup, one } = how;
    const limits = limitsFor(one?.event);
    const driver =
      setup === 'command' ? commandDriver(course, surroundings) : libraryDriver({ course, limits }, surroundings);
    const planned = async (): Promise<RunPlan | undefined> => {
      const [invocation] = await storedInvocations(surroundings.launch, '');
      return invocation === undefined ? undefined : storedPlan(surroundings.launch, invocation);
    };
    const witness = watchPlatform(surroundings.gateway, { direct: surroundings.direct, planned });
    let happening = nothingHappened();
    const plan = await driver.start(() => {
      if (one) happening = disturb(surroundings.ledger, { targets: targetsOf(surroundings, driver), one });
    });
    await driver.untilStarted();
    const facts = await observe(surroundings, {
      plan: plan ?? (await planned()),
      driver,
      happening,
      witness,
    });
    return { ...facts, ms: Math.round(performance.now() - begunAt), log: surroundings.ledger.counted };
  } finally {
    await clearUp(surroundings);
  }
}

function targetsOf(surroundings: Surroundings, driver: Driver): Parameters<typeof disturb>[1]['targets'] {
  const { stand, names, worker, temporal } = surroundings;
  return {
    stand,
    invocation: () => names.invocation,
    cancel: () => driver.cancel(),
    killCommand: () => driver.kill(),
    killWorker: (awayMs) => (worker ? worker.kill(awayMs) : stand.kill('worker', awayMs)),
    sever: (forMs) => (temporal ? Promise.resolve(temporal.sever(forMs)) : stand.cutFromServer()),
    sweepAs: (who) => sweepAsStranger(surroundings, who),
  };
}

async function observe(
  surroundings: Surroundings,
  at: { plan: RunPlan | undefined; driver: Driver; happening: Happening; witness: Witness },
): Promise<Omit<Facts, 'ms' | 'log'>> {
  const { stand, launch, direct, ledger, worker, ownEndpoint } = surroundings;
  const { plan, driver, happening, witness } = at;
  const ended = plan ? await closed(stand, plan) : true;
  await Promise.all(happening.pending);
  // What landed late may have begun only now.
  const endedNow = ended && plan ? await closed(stand, plan) : ended;
  const started = plan !== undefined && (await isKnown(stand, plan));
  const command = await driver.finish();
  const common = {
    happening,
    started,
    command,
    touchedOwn: ownEndpoint !== undefined && !(await direct.getDeployment(ownEndpoint.name)),
    workerDeaths: worker?.deaths() ?? 0,
  };
  if (!plan) return { ...common, ...nothingMade };
  const run =
    started && endedNow ? await patiently(() => describeRun(stand.client, plan.invocation, launch)) : undefined;
  const seen = await inventory(direct, plan);
  const kept = [...(run?.snapshot.kept ?? []), ...(started ? await keptByTasks(stand, plan) : [])];
  const left = seen.filter(
    (item) => !kept.some((storage) => item === `storage ${storage.path}` || item === `storage ${plan.storage.path}`),
  );
  const creates = plan.tasks.map(({ index }) => createsOf(ledger, index));
  const sweptSomething = await tidy(stand, { plan, direct, launch, ended: endedNow, kept: kept.length });
  return {
    ...common,
    run,
    exitCode: run && exitCodeOf({ kind: 'run', verdict: runVerdict(run) }),
    left,
    kept: kept.length,
    leftAfterSweep: await inventory(direct, plan),
    sweptSomething,
    creates,
    jobs: plan.tasks.map(({ jobName }) => witness.seen().jobs.filter((name) => name === jobName).length),
    together: witness.seen().together,
    lost: [...witness.seen().lost, ...(await witness.compareAgain())],
    keptInVain: kept.map((storage) => storage.path).filter((path) => !isThere(seen, path)),
    logs: await logsAtHome(plan, { endpoints: creates, jobs: witness.seen().jobs }),
    home: await Promise.all(plan.tasks.map(({ folder }) => exists(path.join(plan.outputDir, folder, 'results.yml')))),
  };
}

/** `seen` names the folders of tasks, or the run's own where it has none. */
const isThere = (seen: readonly string[], path: string): boolean =>
  seen.some((item) => item === `storage ${path}` || item.startsWith(`storage ${path}/`));

const nothingMade = {
  run: undefined,
  exitCode: undefined,
  left: [],
  kept: 0,
  leftAfterSweep: [],
  sweptSomething: false,
  creates: [],
  home: [],
  jobs: [],
  together: [],
  lost: [],
  keptInVain: [],
  logs: [],
};

/** What a command leaves on purpose for runs to come: background processes, and the schedule that sweeps. */
async function clearUp({ stand, launch, access, temporal, worker, ...rest }: Surroundings): Promise<void> {
  if (temporal && !worker) {
    await stopStack({ home: launch });
    const { workspace, url } = access;
    const handle = stand.client.schedule.getHandle(sweepScheduleId({ kind: 'lepton', workspace, url }));
    await handle.delete().catch(() => undefined);
  }
  await rest.close();
}

/** Whether run and tasks closed in time. */
async function closed(stand: Stand, plan: RunPlan): Promise<boolean> {
  const ids = [
    runWorkflowId(plan.invocation),
    ...plan.tasks.map(({ index }) => taskWorkflowId(plan.invocation, index)),
  ];
  const deadline = Date.now() + endsWithinMs;
  for (const id of ids) {
    while (await isOpen(stand, id)) {
      if (Date.now() > deadline) return false;
      await sleep(400);
    }
  }
  return true;
}

async function isOpen(stand: Stand, id: string): Promise<boolean> {
  try {
    return (await patiently(() => stand.client.workflow.getHandle(id).describe())).status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

async function isKnown(stand: Stand, { invocation }: RunPlan): Promise<boolean> {
  try {
    await patiently(() => stand.client.workflow.getHandle(runWorkflowId(invocation)).describe());
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
