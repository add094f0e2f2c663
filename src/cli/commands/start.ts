import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { loadConfig, planRun, renderProblem } from '../../config';
import type { RunPlan } from '../../contract/plan';
import { isRunName, isTagKey, runNameRule, tagKeyRule } from '../../contract/run-name';
import { admitOutput } from '../../doctor/check-output';
import { dryRunDocument } from '../render/dry-run';
import { yamlDocument } from '../render/yaml-document';
import { choosePlatform, type PlatformWish } from '../../stack/choose-platform';
import { flag, listOption, textOption, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { configRequest, wantsJson } from '../config-input';
import { done, type CommandOutcome } from '../exit-code';
import { harmlessLine } from '../../support/terminal-text';
import { UsageError } from '../usage-error';
import { temporalTarget } from '../../temporal/target';
import { hostSecretValues, refuseMissing } from '../host-secrets';

/** `start CONFIG`: checks everything before it creates anything, then starts the run, which outlives the command. */
export const start: CommandBody = async (input, context) => {
  if (flag(input, 'strict') && flag(input, 'detach'))
    throw new UsageError(
      '--strict judges the results, for which --detach does not wait: use results ID --strict later.',
    );
  const loaded = await loadConfig(configRequest(input, context));
  for (const warning of loaded.warnings) context.output.warn(renderProblem(warning));
  const choice = choosePlatform({ wish: (textOption(input, 'platform') ?? 'auto') as PlatformWish, env: loaded.env });
  const { plan, hostSecrets } = planRun(loaded, {
    invocation: randomBytes(8).toString('hex'),
    platform: choice.ref,
    owner: owner(context),
    ...labels(input),
    command: context.commandLine,
    cwd: context.cwd,
  });
  await admitOutput(plan);
  if (choice.ref.kind === 'local') {
    const { admitLocally } = await import('../../doctor/admission.js');
    for (const doubt of await admitLocally({ plan, home: context.home })) context.output.warn(doubt);
  }
  if (flag(input, 'dryRun')) return dryRun(plan, input, context);
  const { values: secrets, missing } = hostSecretValues(hostSecrets, loaded.env);
  // Only workers of a cluster may know more than this machine.
  if (temporalTarget(context.env).kind === 'embedded' || choice.ref.kind === 'local') refuseMissing({ missing });
  // Loading Temporal's client takes a third of a second, which a dry run saves.
  const { launch } = await import('../attach/launch.js');
  return launch(
    {
      ...{ plan, secrets, missing, choice, configYaml: loaded.yaml },
      ...{ detach: flag(input, 'detach'), json: wantsJson(input), strict: flag(input, 'strict') },
    },
    context,
  );
};

function dryRun(plan: RunPlan, input: CommandInput, { output }: CommandContext): CommandOutcome {
  const document = dryRunDocument(plan);
  if (wantsJson(input)) output.json(document);
  else output.answer(yamlDocument(document).trimEnd());
  output.note('dry run: nothing was created');
  return done;
}

/** Reads `--name` and `--tag`. Throws `UsageError`. */
function labels(input: CommandInput): { name?: string; tags?: Readonly<Record<string, string>> } {
  const name = textOption(input, 'name');
  if (name !== undefined && !isRunName(name))
    throw new UsageError(`--name can't be "${harmlessLine(name)}": a name has ${runNameRule}.`);
  const pairs = listOption(input, 'tag').map((text): [string, string] => {
    const [key = '', ...value] = text.split('=');
    if (!isTagKey(key) || value.length === 0)
      throw new UsageError(`--tag takes KEY=VALUE, a key of ${tagKeyRule}, not "${harmlessLine(text)}".`);
    return [key, value.join('=')];
  });
  return {
    ...(name === undefined ? {} : { name }),
    ...(pairs.length === 0 ? {} : { tags: Object.fromEntries(pairs) }),
  };
}

function owner({ env }: CommandContext): string {
  try {
    return userInfo().username;
  } catch {
    return env['USER'] ?? env['USERNAME'] ?? 'unknown';
  }
}
