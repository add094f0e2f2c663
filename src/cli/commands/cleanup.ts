import { partIndices, sharedAsTasks } from '../../contract/parts';
import type { Client } from '@temporalio/client';
import path from 'node:path';
import { furtherJobNames } from '../../contract/job-attempts';
import type { RunPlan } from '../../contract/plan';
import { resultsPlaceOf, sealedSecretsName } from '../../contract/results-place';
import { openStore } from '../../results/store/open-store';
import { storeEnv } from '../../results/store/store-access';
import { messageOf } from '../../support/error-message';
import { EncryptionKeyError } from '../../temporal/encryption/key-error';
import { UnreadableFile } from '../../support/atomic-file';
import { audit } from '../../home/audit-file';
import { noteGone } from '../../home/removed-resources';
import {
  forgetSecrets,
  noteStorageGone,
  storedInvocations,
  storedNames,
  storedOrigin,
  storedPlan,
} from '../../home/run-store';
import { loadAccess } from '../../lepton/access-store';
import { createLeptonClient } from '../../lepton/client';
import { choosePlatform, type PlatformWish } from '../../stack/choose-platform';
import { terminateRun } from '../../runs/terminate';
import { ensureStack } from '../../stack/stack';
import { cleanUp, type CleanupReport } from '../../cleanup/cleanup';
import type { StoragePlace } from '../../cleanup/find-storage';
import { ownerAmong } from '../../cleanup/owners';
import { originOf } from '../../temporal/origin';
import { chooseByName } from '../../runs/resolve';
import { planInHistory } from '../../runs/run-input';
import { temporalTarget } from '../../temporal/target';
import { flag, textOption, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { concealAllKnown } from '../conceal';
import { wantsJson } from '../config-input';
import { secretsOfCleanup } from '../cleanup-secrets';
import { UsageError } from '../usage-error';
import { whyDoubtful, ownersInWords, type Asked } from '../../cleanup/certainty';
import { InfrastructureError } from '../../temporal/infrastructure-error';
import { done, type CommandOutcome } from '../exit-code';
import { patienceOf } from '../patience';
import { asCalled, programName } from '../program-name';
import { renewCopy } from '../renew-copy';
import { openSession, runAddress } from '../session';

/**
 * `cleanup ID`: removes what is left of a run that has ended (or that Temporal no longer knows): endpoints, jobs, and storage,
 * whose results are fetched first unless `--discard` is given.
 */
export const cleanup: CommandBody = async (input, context) => {
  const { home, output } = context;
  await concealAllKnown(context);
  const invocation = await fullId(input, context);
  const wanted = textOption(input, 'outputDir');
  const outputDir = path.resolve(context.cwd, wanted ?? 'results', invocation);
  const stored = await storedPlan(home, invocation).catch((error: unknown) => {
    if (!(error instanceof UnreadableFile)) throw error;
    // Temporal, or the run's jobs on the platform, tell the same.
    output.warn(error.message);
    return undefined;
  });
  const question = { invocation, stored, force: flag(input, 'force'), terminate: flag(input, 'terminate') };
  const known = await askTemporal(question, context);
  // A given folder takes precedence: the run's own may be the one that can't be written.
  const plan =
    stored && wanted === undefined
      ? stored
      : inFolder(stored ?? known.plan, { outputDir, isWanted: wanted !== undefined });
  const access = await platformAccess({ plan, input, context });
  const patience = patienceOf(output);
  const platform = createLeptonClient(access, { retry: patience });
  const recorded = await storedOrigin(home, invocation);
  const secrets = await secretsOfCleanup(home, { invocation, plan, env: context.env, token: access.token });
  output.conceal(secrets.values);
  const report = await cleanUp({
    platform,
    invocation,
    plan,
    home,
    storage: storagePlace(textOption(input, 'storage')),
    origin: known.origin,
    secrets: secrets.values,
    admit: (marks) =>
      admit({ invocation, known, owners: ownersOf(marks, recorded), force: flag(input, 'force'), context }),
    onBringHome: () => secrets.unknown.length > 0 && output.warn(unmasked(secrets.unknown)),
    outputDir,
    target: { staging: home.staging, env: await storeEnv(home, context.env) },
    discard: flag(input, 'discard'),
    report: (line) => output.note(line),
    patience,
  });
  if (report.left.length + report.kept.length === 0) {
    await forgetSecrets(home, invocation);
    await forgetSealed(stored ?? known.plan, context);
    if (report.unseen === null) await noteStorageGone(home, invocation);
  }
  await noteGone(home, invocation, goneNow(plan, report));
  await renewCopy(plan, { isStored: stored !== undefined, context });
  const how = { terminate: flag(input, 'terminate'), discard: flag(input, 'discard'), force: flag(input, 'force') };
  await audit(home, context.env, { action: 'cleanup', invocation, ...how, removed: report.removed.length });
  if (wantsJson(input))
    output.json({
      invocation,
      removed: report.removed,
      teardown: { left: report.left, kept: report.kept, unseen: report.unseen },
    });
  else output.answer(asCalled(summary(invocation, report), context.env));
  return outcomeOf(report);
};

/** A folder that the user names takes the place of the run's results store, too. */
function inFolder(
  plan: RunPlan | undefined,
  { outputDir, isWanted }: { readonly outputDir: string; readonly isWanted: boolean },
): RunPlan | undefined {
  if (!plan) return undefined;
  const { resultsStore, ...others } = plan;
  return { ...others, outputDir, ...(isWanted || resultsStore === undefined ? {} : { resultsStore }) };
}

const unmasked = (names: readonly string[]): string =>
  `the values that ${names.join(', ')} had in this run are not known here, so they can't be masked in the fetched files; set the same values to have them masked`;

/** Removes a run's sealed secrets from its results store, where nobody needs them any more. */
async function forgetSealed(plan: RunPlan | undefined, { home, env, output }: CommandContext): Promise<void> {
  if (!plan?.sealedSecrets) return;
  try {
    const store = await openStore(resultsPlaceOf(plan), await storeEnv(home, env));
    await store.remove(sealedSecretsName);
    await store.endStaleUploads();
  } catch (error) {
    output.warn(`the run's sealed secrets are still in its results store: ${messageOf(error)}`);
  }
}

type Gone = Pick<CleanupReport['removed'][number], 'kind' | 'name'>;

/** Returns what the run may have created and no longer exists, whether this cleanup removed it or somebody else had. */
function goneNow(plan: RunPlan | undefined, { removed, left, kept, unseen }: CleanupReport): readonly Gone[] {
  const isLeft = ({ kind, name }: Gone): boolean => left.some((one) => one.kind === kind && one.name === name);
  const parts = plan === undefined ? [] : [...plan.tasks, ...sharedAsTasks(plan)];
  const made = parts.flatMap(({ endpointName, jobName }) => [
    ...(endpointName === null ? [] : [{ kind: 'endpoint', name: endpointName } as const]),
    ...(jobName === '' ? [] : [jobName, ...(plan ? furtherJobNames(jobName, plan.limits) : [])]).map(
      (name) => ({ kind: 'job', name }) as const,
    ),
  ]);
  const storage = plan && ({ kind: 'storage', name: plan.storage.path } as const);
  const isStorageGone = storage && kept.length === 0 && unseen === null;
  return [...removed, ...made, ...(isStorageGone ? [storage] : [])].filter((one) => !isLeft(one));
}

function summary(invocation: string, { removed, left, kept, unseen }: CleanupReport): string {
  const lines = [
    ...left.map(({ kind, name, reason }) => `left: ${kind} ${name} (${reason})`),
    ...kept.map(
      ({ path: folder, reason, command }) =>
        `kept: ${folder} (${reason}); to fetch it into another folder: evalsaga cleanup ${invocation} --output-dir FOLDER; to remove it anyway: ${command}`,
    ),
    ...(unseen === null ? [] : [`storage: ${unseen}`]),
  ];
  const head =
    removed.length === 0 && lines.length === 0
      ? `nothing is left of run ${invocation}`
      : `removed ${removed.length} of run ${invocation}`;
  return [head, ...lines].join('\n');
}

const outcomeOf = ({ left, kept }: CleanupReport): CommandOutcome =>
  left.length + kept.length === 0 ? done : { kind: 'run', verdict: 'teardown incomplete' };

/** Completes a shortened id of a run of this host. For other runs, only the whole id identifies the run. */
async function fullId(input: CommandInput, { home }: CommandContext): Promise<string> {
  const { prefix, index } = runAddress(input.arguments[0]);
  if (index !== undefined) throw new UsageError('A run is cleaned up as a whole: give its id without a task number.');
  if (/^[0-9a-f]{16}$/.test(prefix)) return prefix;
  const known = await storedInvocations(home, prefix);
  if (known.length === 1 && known[0] !== undefined) return known[0];
  const named = known.length === 0 ? (await storedNames(home)).filter(({ name }) => name.startsWith(prefix)) : [];
  if (named.length > 0) return chooseByName(prefix, named);
  throw new UsageError(
    known.length === 0
      ? `No run of this host has an id or a name that starts with ${prefix}. For a run of another host give all 16 digits of its id.`
      : `${prefix} matches ${known.length} runs: ${known.join(', ')}. Give more digits.`,
  );
}

interface Question {
  readonly invocation: string;
  /** The run's plan, if this host has it: then the history, and a key to decrypt it, are not needed. */
  readonly stored: RunPlan | undefined;
  readonly force: boolean;
  readonly terminate: boolean;
}

/**
 * Asks Temporal, if it answers, for the run's plan and whether the run has ended. Refuses an open run unless it is to be
 * terminated: it tears down by itself, and removing its endpoints would only make its tasks fail.
 */
async function askTemporal(question: Question, context: CommandContext): Promise<RunFacts> {
  const { invocation, stored, force, terminate } = question;
  const { home, env } = context;
  try {
    const { client } = await openSession(context);
    try {
      const plan = stored ?? (await readPlan(client, { invocation, force }));
      const indices = partIndices(plan);
      // The run also counts as open while one of its tasks tears down.
      const { kind } = await ownerAmong(client, invocation, indices);
      if (kind === 'live' && terminate) await terminateRun(client, invocation, indices);
      if (kind !== 'live' || terminate) {
        const { connection, options } = client;
        const embedded = temporalTarget(env).kind === 'embedded';
        const origin = await originOf({ connection, namespace: options.namespace, home, embedded });
        return { plan, origin, asked: { kind: kind === 'live' ? 'closed' : kind, origin } };
      }
    } finally {
      await client.connection.close();
    }
  } catch (error) {
    if (error instanceof EncryptionKeyError && !force) throw withoutKey(error, invocation);
    return { plan: undefined, origin: 'unknown', asked: { kind: 'not asked', reason: (error as Error).message } };
  }
  throw new UsageError(
    `Run ${invocation} is still going on. Cancel it, and it tears down by itself: ${programName(env)} cancel ${invocation}\nOnly where that can't go on (${programName(env)} status ${invocation} says so): ${programName(env)} cleanup ${invocation} --terminate`,
  );
}

/** With `--force` the plan may be missing, because its key may be lost. */
async function readPlan(
  client: Client,
  { invocation, force }: Pick<Question, 'invocation' | 'force'>,
): Promise<RunPlan | undefined> {
  try {
    return await planInHistory(client, invocation);
  } catch (error) {
    if (force && error instanceof EncryptionKeyError) return undefined;
    throw error;
  }
}

/** Without the history it is not known which tasks may be open, and where results belong. */
const withoutKey = ({ message }: EncryptionKeyError, invocation: string): EncryptionKeyError =>
  new EncryptionKeyError(
    `${message} Nothing was removed. If the key is lost, and you know that the run is over: evalsaga cleanup ${invocation} --force`,
  );

interface RunFacts {
  /** From the run's history, if that still exists. */
  readonly plan: RunPlan | undefined;
  readonly origin: string;
  readonly asked: Asked;
}

const ownersOf = (marks: readonly string[], recorded: string | undefined): string[] => [
  ...new Set([...marks, ...(recorded === undefined ? [] : [recorded])]),
];

/** Throws unless Temporal confirms that the run is over, or the user insists. */
function admit(request: {
  readonly invocation: string;
  readonly known: RunFacts;
  readonly owners: readonly string[];
  readonly force: boolean;
  readonly context: CommandContext;
}): void {
  const { invocation, known, owners, force, context } = request;
  const doubt = whyDoubtful(known.asked, owners);
  if (doubt === undefined) return;
  if (force) return context.output.warn(`${doubt}; going on because of --force`);
  const message = [
    `Run ${invocation} may still be going on: ${doubt}. Nothing was removed.`,
    ownersInWords(owners),
    `If you know that it is over: ${programName(context.env)} cleanup ${invocation} --force`,
  ].join('\n');
  throw known.asked.kind === 'not asked' ? new InfrastructureError(message) : new UsageError(message);
}

/** Parses `FILE SYSTEM:/path`, or a path in the default file system. */
function storagePlace(text: string | undefined): StoragePlace | undefined {
  if (text === undefined) return undefined;
  const [, fileSystem = 'default', folder = ''] = /^(?:([^:/]+):)?(\/.*)$/.exec(text) ?? [];
  if (folder === '') throw new UsageError(`--storage takes a path such as /shared/evalsaga/ID, not "${text}".`);
  return { fileSystem, path: path.posix.normalize(folder).replace(/(.)\/$/, '$1') };
}

async function platformAccess(options: {
  plan: RunPlan | undefined;
  input: CommandInput;
  context: CommandContext;
}): ReturnType<typeof loadAccess> {
  const { plan, input, context } = options;
  const { home, env, output } = context;
  const wish = (textOption(input, 'platform') ?? 'auto') as PlatformWish;
  const ref = plan?.platform ?? choosePlatform({ wish, env }).ref;
  if (ref.kind === 'local') await ensureStack({ home, env, localPlatform: true, report: (line) => output.note(line) });
  return loadAccess(home, ref, { env });
}
