import type { Client } from '@temporalio/client';
import { startRun, type StartedRun } from '../../client';
import type { RunPlan } from '../../contract/plan';
import { admitRun } from '../../doctor/admission';
import { audit } from '../../home/audit-file';
import { loadPlatformAccess } from '../../lepton/stored-credentials';
import { createLeptonClient } from '../../lepton/client';
import type { PlatformAccess } from '../../lepton/types';
import type { PlatformChoice } from '../../stack/choose-platform';
import { admitPlatform } from '../../stack/platform-choice';
import { withoutSecretsOf } from '../../stack/background-env';
import { ensureStack, type Stack } from '../../stack/stack';
import { originOf } from '../../temporal/origin';
import { reidentified } from '../../runs/reidentify';
import { invocationFor } from '../../runs/same-run';
import { ensureSearchAttributes } from '../../temporal/search-attributes';
import { temporalTarget } from '../../temporal/target';
import type { CommandContext } from '../command';
import { Interrupted } from '../usage-error';
import { type CommandOutcome } from '../exit-code';
import { onInterrupts, type Interrupts } from './interrupts';
import { refuseMissing } from '../host-secrets';
import { saveStoreAccess, storeEnv } from '../../results/store/store-access';
import { encryptionOf } from '../../temporal/encryption/data-converter';
import { keyFileVariable, type EncryptionKey } from '../../temporal/encryption/key-file';
import { programName } from '../program-name';
import { keepSwept } from './sweeping';
import { stay } from './stay';
import { tracedStart } from './traced-start';
import type { Launch, Prepared, Wanted } from './wanted';

/** Starts the background processes that are missing and the run, and follows it until it has ended or the user leaves. */
export async function launch(launch: Launch, context: CommandContext): Promise<CommandOutcome> {
  const { choice } = launch;
  const leaving = new AbortController();
  const leave = (): void => leaving.abort(new Interrupted('Interrupted; nothing was created.'));
  const interrupts = onInterrupts({ first: leave, second: () => process.exit(130) });
  try {
    context.output.note(`platform: ${choice.statement}`);
    const { value, exported } = await tracedStart({ env: context.env, invocation: launch.plan.invocation }, () =>
      started(launch, { context, interrupts, signal: leaving.signal }),
    );
    return await stay({ ...value, interrupts }, context).finally(() => exported);
  } finally {
    interrupts.stop();
  }
}

/** Prepares and starts the run. */
async function started(
  launch: Launch,
  at: { readonly context: CommandContext; readonly interrupts: Interrupts; readonly signal: AbortSignal },
): Promise<{ readonly launch: Launch; readonly stack: Prepared; readonly started: StartedRun }> {
  const { context, interrupts, signal } = at;
  const stack = await prepare(launch, context, signal);
  const sealingKey = sealingKeyFor(launch, stack, context);
  const { isSimulated } = stack;
  const known: Launch = isSimulated ? { ...launch, plan: { ...launch.plan, simulated: true } } : launch;
  const begun = await orSayWhatRuns(stack, context, () =>
    begin({ launch: known, stack, interrupts, sealingKey, signal }, context),
  );
  return { launch: { ...known, plan: begun.plan }, stack, started: begun };
}

/** Prepares everything that the run needs. Ctrl-C leaves only background processes behind. */
export async function prepare(
  { plan, choice, secrets }: Wanted,
  context: CommandContext,
  signal: AbortSignal,
): Promise<Prepared> {
  const { home, output } = context;
  const env = withoutSecretsOf(context.env, secrets);
  const report = (line: string): void => output.note(output.style.dim(line));
  let isSimulated = false;
  if (choice.access) {
    const workspace = await admitPlatform(choice, home, { env, report, signal });
    isSimulated = workspace?.evalsaga_runtime === 'simulated';
    if (isSimulated) output.warn('this platform is simulated: nothing is evaluated on it, and its scores are made up');
    await admit(plan, choice, choice.access, context);
  }
  signal.throwIfAborted();
  const localPlatform = choice.ref.kind === 'local';
  if (plan.resultsStore?.startsWith('s3://')) await saveStoreAccess(home, context.env);
  const stack = await ensureStack({ home, env, localPlatform, report, signal });
  return orSayWhatRuns(stack, context, async () => {
    const attributes = await ensureSearchAttributes(stack.client);
    if (!attributes.usable) output.warn(attributes.warning);
    const local = localPlatform ? await loadPlatformAccess(home, choice.ref) : undefined;
    if (local) await admit(plan, choice, local, context);
    signal.throwIfAborted();
    await keepSwept(stack, choice.ref, context);
    const labelAttributes = attributes.usable && attributes.labels;
    return { ...stack, searchAttributes: attributes.usable, labelAttributes, isSimulated };
  });
}

