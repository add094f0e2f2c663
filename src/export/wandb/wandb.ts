import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import type { WandbSettings } from '../../contract/export';
import { exportVariables } from '../../contract/export';
import { MissingProgram } from '../../provision/python';
import { maskSecrets } from '../../secrets/masking';
import { attachmentsOf, runFilesOf, type Attachment } from '../attachments';
import { factsOf, measurementsOf, namedScores, type ExportedRun, type ExportedTask } from '../exported-run';
import { ExportFault, type ExportContext, type Exporter } from '../exporter';
import { provisionWandb, wandbFile } from './provision';

/**
 * One W&B run per task, or one for all of them (`log_mode: multi_task`), with ids that are the same each time. W&B's own client logs
 * them; it is installed on first use. The key reaches it as a variable, never as an argument.
 */
export const exportWandb: Exporter<WandbSettings> = async (run, settings, context) => {
  const python = await provisionWandb({ home: context.home, report: context.progress, signal: context.signal }).catch(
    (error: unknown) => {
      if (!(error instanceof MissingProgram)) throw error;
      throw new ExportFault(`W&B's client needs Python here: ${error.message}`);
    },
  );
  const isOffline = context.variable('WANDB_MODE') === 'offline';
  const scratch = await mkdtemp(path.join(tmpdir(), 'evalsaga-wandb-'));
  try {
    const folder = isOffline ? (context.variable('WANDB_DIR') ?? context.outputDir) : scratch;
    await mkdir(folder, { recursive: true });
    const runs = await wandbRuns(run, settings);
    const urls = await logRuns({ python, runs, folder, scratch }, context);
    const [first = null] = urls;
    return { tasks: run.tasks.length, skipped: 0, where: first ?? path.join(folder, 'wandb'), notes: [] };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
};

/** One run, as log_runs.py takes it. */
export interface WandbRun {
  /** Of `wandb.init`. */
  readonly init: Readonly<Record<string, unknown>> & { readonly id: string };
  readonly artifact: Readonly<Record<string, unknown>>;
  readonly files: readonly Attachment[];
  readonly metrics: Readonly<Record<string, number>>;
  readonly step: number;
}

/** Returns what is logged of a run. */
export async function wandbRuns(run: ExportedRun, settings: WandbSettings): Promise<readonly WandbRun[]> {
  const files = await runFilesOf(run);
  if (settings.log_mode === 'per_task')
    return Promise.all(
      run.tasks.map(async (task) => ({
        init: initOf(
          { run, settings, id: `${run.invocation}-${task.index}`, name: `eval-${run.invocation}-${task.benchmark}` },
          [task],
        ),
        artifact: artifactOf(`${run.invocation}_${task.index}_${safe(task.benchmark)}`, factsOf(run, task)),
        files: [...files, ...(await attachmentsOf(task, settings))],
        metrics: metricsOf(task, settings),
        step: task.index,
      })),
    );
  const id = settings.run_id ?? run.invocation;
  const attachments = await Promise.all(
    run.tasks.map(async (task) => {
      const prefix = isRepeated(run, task) ? `${task.index}-` : '';
      return (await attachmentsOf(task, settings)).map((file) => ({ ...file, name: `${prefix}${file.name}` }));
    }),
  );
  return [
    {
      init: initOf({ run, settings, id, name: `eval-${run.invocation}` }, run.tasks),
      artifact: artifactOf(run.invocation, { invocation_id: run.invocation }),
      files: [...files, ...attachments.flat()],
      metrics: Object.assign({}, ...run.tasks.map((task) => distinct(run, task, metricsOf(task, settings)))) as Record<
        string,
        number
      >,
      step: 0,
    },
  ];
}

const metricsOf = (task: ExportedTask, settings: WandbSettings): Record<string, number> => ({
  ...namedScores(task, settings),
  ...measurementsOf(task),
});

/** Whether the names of the task's scores and files are those of another task of the run. */
const isRepeated = ({ repeated }: ExportedRun, { benchmark }: ExportedTask): boolean =>
  repeated.benchmarks.has(benchmark);

/** Names of scores have their task's, unless another task has the same; what was measured has not. */
function distinct(
  run: ExportedRun,
  task: ExportedTask,
  metrics: Readonly<Record<string, number>>,
): Record<string, number> {
  const isTwice = isRepeated(run, task);
  const own = Object.keys(namedScores(task, { log_metrics: [] })).filter((name) => !run.repeated.scores.has(name));
  const scores = new Set(isTwice ? [] : own);
  const prefix = isTwice ? `${task.index}-${task.benchmark}` : task.benchmark;
  return Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [scores.has(name) ? name : `${prefix}/${name}`, value]),
  );
}

