import type { HomePaths } from '../home/paths';
import type { Env } from '../temporal/target';
import type { CommandName } from './command-names';
import type { CommandOutcome } from './exit-code';
import type { Output } from './output';

/** A command as data for the argument parser. Its code is loaded only to run it. */
export interface Command {
  /** `start`, or `config show` for a nested one. */
  readonly name: CommandName;
  /** In commander's form: `<id>`, `[config]`, `[args...]`. */
  readonly arguments: readonly (readonly [form: string, meaning: string])[];
  readonly options: readonly CommandOption[];
  readonly summary: string;
  /** Shown below the help. */
  readonly examples: readonly string[];
  load(): Promise<CommandBody>;
}

export interface CommandOption {
  /** In commander's form: `-o, --override <key=value>`. */
  readonly form: string;
  readonly meaning: string;
  readonly default?: string | number | boolean;
  /** May be given several times. */
  readonly repeated?: boolean;
  readonly choices?: readonly string[];
}

export type CommandBody = (input: CommandInput, context: CommandContext) => Promise<CommandOutcome>;

/** Parsed arguments and options; options by their long name in camel case. */
export interface CommandInput {
  readonly arguments: readonly (string | undefined)[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** Environment of a command. */
export interface CommandContext {
  readonly env: Env;
  /** The user's working directory, absolute, even if npm changed the process's. */
  readonly cwd: string;
  readonly home: HomePaths;
  readonly output: Output;
  /** The command as given, secrets masked, for the run's record. */
  readonly commandLine: string;
}

export const textOption = ({ options }: CommandInput, name: string): string | undefined => {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
};

export const listOption = ({ options }: CommandInput, name: string): readonly string[] => {
  const value = options[name];
  return Array.isArray(value) ? value.map(String) : [];
};

export const flag = ({ options }: CommandInput, name: string): boolean => options[name] === true;
