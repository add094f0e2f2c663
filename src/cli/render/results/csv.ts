import { nameInConfig } from '../../../contract/task-name';
import { intervalOf } from '../../../contract/interval';
import type { RunDocument, TaskDocument } from '../run-document';

/** Scores as comma-separated values (RFC 4180): one line per score, or one for a task without scores. Pure. */

type Cell = string | number | boolean | null | undefined;

interface Line {
  readonly run: RunDocument;
  readonly task: TaskDocument;
  readonly score: TaskDocument['scores'][number] | undefined;
}

const columns: readonly (readonly [name: string, cell: (line: Line) => Cell])[] = [
  ['run', ({ run }) => run.invocation],
  ['model', ({ run, task }) => task.model ?? run.model],
  ['platform', ({ run }) => (run.simulated ? 'simulated' : run.platform)],
  ['run_status', ({ run }) => run.status],
  ['task_index', ({ task }) => task.index],
  ['task', ({ task }) => (task.model === undefined ? task.name : nameInConfig(task.name))],
  ['task_status', ({ task }) => task.status],
  ['metric', ({ score }) => score?.name],
  ['value', ({ score }) => score?.value],
  ['stderr', ({ score }) => score?.stderr],
  ['ci95_low', ({ score }) => score && intervalOf(score)?.low],
  ['ci95_high', ({ score }) => score && intervalOf(score)?.high],
  ['kind', ({ score }) => score?.kind],
  ['groups', ({ score }) => score?.path.join('/')],
  ['harness_metric', ({ score }) => score?.metric],
  ['harness_score', ({ score }) => score?.score],
  ['count', ({ score }) => score?.count],
  ['samples_done', ({ task }) => task.samples?.evaluated],
  ['samples_asked', ({ task }) => task.samples?.asked],
  ['samples_total', ({ task }) => task.samples?.of],
  ['repeats', ({ task }) => task.samples?.repeats],
  ['partial', ({ task }) => task.partial ?? false],
  ['job_seconds', ({ task }) => task.costs.jobSeconds],
  ['endpoint_seconds', ({ task }) => task.costs.endpointSeconds],
  ['request_seconds', ({ task }) => task.costs.requestSeconds],
  ['useful_share', ({ task }) => task.costs.usefulShare],
  ['requests', ({ task }) => task.requests?.count],
  ['requests_successful', ({ task }) => task.requests?.successful],
  ['prompt_tokens', ({ task }) => task.requests?.promptTokens?.total],
  ['completion_tokens', ({ task }) => task.requests?.completionTokens?.total],
  ['latency_p50_ms', ({ task }) => task.latencyMs?.p50],
  ['latency_p99_ms', ({ task }) => task.latencyMs?.p99],
  ['cost', ({ task }) => task.costs.cost],
  ['currency', ({ run }) => run.cost?.currency],
  [
    'findings',
    ({ run, task }) =>
      run.findings
        .filter(({ index }) => index === task.index)
        .map(({ kind }) => kind)
        .join(' '),
  ],
  ['error', ({ task }) => task.error?.message],
  ['notes', ({ task }) => task.notes.join('; ')],
];

/** Numbers have all their digits. Names are whole; text that a spreadsheet would take for a formula begins with `'`. */
export function csvOf(runs: readonly RunDocument[]): string {
  const lines = runs.flatMap((run) =>
    run.tasks.flatMap((task): Line[] =>
      task.scores.length === 0 ? [{ run, task, score: undefined }] : task.scores.map((score) => ({ run, task, score })),
    ),
  );
  return [columns.map(([name]) => name), ...lines.map((line) => columns.map(([, cell]) => cellText(cell(line))))]
    .map((cells) => cells.join(','))
    .join('\r\n');
}

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell !== 'string') return String(cell);
  const harmless = /^[=+@\t\r]|^-(?!\d|Infinity$)/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
