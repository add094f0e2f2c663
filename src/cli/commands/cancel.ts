import { cancelRun, describeRun, resolveInvocation, type RunDescription } from '../../client';
import { audit } from '../../home/audit-file';
import type { HomePaths } from '../../home/paths';
import { statusWordOf } from '../../contract/verdict';
import { closingLines, resultNotes } from '../render/closing';
import { runVerdict, spoken, taskVerdict } from '../render/outcome';
import { runDocument } from '../render/run-document';
import { ensureStack } from '../../stack/stack';
import { cancelTask } from '../../runs/cancel-task';
import { retryDuringOutages } from '../../temporal/retry-during-outages';
import { attach } from '../attach/attach';
import type { CommandBody, CommandContext } from '../command';
import { wantsJson } from '../config-input';
import { UsageError } from '../usage-error';
import { done, type CommandOutcome } from '../exit-code';
import { programName } from '../program-name';
import { checkIndex, runAddress, runUrl, type Session } from '../session';
import { nowOf } from '../temporal-clock';

/** Milliseconds for which finding the run, and requesting its cancellation, are each retried during an outage. */
const requestWithinMs = 30_000;

interface Target {
  readonly invocation: string;
  /** `undefined`: the run as a whole. */
  readonly index: number | undefined;
}

/**
 * `cancel ID[.N]`: cancels the run (or one task) and waits until it has torn down. Exits 0 if it was cancelled or had succeeded,
 * otherwise with the code of its verdict. Starts the background processes if they are down, because teardown needs them.
 */
export const cancel: CommandBody = async (input, context) => {
  const { prefix, index } = runAddress(input.arguments[0]);
  const { home, env, output } = context;
  const session = await ensureStack({ home, env, localPlatform: false, report: (line) => output.note(line) });
  const patiently = <T>(call: () => Promise<T>) => retryDuringOutages(call, { withinMs: requestWithinMs });
  const invocation = await patiently(() => resolveInvocation(session.client, prefix, home));
  const before = await patiently(() => describeRun(session.client, invocation, home));
  checkIndex(index, before.snapshot.tasks);
  const target = { invocation, index };
  const waits = input.options['wait'] !== false;
  const asked = await patiently(() => ask(session, target, before, home));
  if (asked !== 'too late')
    await audit(home, env, { action: 'cancel', invocation, ...(index === undefined ? {} : { task: index }) });
  // It may have ended, or been terminated, since it was described.
  const run =
    asked === 'too late'
      ? await patiently(() => describeRun(session.client, invocation, home))
      : await wait({ session, target, before, asked, waits, context });
  if (run === 'detached') return { kind: 'detached' };
  if (asked === 'too late' && waits) output.note(alreadyOver(target, run));
  const late = asked !== 'too late' && waits ? cameTooLate(target, run) : undefined;
  if (late !== undefined) output.note(late);
  const now = await nowOf(run, session.client, output);
  return conclude({ run, target, session, context, json: wantsJson(input), waits, now });
};

/** `again`: a cancel had already been requested; `too late`: the run or task was closed. */
type Asked = 'first' | 'again' | 'too late';

async function ask(
  { client }: Session,
  { invocation, index }: Target,
  before: RunDescription,
  home: HomePaths,
): Promise<Asked> {
  if (index === undefined) {
    if ((await cancelRun(client, invocation, home)) === 'already closed') return 'too late';
    return before.cancelRequested ? 'again' : 'first';
  }
  switch (await cancelTask(client, { invocation, index })) {
    case 'requested':
      return 'first';
    case 'requested before':
      return 'again';
    case 'not running':
      return 'too late';
  }
}

async function wait(waiting: {
  session: Session;
  target: Target;
  before: RunDescription;
  asked: Asked;
  waits: boolean;
  context: CommandContext;
}): Promise<RunDescription | 'detached'> {
  const { session, target, before, asked, waits, context } = waiting;
  const { invocation, index } = target;
  const what = index === undefined ? `run ${invocation}` : `task ${invocation}.${index}`;
  context.output.note(
    asked === 'again'
      ? `a cancel of ${what} is under way already; what it has made is being removed`
      : `cancel of ${what} requested; its job is stopped, its endpoint and storage are removed`,
  );
  if (!waits) return describeRun(session.client, invocation, context.home);
  const isOver = ({ snapshot }: RunDescription): boolean =>
    index !== undefined && snapshot.tasks.some((task) => task.index === index && task.phase === 'done');
  const { taskQueue } = before;
  const attached = await attach({ session, context, invocation, taskQueue, onInterrupt: 'detach', until: isOver });
  return attached.kind === 'detached' ? 'detached' : attached.run;
}

/** Says that the cancel was accepted but changed nothing any more. */
function cameTooLate({ invocation, index }: Target, run: RunDescription): string | undefined {
  const task = run.snapshot.tasks.find((candidate) => candidate.index === index);
  if (index !== undefined)
    return task?.outcome === 'succeeded'
      ? `the cancel came too late: task ${invocation}.${index} had succeeded by then`
      : undefined;
  return statusWordOf(run) === 'succeeded' ? 'the cancel came too late: all had succeeded by then' : undefined;
}

function alreadyOver({ invocation, index }: Target, run: RunDescription): string {
  const { snapshot } = run;
  if (index === undefined)
    return `run ${invocation} is over already (${statusWordOf(run)}); there is nothing to cancel`;
  const task = snapshot.tasks.find((candidate) => candidate.index === index);
  if (task?.outcome == null) {
    throw new UsageError(
      `Task ${index} has not begun yet, so it cannot be cancelled by itself. Cancel the whole run: evalsaga cancel ${invocation}`,
    );
  }
  return `task ${invocation}.${index} is over already (${task.outcome}); there is nothing to cancel`;
}

function conclude(end: {
  run: RunDescription;
  target: Target;
  session: Session;
  context: CommandContext;
  json: boolean;
  waits: boolean;
  now: number;
}): CommandOutcome {
  const { run, target, session, context, json, waits, now } = end;
  const { output, env } = context;
  if (json) output.json(runDocument(run, runUrl(session, target.invocation, run.runId), now));
  if (!waits) return done;
  const verdict = target.index === undefined ? runVerdict(run) : taskVerdict(run.snapshot, target.index);
  const closing = { run, verdict, outputDir: null, program: programName(env), now, style: output.style };
  if (target.index === undefined) output.note(closingLines(closing).join('\n'));
  else
    output.note(
      [`task ${target.invocation}.${target.index}: ${spoken(verdict)}`, ...notesOf(run, target.index)].join('\n'),
    );
  // The cancel did what was asked.
  return verdict === 'cancelled' ? done : { kind: 'run', verdict };
}

const notesOf = ({ snapshot }: RunDescription, index: number): string[] =>
  resultNotes({ tasks: snapshot.tasks.filter((task) => task.index === index) });
