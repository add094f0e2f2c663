import { flag, listOption, textOption, type CommandContext, type CommandInput } from './command';
import { UsageError } from './usage-error';

/** Returns the request for `loadConfig` from the command line. Throws `UsageError`. */
export function configRequest(input: CommandInput, { env, cwd }: CommandContext) {
  const [config] = input.arguments;
  const configDir = textOption(input, 'configDir');
  const configName = textOption(input, 'configName');
  const envFile = textOption(input, 'envFile');
  const executor = textOption(input, 'executor');
  if (config !== undefined && configName !== undefined) {
    throw new UsageError('Give either the path of a config or --config-name (with --config-dir), not both.');
  }
  if (config === undefined && configName === undefined) {
    throw new UsageError('Give a config, e.g. evalsaga start examples/lepton_vllm.yaml');
  }
  return {
    ...(config === undefined ? {} : { config }),
    ...(configDir === undefined ? {} : { configDir }),
    ...(configName === undefined ? {} : { configName }),
    ...(envFile === undefined ? {} : { envFile }),
    ...(executor === undefined ? {} : { executor }),
    overrides: listOption(input, 'override'),
    tasks: listOption(input, 'task'),
    models: listOption(input, 'model'),
    env,
    cwd,
  };
}

export const wantsJson = (input: CommandInput): boolean => flag(input, 'json');
