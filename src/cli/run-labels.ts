import { isRunName, isTagKey, runNameRule, tagKeyRule } from '../contract/run-name';
import { harmlessLine } from '../support/terminal-text';
import { whoActs } from '../support/who';
import { listOption, textOption, type CommandContext, type CommandInput } from './command';
import { UsageError } from './usage-error';

/** Reads `--name` and `--tag`. Throws `UsageError`. */
export function runLabels(input: CommandInput): { name?: string; tags?: Readonly<Record<string, string>> } {
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

/** Who starts the run. */
export const runOwner = ({ env }: Pick<CommandContext, 'env'>): string => whoActs(env);
