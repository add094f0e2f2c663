import { describeRun, resolveInvocation } from '../../client';
import type { RunPlan, TaskPlan } from '../../contract/plan';
import { indexText, sharedIndex } from '../../contract/identity';
import { partText, sharedAsTasks, sharedModelOf } from '../../contract/parts';
import { partsOf, type RunSnapshot, type TaskSnapshot } from '../../contract/state';
import { loadPlatformAccess } from '../../lepton/stored-credentials';
import { storedInvocations, storedNames, storedPlan, storedSecrets } from '../../home/run-store';
import { askServerClock, describeClockOffset } from '../../lepton/server-clock';
import { createLeptonClient } from '../../lepton/client';
import { CredentialsError } from '../../lepton/lepton-error';
import type { LeptonClient } from '../../lepton/types';
import { planInHistory } from '../../runs/run-input';
import { localFolderOf } from '../../runs/local-results';
import { messageOf } from '../../support/error-message';
import { copyResults } from './fetch';
import { harmlessLine } from '../../support/terminal-text';
import { RunNotFound } from '../../runs/run-errors';
import { UnreadableFile } from '../../support/atomic-file';
import { InfrastructureError } from '../../temporal/infrastructure-error';
import { isOutage } from '../../temporal/grpc';
import { flag, textOption, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { UsageError } from '../usage-error';
import { done } from '../exit-code';
import { logFolders, logSources, type LogKind, type LogSource } from '../logs/log-sources';
import { LogPrinter, type Reading } from '../logs/log-printer';
import { checkIndex, openSession, runAddress, type RunAddress, type Session } from '../session';
import { sinceTime } from '../since';

/** `logs ID[.N]`: prints saved logs, otherwise those on the platform. */
export const logs: CommandBody = async (input, context) => {
  const { prefix, index } = runAddress(input.arguments[0]);
  const { session, invocation } = await findRun(prefix, context);
  const plan = await planOf(invocation, { session, context });
  const shared = sharedAsTasks(plan);
  const isOfEndpoint = flag(input, 'endpoint') || (index ?? 0) < 0;
  const all = isOfEndpoint ? [...plan.tasks, ...shared] : plan.tasks;
  checkIndex(index, all);
  const tasks = all.filter((task) => index === undefined || task.index === index);
  const reading: Reading = {
    context,
    plan,
    kind: isOfEndpoint ? 'endpoint' : 'job',
    marked: tasks.length > 1,
    wish: {
      client: await platformClient(plan, context),
      follow: flag(input, 'follow'),
      tail: tailOf(input),
      since: await sinceOf(input, { plan, context }),
      secrets: Object.values(await storedSecrets(context.home, invocation)),
      note: (text) => context.output.note(context.output.style.dim(text)),
      warn: (text) => context.output.warn(text),
    },
    snapshotOf: stateReader({ plan, session, context }),
    bringSaved: savedLogsOf({ plan, session, context }),
  };
  // In parallel only when following: finished logs read better one after the other.
  const lost: string[] = [];
  const print = async (task: TaskPlan): Promise<void> => void lost.push(...(await printTask(task, reading)));
  if (reading.wish.follow) await Promise.all(tasks.map(print));
  else for (const task of tasks) await print(task);
  if (lost.length > 0) throw new InfrastructureError(lost.join('\n'));
  return done;
};

/** Finds the run through Temporal; without Temporal, among the runs started on this host. */
async function findRun(
  prefix: RunAddress['prefix'],
  context: CommandContext,
): Promise<{ session: Session | undefined; invocation: string }> {
  try {
    const session = await openSession(context);
    return { session, invocation: await resolveInvocation(session.client, prefix, context.home) };
  } catch (error) {
    const named = (await storedNames(context.home)).filter(({ name }) => name === prefix);
    const [known, another] = [
      ...(await storedInvocations(context.home, prefix)),
      ...named.map(({ invocation }) => invocation),
    ];
    const isAway = error instanceof InfrastructureError || isOutage(error);
    if (!isAway || known === undefined || another !== undefined) throw error;
    context.output.note(withoutTemporal);
    return { session: undefined, invocation: known };
  }
}

/** Returns the run's plan as this host keeps it; if that file is damaged, from the run's history. */
async function planOf(
  invocation: string,
  at: { session: Session | undefined; context: CommandContext },
): Promise<RunPlan> {
  const { session, context } = at;
  try {
    const stored = await storedPlan(context.home, invocation);
    if (stored) return stored;
  } catch (error) {
    const known = error instanceof UnreadableFile && session && (await planInHistory(session.client, invocation));
    if (!known) throw error;
    context.output.warn(error.message);
    return known;
  }
  const elsewhere = await planInStore(invocation, at);
  if (elsewhere) return elsewhere;
  throw await startedElsewhere(invocation, at);
}

/** Returns the plan of a run of another machine, if its logs are in a results store; they are then copied to this home. */
async function planInStore(
  invocation: string,
  { session, context }: { session: Session | undefined; context: CommandContext },
): Promise<RunPlan | undefined> {
  const plan = session && (await planInHistory(session.client, invocation));
  if (plan?.resultsStore === undefined) return undefined;
  return { ...plan, outputDir: localFolderOf(plan, { home: context.home, isStored: false }) };
}

/** Returns a function that copies a task's saved logs here from the run's results store, if it has one. */
function savedLogsOf(of: {
  readonly plan: RunPlan;
  readonly session: Session | undefined;
  readonly context: CommandContext;
}): Reading['bringSaved'] {
  const { plan, session, context } = of;
  return async (task) => {
    if (plan.resultsStore === undefined) return;
    const only = (at: string): boolean => at.startsWith(`${task.folder}/logs/`);
    const where = { session, invocation: plan.invocation, folder: plan.outputDir, only };
    await copyResults(where, context).catch((error: unknown) => context.output.warn(messageOf(error)));
  };
}

async function startedElsewhere(
  invocation: string,
  { session, context }: { session: Session | undefined; context: CommandContext },
): Promise<InfrastructureError> {
  const described = session && (await describeRun(session.client, invocation, context.home));
  const folders = (described?.snapshot.tasks ?? []).flatMap(({ outputDir }) => outputDir ?? []);
  const where =
    folders[0] === undefined
      ? 'so where its logs are is not known here'
      : `its logs are on the machine of the worker that ran it, in ${folders[0]}/logs${folders.length > 1 ? ' and the folders next to it' : ''}`;
  return new InfrastructureError(`Run ${invocation} was not started on this host: ${where}.`);
}

/** Returns `undefined` without credentials: saved logs can still be printed. */
async function platformClient(plan: RunPlan, { home }: CommandContext): Promise<LeptonClient | undefined> {
  const access = await loadPlatformAccess(home, plan.platform).catch((error: unknown) => {
    if (error instanceof CredentialsError) return undefined;
    throw error;
  });
  return access && createLeptonClient(access);
}

const withoutTemporal = 'Temporal does not answer: showing only what is known without it.';

/** Returns a function that reads a task's state: the last known one while Temporal is away, `undefined` if it is not known. */
function stateReader(of: {
  readonly plan: RunPlan;
  readonly session: Session | undefined;
  readonly context: CommandContext;
}): Reading['snapshotOf'] {
  const { plan, session, context } = of;
  let last: RunSnapshot | undefined;
  let isReported = false;
  return async ({ index }) => {
    if (!session) return undefined;
    try {
      last = (await describeRun(session.client, plan.invocation, context.home)).snapshot;
    } catch (error) {
      if (error instanceof RunNotFound) return undefined;
      if (!isOutage(error)) throw error;
      if (!isReported) context.output.note(withoutTemporal);
      isReported = true;
    }
    return last && partsOf(last).find((task) => task.index === index);
  };
}

function tailOf(input: CommandInput): number | undefined {
  const text = textOption(input, 'tail');
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text))
    throw new UsageError(`--tail takes a number of lines from 0 to 999999999, not "${text}".`);
  return Number(text);
}

