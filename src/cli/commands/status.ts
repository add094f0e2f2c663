import { describeRun, listRuns, resolveInvocation, type RunDescription, type RunSummary } from '../../client';
import { checkHome } from '../../home/usable';
import type { HomePaths } from '../../home/paths';
import { runVerdict, taskVerdict } from '../render/outcome';
import { runsTable, stackTable } from '../render/overview';
import { runDocument } from '../render/run-document';
import { statusText } from '../render/run-status';
import { otherServerText, servesText, servingText, unansweredText } from '../render/serving';
import { whyStuck } from '../stuck-run';
import { databaseAdvice } from '../../stack/database-advice';
import { databaseFault } from '../../stack/database';
import { servingOf } from '../../stack/pollers';
import { isMissing, isRunning, readRecord } from '../../stack/record';
import { findTemporal, type TemporalReach } from '../../stack/stack';
import { stackStatus, type ServiceStatus } from '../../stack/status';
import { unreadableFiles } from '../../results/scores/recorded';
import { connectClient } from '../../temporal/connect';
import { temporalTarget } from '../../temporal/target';
import { webUiUrl } from '../../temporal/web-ui';
import { attach } from '../attach/attach';
import { flag, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { concealAllKnown } from '../conceal';
import { wantsJson } from '../config-input';
import { done, type CommandOutcome } from '../exit-code';
import { encryptionHint } from '../encryption-hint';
import { asCalled, programName } from '../program-name';
import type { Output } from '../output';
import { nowOf, temporalNow } from '../temporal-clock';
import { UsageError } from '../usage-error';
import { checkIndex, openSession, runAddress, runUrl, type Session } from '../session';

/** `status`: background processes and recent runs; `status ID`: one run. Exits 0 if it could be shown. */
export const status: CommandBody = async (input, context) => {
  await concealAllKnown(context);
  if (flag(input, 'watch')) return watch(input, context);
  return input.arguments[0] === undefined ? overview(input, context) : oneRun(input, context);
};

async function oneRun(input: CommandInput, context: CommandContext): Promise<CommandOutcome> {
  const { prefix, index } = runAddress(input.arguments[0]);
  const session = await openSession(context);
  const invocation = await resolveInvocation(session.client, prefix, context.home);
  await showRun({ invocation, index, session }, input, context);
  return done;
}

/** `status ID --watch`: shows the run until it (or the task) is over, and exits as it ended. Ctrl-C leaves the run alone. */
async function watch(input: CommandInput, context: CommandContext): Promise<CommandOutcome> {
  if (input.arguments[0] === undefined)
    throw new UsageError('--watch wants the run to watch: evalsaga status ID --watch');
  const { prefix, index } = runAddress(input.arguments[0]);
  const session = await openSession(context);
  const { client } = session;
  const invocation = await resolveInvocation(client, prefix, context.home);
  const before = await describeRun(client, invocation, context.home);
  checkIndex(index, before.snapshot.tasks);
  const isOver = ({ snapshot }: RunDescription): boolean =>
    index !== undefined && snapshot.tasks.some((task) => task.index === index && task.phase === 'done');
  if (before.status === 'running' && !isOver(before)) {
    const { taskQueue } = before;
    const attached = await attach({ session, context, invocation, taskQueue, onInterrupt: 'detach', until: isOver });
    if (attached.kind === 'detached') return { kind: 'detached' };
  }
  const run = await showRun({ invocation, index, session }, input, context);
  return { kind: 'run', verdict: index === undefined ? runVerdict(run) : taskVerdict(run.snapshot, index) };
}

interface Shown {
  readonly invocation: string;
  /** `undefined`: all tasks. */
  readonly index: number | undefined;
  readonly session: Session;
}

/** Prints a run, or one task of it. */
async function showRun(
  { invocation, index, session }: Shown,
  input: CommandInput,
  context: CommandContext,
): Promise<RunDescription> {
  const described = await describeRun(session.client, invocation, context.home);
  checkIndex(index, described.snapshot.tasks);
  for (const reason of await unreadableFiles(context.home, invocation)) context.output.warn(reason);
  const tasks = described.snapshot.tasks.filter((task) => index === undefined || task.index === index);
  const run = { ...described, snapshot: { ...described.snapshot, tasks } };
  const url = runUrl(session, invocation, described.runId);
  const { output } = context;
  if (wantsJson(input)) {
    output.json(runDocument(run, url, await nowOf(described, session.client, output)));
    await warnWhereNothingGoesOn(run, session, context);
    return described;
  }
  const now = await temporalNow(session.client, described.taskQueue, output);
  const text = statusText({ run, now, width: output.answerWidth(), style: output.answerStyle });
  output.answer(asCalled(text, context.env));
  await warnWhereNothingGoesOn(run, session, context);
  if (run.isRecorded) output.note('Temporal has forgotten this run: what is shown is its record on this machine');
  else if (url !== null) output.note(`Web UI: ${url}`);
  const program = programName(context.env);
  const finish = run.snapshot.left.length + run.snapshot.kept.length > 0 ? ['cleanup'] : [];
  const next = run.status === 'running' ? ['logs', 'cancel'] : [...finish, 'results', 'logs'];
  output.note(`next: ${next.map((command) => `${program} ${command} ${invocation}`).join(', ')}`);
  return described;
}

/** Warns about a run that no worker can continue: nothing seems to happen in it, and what is shown is old. */
async function warnWhereNothingGoesOn(run: RunDescription, session: Session, context: CommandContext): Promise<void> {
  if (run.status !== 'running') return;
  const without = await whyWithoutWorker(run, session, context);
  if (without !== undefined) context.output.warn(without);
  const { snapshot } = run;
  const program = programName(context.env);
  // The question itself has been answered: a Temporal that goes away just now takes nothing from it.
  const text = await whyStuck({ invocation: snapshot.invocation, snapshot }, { client: session.client, program });
  if (text !== undefined) context.output.warn(text);
  if (run.isUnanswered && (without ?? text) === undefined) context.output.warn(unansweredText(program));
}

async function whyWithoutWorker(
  run: RunDescription,
  { client, temporal }: Session,
  context: CommandContext,
): Promise<string | undefined> {
  const program = programName(context.env);
  const record = await readRecord(context.home, 'worker');
  if (isMissing(record))
    return `the background worker has ended, so this may be out of date and the run waits; it goes on with: ${program} up`;
  const { taskQueue, snapshot } = run;
  const serving = await servingOf(client, { taskQueue, invocation: snapshot.invocation }).catch(() => undefined);
  if (serving === undefined) return undefined;
  // One of this home that has just begun may not have asked Temporal for work yet, or never will ask this one.
  if (serving.kind === 'nobody' && isRunning(record)) return otherServerText(record.serves, temporal);
  return servingText(serving, { taskQueue, program });
}

const RECENT = 10;

async function overview(input: CommandInput, { home, env, output }: CommandContext): Promise<CommandOutcome> {
  await checkHome(home);
  const services = await stackStatus(home);
  const temporal = await findTemporal(home, env);
  const webUi = temporal ? webUiUrl({ ...temporal, base: temporal.uiBase }) : null;
  const server = temporal ? { address: temporal.address, namespace: temporal.namespace, webUi } : null;
  const serves = services.find(({ name }) => name === 'worker')?.serves;
  // What can be said without Temporal is said before it is asked: it may not answer.
  if (!wantsJson(input)) {
    output.answer(`home: ${home.root}`);
    output.answer(stackTable(services, Date.now(), output.answerStyle));
    if (serves) output.answer(servesText(serves));
    if (server)
      output.answer(`Temporal: ${server.address}, namespace ${server.namespace}${webUi ? `, Web UI ${webUi}` : ''}`);
  }
  const elsewhere = otherServerText(serves, server ?? undefined);
  if (elsewhere !== undefined) output.warn(elsewhere);
  const damage = temporalTarget(env).kind === 'embedded' ? await databaseFault(home) : undefined;
  if (damage !== undefined) output.warn(await databaseAdvice(home, damage));
  const { runs, now } = temporal ? await recentRuns(temporal, home, output) : { runs: [], now: Date.now() };
  const hint = temporal && encryptionHint({ temporal, services, program: programName(env) });
  if (hint !== undefined) output.note(hint);
  if (wantsJson(input)) output.json({ home: home.root, temporal: server, services, runs });
  else if (runs.length > 0) output.answer(runsTable(runs, now, output.answerWidth()));
  if (damage === undefined) output.note(`next: ${nextStep(services, runs, programName(env))}`);
  return done;
}

async function recentRuns(
  temporal: TemporalReach,
  home: HomePaths,
  output: Output,
): Promise<{ runs: RunSummary[]; now: number }> {
  const client = await connectClient({ ...temporal, timeoutMs: 3_000 });
  const runs = await listRuns(client, { limit: RECENT, home });
  return { runs, now: await temporalNow(client, runs[0]?.taskQueue, output) };
}

function nextStep(services: readonly ServiceStatus[], runs: readonly RunSummary[], program: string): string {
  if (services.some(({ state }) => state === 'died')) return `${program} up starts what died`;
  return runs[0] ? `${program} status ${runs[0].invocation}` : `${program} start CONFIG`;
}
