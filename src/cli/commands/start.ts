import { loadConfig, renderProblem } from '../../config';
import type { RunPlan } from '../../contract/plan';
import { whyNoRunId } from '../../contract/run-name';
import { dryRunDocument } from '../render/dry-run';
import { yamlDocument } from '../render/yaml-document';
import type { PlatformWish } from '../../stack/choose-platform';
import { flag, textOption, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { configRequest, wantsJson } from '../config-input';
import { done, type CommandOutcome } from '../exit-code';
import { runLabels } from '../run-labels';
import { harmlessLine } from '../../support/terminal-text';
import { UsageError } from '../usage-error';
import { temporalTarget } from '../../temporal/target';
import { refuseMissing } from '../host-secrets';
import { wantedRun } from '../attach/wanted-run';

/** `start CONFIG`: checks everything before it creates anything, then starts the run, which outlives the command. */
export const start: CommandBody = async (input, context) => {
  if (flag(input, 'strict') && flag(input, 'detach'))
    throw new UsageError(
      '--strict judges the results, for which --detach does not wait: use results ID --strict later.',
    );
  const runId = chosenId(input);
  const loaded = await loadConfig(configRequest(input, context));
  for (const warning of loaded.warnings) context.output.warn(renderProblem(warning));
  const platform = (textOption(input, 'platform') ?? 'auto') as PlatformWish;
  const wanted = await wantedRun(
    loaded,
    { platform, ...(runId === undefined ? {} : { runId }), ...runLabels(input) },
    context,
  );
  const { plan, choice, missing } = wanted;
  if (flag(input, 'dryRun')) return dryRun(plan, input, context);
  // Only workers of a cluster may know more than this machine.
  if (temporalTarget(context.env).kind === 'embedded' || choice.ref.kind === 'local') refuseMissing({ missing });
  // Loading Temporal's client takes a third of a second, which a dry run saves.
  const { launch } = await import('../attach/launch.js');
  const manner = { detach: flag(input, 'detach'), json: wantsJson(input), strict: flag(input, 'strict') };
  return launch({ ...wanted, ...manner }, context);
};

/** Reads `--run-id`. Throws `UsageError`. */
function chosenId(input: CommandInput): string | undefined {
  const id = textOption(input, 'runId');
  const wrong = id === undefined ? undefined : whyNoRunId(id, textOption(input, 'name'));
  if (wrong !== undefined) throw new UsageError(`--run-id ${harmlessLine(wrong)}`);
  return id;
}

/** Prints what the plan's run would create. */
export function dryRun(plan: RunPlan, input: CommandInput, { output }: CommandContext): CommandOutcome {
  const document = dryRunDocument(plan);
  if (wantsJson(input)) output.json(document);
  else output.answer(yamlDocument(document).trimEnd());
  output.note('dry run: nothing was created');
  return done;
}