/** Reads `--since`. The platform dates lines, so `10m` is counted back from its clock. */
async function sinceOf(
  input: CommandInput,
  { plan, context }: { readonly plan: RunPlan; readonly context: CommandContext },
): Promise<Date | undefined> {
  const text = textOption(input, 'since');
  if (text === undefined) return undefined;
  const here = new Date();
  const asked = sinceTime(text, here);
  if (sinceTime(text, new Date(0)).getTime() === asked.getTime()) return asked;
  const access = await loadPlatformAccess(context.home, plan.platform);
  const platformAheadMs = access ? await askServerClock(access) : 0;
  const difference = describeClockOffset(platformAheadMs);
  if (difference !== undefined)
    context.output.warn(
      `this machine's clock is ${difference} the platform's; --since ${text} is measured by the platform's`,
    );
  return sinceTime(text, new Date(here.getTime() + platformAheadMs));
}

/** Milliseconds between checks for a log that doesn't exist yet, and for further replicas of one that is followed. */
const waitMs = { first: 1_000, more: 3_000 } as const;

/** Prints one task's log. Returns an error message if it was lost. */
async function printTask(task: TaskPlan, reading: Reading): Promise<string[]> {
  const { context, plan, kind, wish } = reading;
  const printer = new LogPrinter(task, reading);
  const signal = context.output.readerGone;
  const request = { plan, task, kind, client: wish.client, runsFolder: context.home.runs, signal };
  for (let isReported = false; ;) {
    const state = await reading.snapshotOf(task);
    const isOver = state === undefined || state.phase === 'done';
    if (isOver && !printer.hasStarted) await reading.bringSaved(task);
    const sources = await logSources(request).catch((error: unknown): LogSource[] => {
      if (signal.aborted) return [];
      // A platform that temporarily doesn't answer is asked again.
      if (!wish.follow || !printer.hasStarted) throw error;
      return [];
    });
    await printer.start(sources);
    if (signal.aborted) return [];
    if (printer.hasStarted && (!wish.follow || (await printer.isAtEnd(sources)))) return [];
    if (!printer.hasStarted) {
      const isLost = isOver && wasWritten(task, state, kind);
      if (isLost) return [whereLost(task, reading)];
      if (!isReported || isOver) context.output.note(whyNone(task, state, kind));
      isReported = true;
      if (isOver || !wish.follow) return [];
    }
    await printer.wait(printer.hasStarted ? waitMs.more : waitMs.first);
  }
}

