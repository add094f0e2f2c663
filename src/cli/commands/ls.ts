import type { CommandBody, CommandContext, CommandInput } from '../command';
import { textOption } from '../command';
import { wantsJson } from '../config-input';
import { UsageError } from '../errors';
import { done, type CommandOutcome } from '../exit-code';

/** `ls [runs]`, `ls tasks`, `ls task NAME`. */
export const ls: CommandBody = async (input, context) => {
  const [what = 'runs', name] = input.arguments;
  switch (what) {
    case 'runs':
      return listTheRuns(input, context);
    case 'tasks':
    case 'task':
      return listTheTasks(input, context, what === 'task' ? (name ?? '') : undefined);
    default:
      throw new UsageError(`"${what}" cannot be listed: runs, tasks, or task NAME.`);
  }
};

async function listTheRuns(input: CommandInput, context: CommandContext): Promise<CommandOutcome> {
  const [{ listRuns }, { openSession }, { runsTable }] = await Promise.all([
    import('../../client.js'),
    import('../session.js'),
    import('../../report/overview.js'),
  ]);
  const limit = Number(textOption(input, 'limit'));
  if (!Number.isInteger(limit) || limit < 1) throw new UsageError('--limit wants a number of runs.');
  const { client } = await openSession(context);
  const runs = await listRuns(client, { limit, home: context.home });
  if (wantsJson(input)) context.output.json(runs);
  else
    context.output.answer(
      runs.length === 0 ? 'no runs yet' : runsTable(runs, Date.now(), context.output.answerWidth()),
    );
  context.output.note("Temporal's list lags by a second or two; `status ID` is exact.");
  return done;
}

async function listTheTasks(
  input: CommandInput,
  { output }: CommandContext,
  name: string | undefined,
): Promise<CommandOutcome> {
  const [{ listTasks, describeTask, findTask }, { taskTable, taskDetails }] = await Promise.all([
    import('../../config/index.js'),
    import('../../report/task-catalogue.js'),
  ]);
  if (name === '') throw new UsageError('Say which task: evalsaga ls task NAME');
  const found = name === undefined ? listTasks() : describeTask(name);
  if (name !== undefined && found.length === 0) {
    const lookup = findTask(name);
    const near = lookup.kind === 'unknown' ? lookup.near : [];
    const hint = near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : ' All of them: evalsaga ls tasks';
    throw new UsageError(`There is no task "${name}" in the catalogue.${hint}`);
  }
  if (wantsJson(input)) output.json(found);
  else output.answer(name === undefined ? taskTable(found) : taskDetails(found));
  return done;
}
