import { randomBytes } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describeRun, resolveInvocation, type RunDescription } from '../../client';
import { loadEnvironment } from '../../config/environment';
import { readRunSettings, type RunSettings } from '../../config/run-settings';
import { hostSecretsOf } from '../../contract/host-secrets';
import type { RunPlan } from '../../contract/plan';
import { isInStore, resultsPlaceOf } from '../../contract/results-place';
import type { RunSnapshot } from '../../contract/state';
import { admitOutput } from '../../doctor/check-output';
import { storedPlan } from '../../home/run-store';
import { isTakenOver, planRetry, type RetrySettings } from '../../runs/plan-retry';
import { planInHistory } from '../../runs/run-input';
import { choosePlatform, type PlatformChoice } from '../../stack/choose-platform';
import { harmlessLine } from '../../support/terminal-text';
import { temporalTarget, type Env } from '../../temporal/target';
import { flag, listOption, textOption, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { wantsJson } from '../config-input';
import { done, type CommandOutcome } from '../exit-code';
import { hostSecretValues, refuseMissing } from '../host-secrets';
import { programName } from '../program-name';
import { runDocument } from '../render/run-document';
import { runLabels, runOwner } from '../run-labels';
import { checkIndex, openSession, runAddress, runUrl, type Session } from '../session';
import { UsageError } from '../usage-error';
import { dryRun } from './start';

/** `retry ID`: a new run that takes over what succeeded in an earlier one, and runs the rest. */
export const retry: CommandBody = async (input, context) => {
  const { prefix, index } = runAddress(input.arguments[0]);
  if (index !== undefined && listOption(input, 'task').length > 0)
    throw new UsageError(
      `${harmlessLine(input.arguments[0] ?? '')} names a task, and so does -t: give only one of them. -t goes with the id of a run.`,
    );
  const session = await openSession(context);
  const { client } = session;
  const { home } = context;
  const invocation = await resolveInvocation(client, prefix, home);
  const before = await describeRun(client, invocation, home);
  if (before.status === 'running')
    throw new UsageError(
      `Run ${invocation} has not ended yet. Wait for it, or: ${programName(context.env)} cancel ${invocation}`,
    );
  const old = (await storedPlan(home, invocation)) ?? (await planInHistory(client, invocation));
  if (old === undefined) throw new UsageError(`The plan of run ${invocation} is no longer known; start it again.`);
  checkIndex(index, old.tasks);
  const snapshot = await withoutLost(before.snapshot, old, context);
  const indices = index === undefined ? chosenTasks(listOption(input, 'task'), old) : [index];
  const open = snapshot.tasks.filter((task) => indices.includes(task.index) && !isTakenOver(task));
  if (open.length === 0) return nothingToDo(before, { session, input, context });
  const plan = planRetry({
    plan: old,
    snapshot,
    invocation: randomBytes(8).toString('hex'),
    indices,
    settings: settingsOf(input),
    owner: runOwner(context),
    command: context.commandLine,
    ...runLabels(input),
  });
  say(plan, context);
  return begin(plan, { old, input, context });
};

interface Beginning {
  readonly old: RunPlan;
  readonly input: CommandInput;
  readonly context: CommandContext;
}

async function begin(plan: RunPlan, { old, input, context }: Beginning): Promise<CommandOutcome> {
  const { home, cwd } = context;
  const envFile = textOption(input, 'envFile');
  const env = loadEnvironment({ env: context.env, cwd, ...(envFile === undefined ? {} : { envFile }) });
  const choice = platformOf(plan, env);
  await admitOutput(plan);
  if (choice.ref.kind === 'local') {
    const { admitLocally } = await import('../../doctor/admission.js');
    for (const doubt of await admitLocally({ plan, home })) context.output.warn(doubt);
  }
  const { values: secrets, missing } = hostSecretValues(hostSecretsOf(plan), env);
  if (temporalTarget(context.env).kind === 'embedded' || choice.ref.kind === 'local') refuseMissing({ missing });
  if (flag(input, 'dryRun')) return dryRun(plan, input, context);
  const configYaml = await readFile(path.join(home.runs, old.invocation, 'config.yaml'), 'utf8').catch(() => '');
  const { launch } = await import('../attach/launch.js');
  return launch(
    {
      ...{ plan, secrets, missing, choice, configYaml },
      ...{ detach: flag(input, 'detach'), json: wantsJson(input), strict: flag(input, 'strict') },
    },
    context,
  );
}

/** The new run uses the old one's platform, with the credentials that are found now. Throws `UsageError` if they are another's. */
function platformOf({ platform }: RunPlan, env: Env): PlatformChoice {
  const choice = choosePlatform({ wish: platform.kind, env });
  if (choice.ref.kind === 'lepton' && platform.kind === 'lepton' && choice.ref.workspace !== platform.workspace)
    throw new UsageError(
      `The run was on workspace ${platform.workspace}, and the credentials found are those of ${choice.ref.workspace}. Log in to ${platform.workspace}, or start the config anew.`,
    );
  return { ...choice, statement: choice.statement.replace(' (--platform local)', '') };
}

/** Succeeded tasks whose results are no longer in their folder are run again. */
async function withoutLost(
  snapshot: RunSnapshot,
  plan: RunPlan,
  { output }: CommandContext,
): Promise<Pick<RunSnapshot, 'tasks'>> {
  const place = resultsPlaceOf(plan);
  if (isInStore(place)) return snapshot;
  const tasks = snapshot.tasks.map(async (task) => {
    const file = path.join(place, plan.tasks[task.index]?.folder ?? '', 'results.yml');
    if (!isTakenOver(task) || (await isReadable(file))) return task;
    output.warn(`task ${task.index} succeeded, but ${harmlessLine(file)} is gone: it is run again`);
    return { ...task, outputDir: null };
  });
  return { tasks: await Promise.all(tasks) };
}

const isReadable = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** Returns the indices of the tasks that `-t` names; all without it. Throws `UsageError`. */
function chosenTasks(names: readonly string[], { tasks }: RunPlan): readonly number[] {
  for (const name of names)
    if (!tasks.some((task) => isCalled(task, name)))
      throw new UsageError(
        `The run has no task "${harmlessLine(name)}". It has: ${tasks.map((task) => task.name).join(', ')}.`,
      );
  const isChosen = (task: RunPlan['tasks'][number]): boolean => names.some((name) => isCalled(task, name));
  return tasks.flatMap((task) => (names.length === 0 || isChosen(task) ? [task.index] : []));
}

const isCalled = ({ name, task, index }: RunPlan['tasks'][number], wanted: string): boolean =>
  [name, task, task.split('.').at(-1), `${name}.${index}`].includes(wanted);

/** Reads `-o`. Throws `UsageError`. */
function settingsOf(input: CommandInput): RetrySettings {
  const read = readRunSettings(listOption(input, 'override'));
  if (read.kind === 'refused')
    throw new UsageError(
      `-o ${harmlessLine(read.pair)}: ${read.reason}. A retry evaluates as its run did; for anything else, start the changed config.`,
    );
  return planSettings(read.settings);
}

function planSettings(settings: RunSettings): RetrySettings {
  const has = <Value, Key extends string>(key: Key, value: Value | undefined): Partial<Record<Key, Value>> =>
    value === undefined ? {} : ({ [key]: value } as Partial<Record<Key, Value>>);
  return {
    limits: {
      ...has('jobRetries', settings['execution.retries']),
      ...has('jobSeconds', settings['execution.evaluation_tasks.timeout']),
      ...has('endpointReadySeconds', settings['execution.lepton_platform.deployment.endpoint_readiness_timeout']),
      ...has('teardownSeconds', settings['execution.teardown_timeout']),
      ...has('runSeconds', settings['execution.max_run_time']),
      ...has('resultBytes', settings['execution.max_result_size']),
    },
    plan: {
      ...has('startPolicy', settings['execution.start_policy']),
      ...has('onTaskFailure', settings['execution.on_task_failure']),
      ...has('maxParallelEndpoints', settings['execution.max_parallel_endpoints']),
      ...has('keepStorage', settings['execution.keep_storage']),
    },
  };
}

function say({ retryOf, tasks }: RunPlan, { output }: CommandContext): void {
  const taken = tasks.filter(({ earlier }) => earlier?.use === 'results');
  const rest = tasks.filter(({ earlier }) => earlier?.use !== 'results');
  const list = (some: typeof tasks): string => some.map(({ name }) => harmlessLine(name)).join(', ');
  if (taken.length > 0) output.note(`taken over from run ${retryOf}: ${list(taken)}`);
  output.note(`to run: ${list(rest)}`);
}

function nothingToDo(
  run: RunDescription,
  { session, input, context }: { session: Session; input: CommandInput; context: CommandContext },
): CommandOutcome {
  const { invocation } = run.snapshot;
  if (wantsJson(input)) context.output.json(runDocument(run, runUrl(session, invocation, run.runId), Date.now()));
  context.output.note(`Nothing to do: every task of run ${invocation} that was asked for has succeeded.`);
  return done;
}
