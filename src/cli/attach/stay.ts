import { describeRun, type RunDescription, type StartedRun } from '../../client';
import type { RunPlan } from '../../contract/plan';
import { forgetStaleSecrets } from '../../cleanup/stale-secrets';
import { stackStatus } from '../../stack/status';
import { messageOf } from '../../support/error-message';
import type { CommandContext } from '../command';
import { copyResults } from '../commands/fetch';
import { encryptionHint } from '../encryption-hint';
import { done, type CommandOutcome } from '../exit-code';
import { programName } from '../program-name';
import { closingLines } from '../render/closing';
import { runVerdict } from '../render/outcome';
import { findingsIn, runDocument } from '../render/run-document';
import { scoresTable } from '../render/scores';
import { runUrl, type Session } from '../session';
import { attach } from './attach';
import type { Interrupts } from './interrupts';
import type { Launch, Prepared } from './wanted';
import { nowOf } from '../temporal-clock';

interface Begun {
  readonly launch: Launch;
  readonly stack: Prepared;
  readonly interrupts: Interrupts;
}

/** Follows the run that has started, or returns at once for `--detach`. */
export async function stay(
  { launch, stack, interrupts, started }: Begun & { readonly started: StartedRun },
  context: CommandContext,
): Promise<CommandOutcome> {
  const { plan, detach, json } = launch;
  const { invocation } = plan;
  const { runId, isNew } = started;
  const isOver = !isNew && (await describeRun(stack.client, invocation, context.home)).status !== 'running';
  if (isOver) sayOver(plan, context);
  else await announce(plan, { session: stack, runId, isNew }, context);
  if (detach && !isOver && !interrupts.pressed()) {
    if (json) {
      const run = await describeRun(stack.client, invocation, context.home);
      const now = await nowOf(run, stack.client, context.output);
      context.output.json(runDocument(run, runUrl(stack, invocation, runId), now));
    }
    return done;
  }
  const { taskQueue } = stack;
  const attached = await attach({
    session: stack,
    context,
    invocation,
    taskQueue,
    onInterrupt: 'cancel',
    interrupts,
  });
  if (attached.kind === 'detached') return sayDetached(plan, context);
  // The run's worker has done so, unless another host recorded its end.
  await forgetStaleSecrets(stack.client, context.home).catch(() => undefined);
  const run = (await bringResults(plan, stack, context)) ?? attached.run;
  return conclude({ run, plan, session: stack, context, json, strict: launch.strict });
}

/** Copies the results from their store to the output folder; returns the run as it is known with them. */
async function bringResults(
  { resultsStore, invocation }: RunPlan,
  session: Session,
  context: CommandContext,
): Promise<RunDescription | undefined> {
  if (resultsStore === undefined) return undefined;
  const { output, env, home } = context;
  try {
    await copyResults({ session, invocation }, context);
    return await describeRun(session.client, invocation, home);
  } catch (error) {
    output.warn(
      `the results are in the store, but could not be copied here: ${messageOf(error)}. To try again: ${programName(env)} fetch ${invocation}`,
    );
    return undefined;
  }
}

async function announce(
  { invocation, name }: RunPlan,
  { session, runId, isNew }: { readonly session: Session } & Pick<StartedRun, 'runId' | 'isNew'>,
  { output, env, home }: CommandContext,
): Promise<void> {
  const program = programName(env);
  const url = runUrl(session, invocation, runId);
  const encrypted = encryptionHint({ temporal: session.temporal, services: await stackStatus(home), program });
  output.note(
    [
      `run ${output.style.strong(invocation)}${name === undefined ? '' : ` (${name})`} ${isNew ? 'started' : 'was started before, and is attached to'}; it continues even if this command ends`,
      ...(url === null ? [] : [`  Web UI:  ${url}`]),
      ...(encrypted === undefined ? [] : [`  ${encrypted}`]),
      `  status:  ${program} status ${invocation}`,
      `  logs:    ${program} logs ${invocation} -f`,
      `  cancel:  ${program} cancel ${invocation}`,
    ].join('\n'),
  );
}

function sayOver({ invocation, name }: RunPlan, { output, env }: CommandContext): void {
  const known = name === undefined ? invocation : `${name} (${invocation})`;
  output.note(
    `run ${known} was started before, and has ended; nothing is started. To run again what did not succeed: ${programName(env)} retry ${invocation}`,
  );
}

function sayDetached({ invocation }: RunPlan, { output, env }: CommandContext): CommandOutcome {
  const program = programName(env);
  output.note(
    `Detached. The run continues in the background, including teardown if it was cancelled. To see it: ${program} status ${invocation}`,
  );
  return { kind: 'detached' };
}

/** Prints the scores to stdout and the rest to stderr, and returns the verdict. */
function conclude(end: {
  run: RunDescription;
  plan: Pick<RunPlan, 'outputDir'>;
  session: Session;
  context: CommandContext;
  json: boolean;
  strict: boolean;
}): CommandOutcome {
  const { run, plan, session, context, json, strict } = end;
  const { output, env } = context;
  const verdict = runVerdict(run);
  const { invocation } = run.snapshot;
  if (json) output.json(runDocument(run, runUrl(session, invocation, run.runId), Date.now()));
  else {
    const scores = scoresTable({ ...run.snapshot, samplings: run.resultsInfo?.samplings }, output.answerWidth());
    if (scores !== '') output.answer(scores);
  }
  const closing = {
    run,
    verdict,
    outputDir: plan.outputDir,
    program: programName(env),
    now: Date.now(),
    style: output.style,
  };
  output.note(closingLines(closing).join('\n'));
  const isSpoiled = strict && verdict === 'succeeded' && findingsIn(run).length > 0;
  return isSpoiled ? { kind: 'spoiled' } : { kind: 'run', verdict };
}
