import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { UsageFault } from '../../support/usage-fault';
import { unknownUsage, type Evidence, type ScoreEvidence, type TaskEvidence } from './evidence';
import { readHarness, type HarnessEvidence } from './read-harness';
import { nelBundles, readNel } from './read-nel';
import { readRun, type RunFolder } from './read-run';
import { readTask } from './read-task';

/**
 * Reads results from a folder of evalsaga (a run's or one task's), lm-evaluation-harness (`--output_path`) or `nel`, or from a
 * bundle or summary file of the last two. Throws `UsageFault` if it is none of these, or ambiguous.
 */
export async function openEvidence(request: RunFolder): Promise<Evidence> {
  const { label } = request;
  const found = await stat(request.folder).catch(() => undefined);
  if (!found) throw new UsageFault(`${label}: there is no such folder (${request.folder}).`);
  if (found.isFile()) return openFile(request);
  const { folder } = request;
  const names = new Set(await readdir(folder));
  if (names.has('run.json')) return readRun(request);
  if (request.index !== undefined)
    throw new UsageFault(`${label}: ${folder} has no run.json, so its tasks have no numbers.`);
  if (['results.yml', 'run_config.yml', 'manifest.json'].some((name) => names.has(name)))
    return openTask(label, folder);
  const runs = await runsBelow(folder, names);
  if (runs.length > 0)
    throw new UsageFault(
      `${label}: ${folder} holds ${runs.length} runs. Give the folder of one, e.g. ${path.join(folder, runs[0] ?? '')}`,
    );
  const bundles = await nelBundles(folder);
  if (bundles.length > 0) return readNel({ label, folder }, bundles);
  const harness = await readHarness(folder);
  if (harness) return harnessEvidence({ label, folder }, harness);
  throw new UsageFault(
    `${label}: ${folder} holds no results that can be compared: neither run.json or results.yml (evalsaga), nor results_*.json or samples_*.jsonl (lm-evaluation-harness), nor eval-*.json (nel).`,
  );
}

async function openFile({ label, folder: file }: RunFolder): Promise<Evidence> {
  const folder = path.dirname(file);
  const name = path.basename(file);
  if (/^eval-.*\.json$/.test(name)) return readNel({ label, folder }, [file]);
  if (name === 'run.json') return readRun({ label, folder });
  if (name === 'results.yml') return openTask(label, folder);
  const harness = /^(results|samples)_.*\.jsonl?$/.test(name) ? await readHarness(folder) : undefined;
  if (harness) return harnessEvidence({ label, folder }, harness);
  throw new UsageFault(`${label}: ${file} is no file of results. Give the folder that it lies in.`);
}

async function openTask(label: string, folder: string): Promise<Evidence> {
  const parent = path.dirname(folder);
  const [, index] = /^(\d{1,6})-/.exec(path.basename(folder)) ?? [];
  if (index !== undefined && (await isFile(path.join(parent, 'run.json'))))
    return readRun({ label, folder: parent, index: Number(index) });
  const task = await readTask({
    folder,
    name: path.basename(folder).replace(/^\d+-/, ''),
    recorded: undefined,
    settings: [],
  });
  return { ...ofOneFolder({ label, folder }), kind: 'evalsaga', tasks: [task], model: modelOf(task) };
}

const modelOf = ({ settings }: TaskEvidence): string | null =>
  settings.find(({ kind, name }) => kind === 'model' && name === 'name')?.value ?? null;

/** Each task or group that has no scored group around it is one task. */
function harnessEvidence(
  place: { readonly label: string; readonly folder: string },
  harness: HarnessEvidence,
): Evidence {
  if (harness.models.length > 1)
    throw new UsageFault(
      `${place.label}: ${place.folder} has results of ${harness.models.length} models (${harness.models.join(', ')}). Give the folder of one.`,
    );
  const ofScores = harness.scores.filter(({ level }) => level === 'overall').map(({ path: own }) => own.join('/'));
  const roots = [...new Set(ofScores.length > 0 ? ofScores : harness.items.map(({ path: own }) => own.join('/')))];
  const tasks = roots.map((root): TaskEvidence => {
    const isBelow = ({ path: own }: Pick<ScoreEvidence, 'path'>): boolean => `${own.join('/')}/`.startsWith(`${root}/`);
    const scores = harness.scores.filter(isBelow);
    const names = new Set(scores.map(({ path: own }) => own.at(-1)));
    return {
      name: root.split('/').at(-1) ?? root,
      index: null,
      incomplete: null,
      scores,
      items: harness.items.filter(isBelow),
      settings: harness.settings.filter(({ of }) => of === null || names.has(of)),
      usage: unknownUsage,
      notes: [],
    };
  });
  return { ...ofOneFolder(place), kind: 'lm-eval', model: harness.models[0] ?? null, tasks, notes: harness.notes };
}

const ofOneFolder = (place: { readonly label: string; readonly folder: string }) =>
  ({ ...place, invocation: null, usage: { seconds: null, cost: null }, notes: [] }) as const;

async function runsBelow(folder: string, names: ReadonlySet<string>): Promise<string[]> {
  const ids = [...names].filter((name) => /^[0-9a-f]{16}$/.test(name)).sort();
  const found = await Promise.all(ids.map((id) => isFile(path.join(folder, id, 'run.json'))));
  return ids.filter((_, at) => found[at]);
}

const isFile = (file: string): Promise<boolean> =>
  stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
