import type { ProgressUnit, SeenProgress } from '../../contract/job-progress';
import { parsePythonJson } from '../requests/python-json';

/** Reads how far a job is from the progress bars in its log. Pure. */

/** A text that all lines with a progress bar contain, for log stores that can search. */
export const barMark = '%|';

/** `Requesting API:  35%|███▌      | 14/40 [00:03<00:05,  3.90it/s]`, as tqdm writes it. */
const bar = /(?:^|\r|\n)\s*(?:([^\r\n|%]*?): +)?\s*\d{1,3}%\|[^|\r\n]*\| *(\d+)\/(\d+) \[/g;

/** Bars of preparations, which say nothing about the evaluation. */
const preparation =
  /download|fetch|\bmap\b|filter|generating (\w+ )?split|loading|check|tokeniz|build|bootstrap|creating|convert|extract|resolv|saving|\bfiles\b/i;

/** What lm-evaluation-harness calls its requests; its other bars, some without a name, are of preparations. */
const lmEvalRequests = 'Requesting API';

/** Harnesses whose bar without a name counts samples. */
const samplesOf: readonly string[] = ['simple_evals'];

/** Returns what the last progress bar of the evaluation says; `undefined`: there is none. `harness`: as in `harness.task`. */
export function progressInLog(lines: readonly string[], harness: string): SeenProgress | undefined {
  for (const line of [...lines].reverse()) {
    const bars = [...line.matchAll(bar)].reverse();
    for (const [, label = '', done, total] of bars) {
      const unit = unitOf(label.trim(), harness);
      if (unit !== undefined) return { done: Number(done), total: Number(total), unit };
    }
  }
  return undefined;
}

function unitOf(label: string, harness: string): ProgressUnit | undefined {
  if (label === lmEvalRequests) return 'requests';
  if (harness.startsWith('lm-evaluation-harness') || preparation.test(label)) return undefined;
  return samplesOf.includes(harness) ? 'samples' : 'steps';
}

/**
 * Returns the requests that the evaluator's own statistics count, `eval_factory_metrics.json`, which it writes after every hundred;
 * `undefined`: the text says nothing about them.
 */
export function progressInStats(text: string): SeenProgress | undefined {
  const done = countIn(text);
  return done === undefined ? undefined : { done, total: null, unit: 'requests' };
}

function countIn(text: string): number | undefined {
  try {
    const { response_stats: stats } = parsePythonJson(text) as { response_stats?: { successful_count?: unknown } };
    const count = stats?.successful_count;
    return typeof count === 'number' && Number.isInteger(count) && count > 0 ? count : undefined;
  } catch {
    // The evaluator may be writing it just now.
    return undefined;
  }
}
