import path from 'node:path';
import { writeAtomically } from '../support/atomic-file';
import { textOption, type CommandContext, type CommandInput } from './command';

/** Prints an answer, or writes it to the file of `--output`: text as it is, anything else as a JSON document. */
export async function writeAnswer(
  answer: unknown,
  input: CommandInput,
  { cwd, output }: Pick<CommandContext, 'cwd' | 'output'>,
): Promise<void> {
  const given = textOption(input, 'output');
  if (given === undefined) {
    if (typeof answer === 'string') output.answer(answer);
    else output.json(answer);
    return;
  }
  const file = path.resolve(cwd, given);
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer, null, 2);
  await writeAtomically(file, (draft) => draft.writeFile(text.endsWith('\n') ? text : `${text}\n`));
  output.note(`written to ${file}`);
}
