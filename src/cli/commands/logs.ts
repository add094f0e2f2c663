import { setTimeout as sleep } from 'node:timers/promises';
import { describeRun, resolveInvocation } from '../../client';
import type { RunPlan, TaskPlan } from '../../contract/plan';
import type { TaskSnapshot } from '../../contract/state';
import { loadPlatformAccess } from '../../home/credentials';
import { storedPlan, storedSecrets } from '../../home/run-store';
import { createLeptonClient } from '../../lepton/client';
import { maskKnown } from '../../lepton/masking';
import type { LeptonClient } from '../../lepton/types';
import { harmlessLine, harmlessText } from '../../report/terminal-text';
import { followLog } from '../../results/follow-log';
import { NoTimedLogs, timedLog } from '../../results/timed-log';
import { InfrastructureError } from '../../temporal/errors';
import { flag, textOption, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { UsageError } from '../errors';
import { done } from '../exit-code';
import { fileBytes, lastLines, linesOf, liveLines } from '../log-lines';
import { logSources, type LiveSource, type LogKind, type LogSource } from '../log-sources';
import { checkIndex, openSession, runAddress, type Session } from '../session';
import { sinceTime } from '../since';

/** What all tasks' logs are read with. */
interface Reading {
  readonly session: Session;
  readonly context: CommandContext;
  readonly plan: RunPlan;
  readonly client: LeptonClient | undefined;
  readonly kind: LogKind;
  readonly follow: boolean;
  readonly tail: number | undefined;
  readonly since: Date | undefined;
  /** Lines are marked with their task. */
  readonly marked: boolean;
  readonly mask: (line: string) => string;
}

/** `logs ID[.N]`: from the platform while there is something, else from what was brought home. */
export const logs: CommandBody = async (input, context) => {
  const { prefix, index } = runAddress(input.arguments[0]);
  const session = await openSession(context);
  const invocation = await resolveInvocation(session.client, prefix, context.home);
  const plan = await storedPlan(context.home, invocation);
  if (!plan)
    throw new InfrastructureError(
      `Run ${invocation} was not started on this host, so it is not known here where its logs are.`,
    );
  checkIndex(index, plan.tasks);
  const tasks = plan.tasks.filter((task) => index === undefined || task.index === index);
  const access = await loadPlatformAccess(context.home, plan.platform);
  const secrets = Object.values(await storedSecrets(context.home, invocation));
  const reading: Reading = {
    session,
    context,
    plan,
    client: access && createLeptonClient(access),
    kind: flag(input, 'endpoint') ? 'endpoint' : 'job',
    follow: flag(input, 'follow'),
    tail: tailOf(input),
    since: sinceOf(input),
    marked: tasks.length > 1,
    mask: (line) => maskKnown(line, secrets),
  };
  // Side by side only where they grow: what is finished reads better one after the other.
  if (reading.follow) await Promise.all(tasks.map((task) => printTask(task, reading)));
  else for (const task of tasks) await printTask(task, reading);
  return done;
};

function tailOf(input: CommandInput): number | undefined {
  const text = textOption(input, 'tail');
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--tail wants a number of lines, got "${text}".`);
  return Number(text);
}

function sinceOf(input: CommandInput): Date | undefined {
  const text = textOption(input, 'since');
  return text === undefined ? undefined : sinceTime(text, new Date());
}

const WAIT_MS = 1_000;

async function printTask(task: TaskPlan, reading: Reading): Promise<void> {
  const { session, context, plan, client, kind, follow } = reading;
  for (let told = false; ; told = true) {
    const { snapshot } = await describeRun(session.client, plan.invocation, context.home);
    const state = snapshot.tasks.find(({ index }) => index === task.index);
    if (!state) return;
    const { signal } = new AbortController();
    const sources = await logSources({ plan, task, snapshot: state, kind, client, signal });
    for (const source of sources) await printSource(source, task, reading);
    if (sources.length > 0) return;
    const isOver = state.phase === 'done';
    if (!told || isOver) context.output.note(whyNone(task, state, kind));
    if (isOver || !follow) return;
    await sleep(WAIT_MS);
  }
}

async function printSource(source: LogSource, task: TaskPlan, reading: Reading): Promise<void> {
  const { context, marked, mask } = reading;
  const mark = marked ? `[${task.index} ${harmlessLine(task.name)}] ` : '';
  const closing = new AbortController();
  const lines = source.kind === 'file' ? savedLines(source.file, reading) : grownLines(source, reading, closing.signal);
  try {
    for await (const line of lines) await context.output.write(`${mark}${mask(line)}\n`);
  } catch (error) {
    // A job that has ended is removed while its log is still being read: what was read is what there is.
    if (source.kind === 'file' || !(await hasMovedOn(task, reading))) throw error;
  } finally {
    closing.abort();
  }
}

function savedLines(file: string, { tail, since, context }: Reading): AsyncIterable<string> {
  if (since !== undefined) context.output.warn(`--since: a saved log has no times; this is all of ${file}`);
  return linesOf(fileBytes(file, tail));
}

/** From the platform: by time where that is asked for, else from the beginning; after a cut connection it goes on. */
async function* grownLines(source: LiveSource, reading: Reading, signal: AbortSignal): AsyncGenerator<string> {
  const { context, client, follow, tail, since } = reading;
  const onNote = (note: string): void => context.output.note(context.output.style.dim(note));
  const isOver = () => source.isOver();
  if (since !== undefined && client) {
    try {
      const lines = timedLog({ client, of: source.of, since, follow, isOver, signal, onNote });
      yield* follow ? liveLines(harmless(lines), { follow, tail }) : lastLines(harmless(lines), tail);
      return;
    } catch (error) {
      if (!(error instanceof NoTimedLogs)) throw error;
      context.output.warn(`--since: ${error.message}; this is all of the log`);
    }
  }
  const open = (signal: AbortSignal) => source.open({ follow, signal });
  const bytes = follow ? encoded(followLog({ open, isOver, signal, onNote })) : open(signal);
  yield* liveLines(linesOf(bytes), { follow, tail });
}

async function* encoded(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of texts) yield Buffer.from(text);
}

async function* harmless(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield harmlessText(line);
}

async function hasMovedOn({ index }: TaskPlan, { session, plan, context }: Reading): Promise<boolean> {
  const { snapshot } = await describeRun(session.client, plan.invocation, context.home);
  return snapshot.tasks.some((task) => task.index === index && task.outcome !== null);
}

function whyNone(task: TaskPlan, { phase, outcome }: TaskSnapshot, kind: LogKind): string {
  const name = `task ${task.index} (${harmlessLine(task.name)})`;
  if (kind === 'endpoint' && task.endpointName === null)
    return `${name} uses an endpoint of yours: its log is not evalsaga's to read`;
  if (phase !== 'done') return `${name} has no ${kind} log yet (${phase})`;
  return `${name} left no ${kind} log (${outcome ?? 'not run'}${kind === 'job' ? ', its job may never have started' : ''})`;
}