interface InitParts {
  readonly run: ExportedRun;
  readonly settings: WandbSettings;
  readonly id: string;
  readonly name: string;
}

function initOf({ run, settings, id, name }: InitParts, tasks: readonly ExportedTask[]): WandbRun['init'] {
  const [only] = tasks;
  const facts =
    tasks.length === 1 && only && settings.log_mode === 'per_task'
      ? factsOf(run, only)
      : {
          invocation_id: run.invocation,
          model: run.model,
          executor: run.platform,
          benchmarks: [...new Set(tasks.map(({ benchmark }) => benchmark))],
          harnesses: [...new Set(tasks.flatMap(({ harness }) => harness ?? []))],
          tasks: tasks.map((task) => factsOf(run, task)),
        };
  const config = {
    ...facts,
    launcher_command: run.command,
    run_tags: run.tags,
    cost: run.cost,
    ...settings.extra_metadata,
  };
  return {
    id: id.slice(0, 128),
    ...(settings.entity === null ? {} : { entity: settings.entity }),
    project: settings.project,
    name: settings.name ?? name,
    group: settings.group ?? run.invocation,
    job_type: settings.job_type,
    tags: [...settings.tags],
    ...(settings.description === null ? {} : { notes: settings.description }),
    config,
  };
}

const safe = (text: string): string => text.replace(/[^A-Za-z0-9_.-]/g, '_');

const artifactOf = (name: string, metadata: object): Record<string, unknown> => ({
  name: name.slice(0, 128),
  type: 'evaluation_result',
  description: 'Evaluation results',
  metadata,
});

const lineSchema = z.union([
  z.object({ id: z.string(), url: z.string().nullable() }),
  z.object({ error: z.string(), lasting: z.boolean() }),
]);

interface LogRequest {
  readonly python: string;
  readonly runs: readonly WandbRun[];
  readonly folder: string;
  readonly scratch: string;
}

/** Milliseconds for the client. */
const clientMs = 20 * 60_000;

/** Returns the runs' URLs, `null` if it is offline. */
async function logRuns(
  { python, runs, folder, scratch }: LogRequest,
  context: ExportContext,
): Promise<(string | null)[]> {
  context.progress(`logging ${runs.length} runs with W&B's client`);
  const variables = exportVariables.wandb.flatMap((name) => {
    const value = context.variable(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  const own = ['CONFIG', 'CACHE', 'DATA', 'ARTIFACT'].map((kind) => [`WANDB_${kind}_DIR`, scratch] as const);
  const { stdout, stderr, timedOut } = await execa(python, [wandbFile('log_runs.py')], {
    input: JSON.stringify({ runs, folder }),
    env: { ...Object.fromEntries([...own, ...variables]), WANDB_SILENT: 'true', PYTHONUTF8: '1' },
    reject: false,
    cancelSignal: context.signal,
    timeout: clientMs,
    forceKillAfterDelay: 5_000,
  });
  context.signal.throwIfAborted();
  const lines = stdout.split('\n').flatMap((line) => lineOf(line));
  const failure = lines.find((line) => 'error' in line);
  const secrets = [context.variable('WANDB_API_KEY') ?? ''].filter((value) => value !== '');
  if (failure && 'error' in failure)
    throw new ExportFault(`W&B: ${maskSecrets(failure.error, secrets)}`, failure.lasting ? 'lasting' : 'temporary');
  const urls = lines.flatMap((line) => ('url' in line ? [line.url] : []));
  if (urls.length === runs.length) return urls;
  const said = timedOut ? `no answer within ${clientMs / 60_000} min` : lastLine(stderr);
  throw new ExportFault(`W&B's client ended without an answer: ${maskSecrets(said, secrets)}`, 'temporary');
}

function lineOf(line: string): z.infer<typeof lineSchema>[] {
  try {
    const parsed = lineSchema.safeParse(JSON.parse(line));
    return parsed.success ? [parsed.data] : [];
  } catch {
    return [];
  }
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1)?.slice(0, 500) ?? '';
