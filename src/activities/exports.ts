import path from 'node:path';
import { isFileTarget, type ExportPlan, type ExportReport } from '../contract/export';
import type { ExportRunInput } from '../contract/inputs/run';
import { ownerIn } from '../contract/owner';
import { resultsPlaceOf } from '../contract/results-place';
import { exportRun, withExportedRun } from '../export/export-run';
import { ExportFault, type Exported } from '../export/exporter';
import { copyFromStore } from '../results/store/local-copy';
import { withFolderOf } from '../results/store/result-files';
import type { StoreEnv } from '../results/store/store';
import { withTarget } from '../results/store/target';
import { attempt, type Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { createLane } from './heavy';
import { askRun, buildRunRecord } from './run-record';
import { fitForHistory } from './wording';

/** Limits the exports that a worker makes at once. */
const exportLane = createLane(4);
/** Bytes of the largest file that is copied from a bucket for an export that needs no samples. */
const mostBytes = 16 * 1024 * 1024;
/** Where exports that are files go, below the run's folder. */
const folderOfExports = 'exports';

/** Activities that export results. */
export function createExportActivities(dependencies: ActivityDependencies) {
  const { runsFolder, stagingFolder: staging } = dependencies;

  async function exported(input: ExportRunInput, look: Attempt): Promise<Exported> {
    const { run, plan } = input;
    const env = await dependencies.storeEnvironment();
    const place = resultsPlaceOf(run);
    const snapshot = input.snapshot ?? (await askRun());
    const record = await buildRunRecord({ ...input, snapshot }, { runsFolder, place, env, staging });
    const variable = await variablesOf(input);
    const around = { place, staging, env, signal: look.signal };
    const context = { variable, home: dependencies.home, signal: look.signal, progress: look.progress };
    return withRunFolder({ input, ...around }, (folder) =>
      withExportedRun({ record, folder, includes: ({ outcome }) => outcome === 'succeeded' }, (one) =>
        withOutput(input, around, (outputDir) => exportRun(one, plan, { ...context, outputDir })),
      ),
    );
  }

  async function variablesOf({ run, plan }: ExportRunInput): Promise<(name: string) => string | undefined> {
    const { invocation, secretsAt } = ownerIn(run, 0);
    const resolve = await dependencies.hostSecrets({ invocation, secretsAt });
    const values = new Map(
      plan.envs.map((entry) => {
        if ('value' in entry) return [entry.name, entry.value];
        if (entry.secret.kind === 'host') return [entry.name, resolve(entry.secret.name)];
        throw new ExportFault(`${entry.name} is a secret of the workspace, which workers can't read`);
      }),
    );
    return (name) => values.get(name);
  }

  return {
    /** Exports the tasks that succeeded to one target. Repeating it changes nothing. */
    exportRun: (input: ExportRunInput): Promise<ExportReport> =>
      attempt({ subject: `export to ${input.plan.to}`, purpose: 'reading' }, (look) =>
        exportLane(input.run.invocation, async () => reportOf(input.plan, await exported(input, look))),
      ),
  };
}

interface Around {
  readonly place: string;
  /** See HomePaths.staging. */
  readonly staging: string;
  readonly env: StoreEnv;
  readonly signal: AbortSignal;
}

/** Calls `work` with the run's folder: of a bucket, a copy of what the export needs. */
function withRunFolder<T>(
  { input, place, staging, env, signal }: Around & { readonly input: ExportRunInput },
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const only = (at: string, size: number): boolean => needsAll(input.plan) || size <= mostBytes;
  return withFolderOf({ place, staging, env, copy: (copied) => copyFromStore({ ...copied, only, signal }) }, work);
}

/** Calls `work` with the folder for files: the one of the config, or one in the run's own place. */
async function withOutput<T extends Exported>(
  { plan }: ExportRunInput,
  { place, staging, env, signal }: Around,
  work: (outputDir: string) => Promise<T>,
): Promise<Exported> {
  const own = ownFolderOf(plan);
  if (own !== null) return work(own);
  return withTarget(place, { staging, env }, async (target) => {
    const done = await work(path.join(target.folder, folderOfExports, plan.to));
    await target.complete(signal);
    const where = done.where.replace(target.folder, target.place);
    return { ...done, where };
  });
}

function ownFolderOf(plan: ExportPlan): string | null {
  if (isFileTarget(plan.to) && 'output_dir' in plan.settings) return plan.settings.output_dir;
  return null;
}

/** Whether an export needs the samples or everything else that a task wrote. */
const needsAll = ({ to, settings }: ExportPlan): boolean =>
  to === 'nel' || to === 'eee' || (settings.copy_artifacts && !settings.only_required);

/** Pure. */
function reportOf({ to }: ExportPlan, { tasks, skipped, where, notes }: Exported): ExportReport {
  const kept = skipped === 0 ? [] : [`${skipped} were there before, and stayed as they were`];
  const message = [...kept, ...notes].join('; ');
  return {
    ...{ to, tasks: tasks + skipped, where: fitForHistory(where) },
    outcome: 'exported',
    message: message === '' ? null : fitForHistory(message),
  };
}
