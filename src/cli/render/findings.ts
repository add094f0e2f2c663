import type { RunDescription } from '../../client';
import { harmlessLine } from '../../support/terminal-text';
import type { Finding } from '../../results/validity/finding';
import { findingsIn } from './run-document';

/** Findings shown; `--json` and files have all of them. */
const mostShown = 12;

type Described = Pick<RunDescription, 'snapshot' | 'resultsInfo'>;

/**
 * Says what may have spoiled the scores of a run, equal findings of several tasks once. What the notes of the tasks say is not
 * repeated. Pure.
 */
export function findingLines(run: Described, most = mostShown): string[] {
  const messages = new Map(run.snapshot.tasks.map(({ index, message }) => [index, message ?? '']));
  const untold = findingsIn(run).filter(({ index, message }) => !messages.get(index)?.includes(message));
  const lines = [...grouped(untold)].map(([text, tasks]) => `check ${tasksText(tasks)}: ${text}`);
  const more = lines.length - most;
  return more <= 0 ? lines : [...lines.slice(0, most), `and ${more} more findings (results --json has all)`];
}

/** Returns the tasks by what was found. */
function grouped(findings: readonly Finding[]): ReadonlyMap<string, readonly Finding[]> {
  const byText = new Map<string, Finding[]>();
  for (const finding of findings) {
    const text = `${harmlessLine(finding.message)}. ${harmlessLine(finding.advice)}`;
    byText.set(text, [...(byText.get(text) ?? []), finding]);
  }
  return byText;
}

function tasksText(findings: readonly Finding[]): string {
  const [first] = findings;
  if (first !== undefined && findings.length === 1) return `task ${first.index} (${harmlessLine(first.task)})`;
  return `tasks ${findings.map(({ index }) => index).join(', ')}`;
}
