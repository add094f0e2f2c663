import type { Finding } from '../../results/validity/finding';
import { formatDuration } from '../../support/duration';
import { html, type Html } from '../page/html';
import type { Section } from '../page/page';
import { timelineHtml, type TimelineRow } from '../page/plots';
import { tableHtml } from '../page/table';
import type { ReportedRun, ReportedTask } from './reported-run';

/** The parts of a run's report that need no statistics. */

export function validitySection({ tasks }: ReportedRun): Section {
  const findings = tasks.flatMap(({ summary }) => summary?.findings ?? []);
  const unknown = tasks.filter(({ snapshot, summary }) => snapshot.outputDir !== null && !summary).length;
  const body = html`${
    findings.length === 0
      ? html`<p>Nothing was found that would spoil the scores.</p>`
      : tableHtml(alike(findings), [
          {
            title: 'Task',
            cell: ({ tasks: whose }) => html`${whose.map((task, at) => html`${at > 0 && html`<br />`}${task}`)}`,
          },
          { title: 'Found', cell: ({ message }) => html`<span class="warn">${message}</span>` },
          { title: 'What to do', cell: ({ advice }) => advice },
        ])
  }${unknown > 0 && html`<p class="note">The files of ${unknown} tasks could not be checked.</p>`}`;
  return { id: 'validity', title: 'Validity', body };
}

/** Puts findings that differ only in their task together. */
function alike(findings: readonly Finding[]): readonly (Finding & { readonly tasks: readonly string[] })[] {
  const byText = new Map<string, Finding & { tasks: string[] }>();
  for (const finding of findings) {
    const key = JSON.stringify([finding.message, finding.advice]);
    const known = byText.get(key) ?? { ...finding, tasks: [] };
    known.tasks.push(`${finding.index} ${finding.task}`);
    byText.set(key, known);
  }
  return [...byText.values()];
}

export function tasksSection({ tasks, left, kept }: ReportedRun): Section {
  const body = html`${tableHtml(tasks, [
    { title: '#', cell: ({ snapshot }) => String(snapshot.index), isNumber: true },
    { title: 'Task', cell: ({ snapshot }) => snapshot.name },
    { title: 'Outcome', cell: outcome },
    { title: 'Endpoint', cell: ({ snapshot }) => snapshot.endpoint ?? 'existing' },
    { title: 'Job', cell: ({ snapshot }) => snapshot.job },
    { title: 'Note', cell: ({ snapshot }) => snapshot.error?.message ?? snapshot.message },
  ])}
  ${left.map(({ kind, name, reason }) => html`<p class="bad">Still exists: ${kind} ${name}: ${reason}</p>`)}
  ${kept.map(({ path, reason, command }) => html`<p>Storage kept: ${path}: ${reason}: <code>${command}</code></p>`)}`;
  return { id: 'tasks', title: 'Tasks', body };
}

function outcome({ snapshot: { outcome: word, phase } }: ReportedTask): Html {
  const look = word === 'succeeded' ? 'good' : word === 'failed' ? 'bad' : 'note';
  return html`<span class="${look}">${word ?? phase}</span>`;
}

export function timelineSection(run: ReportedRun): Section | undefined {
  const start = Date.parse(run.startedAt);
  const end = Date.parse(run.endedAt ?? run.countedTo);
  const rows = run.tasks.flatMap(
    ({ snapshot: { index, name, usage, earlierUsage = [], startedAt, endedAt } }): TimelineRow[] => {
      const own = usage?.endpoint || usage?.job ? usage : undefined;
      const whole = own || startedAt === null ? null : { from: startedAt, until: endedAt };
      return (
        [
          ...earlierUsage.flatMap(({ endpoint, job }) => [['endpoint', endpoint] as const, ['job', job] as const]),
          ['endpoint', own?.endpoint],
          ['job', own?.job],
          ['task', whole],
        ] as const
      ).flatMap(([kind, span]) => {
        if (!span) return [];
        const from = (Date.parse(span.from) - start) / 1000;
        const until = ((span.until === null ? end : Date.parse(span.until)) - start) / 1000;
        const title = `${kind} of ${index} ${name}: ${formatDuration((until - from) * 1000)}, from ${span.from}`;
        return [{ label: `${index} ${name}`, kind, from, until, title }];
      });
    },
  );
  if (rows.length === 0) return undefined;
  const caption = 'When endpoints (wide bars) and jobs (narrow bars) existed';
  return { id: 'timeline', title: 'Timeline', body: timelineHtml({ caption, rows }) };
}

export function costSection({ tasks, cost, usefulShare }: ReportedRun): Section {
  const seconds = (value: number | null): string | null => (value === null ? null : formatDuration(value * 1000));
  const share = (value: number | null): string | null => (value === null ? null : `${(value * 100).toFixed(1)} %`);
  const body = html`${usefulShare !== null && html`<p>Requests were under way for <b>${share(usefulShare)}</b> of the time that endpoints existed.</p>`}
  ${cost && html`<p>Cost: <b>${cost.spent} ${cost.currency}</b>, limit ${cost.limit} ${cost.currency}.</p>`}
  ${tableHtml(tasks, [
    { title: '#', cell: ({ snapshot }) => String(snapshot.index), isNumber: true },
    { title: 'Task', cell: ({ snapshot }) => snapshot.name },
    { title: 'Endpoint', cell: ({ costs }) => seconds(costs.endpointSeconds), isNumber: true },
    { title: 'Job', cell: ({ costs }) => seconds(costs.jobSeconds), isNumber: true },
    { title: 'Requests under way', cell: ({ costs }) => seconds(costs.requestSeconds), isNumber: true },
    { title: 'Useful', cell: ({ costs }) => share(costs.usefulShare), isNumber: true },
    {
      title: 'Cost',
      cell: ({ costs }) => (costs.cost === null ? null : `${costs.cost} ${cost?.currency ?? ''}`),
      isNumber: true,
    },
  ])}`;
  return { id: 'cost', title: 'Time and cost', body };
}

export function provenanceSection({ provenance, platform, tasks, config }: ReportedRun): Section {
  const versions = tasks.flatMap(({ summary }) =>
    Object.entries(summary?.versions ?? {}).map(([name, version]) => `${name} ${version}`),
  );
  const rows = [
    ...provenance,
    ['Platform', platform] as const,
    ...(versions.length > 0 ? [['Task versions', [...new Set(versions)].join(', ')] as const] : []),
  ];
  const body = html`${tableHtml(rows, [
    { title: '', cell: ([name]) => name },
    { title: '', cell: ([, value]) => html`<code>${value}</code>` },
  ])}
  ${
    config === null
      ? html`<p class="note">This machine does not have the config.</p>`
      : html`<h3>Config, resolved, secrets masked</h3>
          <pre>${config}</pre>`
  }`;
  return { id: 'provenance', title: 'Config and provenance', body };
}
