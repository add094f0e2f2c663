import path from 'node:path';
import { writeAtomically } from '../support/atomic-file';
import { textOption, type CommandContext, type CommandInput } from './command';
import { wantsJson } from './config-input';
import { UsageError } from './usage-error';

/** Formats of answers that can go to a file, by the ends of its name. */
const byExtension: Readonly<Record<string, string>> = {
  '.json': 'json',
  '.md': 'md',
  '.xml': 'junit',
  '.html': 'html',
};

/** Returns the format that was asked for: named, by the name of the file, or a table. Throws `UsageError`. */
export function answerFormat<Format extends string>(input: CommandInput, formats: readonly Format[]): Format | 'table' {
  const named = textOption(input, 'format');
  if (wantsJson(input) && named !== undefined && named !== 'json')
    throw new UsageError(`--json and --format ${named} contradict each other: give one of them.`);
  const extension = path.extname(answerFile(input) ?? '').toLowerCase();
  const wanted = wantsJson(input) ? 'json' : (named ?? byExtension[extension]);
  return formats.find((format) => format === wanted) ?? 'table';
}

/** Returns the file for the answer; `undefined`: stdout, also if it is called `-`. */
export function answerFile(input: CommandInput): string | undefined {
  const given = textOption(input, 'output');
  return given === '-' ? undefined : given;
}

/** Prints an answer, or writes it to the file of `--output`: text as it is, anything else as a JSON document. */
export async function writeAnswer(
  answer: unknown,
  input: CommandInput,
  { cwd, output }: Pick<CommandContext, 'cwd' | 'output'>,
): Promise<void> {
  const given = answerFile(input);
  if (given === undefined) {
    if (typeof answer === 'string') output.answer(answer);
    else output.json(answer);
    return;
  }
  const file = path.resolve(cwd, given);
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer, null, 2);
  await writeAtomically(file, (draft) => draft.writeFile(text.endsWith('\n') ? text : `${text}\n`));
  output.note(`written: ${file}`);
}
