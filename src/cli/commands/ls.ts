import { escapeRegExp } from '../../support/escape-regexp';
import type { CatalogueTask } from '../../config';
import type { CommandBody, CommandContext, CommandInput } from '../command';
import { textOption } from '../command';
import { wantsJson } from '../config-input';
import { runFilterOf } from '../run-filter';
import { UsageError } from '../usage-error';
import { done, type CommandOutcome } from '../exit-code';

/** `ls [runs]`, `ls tasks [--from IMAGE]`, `ls task NAME [--from IMAGE]`. */
export const ls: CommandBody = async (input, context) => {
  const [what = 'runs', name] = input.arguments;
  if (textOption(input, 'from') !== undefined && what === 'runs')
    throw new UsageError('`--from` names an image whose tasks are listed: evalsaga ls tasks --from IMAGE');
  switch (what) {
    case 'runs':
      if (name !== undefined) throw new UsageError('`ls runs` takes nothing more; one run: evalsaga status ID');
      return listTheRuns(input, context);
    case 'tasks':
      return listTheTasks(input, context, { filter: name });
    case 'task':
      return listTheTasks(input, context, { name: name ?? '' });
    default:
      throw new UsageError(`"${what}" cannot be listed: runs, tasks, or task NAME.`);
  }
};

async function listTheRuns(input: CommandInput, context: CommandContext): Promise<CommandOutcome> {
  const [{ listRuns }, { openSession }, { runsTable }, { temporalNow }, { temporalTarget }] = await Promise.all([
    import('../../client.js'),
    import('../session.js'),
    import('../render/overview.js'),
    import('../temporal-clock.js'),
    import('../../temporal/target.js'),
  ]);
  const limit = Number(textOption(input, 'limit'));
  if (!Number.isInteger(limit) || limit < 1) throw new UsageError('--limit wants a number of runs, at least 1.');
  const { output } = context;
  const wanted = runFilterOf(input);
  const { client } = await openSession(context);
  const { taskQueue } = temporalTarget(context.env);
  const countedAt = wanted.isByClock ? await temporalNow(client, taskQueue, output) : undefined;
  const filter = wanted.at(countedAt ?? Date.now());
  const isFiltered = Object.keys(filter).length > 0;
  const runs = await listRuns(client, { limit, home: context.home, ...filter });
  const now = (): Promise<number> => temporalNow(client, runs[0]?.taskQueue, output);
  if (wantsJson(input)) output.json(runs);
  else if (runs.length === 0) output.answer(isFiltered ? 'no run fits' : 'no runs yet');
  else output.answer(runsTable(runs, countedAt ?? (await now()), output.answerWidth()));
  if (runs.length === 0) output.note("Temporal's list lags by a second or two; `status ID` is exact.");
  return done;
}

async function listTheTasks(
  input: CommandInput,
  context: CommandContext,
  { name, filter }: { readonly name?: string; readonly filter?: string | undefined },
): Promise<CommandOutcome> {
  if (name === '') throw new UsageError('Say which task: evalsaga ls task NAME');
  const image = textOption(input, 'from');
  if (image !== undefined) return listTasksOf(image, input, context, { name, filter });
  const { output } = context;
  const [{ listTasks, describeTask, findTask }, { taskTable, taskDetails }] = await Promise.all([
    import('../../config/index.js'),
    import('../render/task-catalogue.js'),
  ]);
  const found = name === undefined ? listTasks().filter(fits(filter)) : describeTask(name);
  if (name !== undefined && found.length === 0) {
    const lookup = findTask(name);
    const near = lookup.kind === 'unknown' ? lookup.near : [];
    const hint = near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : ' All of them: evalsaga ls tasks';
    throw new UsageError(`There is no task "${name}" in the catalogue.${hint}`);
  }
  if (filter !== undefined && found.length === 0)
    throw new UsageError(
      `No task fits "${filter}" (a part of its name or its harness; * for any letters). All of them: evalsaga ls tasks`,
    );
  if (wantsJson(input)) output.json(found);
  else output.answer(name === undefined ? taskTable(found) : taskDetails(found));
  return done;
}

/** Lists the tasks that an evaluation image has, also those that the catalogue lacks. */
async function listTasksOf(
  image: string,
  input: CommandInput,
  { output, env }: CommandContext,
  { name, filter }: { readonly name: string | undefined; readonly filter: string | undefined },
): Promise<CommandOutcome> {
  const [{ imageTasks }, { sharedDispatcher }, { taskTable, taskDetails }] = await Promise.all([
    import('../../registry/image-tasks.js'),
    import('../../lepton/dispatcher.js'),
    import('../render/task-catalogue.js'),
  ]);
  const all = await imageTasks(image, { env, dispatcher: sharedDispatcher(env) });
  const isNamed = ({ name: own, harness }: { name: string; harness: string }): boolean =>
    [own, `${harness}.${own}`].some((each) => each.toLowerCase() === name?.toLowerCase());
  const found = all.filter(name === undefined ? fits(filter) : isNamed);
  if (found.length === 0)
    throw new UsageError(
      `${image} lists no task that fits "${name ?? filter ?? ''}". All of them: evalsaga ls tasks --from ${image}`,
    );
  if (wantsJson(input)) output.json(found.map((task) => ({ ...task, image })));
  else {
    output.answer(name === undefined ? taskTable(found) : taskDetails(found));
    const [first] = found;
    if (first !== undefined) output.note(howToWrite(first, image));
  }
  return done;
}

/** Says how a task of an image stands in a config. */
function howToWrite({ harness, name, endpoints }: CatalogueTask, image: string): string {
  const kind = endpoints.includes('chat') ? '' : `, endpoint_type: ${endpoints[0]}`;
  return `In a config: - {name: ${harness}.${name}, container: ${image}${kind}}. A task that the catalogue lacks needs NEMO_EVALUATOR_TRUST_UNLISTED_TASKS=1.`;
}

/** Returns the tasks whose name or harness contains the text; with `*`, those that match it completely. */
function fits(filter: string | undefined): (task: { readonly name: string; readonly harness: string }) => boolean {
  if (filter === undefined) return () => true;
  const escaped = filter.split('*').map(escapeRegExp).join('.*');
  const wanted = new RegExp(filter.includes('*') ? `^${escaped}$` : escaped, 'i');
  return ({ name, harness }) => [name, harness, `${harness}.${name}`].some((text) => wanted.test(text));
}
