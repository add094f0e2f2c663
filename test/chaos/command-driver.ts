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
import { jobsRun, limits, type Driver } from './driver';
import { patiently } from './happening';
import type { Surroundings } from './surroundings';

/** How long a command may take to notice that all is over. */
const endsWithinMs = 45_000;

/**
 * The real command as a process: `start` attached, or `start --detach` undisturbed and then `cancel`. Ctrl-C is how its user
 * cancels.
 */
export function commandDriver(course: Course, surroundings: Surroundings): Driver {
  const { stand, temporal, ledger, launch, names } = surroundings;
  const isCancelled = course.cancelAfterJobs !== undefined;
  let command: Running | undefined;
  // One way for all commands of the home: its background worker stays on that of the first.
  const run = (args: readonly string[]): Running =>
    startProgram(args, { cwd: launch.root, env: environment(surroundings, temporal?.address ?? stand.address) });
  const disturbed = (args: readonly string[]): Running => (command = run(args));
  const plan = async (): Promise<RunPlan | undefined> => {
    const [invocation] = await storedInvocations(launch, '');
    return invocation === undefined ? undefined : storedPlan(launch, invocation);
  };

  async function start(arm: () => void): Promise<RunPlan | undefined> {
    const config = await writeConfig(course, surroundings);
    if (course.cancelAfterJobs === undefined) {
      arm();
      const started = disturbed(['start', config, '--json']);
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
    await jobsRun(course.cancelAfterJobs, surroundings);
    ledger.restart();
    arm();
    const cancelling = disturbed(['cancel', begun.invocation]);
    // Where it was killed or refused, its user asks again.
    void cancelling.finished.then(() =>
      patiently(() => cancelRun(stand.client, begun.invocation)).catch(() => undefined),
    );
    return begun;
  }

  return {
    start,
    async cancel() {
      if (!isCancelled) return command?.signal('SIGINT') ?? false;
      return (await patiently(() => cancelRun(stand.client, names.invocation ?? ''))) === 'requested';
    },
    kill: async () => {
      const wasAlive = command?.signal('SIGKILL') ?? false;
      await command?.finished;
      return wasAlive;
    },
    async untilStarted() {
      while (command && !command.isOver() && !(await exists(surroundings))) await sleep(100);
    },
    async finish() {
      const hung = await command?.endWithin(endsWithinMs);
      const end = await command?.finished;
      return end && { code: end.code, signal: end.signal, stderr: end.stderr, hung: hung === true };
    },
  };
}

async function exists({ stand, names }: Surroundings): Promise<boolean> {
  if (names.invocation === undefined) return false;
  const handle = stand.client.workflow.getHandle(runWorkflowId(names.invocation));
  try {
    await patiently(() => handle.describe());
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

async function writeConfig(course: Course, { stand, launch }: Surroundings): Promise<string> {
  await mkdir(launch.root, { recursive: true });
  const file = path.join(launch.root, 'run.yaml');
  const { endpointReadySeconds, jobSeconds, teardownSeconds } = limits;
  const execution = {
    output_dir: path.join(stand.folder, 'results'),
    start_policy: course.startPolicy,
    teardown_timeout: teardownSeconds,
    evaluation_tasks: { timeout: jobSeconds },
    lepton_platform: { deployment: { endpoint_readiness_timeout: endpointReadySeconds } },
  };
  const { evaluation } = runConfig() as { evaluation: object };
  const tasks = course.tasks.map((name) => ({ name }));
  await writeFile(file, stringify(runConfig({ execution, evaluation: { ...evaluation, tasks } })));
  return file;
}

function environment({ launch, access, taskQueue }: Surroundings, address: string): Record<string, string> {
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
