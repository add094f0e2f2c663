import { begin, prepare, sealingKeyFor } from '../cli/attach/launch';
import type { Wanted } from '../cli/attach/wanted';
import { tracedStart } from '../cli/attach/traced-start';
import { wantedRun } from '../cli/attach/wanted-run';
import type { CommandContext } from '../cli/command';
import { refuseMissing } from '../cli/host-secrets';
import { runUrl } from '../cli/session';
import type { RunPlan } from '../contract/plan';
import { isRunName, isTagKey, runNameRule, tagKeyRule, whyNoRunId } from '../contract/run-name';
import type { PlatformWish } from '../stack/choose-platform';
import { UsageFault } from '../support/usage-fault';
import { temporalTarget } from '../temporal/target';
import { behind, type Evalsaga } from './connect';
import { loadedFrom, type ParsedConfig } from './parse-config';

export interface StartOptions {
  /** `auto`: Lepton when credentials are found, else this machine. Default `auto`. */
  readonly platform?: PlatformWish;
  /**
   * The run's id (16 hexadecimal digits) or name, where the same start may come twice: a run of this config that has it is returned
   * instead of starting another (`isNew: false`). Another config under it rejects with `RunDiffers`. Default: a new id.
   */
  readonly runId?: string;
  /** Name of the run, which every call takes in place of its id. Default: `execution.run_name`. */
  readonly name?: string;
  /** Added to `execution.tags`. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Ends the start before the run exists; the call then rejects with the signal's reason. Cancel a run with `cancelRun`. */
  readonly signal?: AbortSignal;
}

export interface StartedRun {
  /** 16 hexadecimal digits. */
  readonly id: string;
  /** Absolute folder of its results on this machine. */
  readonly outputDir: string;
  /** Its page in Temporal's Web UI; `null`: not known. */
  readonly webUi: string | null;
  /** It has been started by this call. */
  readonly isNew: boolean;
}

/**
 * Starts a run, which then goes on without this process. Checks everything before it creates anything. Rejects with `UsageFault`
 * or `ConfigError` (the request is wrong), `InfrastructureError` (something can't be reached), and what the platform says.
 */
export async function startRun(
  evalsaga: Evalsaga,
  config: ParsedConfig,
  { platform = 'auto', runId, name, tags, signal = new AbortController().signal }: StartOptions = {},
): Promise<StartedRun> {
  const { context } = behind(evalsaga);
  checkLabels({ name, tags });
  const wrong = runId === undefined ? undefined : whyNoRunId(runId, name);
  if (wrong !== undefined) throw new UsageFault(`runId ${wrong}`);
  const labels = {
    ...(runId === undefined ? {} : { runId }),
    ...(name === undefined ? {} : { name }),
    ...(tags === undefined ? {} : { tags }),
  };
  const wanted = await wantedRun(loadedFrom(config), { platform, ...labels }, context);
  const { missing, choice } = wanted;
  if (temporalTarget(context.env).kind === 'embedded' || choice.ref.kind === 'local') refuseMissing({ missing });
  const { env } = context;
  const { value, exported } = await tracedStart({ env, invocation: wanted.plan.invocation }, () =>
    started(wanted, { context, signal }),
  );
  await exported;
  return value;
}

async function started(
  wanted: Wanted,
  { context, signal }: { readonly context: CommandContext; readonly signal: AbortSignal },
): Promise<StartedRun> {
  const stack = await prepare(wanted, context, signal);
  try {
    const sealingKey = sealingKeyFor(wanted, stack, context);
    const plan: RunPlan = stack.isSimulated ? { ...wanted.plan, simulated: true } : wanted.plan;
    const begun = await begin({ launch: { ...wanted, plan }, stack, sealingKey, signal }, context);
    const { invocation: id, outputDir } = begun.plan;
    return {
      id,
      outputDir,
      webUi: begun.runId === undefined ? null : runUrl(stack, id, begun.runId),
      isNew: begun.isNew,
    };
  } finally {
    await stack.client.connection.close();
  }
}

function checkLabels({ name, tags = {} }: { readonly name: string | undefined; readonly tags: StartOptions['tags'] }) {
  if (name !== undefined && !isRunName(name))
    throw new UsageFault(`name can't be "${name}": a name has ${runNameRule}.`);
  const wrong = Object.keys(tags).find((key) => !isTagKey(key));
  if (wrong !== undefined) throw new UsageFault(`"${wrong}" can't be the key of a tag: it has ${tagKeyRule}.`);
}
