import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { RunDescription } from '../../../client';
import { costDocument } from '../../../contract/cost';
import { platformWords } from '../../../contract/details';
import { statusWordOf } from '../../../contract/verdict';
import type { HomePaths } from '../../../home/paths';
import { readablePlan } from '../../../home/run-store';
import { findRecord } from '../../../results/scores/recorded';
import { usefulShareOf } from '../../../results/summary/task-summary';
import { reportedRun, reportedTask, type ReportedRun } from '../../../report/run/reported-run';
import { runReport } from '../../../report/run/run-report';
import { productVersion } from '../../../support/version';
import { lastEnd } from '../run-document';

/** A run, and the time up to which it is counted while it is open: Temporal's, in milliseconds since the epoch. */
export interface CountedRun {
  readonly run: RunDescription;
  readonly now: number;
}

/** Returns the report on runs, open or closed, as one HTML file. */
export async function htmlOf(runs: readonly CountedRun[], home: HomePaths): Promise<string> {
  const reported = await Promise.all(runs.map(({ run, now }) => describedRun(run, now, home)));
  return runReport(reported, { writtenAt: new Date().toISOString(), version: productVersion() });
}

/** What is known now counts; the record adds who started the run, and how. */
async function describedRun(run: RunDescription, nowMs: number, home: HomePaths): Promise<ReportedRun> {
  const { snapshot, resultsInfo, status } = run;
  const { invocation, budget, left, kept } = snapshot;
  const summaries = new Map((resultsInfo?.summaries ?? []).map(({ index, ...summary }) => [index, summary]));
  const tasks = snapshot.tasks.map((task) => reportedTask(task, { summary: summaries.get(task.index), budget, nowMs }));
  const plan = await readablePlan(home, invocation);
  const found = plan ? await findRecord(plan, home) : undefined;
  const recorded = found?.kind === 'found' ? reportedRun(found.record) : undefined;
  return {
    invocation,
    model: snapshot.model,
    status: statusWordOf(run),
    isSimulated: snapshot.simulated === true,
    platform: recorded?.platform ?? platformWords(snapshot),
    startedAt: snapshot.startedAt,
    countedTo: new Date(nowMs).toISOString(),
    endedAt: status === 'running' ? null : (recorded?.endedAt ?? lastEnd(snapshot)),
    tasks,
    cost: costDocument(snapshot, nowMs),
    usefulShare: usefulShareOf(
      tasks.map(({ snapshot: task, summary }) => ({ ...task, ...(summary ? { summary } : {}) })),
      { shared: snapshot.shared, budget, nowMs },
    ),
    left,
    kept,
    provenance:
      recorded?.provenance ??
      (plan
        ? [
            ['Started by', plan.owner],
            ['Command', plan.provenance.command],
          ]
        : []),
    config: recorded?.config ?? (await configOf(home, invocation)),
  };
}

/** The config that this host keeps of its runs has its secrets masked. */
const configOf = (home: HomePaths, invocation: string): Promise<string | null> =>
  readFile(path.join(home.runs, invocation, 'config.yaml'), 'utf8').catch(() => null);