/** Whether a log must have existed, because its writer ran as far as is known. */
const wasWritten = (task: TaskPlan, state: TaskSnapshot | undefined, kind: LogKind): boolean =>
  kind === 'job' ? state?.job != null : task.endpointName !== null && state !== undefined && state.outcome !== null;

function whereLost(task: TaskPlan, { plan, kind, context }: Reading): string {
  const [folder] = logFolders({ plan, task, runsFolder: context.home.runs });
  return (
    `The ${kind} log of ${harmlessLine(partText(task))} is neither in ${folder} on this host nor on the platform. ` +
    `Logs are saved there by the worker that ran the task, on its machine, before the ${kind} is removed.`
  );
}

function whyNone(task: TaskPlan, state: TaskSnapshot | undefined, kind: LogKind): string {
  const name = harmlessLine(partText(task));
  const model = sharedModelOf(task);
  if (kind === 'endpoint' && model !== undefined)
    return `${name} uses the shared endpoint ${model.servesModel ?? ''} (${indexText(sharedIndex(model.endpoint))}), whose log follows below`;
  if (kind === 'endpoint' && task.endpointName === null)
    return `${name} uses an existing endpoint, whose log evalsaga can't read`;
  if (state === undefined) return `no ${kind} log of ${name} is saved on this host, and the platform has none`;
  const { phase, outcome } = state;
  if (phase !== 'done') return `${name} has no ${kind} log yet (${phase})`;
  return `${name} left no ${kind} log (${outcome ?? 'not run'}${kind === 'job' ? ', its job may never have started' : ''})`;
}
