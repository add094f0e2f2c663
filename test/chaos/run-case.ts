import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { stat } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancelRun, describeRun, startRun, type RunDescription } from '../../src/client';
import { exitCodeOf } from '../../src/cli/exit-code';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { homePaths, type HomePaths } from '../../src/home/paths';
import type { KeptStorage, TaskSnapshot } from '../../src/contract/state';
import { saveAccess } from '../../src/lepton/access-store';
import { createLeptonClient } from '../../src/lepton/client';
import type { LeptonClient } from '../../src/lepton/types';
import { runVerdict } from '../../src/report/outcome';
import { readRemoteTree } from '../../src/results/remote-tree';
import { cleanUp } from '../../src/sweeper/cleanup';
import { sweep } from '../../src/sweeper/sweep';
import { runPlan } from '../support/plans';
import type { ChaosCase } from './cases';
import type { Course } from './courses';
import { openGateway, type Gateway, type Passage } from './gateway';
import { disturb, patiently, type Happening } from './happening';
import { patient } from './patient';
import type { Stand } from './stand';

/** Everything that is known of a run when it is over. */
export interface Facts {
  readonly happening: Happening;
  /** `undefined`: it did not end in time. */
  readonly run: RunDescription | undefined;
  readonly exitCode: number | undefined;
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
  /** Storage that was removed although files of it were not at home. */
  readonly lost: readonly string[];
  readonly ms: number;
}

const endsWithinMs = 150_000;

/** Runs one case to its end, and looks at what came of it. `undefined` as the case: undisturbed. */
export async function runCase(
  stand: Stand,
  course: Course,
  one: ChaosCase | undefined,
): Promise<Facts & { readonly log: Gateway['passed']; readonly disturbedFrom: number }> {
  const begunAt = Date.now();
  const platform = await stand.platform();
  const invocation = randomBytes(8).toString('hex');
  // A home per case, so that a sweep sees this run only; the worker has another, as on a machine of its own.
  const launch = homePaths({ EVALSAGA_HOME: path.join(stand.folder, `launch-${invocation}`) });
  const gateway = await openGateway({ platform: () => platform.access.url, names: { invocation } });
  const direct = patient(createLeptonClient(platform.access));
  try {
    const plan = planFor(course, { stand, invocation, url: gateway.url, workspace: platform.access.workspace });
    await saveAccess(stand.home, { ...platform.access, url: gateway.url });
    const lost = watchRemovals(gateway, { direct, plan });
    const happening: Happening = one
      ? disturb(gateway, { stand, invocation, one })
      : { hits: 0, taken: false, terminatedTask: undefined, pending: [] };
    await patiently(() =>
      startRun(stand.client, {
        plan,
        taskQueue: stand.taskQueue,
        hostSecrets: {},
        configYaml: 'a: 1\n',
        home: launch,
        origin: stand.origin,
        searchAttributes: true,
      }),
    );
    const disturbedFrom = await bringToPoint(course, { gateway, stand, invocation });
    const ended = await closed(stand, plan);
    await Promise.all(happening.pending);
    const run = ended ? await patiently(() => describeRun(stand.client, invocation, launch)) : undefined;
    const seen = await inventory(direct, plan);
    const kept = [...(run?.snapshot.kept ?? []), ...(await keptByTasks(stand, plan))];
    const left = seen.filter(
      (item) => !kept.some((storage) => item === `storage ${storage.path}` || item === `storage ${plan.storage.path}`),
    );
    const tidied = await tidy(stand, { plan, direct, launch, ended, kept: kept.length });
    const leftAfterSweep = await inventory(direct, plan);
    return {
      happening,
      run,
      exitCode: run && exitCodeOf({ kind: 'run', verdict: runVerdict(run) }),
      left,
      kept: kept.length,
      leftAfterSweep,
      sweptSomething: tidied,
      creates: plan.tasks.map(({ index }) => createsOf(gateway, index)),
      home: await Promise.all(plan.tasks.map(({ folder }) => exists(path.join(plan.outputDir, folder, 'results.yml')))),
      lost: lost(),
      ms: Date.now() - begunAt,
      log: gateway.passed,
      disturbedFrom,
    };
  } finally {
    await gateway.close();
    await platform.release();
  }
}

function planFor(course: Course, at: { stand: Stand; invocation: string; url: string; workspace: string }): RunPlan {
  const { stand, invocation, url, workspace } = at;
  return runPlan({
    outputRoot: path.join(stand.folder, 'results'),
    invocation,
    tasks: course.tasks,
    limits: { endpointReadySeconds: 90, jobSeconds: 90, teardownSeconds: 100 },
    change: { platform: { kind: 'lepton', workspace, url }, startPolicy: course.startPolicy },
  });
}

