import { stat } from 'node:fs/promises';
import path from 'node:path';
import { makeNewConfig } from '../../config';
import { writeAtomically } from '../../support/atomic-file';
import { shellQuote } from '../../support/shell';
import { flag, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { wantsJson } from '../config-input';
import { done } from '../exit-code';
import { answersFrom, missingOptions, newConfigFrom, type Answers } from '../init/answers';
import { askFor } from '../init/ask';
import { likelyPlatform } from '../likely-platform';
import { UsageError } from '../usage-error';

/** `init [FILE]`: writes a new config that `doctor` and a dry run accept. */
export const init: CommandBody = async (input, context) => {
  const { env, cwd, output } = context;
  const shownFile = input.arguments[0] ?? 'run.yaml';
  const file = path.resolve(cwd, shownFile);
  await refuseExisting(file, input);
  const answers = await complete(answersFrom(input), input, context);
  const config = newConfigFrom(answers);
  const platform = likelyPlatform(env);
  const { text, notes } = await makeNewConfig(config, { file, shownFile: shellQuote(shownFile), env, cwd, platform });
  await writeAtomically(file, (draft) => draft.writeFile(text));
  if (wantsJson(input)) output.json({ file, notes, text });
  else output.answer(file);
  for (const note of notes) output.note(`note: ${note}`);
  output.note(`next: evalsaga doctor ${shellQuote(shownFile)}, then evalsaga start ${shellQuote(shownFile)}`);
  return done;
};

async function refuseExisting(file: string, input: CommandInput): Promise<void> {
  const existing = await stat(file).catch(() => undefined);
  if (existing?.isDirectory() === true) throw new UsageError(`${file} is a folder: give the name of a file.`);
  if (existing !== undefined && !flag(input, 'force'))
    throw new UsageError(`${file} exists already: give another name, or --force to replace it.`);
}

/** Asks for what is missing if there is a terminal and no `--json`. */
async function complete(answers: Answers, input: CommandInput, { env, output }: CommandContext): Promise<Answers> {
  const isInteractive = process.stdin.isTTY && output.isLive && !wantsJson(input) && !env['CI'];
  if (missingOptions(answers).length === 0 || !isInteractive) return answers;
  return askFor(answers, { input: process.stdin, output: process.stderr });
}
