import type { RunDescription } from '../../client';
import { spoken, type RunVerdict } from './outcome';
import { costLine } from './cost';
import { exportLines } from './exports';
import { failureLines } from './failures';
import { findingLines } from './findings';
import { lastEnd } from './run-document';
import { elapsed } from './elapsed';
import { leftAndKept, scoresAfterEnd } from './run-status';
import { scoresCaveats } from './scores';
import { plainStyle, type Style } from './style';
import { harmlessLine, harmlessText } from '../../support/terminal-text';

export interface Closing {
  readonly run: RunDescription;
  readonly verdict: RunVerdict;
  /** Folder of the run's results, absolute. */
  readonly outputDir: string | null;
  /** How the user calls the program: `evalsaga`, `npm run evalsaga --`. */
  readonly program: string;
  readonly now: number;
  readonly style?: Style;
}

/** Returns the lines at the end of a run, apart from the scores: verdict, tasks that did not succeed, what is left, next commands. Pure. */
export function closingLines({ run, verdict, outputDir, program, now, style = plainStyle }: Closing): string[] {
  const { snapshot, failure } = run;
  const count = (outcome: string): number => snapshot.tasks.filter((task) => task.outcome === outcome).length;
  const took = elapsed({ startedAt: snapshot.startedAt, endedAt: lastEnd(run.snapshot) }, now);
  const counts = ['succeeded', 'failed', 'cancelled'].flatMap((name) =>
    count(name) > 0 ? [`${count(name)} ${name}`] : [],
  );
  const paint = verdict === 'succeeded' ? style.good : verdict === 'cancelled' ? style.warn : style.bad;
  const lines = [
    `${paint(`run ${snapshot.invocation}: ${spoken(verdict)}`)} (${counts.join(', ') || 'no task ended'}; ${took})`,
  ];
  lines.push(
    ...failureLines([...snapshot.tasks, ...(snapshot.shared ?? []).filter(({ error }) => error !== null)]).map(
      (line) => `  ${line}`,
    ),
  );
  if (failure)
    lines.push(
      ...harmlessText(failure.message)
        .split('\n')
        .map((line) => `  ${line}`),
    );
  lines.push(...costLine(snapshot, now).map((line) => `  ${line}`));
  lines.push(...resultNotes(snapshot).map((note) => `  ${note}`));
  lines.push(...findingLines(run).map((line) => style.warn(`  ${line}`)));
  lines.push(...scoresCaveats(snapshot).map((line) => `  ${line}`));
  lines.push(...scoresAfterEnd(run).map((line) => `  ${line}`));
  lines.push(...leftAndKept(snapshot).map((line) => style.bad(`  ${line}`)));
  lines.push(...exportLines(snapshot, program).map((line) => `  ${line}`));
  if (outputDir !== null && snapshot.tasks.some((task) => task.outputDir !== null)) lines.push(`results: ${outputDir}`);
  return [...lines, ...nextCommands(run, program)];
}

/** Returns the tasks' final notes, on how to read the scores and find the logs; equal notes once. Pure. */
export function resultNotes({ tasks }: Pick<RunDescription['snapshot'], 'tasks'>): string[] {
  const byNote = new Map<string, number[]>();
  for (const { index, phase, message } of tasks) {
    if (phase !== 'done' || !message) continue;
    const note = harmlessLine(message);
    byNote.set(note, [...(byNote.get(note) ?? []), index]);
  }
  return [...byNote].map(
    ([note, indices]) => `note on ${indices.length === 1 ? 'task' : 'tasks'} ${indices.join(', ')}: ${note}`,
  );
}

function nextCommands({ snapshot }: RunDescription, program: string): string[] {
  const { invocation } = snapshot;
  const failed = snapshot.tasks.find(({ outcome, job }) => outcome === 'failed' && job !== null);
  const commands = [
    ...(snapshot.left.length > 0 ? [`${program} cleanup ${invocation}`] : []),
    ...(failed ? [`${program} logs ${invocation}.${failed.index}`] : []),
    ...(snapshot.tasks.some(({ metrics }) => Object.keys(metrics).length > 0)
      ? [`${program} results ${invocation}`]
      : []),
    `${program} status ${invocation}`,
  ];
  return ['next:', ...commands.map((command) => `  ${command}`)];
}
