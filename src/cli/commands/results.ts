import { describeRun, resolveInvocation } from '../../client';
import { unreadableFiles } from '../../results/scores/recorded';
import { readablePlan } from '../../home/run-store';
import { resultNotes } from '../render/closing';
import { runDocument } from '../render/run-document';
import { scoresAfterEnd } from '../render/run-status';
import { scoresCaveats, scoresTable } from '../render/scores';
import { verdict } from '../render/progress-lines';
import { harmlessLine } from '../../support/terminal-text';
import type { CommandBody } from '../command';
import { wantsJson } from '../config-input';
import { done } from '../exit-code';
import { checkIndex, openSession, runAddress, runUrl } from '../session';

/** `results ID[.N]`: prints the scores so far, and why tasks have none. */
export const results: CommandBody = async (input, context) => {
  const { prefix, index } = runAddress(input.arguments[0]);
  const { home, output } = context;
  const session = await openSession(context);
  const invocation = await resolveInvocation(session.client, prefix, home);
  const described = await describeRun(session.client, invocation, home);
  checkIndex(index, described.snapshot.tasks);
  for (const reason of await unreadableFiles(home, invocation)) output.warn(reason);
  const tasks = described.snapshot.tasks.filter((task) => index === undefined || task.index === index);
  const run = { ...described, snapshot: { ...described.snapshot, tasks } };
  if (wantsJson(input)) {
    output.json(runDocument(run, runUrl(session, invocation, run.runId)));
    return done;
  }
  const scores = scoresTable({ ...run.snapshot, samplings: run.resultsInfo?.samplings }, output.answerWidth());
  output.answer(scores === '' ? `run ${invocation} has no scores (${run.status})` : scores);
  for (const task of tasks) {
    if (Object.keys(task.metrics).length === 0)
      output.note(`${task.index} ${harmlessLine(task.name)}: no scores: ${verdict(task)}`);
  }
  for (const line of [...scoresCaveats(run.snapshot), ...scoresAfterEnd(run)]) output.note(line);
  for (const note of resultNotes(run.snapshot)) output.note(note);
  const outputDir = (await readablePlan(home, invocation))?.outputDir;
  if (outputDir !== undefined && tasks.some((task) => task.outputDir !== null)) output.note(`results: ${outputDir}`);
  return done;
};
