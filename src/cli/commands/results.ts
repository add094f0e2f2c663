import path from 'node:path';
import { describeRun, resolveInvocation } from '../../client';
import { unreadableFiles } from '../../results/scores/recorded';
import { writeAtomically } from '../../support/atomic-file';
import { harmlessLine } from '../../support/terminal-text';
import { textOption, flag, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { wantsJson } from '../config-input';
import { done, type CommandOutcome } from '../exit-code';
import { resultNotes } from '../render/closing';
import { findingLines } from '../render/findings';
import { verdict } from '../render/progress-lines';
import { csvOf } from '../render/results/csv';
import { junitOf } from '../render/results/junit';
import { markdownOf } from '../render/results/markdown';
import { byModel, matrixOf, matrixTable } from '../render/results/matrix';
import { costsTable } from '../render/results/task-costs';
import { usefulShareLine } from '../render/results/useful-share';
import { runDocument, type RunDocument } from '../render/run-document';
import { scoresAfterEnd } from '../render/run-status';
import { scoresCaveats, scoresTable } from '../render/scores';
import { copyResults } from './fetch';
import { checkIndex, checkModel, modelAddress, openSession, runAddress, runUrl, type Session } from '../session';
import { UsageError } from '../usage-error';
import type { CountedRun } from '../render/results/html';
import { nowOf } from '../temporal-clock';

const formats = ['table', 'json', 'csv', 'md', 'junit', 'html'] as const;
type Format = (typeof formats)[number];

/** A run, or one task of it, as it was asked for. */
interface Shown extends CountedRun {
  readonly document: RunDocument;
}

/** `results ID[.N]…`: prints or writes the scores so far, and why tasks have none. */
export const results: CommandBody = async (input, context) => {
  const file = textOption(input, 'output');
  const format = formatOf(input, file);
  const copy = wantedCopy(input);
  const session = await openSession(context);
  if (copy) await download(copy, session, context);
  const shown: Shown[] = [];
  for (const address of input.arguments) shown.push(await look(address, session, context));
  const isStrict = flag(input, 'strict');
  await present(shown, { format, file: file === '-' ? undefined : file, isStrict }, context);
  const isSpoiled = shown.some(({ document }) => document.findings.length > 0);
  return isStrict && isSpoiled ? spoiled(shown, context) : done;
};

/** A run whose files are to be copied. */
interface WantedCopy {
  readonly prefix: string;
  readonly folder: string;
}

/** Part of a run is refused, as by `fetch`: all of its files would be copied. */
function wantedCopy(input: CommandInput): WantedCopy | undefined {
  const folder = textOption(input, 'download');
  if (folder === undefined) return undefined;
  const [address, ...others] = input.arguments;
  const whole = modelAddress(address) === undefined ? runAddress(address) : undefined;
  if (others.length > 0 || whole === undefined || whole.index !== undefined)
    throw new UsageError('--download takes the files of one run as a whole: give one id, without a task or model.');
  return { prefix: whole.prefix, folder };
}

/** Copies the files of the run to the folder that the user names. */
async function download({ prefix, folder }: WantedCopy, session: Session, context: CommandContext): Promise<void> {
  const invocation = await resolveInvocation(session.client, prefix, context.home);
  const copied = await copyResults({ session, invocation, folder: path.resolve(context.cwd, folder) }, context);
  context.output.note(`its files are in ${copied.folder}`);
}

const byExtension: Readonly<Record<string, Format>> = {
  '.json': 'json',
  '.csv': 'csv',
  '.md': 'md',
  '.xml': 'junit',
  '.html': 'html',
};

function formatOf(input: CommandInput, file: string | undefined): Format {
  const named = formats.find((format) => format === textOption(input, 'format'));
  if (wantsJson(input) && named !== undefined && named !== 'json')
    throw new UsageError(`--json and --format ${named} contradict each other: give one of them.`);
  if (wantsJson(input)) return 'json';
  return named ?? byExtension[path.extname(file ?? '').toLowerCase()] ?? 'table';
}

async function look(address: string | undefined, session: Session, { home, output }: CommandContext): Promise<Shown> {
  const ofModel = modelAddress(address);
  const { prefix, index } = runAddress(ofModel?.run ?? address);
  const invocation = await resolveInvocation(session.client, prefix, home);
  const described = await describeRun(session.client, invocation, home);
  checkIndex(index, described.snapshot.tasks);
  checkModel(ofModel?.model, described.snapshot.tasks);
  for (const reason of await unreadableFiles(home, invocation)) output.warn(reason);
  const tasks = described.snapshot.tasks.filter(
    (task) => (index === undefined || task.index === index) && (ofModel === undefined || task.model === ofModel.model),
  );
  const run = { ...described, snapshot: { ...described.snapshot, tasks } };
  const now = await nowOf(run, session.client, output);
  return { run, now, document: runDocument(run, runUrl(session, invocation, run.runId), now) };
}

interface Target {
  readonly format: Format;
  readonly file: string | undefined;
  readonly isStrict: boolean;
}

async function present(shown: readonly Shown[], target: Target, context: CommandContext): Promise<void> {
  const { format, file } = target;
  const { output, cwd } = context;
  const documents = shown.map(({ document }) => document);
  if (format === 'json' && file === undefined) return output.json(jsonOf(documents));
  if (format === 'table' && file === undefined) return showTables(shown, context);
  const text = await textOf(shown, target, context);
  if (file === undefined) return output.answer(text);
  const place = path.resolve(cwd, file);
  await writeAtomically(place, (draft) => draft.writeFile(`${text}\n`));
  output.note(`written: ${place}`);
}

const jsonOf = (documents: readonly RunDocument[]): object =>
  documents.length === 1 && documents[0] ? documents[0] : { runs: documents };

async function textOf(shown: readonly Shown[], { format, isStrict }: Target, context: CommandContext): Promise<string> {
  const documents = shown.map(({ document }) => document);
  switch (format) {
    case 'table':
      return tables(shown, Infinity).join('\n');
    case 'json':
      return JSON.stringify(jsonOf(documents), null, 2);
    case 'csv':
      return csvOf(documents);
    case 'md':
      return markdownOf(documents);
    case 'junit':
      return junitOf(documents, { isStrict });
    case 'html': {
      const { htmlOf } = await import('../render/results/html.js');
      return htmlOf(shown, context.home);
    }
  }
}

/** Returns the tables: of one run its scores and what they took, of several the scores beside each other. */
function tables(shown: readonly Shown[], width: number): string[] {
  const [only, ...others] = shown;
  if (only === undefined) return [];
  const { run, document } = only;
  const all = others.length > 0;
  const columns = shown.flatMap((one) => byModel(one.document));
  const scores =
    columns.length > 1
      ? matrixTable(matrixOf(columns))
      : scoresTable({ ...run.snapshot, samplings: run.resultsInfo?.samplings }, width);
  if (scores === '')
    return all ? ['none of the runs has scores'] : [`run ${document.invocation} has no scores (${run.status})`];
  if (all) return [scores];
  const costs = costsTable(document, width);
  return [scores, ...(costs === '' ? [] : [costs]), ...usefulShareLine(document)];
}

function showTables(shown: readonly Shown[], { output }: CommandContext): void {
  for (const text of tables(shown, output.answerWidth())) output.answer(text);
  for (const { run, document } of shown) {
    const of = shown.length > 1 ? `${document.invocation}: ` : '';
    for (const task of run.snapshot.tasks) {
      if (Object.keys(task.metrics).length === 0)
        output.note(`${of}${task.index} ${harmlessLine(task.name)}: no scores: ${verdict(task)}`);
    }
    const lines = [
      ...findingLines(run),
      ...scoresCaveats(run.snapshot),
      ...scoresAfterEnd(run),
      ...resultNotes(run.snapshot),
    ];
    for (const line of lines) output.note(`${of}${line}`);
    const outputDir = run.resultsInfo?.outputDir ?? null;
    if (outputDir !== null && run.snapshot.tasks.some((task) => task.outputDir !== null))
      output.note(`results: ${outputDir}`);
  }
}

function spoiled(shown: readonly Shown[], { output }: CommandContext): CommandOutcome {
  const count = shown.reduce((sum, { document }) => sum + document.findings.length, 0);
  output.note(`--strict: ${count} ${count === 1 ? 'finding' : 'findings'} may have spoiled the scores`);
  return { kind: 'spoiled' };
}
