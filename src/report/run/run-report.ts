import { html, type Html } from '../page/html';
import { pageHtml, type Section } from '../page/page';
import type { ReportedRun } from './reported-run';
import { requestsSection } from './requests-section';
import { scoresSection } from './scores-section';
import { costSection, provenanceSection, tasksSection, timelineSection, validitySection } from './sections';

/** Name of a run's report in its folder. */
export const reportFile = 'report.html';

interface Written {
  /** ISO 8601. */
  readonly writtenAt: string;
  /** Version of evalsaga. */
  readonly version: string;
}

/** Returns the report on runs as one HTML file that needs nothing else; of several runs, one after the other. */
export function runReport(runs: readonly ReportedRun[], written: Written): string {
  const [only, ...others] = runs;
  if (only !== undefined && others.length === 0)
    return pageHtml({ title: only.model, summary: summary(only), sections: sectionsOf(only), ...written });
  const sections = runs.flatMap((run): Section[] => [
    { id: `run-${run.invocation}`, title: `${run.model} (${run.invocation})`, body: html`<p>${summary(run)}</p>` },
    ...sectionsOf(run).map(({ id, title, body }) => ({
      id: `${id}-${run.invocation}`,
      title: `${title}: ${run.model}`,
      body,
    })),
  ]);
  return pageHtml({ title: `${runs.length} runs`, sections, ...written });
}

const sectionsOf = (run: ReportedRun): readonly Section[] =>
  [
    scoresSection(run),
    validitySection(run),
    timelineSection(run),
    requestsSection(run),
    costSection(run),
    tasksSection(run),
    provenanceSection(run),
  ].filter((section) => section !== undefined);

function summary(run: ReportedRun): Html {
  const madeUp = run.isSimulated && html` <b class="warn">A simulated platform: the scores are made up.</b>`;
  const end = run.endedAt === null ? '' : ` until ${run.endedAt}`;
  return html`Run ${run.invocation}: <b>${run.status}</b>, on ${run.platform}, from ${run.startedAt}${end}.${madeUp}`;
}
