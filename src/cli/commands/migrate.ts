import { existsSync, realpathSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { migrateConfig, type Migration } from '../../config';
import { writeAtomically } from '../../support/atomic-file';
import { flag, textOption, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { wantsJson } from '../config-input';
import { done, type CommandOutcome } from '../exit-code';
import { likelyPlatform } from '../likely-platform';
import { UsageError } from '../usage-error';

/** `migrate FILE`: prints or writes the migrated config. Exits 2 if something in it is left to decide. */
export const migrate: CommandBody = async (input, context) => {
  const file = fileOf(input, context);
  const target = await targetOf(input, file, context);
  const text = await readText(file);
  const migration = await migrateConfig({
    text,
    file,
    env: context.env,
    cwd: context.cwd,
    platform: likelyPlatform(context.env),
    hasOwnConfig: (configPath) => existsSync(path.join(path.dirname(file), `${configPath}.yaml`)),
  });
  const isNew = target !== undefined && (target !== file || migration.text !== text);
  if (isNew) await writeText(target, migration.text, file);
  const written = isNew ? target : null;
  if (wantsJson(input)) context.output.json({ file, written, ...documentOf(migration) });
  else await report(migration, { file, target, written }, context);
  const outcome: CommandOutcome = { kind: 'faults', blame: 'config' };
  return migration.open.length > 0 ? outcome : done;
};

function fileOf(input: CommandInput, { cwd }: CommandContext): string {
  const [name] = input.arguments;
  if (name === undefined) throw new UsageError('Give the config to migrate, e.g. evalsaga migrate slurm.yaml');
  return path.resolve(cwd, name);
}

/** Returns the file to write; `undefined` to print the text. Throws `UsageError`. */
async function targetOf(input: CommandInput, file: string, { cwd }: CommandContext): Promise<string | undefined> {
  const output = textOption(input, 'output');
  if (flag(input, 'write') && output !== undefined) throw new UsageError('Give either -w or -o, not both.');
  // What a link points to is replaced, not the link.
  if (flag(input, 'write')) return existsSync(file) ? realpathSync(file) : file;
  if (output === undefined) return undefined;
  const target = path.resolve(cwd, output);
  const existing = await stat(target).catch(() => undefined);
  if (existing?.isDirectory() === true) throw new UsageError(`${target} is a folder: give the name of a file.`);
  if (existing !== undefined && !flag(input, 'force'))
    throw new UsageError(`${target} exists already: give another name, or --force to replace it.`);
  return target;
}

async function readText(file: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(file));
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`${file} is not UTF-8 text.`, { cause: error });
    const code = (error as NodeJS.ErrnoException).code;
    const reason = code === 'ENOENT' ? 'does not exist' : code === 'EISDIR' ? 'is a folder' : `can't be read (${code})`;
    throw new UsageError(`${file} ${reason}.`, { cause: error });
  }
}

/** Writes with the access rights of what is replaced, or of the file migrated. */
async function writeText(target: string, text: string, source: string): Promise<void> {
  const { mode } = await stat(target).catch(() => stat(source));
  await writeAtomically(
    target,
    async (draft) => {
      await draft.chmod(mode & 0o777);
      await draft.writeFile(text);
    },
    { file: mode & 0o777 },
  );
}

const documentOf = ({ text, changes, open, notes }: Migration) => ({
  changed: changes.length > 0,
  changes,
  open,
  notes,
  text,
});

async function report(
  { text, changes, open, notes }: Migration,
  {
    file,
    target,
    written,
  }: { readonly file: string; readonly target: string | undefined; readonly written: string | null },
  { output }: CommandContext,
): Promise<void> {
  // A terminal gets what it can show, a file or a pipe every byte.
  if (target === undefined && output.answerWidth() === Infinity) await output.write(text);
  else if (target === undefined) output.answer(text.replace(/\n$/, ''));
  const { style } = output;
  output.note(changes.length === 0 ? `${file}: nothing to change` : `${file}: ${countOf(changes.length, 'change')}`);
  for (const { path: key, change, reason } of changes) output.note(`  ${key}: ${change}\n      ${style.dim(reason)}`);
  for (const note of notes) output.note(`note: ${note}`);
  if (open.length > 0) {
    output.note(
      style.bad(
        `${countOf(open.length, 'thing')} left for you to decide, marked in the file with "# evalsaga migrate:". Remove a mark once it is done:`,
      ),
    );
    for (const { line, message } of open) output.note(`  line ${line}: ${message}`);
  }
  if (written !== null) output.note(`written to ${written}`);
  const config = written ?? (changes.length === 0 ? file : undefined);
  if (open.length === 0 && config !== undefined) output.note(`next: evalsaga start ${config} --dry-run`);
}

const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
