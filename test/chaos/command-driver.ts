import { WorkflowNotFoundError } from '@temporalio/client';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { cancelRun } from '../../src/client';
import { runWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { storedInvocations, storedPlan } from '../../src/home/run-store';
import { runConfig } from '../support/command';
import { bareEnvironment, startProgram, type Running } from '../support/program';
import type { Course } from './courses';
import { untilJobsSubmitted, limits, type Driver } from './driver';
import { retryOutages } from './disturbance';
import type { CaseEnvironment } from './case-environment';

/** How long a command may take to end after its run has closed. */
const endsWithinMs = 45_000;

/**
 * Drives the real command as a process: `start`, or an undisturbed `start --detach` followed by `cancel`. The user
 * cancels `start` with Ctrl-C.
 */
export function commandDriver(course: Course, environment: CaseEnvironment): Driver {
  const { testBed, temporal, ledger, launch, names } = environment;
  const isCancelled = course.cancelAfterJobs !== undefined;
  let command: Running | undefined;
  // All commands of the home use the same address, because its background worker keeps that of the first.
  const run = (args: readonly string[]): Running =>
    startProgram(args, { cwd: launch.root, env: commandVariables(environment, temporal?.address ?? testBed.address) });
  const runDisturbed = (args: readonly string[]): Running => (command = run(args));
  const plan = async (): Promise<RunPlan | undefined> => {
    const [invocation] = await storedInvocations(launch, '');
    return invocation === undefined ? undefined : storedPlan(launch, invocation);
  };

  async function start(arm: () => void): Promise<RunPlan | undefined> {
    const config = await writeConfig(course, environment);
    if (course.cancelAfterJobs === undefined) {
      arm();
      const started = runDisturbed(['start', config, '--json']);
      for (;;) {
        const isOver = started.isOver();
        const found = await plan();
        if (found || isOver) return found;
        await sleep(100);
      }
    }
    const { code, stderr } = await run(['start', config, '--detach']).finished;
    const begun = await plan();
    if (code !== 0 || !begun) throw new Error(`start --detach, undisturbed, ended with ${code}: ${stderr}`);
    names.invocation = begun.invocation;
    await untilJobsSubmitted(course.cancelAfterJobs, environment);
    ledger.restart();
    arm();
    const cancelling = runDisturbed(['cancel', begun.invocation]);
    // If it was killed or refused, the user tries again.
    void cancelling.finished.then(() =>
      retryOutages(() => cancelRun(testBed.client, begun.invocation)).catch(() => undefined),
    );
    return begun;
  }

  return {
    start,
    async cancel() {
      if (!isCancelled) return command?.signal('SIGINT') ?? false;
      return (await retryOutages(() => cancelRun(testBed.client, names.invocation ?? ''))) === 'requested';
    },
    kill: async () => {
      const wasAlive = command?.signal('SIGKILL') ?? false;
      await command?.finished;
      return wasAlive;
    },
    async untilStarted() {
      while (command && !command.isOver() && !(await exists(environment))) await sleep(100);
    },
    async finish() {
      const hung = await command?.endWithin(endsWithinMs);
      const end = await command?.finished;
      return end && { code: end.code, signal: end.signal, stderr: end.stderr, hung: hung === true };
    },
  };
}

async function exists({ testBed, names }: CaseEnvironment): Promise<boolean> {
  if (names.invocation === undefined) return false;
  const handle = testBed.client.workflow.getHandle(runWorkflowId(names.invocation));
  try {
    await retryOutages(() => handle.describe());
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

async function writeConfig(course: Course, { testBed, launch }: CaseEnvironment): Promise<string> {
  await mkdir(launch.root, { recursive: true });
  const file = path.join(launch.root, 'run.yaml');
  const { endpointReadySeconds, jobSeconds, teardownSeconds } = limits;
  const execution = {
    output_dir: path.join(testBed.folder, 'results'),
    start_policy: course.startPolicy,
    ...(course.jobs ? { retries: Math.max(...course.jobs) } : {}),
    teardown_timeout: teardownSeconds,
    evaluation_tasks: { timeout: jobSeconds },
    lepton_platform: { deployment: { endpoint_readiness_timeout: endpointReadySeconds } },
  };
  const { evaluation, deployment } = runConfig() as { evaluation: object; deployment: object };
  const sharing = course.shared === 'model' ? { sharing: 'shared' } : {};
  const tasks = course.tasks.map((name) => ({ name }));
  await writeFile(
    file,
    stringify(
      runConfig({ execution, deployment: { ...deployment, ...sharing }, evaluation: { ...evaluation, tasks } }),
    ),
  );
  return file;
}

function commandVariables({ launch, access, taskQueue }: CaseEnvironment, address: string): Record<string, string> {
  return {
    ...bareEnvironment(),
    HOME: launch.root,
    EVALSAGA_HOME: launch.root,
    EVALSAGA_TASK_QUEUE: taskQueue,
    TEMPORAL_ADDRESS: address,
    LEPTON_WORKSPACE_ID: access.workspace,
    LEPTON_WORKSPACE_TOKEN: access.token,
    LEPTON_WORKSPACE_URL: access.url,
  };
}