/** Some courses have an event of their own; the request from which on they count, as a position in the log. */
async function bringToPoint(
  course: Course,
  at: { gateway: Gateway; stand: Stand; invocation: string },
): Promise<number> {
  const { cancelAfterJobs } = course;
  if (cancelAfterJobs === undefined) return 0;
  const { gateway, stand, invocation } = at;
  const submitted = (): number =>
    gateway.passed.filter(({ method, shape, done }) => method === 'POST' && shape === '/jobs' && done === 201).length;
  const deadline = Date.now() + 60_000;
  const running = async (): Promise<boolean> =>
    (await patiently(() => stand.client.workflow.getHandle(runWorkflowId(invocation)).describe())).status.name ===
    'RUNNING';
  while (submitted() < cancelAfterJobs && Date.now() < deadline && (await running())) await sleep(100);
  const from = gateway.passed.length;
  await patiently(() => cancelRun(stand.client, invocation));
  return from;
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
      await sleep(150);
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

/** What tasks kept by themselves: a run that was terminated can't tell. */
async function keptByTasks(stand: Stand, plan: RunPlan): Promise<readonly KeptStorage[]> {
  const told = plan.tasks.map(async ({ index }): Promise<readonly KeptStorage[]> => {
    try {
      const handle = stand.client.workflow.getHandle(taskWorkflowId(plan.invocation, index));
      return ((await handle.result()) as TaskSnapshot).kept;
    } catch (error) {
      const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
      return cause instanceof ApplicationFailure ? ((cause.details?.[0] as TaskSnapshot | undefined)?.kept ?? []) : [];
    }
  });
  return (await Promise.all(told)).flat();
}

async function inventory(direct: LeptonClient, plan: RunPlan): Promise<string[]> {
  const ours = plan.invocation.slice(0, 8);
  const [deployments, jobs] = await Promise.all([direct.listDeployments(), direct.listJobs({ mode: 'alive_only' })]);
  const { fileSystem, path: root } = plan.storage;
  const folders = (await direct.storage.list(fileSystem, root)) ?? [];
  const names = [
    ...deployments.map(({ metadata }) => `endpoint ${metadata.name}`),
    ...jobs.map(({ metadata }) => `job ${metadata.name}`),
  ].filter((name) => name.includes(ours));
  const storage = folders.map(({ name }) => `storage ${root}/${name}`);
  return [
    ...names,
    ...(storage.length === 0 && (await direct.storage.exists(fileSystem, root)) ? [`storage ${root}`] : storage),
  ];
}

/** What the design offers when a run could not tear down by itself; whether anything was there to do. */
async function tidy(
  stand: Stand,
  at: { plan: RunPlan; direct: LeptonClient; launch: HomePaths; ended: boolean; kept: number },
): Promise<boolean> {
  const { plan, direct, launch, ended, kept } = at;
  if (!ended)
    await Promise.all(
      [undefined, ...plan.tasks.map(({ index }) => index)].map((index) => terminateQuietly(stand, plan, index)),
    );
  const report = await patiently(() =>
    sweep({
      temporal: stand.client,
      platform: only(direct, plan),
      ref: plan.platform,
      home: launch,
      origin: stand.origin,
      secretsOf: () => Promise.resolve([]),
      graceSeconds: -60,
      dryRun: false,
    }),
  );
  if (kept > 0) {
    await cleanUp({
      platform: direct,
      origin: stand.origin,
      invocation: plan.invocation,
      plan,
      outputDir: plan.outputDir,
      discard: false,
      secrets: [],
      report: () => undefined,
    });
  }
  return report.removed.length > 0;
}

async function terminateQuietly(stand: Stand, plan: RunPlan, index: number | undefined): Promise<void> {
  const id = index === undefined ? runWorkflowId(plan.invocation) : taskWorkflowId(plan.invocation, index);
  await patiently(() => stand.client.workflow.getHandle(id).terminate('chaos: did not end')).catch(() => undefined);
}

const createsOf = (gateway: Gateway, index: number): number =>
  gateway.passed.filter(
    ({ method, shape, task, done }) =>
      method === 'POST' && shape === '/deployments' && task === index && done !== undefined && done < 300,
  ).length;

/** Looks, before storage is removed, whether all of it is at home: what is not is lost. */
function watchRemovals(
  gateway: Gateway,
  { direct, plan }: { direct: LeptonClient; plan: RunPlan },
): () => readonly string[] {
  const lost: string[] = [];
  gateway.watch(async ({ method, path: route }: Passage) => {
    if (method !== 'DELETE' || !route.startsWith('/storage/')) return;
    for (const task of plan.tasks) {
      const folder = path.posix.join(plan.storage.path, task.folder);
      if (!`${route.split('?')[0]}/`.includes(`/${task.folder}/`) && !route.split('?')[0]?.endsWith(plan.invocation))
        continue;
      const tree = await readRemoteTree(direct.storage, { fileSystem: plan.storage.fileSystem, folder, options: {} });
      for (const { local } of tree?.files ?? []) {
        if (!(await exists(path.join(plan.outputDir, task.folder, local)))) lost.push(`${task.folder}/${local}`);
      }
    }
  });
  return () => lost;
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/** The platform as a sweep of this run alone sees it: others share it. */
function only(direct: LeptonClient, plan: RunPlan): LeptonClient {
  const isOurs = ({ metadata }: { metadata: { name?: string | undefined } }): boolean =>
    metadata.name?.includes(plan.invocation.slice(0, 8)) ?? false;
  return {
    ...direct,
    listDeployments: async (options) => (await direct.listDeployments(options)).filter(isOurs),
    listJobs: async (filter, options) => (await direct.listJobs(filter, options)).filter(isOurs),
  };
}