/** A start that comes to nothing says which processes it has started: the next one uses them, but nobody may want a next one. */
async function orSayWhatRuns<T>(
  { started }: Pick<Stack, 'started'>,
  { output, env }: CommandContext,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (started.length > 0)
      output.note(
        `started just now, and still running for the next start: ${started.join(', ')}; to stop: ${programName(env)} down`,
      );
    throw error;
  }
}

/**
 * Returns the key with which secrets are sealed for workers elsewhere; `undefined`: nothing is sealed, or can be. Refuses a run
 * whose variables nobody can know together: some only this machine, others only those workers.
 */
export function sealingKeyFor(
  { plan, secrets, missing }: Wanted,
  { homeQueue }: Stack,
  { env }: CommandContext,
): EncryptionKey | undefined {
  if (homeQueue === undefined) refuseMissing({ missing });
  const key = plan.resultsStore === undefined ? undefined : encryptionOf(env).ring.newest;
  if (key === undefined && Object.keys(secrets).length > 0)
    refuseMissing(
      { missing },
      ` (Or leave all of the variables to the workers, or set ${keyFileVariable} and a results store.)`,
    );
  return key;
}

export interface Beginning {
  readonly launch: Wanted;
  readonly stack: Prepared;
  /** What becomes of Ctrl-C; a program's own listeners know nothing of runs. */
  readonly interrupts?: Interrupts;
  readonly sealingKey: EncryptionKey | undefined;
  readonly signal: AbortSignal;
}

/** Starts the run, or finds the one with the user's own id. From here on the run may exist, so Ctrl-C cancels it as soon as it does. */
export async function begin(
  { launch, stack, interrupts, sealingKey, signal }: Beginning,
  { home, env, output }: CommandContext,
): Promise<StartedRun> {
  const { secrets, configYaml, runId } = launch;
  const { client, taskQueue, homeQueue } = stack;
  const origin = await originOf({ ...clientOf(client), home, embedded: temporalTarget(env).kind === 'embedded' });
  signal.throwIfAborted();
  const plan = runId === undefined ? launch.plan : reidentified(launch.plan, invocationFor(runId, origin));
  const { invocation } = plan;
  interrupts?.become({
    first: () => output.note(`run ${invocation} is just starting; it is cancelled as soon as it has started`),
    second: () => {
      const program = programName(env);
      output.note(
        `Run ${invocation} may have started: ${program} status ${invocation}, ${program} cancel ${invocation}`,
      );
      process.exit(130);
    },
  });
  const started = await startRun(client, {
    plan,
    attachToSame: runId !== undefined,
    taskQueue,
    homeQueue,
    hostSecrets: secrets,
    configYaml,
    home,
    origin,
    searchAttributes: stack.searchAttributes,
    labelAttributes: stack.labelAttributes,
    isEncrypted: stack.temporal.isEncrypted,
    sealingKey,
    storeEnv: await storeEnv(home, env),
    warn: (text) => output.warn(text),
  });
  const { model, owner, name } = plan;
  await audit(home, env, {
    action: 'start',
    invocation,
    model,
    owner,
    tasks: plan.tasks.length,
    ...(name ? { name } : {}),
  });
  return started;
}

const clientOf = ({ connection, options: { namespace } }: Client) => ({ connection, namespace });

/** Refuses a run whose workspace lacks what it names, before anything is created. */
async function admit(
  plan: RunPlan,
  { ref, expiresAt }: PlatformChoice,
  access: PlatformAccess,
  { output }: CommandContext,
): Promise<void> {
  const client = createLeptonClient(access);
  const warnings = await admitRun({ plan, client, access, expiresAt, binding: ref.kind === 'lepton' });
  for (const warning of warnings) output.warn(warning);
}
