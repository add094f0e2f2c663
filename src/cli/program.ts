import { Command as Program, CommanderError, Option } from 'commander';
import { productVersion } from '../support/version';
import type { Command, CommandBody, CommandInput, CommandOption } from './command';
import { UsageError } from './usage-error';

/** A command to run, or nothing, because commander has printed a text. */
export type Parsed =
  | { readonly kind: 'run'; readonly command: Command; readonly input: CommandInput; load(): Promise<CommandBody> }
  | { readonly kind: 'printed' };

/** Parses the arguments after the program's name. Throws `UsageError`. */
export function parseArguments(commands: readonly Command[], argv: readonly string[]): Parsed {
  let parsed: Parsed = { kind: 'printed' };
  const program = settled(new Program('evalsaga'))
    .description('Durable LLM evaluation runs on Lepton: every endpoint a run creates, it tears down, whatever dies.')
    .version(productVersion(), '-V, --version')
    .showSuggestionAfterError();
  const groups = new Map<string, Program>();
  for (const command of commands) {
    const [first = '', second] = command.name.split(' ');
    const parent = second === undefined ? program : groupOf(groups, program, first);
    define(parent.command(second ?? first), command, (input) => {
      parsed = { kind: 'run', command, input, load: () => command.load() };
    });
  }
  try {
    program.parse([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: 'printed' };
    if (error.code === 'commander.help') throw new UsageError('Give a command to run.', { cause: error });
    throw new UsageError(error.message.replace(/^error: /, ''), { cause: error });
  }
  return parsed;
}

function groupOf(groups: Map<string, Program>, program: Program, name: string): Program {
  const group = groups.get(name) ?? settled(program.command(name)).description(`${name} commands`);
  groups.set(name, group);
  return group;
}

/** Makes commander throw errors, which are printed in one place. */
function settled(program: Program): Program {
  return program.exitOverride().configureOutput({ outputError: () => undefined });
}

function define(program: Program, command: Command, onParsed: (input: CommandInput) => void): void {
  settled(program).description(command.summary).showSuggestionAfterError().allowExcessArguments(false);
  for (const [form, meaning] of command.arguments) program.argument(form, meaning);
  for (const option of command.options) program.addOption(optionOf(option));
  const examples = command.examples.map((example) => `  evalsaga ${example}`);
  if (examples.length > 0) program.addHelpText('after', `\nExamples:\n${examples.join('\n')}`);
  program.action((...given: unknown[]) => {
    const values = given
      .slice(0, command.arguments.length)
      // The last argument may take several values.
      .flatMap((value): unknown[] => (Array.isArray(value) ? value : [value]))
      .map((value) => (typeof value === 'string' ? value : undefined));
    onParsed({ arguments: values, options: program.opts() });
  });
}

function optionOf({ form, meaning, default: preset, repeated, choices }: CommandOption): Option {
  const option = new Option(form, meaning);
  if (choices) option.choices([...choices]);
  if (preset !== undefined) option.default(preset);
  if (repeated) {
    option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
  }
  return option;
}
